/* text_batches.h - texts, tokenized and put together as a model runs them best: several at once,
 * but no more tokens than fit in a few megabytes. */
#ifndef COCKTAIL_TEXT_BATCHES_H
#define COCKTAIL_TEXT_BATCHES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/model.h"
#include "text/tokenizer.h"

#include "options.h"
#include "text_input.h"

struct text_batches_options {
    const char *prompt;   /* put in front of every text; NULL: nothing */
    const char *query;    /* every text is the second of a pair with it; NULL: texts stand alone */
    bool keeps_texts;     /* for `texts` below */
    bool has_types;       /* the model tells the two texts of a pair apart by type ids */
    size_t max_length;    /* tokens of a text; longer ones are cut; 0: no limit */
    size_t max_texts;     /* of a batch; 0: no limit */
    size_t max_tokens;    /* of a batch, unless a single text has more */
    const char *model;    /* its name, and the ids that it has embeddings for: 0 to */
    size_t n_embeddings;  /* n_embeddings - 1; others are an error */
};

struct text_batches; /* of one input */

struct text_batch { /* valid until the next one but one */
    struct batch batch;
    const size_t *lines;        /* [n_sequences] */
    char *const *texts;         /* [n_sequences], or NULL */
    const size_t *text_bytes;
};

/* All borrowed. Closed with text_batches_close. */
struct text_batches *text_batches_open(struct text_input *input, const struct tokenizer *tokenizer,
                                       const struct text_batches_options *options);
void text_batches_close(struct text_batches *batches);

/* 1: the next batch, of one text at least; 0: no more; -1: an error that says FILE:LINE, also for a
 * text without any tokens, after the batch of the texts in front of it. */
int text_batches_next(struct text_batches *batches, struct text_batch *batch, struct error *err);

/* What is done with a batch. */
typedef int text_batch_work(void *context, const struct text_batch *batch, struct error *err);
/* With all of them, in their order, until there are no more or one fails. `is_beside`: on a thread of
 * its own, while the next one is read and tokenized on this one, unless
 * there are several ranks, which talk on one thread. The texts in front of an error
 * have been worked on. */
int text_batches_each(struct text_batches *batches, bool is_beside, text_batch_work *work,
                      void *context, struct error *err);

/* So far. */
size_t text_batches_n_cut(const struct text_batches *batches);

/* The smaller of two limits, each of which may be 0: none. */
size_t text_limit(size_t a, size_t b);
/* Says that so many texts were cut, if any were. */
void text_tell_cut(size_t n_cut, size_t max_length, const struct common_options *common);

#endif
