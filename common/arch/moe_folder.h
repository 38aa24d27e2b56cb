/* moe_folder.h - dense models put together as a mixture of experts: a model again. Nothing is copied:
 * its tensors are those of the models under other names, and the routers' stand in memory. */
#ifndef COCKTAIL_MOE_FOLDER_H
#define COCKTAIL_MOE_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "arch/model_folder.h"
#include "arch/moe_output.h"
#include "base/error.h"
#include "base/notices.h"

struct moe_part { /* whose MLP becomes an expert */
    struct model_folder *model; /* opened */
    double noise, scale;        /* weights + noise N(0, 1), down_proj times scale; 0 and 1: as it is */
};

struct moe_design {
    const struct moe_output *output;
    struct model_folder *base;     /* opened; all but the MLPs comes from it */
    const struct moe_part *experts; /* [n_experts] */
    size_t n_experts, n_chosen;
    const struct moe_part *shared; /* NULL: none */
    uint64_t seed;                 /* of the noise */
    /* [n_layers, n_experts + 1, hidden_size]: rows of the routers, the last one that of the shared
     * expert. Read when the mixture is written: to be filled in until then. */
    const float *rows;
};

/* What the rows above are measured in. Errors as of model_spec_load. */
int moe_folder_sizes(const struct model_folder *base, size_t *n_layers, size_t *hidden_size,
                     struct error *err);
/* Makes `model`, which is the base reopened, the mixture. All that the design points to must outlive it.
 * ERROR_FORMAT when a model's tensors are not what its config.json says, ERROR_INCOMPATIBLE when one does
 * not fit the base, or the base the class; ERROR_UNSUPPORTED for weights that cannot be read. */
int moe_folder_make(struct model_folder *model, const struct moe_design *design,
                    struct notices *notices, struct error *err);

#endif
