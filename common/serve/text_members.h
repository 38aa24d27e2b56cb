/* text_members.h - the members of requests for texts, as they were sent. */
#ifndef COCKTAIL_TEXT_MEMBERS_H
#define COCKTAIL_TEXT_MEMBERS_H

#include "serve/members.h"
#include "serve/refusal.h"
#include "serve/text_form.h"

struct text_members { /* as members.h fills them; what a form does not have is not given */
    char *model;
    char *messages, *tools, *tool_choice, *response_format, *documents, *chat_template_kwargs;
    char *reasoning_effort, *stop, *stop_token_ids, *logit_bias, *stream_options;
    char *prompt, *system, *options, *think;
    double temperature, top_p, top_k, min_p;
    double repetition_penalty, frequency_penalty, presence_penalty;
    double max_tokens, max_completion_tokens, min_tokens, n, best_of, top_logprobs, n_logprobs;
    struct member_seed seed;
    int logprobs, stream, echo, ignore_eos, raw, add_generation_prompt, continue_final_message;
    int include_usage, continuous_usage_stats;
};

/* From the body of a request of this form; "options" and "stream_options" are read, too. To be
 * released with text_members_release, also when refused. */
int text_members_read(struct text_members *members, enum text_form form, const char *body,
                      size_t size, struct refusal *refusal);
/* What a request of this form may have. */
const struct member_row *text_members_rows(enum text_form form);
void text_members_release(struct text_members *members);

#endif
