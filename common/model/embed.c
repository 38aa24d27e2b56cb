#include "embed.h"

#include <stdlib.h>

#include "base/memory.h"
#include "model/prefix.h"

/* The hidden states of all tokens, to be freed; NULL on error. */
static float *run(struct model *model, const struct batch *batch, struct error *err)
{
    size_t n_tokens = batch->n_sequences ? batch->ends[batch->n_sequences - 1] : 0;
    float *hidden = memory_try(n_tokens, model->spec.hidden_size * sizeof *hidden, "hidden states",
                               err);

    if (hidden && prefix_run(model, batch, hidden, err)) {
        free(hidden);
        return NULL;
    }
    return hidden;
}

int model_embed(struct model *model, const struct sentence_model *sentence,
                const struct batch *batch, size_t n_prompt_tokens, float *vectors,
                struct error *err)
{
    float *hidden = run(model, batch, err);
    int rc = hidden ? sentence_model_pool(sentence, model, batch, hidden, n_prompt_tokens, vectors,
                                          err)
                    : -1;

    free(hidden);
    return rc;
}

int model_rank(struct model *model, const struct batch *batch, float *scores, struct error *err)
{
    float *hidden = run(model, batch, err);
    int rc = hidden ? model_scores(model, batch, hidden, scores, err) : -1;

    free(hidden);
    return rc;
}
