#include "embed.h"

#include <stdlib.h>

#include "base/memory.h"
#include "model/prefix.h"

/* The hidden states of all tokens, to be freed, right in the rows that are wanted; NULL on error. */
static float *run(struct model *model, struct batch batch, const struct batch_rows *wanted,
                  struct error *err)
{
    size_t n_tokens = batch_n_tokens(&batch);
    float *hidden = memory_try(n_tokens, model->spec.hidden_size * sizeof *hidden, "hidden states",
                               err);

    batch.wanted = wanted;
    if (hidden && prefix_run(model, &batch, hidden, err)) {
        free(hidden);
        return NULL;
    }
    return hidden;
}

int model_embed(struct model *model, const struct sentence_model *sentence,
                const struct batch *batch, size_t n_prompt_tokens, float *vectors,
                struct error *err)
{
    struct batch_rows *wanted = memory_zalloc(batch->n_sequences, sizeof *wanted);
    float *hidden;
    int rc = -1;

    sentence_model_pooled_rows(sentence, batch, n_prompt_tokens, wanted);
    hidden = run(model, *batch, wanted, err);
    if (hidden)
        rc = sentence_model_pool(sentence, model, batch, hidden, n_prompt_tokens, vectors, err);
    free(hidden);
    free(wanted);
    return rc;
}

int model_rank(struct model *model, const struct batch *batch, float *scores, struct error *err)
{
    struct batch_rows *wanted = memory_zalloc(batch->n_sequences, sizeof *wanted);
    float *hidden;
    int rc = -1;

    model_scored_rows(model, batch, wanted);
    hidden = run(model, *batch, wanted, err);
    if (hidden)
        rc = model_scores(model, batch, hidden, scores, err);
    free(hidden);
    free(wanted);
    return rc;
}
