/* gguf_plan.h - from the plan of a model in the layout of transformers to that of a GGUF file.
 *
 * Tensors get the names of GGUF and lie as they do there (arch/gguf_names.h): rows in another order,
 * experts stacked, matrices turned. What the items of the first plan make is what the items of the
 * second are made of. */
#ifndef COCKTAIL_GGUF_PLAN_H
#define COCKTAIL_GGUF_PLAN_H

#include <stdbool.h>

#include "arch/gguf_names.h"
#include "arch/model_spec.h"
#include "base/error.h"
#include "base/notices.h"
#include "mix/plan.h"

struct gguf_plan_options {
    const char *name; /* of the model, for messages */
    const struct gguf_architecture *architecture;
    const struct model_spec *spec;
    enum dtype dtype; /* of matrices: F32, F16 or BF16; all else is F32 */
    bool packs;       /* matrices are packed as Q8_0, and those whose rows are no whole blocks are F16 */
    bool is_copy;     /* items take one model as it is: each value is rounded once, to what is written */
};

/* Makes *plan, of the format gguf_writer, from a finished plan, whose items get the dtypes that are
 * needed. From here on it stays as it is but for its weights and settings, which may be set until the
 * new one is run; its inputs are shown as those of the new one. Items that no GGUF file has a place for
 * and that are no part of what it says (a pooler, a head over words of an encoder) are left out with a
 * notice. ERROR_UNSUPPORTED names any other tensor without a place. Released with plan_release. */
int gguf_plan_make(struct plan *plan, struct plan *from, const struct gguf_plan_options *options,
                   struct notices *notices, struct error *err);

#endif
