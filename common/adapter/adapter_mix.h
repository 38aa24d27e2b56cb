/* adapter_mix.h - several adapters of one base become one, as PEFT's add_weighted_adapter does it.
 *
 * A module that only some of them have comes from these. What they store whole (modules_to_save,
 * biases, embeddings) is averaged: with what the base has in its place, or, without the base, where all
 * have it and the weights sum to 1. Source: docs/adapters.md, "Mixing". */
#ifndef COCKTAIL_ADAPTER_MIX_H
#define COCKTAIL_ADAPTER_MIX_H

#include <stdbool.h>
#include <stddef.h>

#include "adapter/adapter_writer.h"
#include "adapter/lora_folder.h"
#include "adapter/mix_module.h"
#include "arch/checkpoint_names.h"
#include "base/progress.h"
#include "base/threads.h"

struct adapter_mix_options {
    struct mix_how how;
    const double *weights; /* one for each adapter, any finite numbers */
    size_t rank;           /* of what is decomposed; 0: the largest that one of the adapters has */
    const struct checkpoint_names *base; /* of all of them; NULL: it is not there */
};

struct adapter_mix {
    struct adapter_output output; /* to be written: it makes its values then, module by module */
    struct mix_module *modules;
    size_t n_modules;
    struct mix_how how;
    struct gemm *gemm;
    struct progress *progress;
};

/* What the result is. The adapters, the weights and the pool stay as long as the mix. ERROR_INCOMPATIBLE when
 * the adapters do not fit together, ERROR_UNSUPPORTED for DoRA and what else has no weighted sum.
 * Released with adapter_mix_release, also after an error. */
int adapter_mix_init(struct adapter_mix *mix, const struct lora_folder *const *adapters, size_t n,
                     const struct adapter_mix_options *options, struct threads *threads,
                     struct progress *progress, struct notices *notices, struct error *err);
void adapter_mix_release(struct adapter_mix *mix);

#endif
