/* pass.h - what a model reads at once. */
#ifndef COCKTAIL_PASS_H
#define COCKTAIL_PASS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/model.h"

struct pass {
    struct batch sources; /* for the encoder of an encoder-decoder; else without sequences */
    struct batch inputs;
    const size_t *source_of; /* which of the sources each input belongs to; NULL: its own */
};

/* Rows of what comes out: one for each token of the inputs. */
size_t pass_n_rows(const struct pass *pass);

/* hidden [pass_n_rows(), hidden_size], as model_run. */
int pass_run(struct model *model, const struct pass *pass, float *hidden, struct error *err);

/* Who wants to know what the model has read. `follow` is called after each pass that went well;
 * NULL: nobody wants to. */
struct pass_follower {
    int (*follow)(void *context, const struct pass *pass, struct error *err);
    void *context;
    /* Called on all ranks, after passes of texts that follow one another, those of rank 0 first; what
     * they have seen of these comes together. NULL: nothing does. */
    int (*gather)(void *context, struct error *err);
    bool takes_shared; /* what several examples have in common may come once for all of them */
};

#endif
