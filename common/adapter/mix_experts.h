/* mix_experts.h - a parameter of all experts of a layer: each of them is mixed as a module of its own. */
#ifndef COCKTAIL_MIX_EXPERTS_H
#define COCKTAIL_MIX_EXPERTS_H

#include "adapter/mix_module.h"

/* As mix_module_make, of a module with n_experts: a [n_experts rank, n_in], b [n_out, rank n_experts], laid out as
 * struct lora_module has them. */
int mix_experts_make(const struct mix_module *module, const struct mix_how *how, struct gemm *gemm,
                     float *a, float *b, struct error *err);

#endif
