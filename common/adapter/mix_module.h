/* mix_module.h - one module of several adapters becomes that of one: its A and its B. */
#ifndef COCKTAIL_MIX_MODULE_H
#define COCKTAIL_MIX_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/lora_folder.h"
#include "adapter/mix_block.h"
#include "base/error.h"
#include "math/gemm.h"

struct mix_input {
    const struct lora_module *module;
    size_t number; /* of the adapter */
    double weight;
};

struct mix_module {
    const char *name;
    const char *parameter; /* as struct lora_module has it, and n_experts */
    size_t n_experts;
    bool is_embedding;
    struct mix_input *inputs; /* [n_inputs], of the adapters that have it, at least one */
    size_t n_inputs;
    size_t n_in, n_out, rank; /* of what becomes of them */
};

struct mix_how {
    const struct adapter_method *method;
    double density;     /* of methods that drop something, in (0, 1] */
    bool counts_signs;  /* votes by number, not by sum */
    uint64_t seed;      /* of methods that drop by chance */
};

/* Of one expert: a [rank, n_in] and b [n_out, rank], with a scale of 1; and bias [n_out], unless it is NULL: the
 * weighted sum, whatever the method. ERROR_FORMAT when that is not finite, ERROR_RESOURCES, and the
 * errors of svd.h and of reading. The result does not depend on the number of threads. */
int mix_module_make(const struct mix_module *module, const struct mix_how *how, struct gemm *gemm,
                    float *a, float *b, float *bias, struct error *err);

#endif
