/* model_card.h - README.md of a merged model, with the front matter that the Hub reads.
 * Source: huggingface.co/docs/hub/model-cards (base_model, base_model_relation, tags,
 * library_name). */
#ifndef COCKTAIL_MODEL_CARD_H
#define COCKTAIL_MODEL_CARD_H

#include <stddef.h>

#include "base/buffer.h"

struct model_card {
    const char *title;
    const char *const *names; /* [n_models], for the table: nothing of this machine */
    const char *const *ids;   /* [n_models], repositories of the Hub; NULL: is none */
    const char *terms;        /* lines of front matter, card_terms.h */
    const double *weights;    /* [n_models] */
    const double *losses;     /* [n_models], NAN: has none; NULL: no such column */
    size_t n_models;
    const char *library;      /* "transformers" or "sentence-transformers" */
    const char *method, *dtype, *command;
};

/* Adds the text; it depends on nothing but the card. */
void model_card_add(struct buffer *out, const struct model_card *card);

#endif
