/* talk.h - a conversation with a decoder: each answer is a text that grows, and what the model has
 * read once it need not read again. */
#ifndef COCKTAIL_TALK_H
#define COCKTAIL_TALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/threads.h"
#include "model/generation.h"
#include "serve/served_model.h"

#include "conversation.h"
#include "options.h"
#include "sampling_options.h"

struct talk {
    struct served_model model;
    struct threads *threads;
    struct sampling sampling;
    struct text_stops stops;
    size_t max_tokens;
    struct conversation conversation;
    struct cache *cache; /* of what was read last, */
    struct ids read;     /* these ids; NULL and none at first */
    double first_s, last_s; /* when the first and the last token of the answer came */
    size_t n_prompt_tokens, n_dropped; /* of the last answer: turns that no longer fitted */
};

struct talk_options {
    const char *type, *template, *system; /* each may be NULL */
    bool follow_symlinks, is_literal; /* special tokens that are typed are text */
};

/* Loads the model that the user typed. ERROR_INCOMPATIBLE when it has no template. `sampling`
 * begins with what generation_config.json says. Released with talk_release, also after an error. */
int talk_open(struct talk *talk, const char *argument, const struct talk_options *options,
              const struct common_options *common, struct error *err);
void talk_release(struct talk *talk);

/* What is shown of an answer while it grows: takes the text out, or leaves it there. -1 ends it
 * with an error, 1 without. */
typedef int talk_show(void *context, struct generation *generation, struct error *err);

/* Answers the conversation. The oldest turns are left out when it is too long. The answer is added
 * to the conversation, also when it was cut short; *generation: to be released. */
int talk_answer(struct talk *talk, talk_show *show, void *context, struct generation *generation,
                struct error *err);

#endif
