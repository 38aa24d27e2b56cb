/* answer_choice.h - one of the texts of an answer: what has come, and how far it was sent. */
#ifndef COCKTAIL_ANSWER_CHOICE_H
#define COCKTAIL_ANSWER_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "model/generation.h"
#include "model/sampler.h"
#include "serve/harmony.h"
#include "serve/served_model.h"
#include "serve/tool_calls.h"
#include "text/tokenizer.h"

enum thought_state { THOUGHT_MAYBE, THOUGHT_OPEN, THOUGHT_OVER };

struct answer_rules { /* how the text of a conversation is read; zeroed: it is taken as it is */
    const struct served_model *model; /* NULL: no conversation */
    const char *tools; /* JSON of what may be called; NULL: calls are not looked for */
};

struct answer_choice {
    enum thought_state thought;
    const char *thought_end; /* the mark that ends one that is open; NULL: any does */
    struct harmony harmony;  /* of a model whose messages these are */
    bool has_text;           /* some of it has been sorted */
    struct buffer raw;       /* came and was not looked at yet */
    struct buffer reasoning; /* what the model thought, as far as it was not sent */
    struct buffer text;      /* and what it said */
    struct token_logprob *logprobs; /* [n_logprobs][1 + n_top], not sent */
    size_t n_logprobs;
    struct tokenizer_stream told; /* of completions: the tokens whose logprobs were told, */
    size_t text_offset;      /* and characters of their text */
    size_t n_tokens;
    enum generation_state state;
    struct tool_calls calls; /* once it has ended */
    bool has_begun, has_ended; /* were told */
};

void answer_choice_release(struct answer_choice *choice);

/* Sorts `raw` into reasoning, text and, once it is_last, calls. What may be the beginning of a mark
 * waits, and so does what may hold calls. */
void answer_choice_sort(struct answer_choice *choice, const struct answer_rules *rules,
                        bool is_last);
/* "stop", "length" or "tool_calls". */
const char *answer_choice_reason(const struct answer_choice *choice);

/* The members of chat's "logprobs": content, and those of completions, of the first n tokens that
 * have not been told. */
void answer_choice_add_logprobs(struct json_writer *json, const struct answer_choice *choice,
                                const struct tokenizer *tokenizer, size_t n_top, size_t n);
void answer_choice_add_token_lists(struct json_writer *json, struct answer_choice *choice,
                                   const struct tokenizer *tokenizer, size_t n_top, size_t n);
/* They have been told. */
void answer_choice_drop_logprobs(struct answer_choice *choice, size_t n_top, size_t n);

#endif
