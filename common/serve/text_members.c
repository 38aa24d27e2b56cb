#include "text_members.h"

#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct text_members, member)
#define SEED_ROW {"seed", MEMBER_SEED, AT(seed), 0, 0}

enum { TOKENS_MAX = 1 << 30 };

#define SAMPLING_ROWS                                                                             \
    {"temperature", MEMBER_NUMBER, AT(temperature), 0, 1e6},                                      \
    {"top_p", MEMBER_NUMBER, AT(top_p), 1e-9, 1},                                                 \
    {"top_k", MEMBER_INTEGER, AT(top_k), -1, TOKENS_MAX},                                         \
    {"min_p", MEMBER_NUMBER, AT(min_p), 0, 1},                                                    \
    {"frequency_penalty", MEMBER_NUMBER, AT(frequency_penalty), -2, 2},                           \
    {"presence_penalty", MEMBER_NUMBER, AT(presence_penalty), -2, 2},                             \
    SEED_ROW,                                                                                     \
    {"stop", MEMBER_VALUE, AT(stop), 0, 0}

#define OPENAI_ROWS                                                                               \
    {"model", MEMBER_STRING, AT(model), 0, 0},                                                    \
    SAMPLING_ROWS,                                                                                \
    {"repetition_penalty", MEMBER_NUMBER, AT(repetition_penalty), 1e-9, 1e9},                     \
    {"max_tokens", MEMBER_INTEGER, AT(max_tokens), 1, TOKENS_MAX},                                \
    {"min_tokens", MEMBER_INTEGER, AT(min_tokens), 0, TOKENS_MAX},                                \
    {"n", MEMBER_INTEGER, AT(n), 1, 128},                                                         \
    {"best_of", MEMBER_INTEGER, AT(best_of), 1, 128},                                             \
    {"stop_token_ids", MEMBER_LIST, AT(stop_token_ids), 0, 0},                                    \
    {"ignore_eos", MEMBER_BOOL, AT(ignore_eos), 0, 0},                                            \
    {"logit_bias", MEMBER_OBJECT, AT(logit_bias), 0, 0},                                          \
    {"stream", MEMBER_BOOL, AT(stream), 0, 0},                                                    \
    {"stream_options", MEMBER_OBJECT, AT(stream_options), 0, 0},                                  \
    {"response_format", MEMBER_OBJECT, AT(response_format), 0, 0}

static const struct member_row chat_rows[] = {
    {"messages", MEMBER_LIST, AT(messages), 0, 0},
    OPENAI_ROWS,
    {"max_completion_tokens", MEMBER_INTEGER, AT(max_completion_tokens), 1, TOKENS_MAX},
    {"logprobs", MEMBER_BOOL, AT(logprobs), 0, 0},
    {"top_logprobs", MEMBER_INTEGER, AT(top_logprobs), 0, 20},
    {"tools", MEMBER_LIST, AT(tools), 0, 0},
    {"tool_choice", MEMBER_VALUE, AT(tool_choice), 0, 0},
    {"documents", MEMBER_LIST, AT(documents), 0, 0},
    {"chat_template_kwargs", MEMBER_OBJECT, AT(chat_template_kwargs), 0, 0},
    {"reasoning_effort", MEMBER_STRING, AT(reasoning_effort), 0, 0},
    {"add_generation_prompt", MEMBER_BOOL, AT(add_generation_prompt), 0, 0},
    {"continue_final_message", MEMBER_BOOL, AT(continue_final_message), 0, 0},
    {"echo", MEMBER_BOOL, AT(echo), 0, 0},
    {0},
};

static const struct member_row completion_rows[] = {
    {"prompt", MEMBER_VALUE, AT(prompt), 0, 0},
    OPENAI_ROWS,
    {"logprobs", MEMBER_INTEGER, AT(n_logprobs), 0, 20},
    {"echo", MEMBER_BOOL, AT(echo), 0, 0},
    {0},
};

#define OLLAMA_ROWS                                                                               \
    {"model", MEMBER_STRING, AT(model), 0, 0},                                                    \
    {"stream", MEMBER_BOOL, AT(stream), 0, 0},                                                    \
    {"options", MEMBER_OBJECT, AT(options), 0, 0},                                                \
    {"think", MEMBER_VALUE, AT(think), 0, 0}

static const struct member_row ollama_chat_rows[] = {
    {"messages", MEMBER_LIST, AT(messages), 0, 0},
    {"tools", MEMBER_LIST, AT(tools), 0, 0},
    OLLAMA_ROWS,
    {0},
};

static const struct member_row ollama_generate_rows[] = {
    {"prompt", MEMBER_STRING, AT(prompt), 0, 0},
    {"system", MEMBER_STRING, AT(system), 0, 0},
    {"raw", MEMBER_BOOL, AT(raw), 0, 0},
    OLLAMA_ROWS,
    {0},
};

static const struct member_row ollama_option_rows[] = {
    SAMPLING_ROWS,
    {"repeat_penalty", MEMBER_NUMBER, AT(repetition_penalty), 1e-9, 1e9},
    {"num_predict", MEMBER_INTEGER, AT(max_tokens), -2, TOKENS_MAX},
    {0},
};

static const struct member_row stream_option_rows[] = {
    {"include_usage", MEMBER_BOOL, AT(include_usage), 0, 0},
    {"continuous_usage_stats", MEMBER_BOOL, AT(continuous_usage_stats), 0, 0},
    {0},
};

static const struct member_row *const rows_of[] = {
    [TEXT_CHAT] = chat_rows,
    [TEXT_COMPLETIONS] = completion_rows,
    [TEXT_OLLAMA_CHAT] = ollama_chat_rows,
    [TEXT_OLLAMA_GENERATE] = ollama_generate_rows,
};

static const struct refused_member *const refused_of[] = {
    [TEXT_CHAT] = refused_in_chat,
    [TEXT_COMPLETIONS] = refused_in_completions,
    [TEXT_OLLAMA_CHAT] = refused_in_ollama_chat,
    [TEXT_OLLAMA_GENERATE] = refused_in_ollama_generate,
};

static const struct member_row *const all_rows[] = {
    chat_rows,          completion_rows,    ollama_chat_rows, ollama_generate_rows,
    ollama_option_rows, stream_option_rows,
};

int text_members_read(struct text_members *members, enum text_form form, const char *body,
                      size_t size, struct refusal *refusal)
{
    for (size_t i = 0; i < sizeof all_rows / sizeof *all_rows; i++)
        members_init(all_rows[i], members);
    if (members_read(rows_of[form], refused_of[form], body, size, members, refusal))
        return -1;
    if (members->options && members_read(ollama_option_rows, refused_in_ollama_options,
                                         members->options, strlen(members->options), members,
                                         refusal))
        return -1;
    return members->stream_options
               ? members_read(stream_option_rows, NULL, members->stream_options,
                              strlen(members->stream_options), members, refusal)
               : 0;
}

void text_members_release(struct text_members *members)
{
    for (size_t i = 0; i < sizeof all_rows / sizeof *all_rows; i++)
        members_release(all_rows[i], members);
}

const struct member_row *text_members_rows(enum text_form form)
{
    return rows_of[form];
}
