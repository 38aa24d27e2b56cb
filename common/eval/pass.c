#include "pass.h"

#include <stdlib.h>

#include "base/memory.h"

static size_t n_tokens_of(const struct batch *batch)
{
    return batch->n_sequences ? batch->ends[batch->n_sequences - 1] : 0;
}

size_t pass_n_rows(const struct pass *pass)
{
    return n_tokens_of(&pass->inputs);
}

int pass_run(struct model *model, const struct pass *pass, float *hidden, struct error *err)
{
    struct batch inputs = pass->inputs;
    float *memory = NULL;
    int rc = 0;

    if (pass->sources.n_sequences) {
        memory = memory_try(n_tokens_of(&pass->sources),
                            model->spec.hidden_size * sizeof *memory, "hidden states", err);
        if (!memory)
            return -1;
        rc = model_encode(model, &pass->sources, memory, err);
        inputs.memory = memory;
        inputs.memory_ends = pass->sources.ends;
        inputs.n_memories = pass->sources.n_sequences;
        inputs.memory_of = pass->source_of;
    }
    if (rc == 0)
        rc = model_run(model, &inputs, hidden, err);
    free(memory);
    return rc;
}
