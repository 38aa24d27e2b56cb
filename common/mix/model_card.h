/* model_card.h - README.md of a merged model, with the front matter that the Hub reads.
 * Source: huggingface.co/docs/hub/model-cards (base_model, base_model_relation, tags,
 * library_name). */
#ifndef COCKTAIL_MODEL_CARD_H
#define COCKTAIL_MODEL_CARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "mix/plan.h"

struct model_card {
    const char *title;
    const struct plan *plan;  /* which method mixes which inputs with which weights */
    const char *const *names; /* [n_inputs], for the table: nothing of this machine */
    const char *const *ids;   /* [n_inputs], repositories of the Hub; NULL: is none */
    const double *losses;     /* [n_inputs], NAN: has none; NULL: no such column */
    const char *terms;        /* lines of front matter, card_terms.h */
    const char *library;      /* "transformers" or "sentence-transformers" */
    const char *dtype, *command;
    const char *recipe;       /* YAML; NULL: there is none */
    bool is_conversion;       /* of one model: the card has its title, no weights and no command */
    const char *donor;        /* of a conversion: whose tokenizer it has got; then with the command; NULL:
                               * its own */
    const char *donor_id;     /* its repository of the Hub; NULL: it is none */
};

/* Adds the text; it depends on nothing but the card. */
void model_card_add(struct buffer *out, const struct model_card *card);

#endif
