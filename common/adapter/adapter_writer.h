/* adapter_writer.h - a folder that PEFT loads: adapter_config.json and adapter_model.safetensors. It
 * appears complete or not at all (outdir.h).
 *
 * Written for PEFT 0.21; names of tensors: docs/formats.md, "Adapters". Scales are 1: the alpha of every
 * module is its rank. */
#ifndef COCKTAIL_ADAPTER_WRITER_H
#define COCKTAIL_ADAPTER_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor.h"

struct adapter_tensor { /* its values are floats in memory, or another tensor's */
    const char *name;
    size_t n_dims, shape[2];   /* of floats */
    const float *values;       /* row-major; NULL: `source` */
    const struct tensor *source; /* written as it is stored */
};

struct adapter_target {
    const char *module;
    size_t rank;
};

struct adapter_output {
    const char *base;        /* base_model_name_or_path */
    const char *task_type;   /* NULL: none */
    bool fan_in_fan_out, has_biases; /* biases of targets stored whole: bias "lora_only" */
    struct adapter_target *targets;
    size_t n_targets;
    const char **saved;      /* modules_to_save */
    size_t n_saved;
    struct adapter_tensor *tensors;
    size_t n_tensors;
    struct arena arena;      /* of the names and arrays, if their maker likes */
};

struct adapter_written {
    size_t n_tensors, n_parameters, n_bytes;
};

extern const char adapter_config_file[], adapter_weights_file[];

/* Whether the directory holds an adapter: what --force may replace. */
bool adapter_is_folder(const char *path);
/* What would be written, and whether it may be: ERROR_EXISTS. */
int adapter_measure(const struct adapter_output *adapter, struct adapter_written *written,
                    struct error *err);
int adapter_write(const struct adapter_output *adapter, const char *path, bool force,
                  struct adapter_written *written, struct error *err);

#endif
