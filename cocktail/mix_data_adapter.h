/* mix_data_adapter.h - what `mix-data` writes when its models are adapters of one base: an adapter. */
#ifndef COCKTAIL_MIX_DATA_ADAPTER_H
#define COCKTAIL_MIX_DATA_ADAPTER_H

#include <stddef.h>

#include "adapter/mix_block.h"
#include "base/error.h"

#include "mixing.h"

struct mix_data_adapter {
    const struct adapter_method *method;
    size_t rank; /* of what is decomposed; 0: the largest that one of the adapters has */
};

/* Whether one may be written, of that size, before the models are judged: as adapter_mix_init, and
 * ERROR_EXISTS, ERROR_IO. `mixing` as for mixing_run; its models have been opened with shared_bases.h. */
int mix_data_adapter_check(const struct mix_data_adapter *how, const struct mixing *mixing,
                           struct error *err);
/* Writes and shows it, or, with --dry-run, shows it. A model without an adapter has its weight for the
 * base alone: the others weigh less. */
int mix_data_adapter_run(const struct mix_data_adapter *how, const struct mixing *mixing,
                         struct error *err);

#endif
