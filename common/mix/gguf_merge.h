/* gguf_merge.h - what a merge writes when its output is a GGUF file. */
#ifndef COCKTAIL_GGUF_MERGE_H
#define COCKTAIL_GGUF_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_folder.h"
#include "arch/model_spec.h"
#include "base/error.h"
#include "base/notices.h"
#include "format/gguf_metadata.h"
#include "mix/plan.h"

/* Whether an output of that name is one; NULL: there is none. */
bool gguf_merge_is_output(const char *path);

struct gguf_merge { /* all borrowed */
    const struct model_folder *models; /* [n_models], the first is the base */
    size_t n_models;
    const struct gguf *gguf;           /* what the base's own file says, if it is a GGUF file; or NULL */
    const struct model_spec *spec;     /* of the base; NULL: we cannot run it */
    const char *dtype;                 /* "f32", "f16", "bf16", "q8_0", or NULL: as the base has it, else
                                        * bf16 */
    const char *pooling;               /* of an encoder that does not say it; NULL: not known */
    bool is_encoder;
    bool is_copy;                      /* of one model */
};

/* Makes *plan from the one in the layout of transformers, as gguf_plan_make has it, and puts what the
 * file says of the model. ERROR_UNSUPPORTED names what has no place in such a file. */
int gguf_merge_plan(struct plan *plan, struct plan *from, struct gguf_metadata *metadata,
                    const struct gguf_merge *merge, struct notices *notices, struct error *err);

#endif
