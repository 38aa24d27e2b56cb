/* generation.h - texts that grow by steps, many at a time: a step runs one batch of all of them.
 *
 * Each text has a cache, a sampler and an end of its own, and may fail alone. What one gives does not
 * depend on its company, nor on `chunk`, by a bit. They come and go between steps. */
#ifndef COCKTAIL_GENERATION_H
#define COCKTAIL_GENERATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "model/cache.h"
#include "model/drafts.h"
#include "model/model.h"
#include "model/sampler.h"
#include "text/ids.h"
#include "text/text_stream.h"

enum generation_state {
    GENERATION_RUNS,
    GENERATION_EOS,    /* the model ended the text */
    GENERATION_LENGTH, /* as many tokens as were asked for, or as the model can take */
    GENERATION_STOP,   /* one of the stop texts came */
    GENERATION_FAILED, /* `error` says why */
};

struct generation_settings { /* what they point to is borrowed */
    const char *name;         /* of the model, for messages */
    size_t max_tokens;        /* new ones, at least 1 */
    size_t chunk;             /* tokens of the prompt that a step takes at most; 0: all */
    struct sampling sampling;
    const struct ids *eos;    /* those that end the text */
    const struct tokenizer *tokenizer; /* NULL: no text is made of the ids */
    struct text_stops stops;
    const struct ids *kept;   /* special tokens that are text; NULL: none is */
    size_t min_tokens;        /* before so many are there, none of `eos` comes */
    bool has_logprobs;        /* `logprobs` is wanted, with the n_top_logprobs likeliest tokens */
    size_t n_top_logprobs;    /* at most the vocabulary */
    size_t n_scored;          /* … and for the last so many of a decoder's prompt, too */
    /* Tokens that are guessed and run together with the last one, at most DRAFTS_MAX, where that costs
     * little: not with experts. The text is the same, but a step may give several tokens of it. */
    size_t n_drafts;
};

struct generation { /* to be read by its users, who may take text out */
    struct generation_settings settings;
    struct ids prompt;        /* of an encoder-decoder: what its encoder reads */
    struct ids ids;           /* of the decoder: prompt or start mark, then the new ones */
    size_t n_given;           /* those that are not new */
    struct cache *cache;      /* of the first of them */
    struct sampler sampler;
    struct drafts drafts;
    struct text_stream stream;
    struct buffer text;       /* of the new ones, as far as it is certain; without ids that end it */
    /* [n_scored + new tokens][1 + n_top_logprobs], as sampler_logprobs has them; NULL: not wanted.
     * Nothing can tell the first token of a text: it has NAN, and so have its likeliest. */
    struct token_logprob *logprobs;
    enum generation_state state;
    struct error error;
};

/* Will continue the prompt (decoder), or answer it (encoder-decoder). A caller may put another cache
 * in place of the empty one, which holds some of the first ids (generation_most_cached); where
 * model_needs_whole_prompts it is not used. ERROR_USAGE for a prompt without tokens, or of more than
 * the model can take. Released with generation_release, which may be done to a zeroed struct,
 * too. */
int generation_init(struct generation *generation, const struct model *model,
                    const struct ids *prompt, const struct generation_settings *settings,
                    struct error *err);
void generation_release(struct generation *generation);

/* What of the prompt another cache may hold, so that all that is scored is run: of ids as many. */
size_t generation_most_cached(const struct generation *generation);

/* Of all that still run: the tokens that are not in the cache yet, as far as `chunk` lets them, and
 * where these were the last ones a new one, or several (n_drafts). A prompt goes through whole where
 * model_needs_whole_prompts. One that fails does not end the others (ERROR_FORMAT for more tokens
 * than there are positions, ERROR_INCOMPATIBLE for logits that are no numbers, ERROR_RESOURCES). -1
 * is for what concerns all: ERROR_RESOURCES, ERROR_SIGINT. Nobody has a new token then. */
int generation_step(struct model *model, struct generation *const *generations, size_t n,
                    struct error *err);

#endif
