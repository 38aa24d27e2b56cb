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

struct adapter_tensor { /* its values are floats in memory, or another tensor's, or made later */
    const char *name;
    size_t n_dims, shape[2];   /* of floats */
    const float *values;       /* row-major; NULL: `source` */
    const struct tensor *source; /* written as it is stored; NULL: `make` of the adapter gives floats */
    size_t group;              /* of those that are made: what is made together, side by side in the list */
};

struct adapter_target {
    const char *module;
    size_t rank;
    const char *parameter; /* NULL: its weight, by target_modules; else by target_parameters */
};

struct adapter_output {
    const char *base;        /* base_model_name_or_path */
    const char *task_type;   /* NULL: none */
    const char *bias;        /* which biases are stored whole: "lora_only", "all"; NULL: "none" */
    bool fan_in_fan_out, lora_bias;
    struct adapter_target *targets;
    size_t n_targets;
    const char **saved;      /* modules_to_save */
    size_t n_saved;
    struct adapter_tensor *tensors;
    size_t n_tensors;
    struct arena arena;      /* of the names and arrays, if their maker likes */
    /* Fills values[i] for each tensor of the group, in the order of the list. */
    int (*make)(void *context, size_t group, float *const *values, struct error *err);
    void *context;
};

struct adapter_written {
    size_t n_tensors, n_parameters, n_bytes;
};

extern const char adapter_config_file[], adapter_weights_file[];

/* Whether the directory holds an adapter: what --force may replace. */
bool adapter_is_folder(const char *path);
/* Whether one may be written there, without touching anything: as outdir_check. */
int adapter_check_target(const char *path, bool force, struct error *err);
/* What would be written, and whether it may be: ERROR_EXISTS. */
int adapter_measure(const struct adapter_output *adapter, struct adapter_written *written,
                    struct error *err);
/* ERROR_IO when the disk has no room for so many bytes at `path`. */
int adapter_check_space(const char *path, size_t n_bytes, struct error *err);
/* ERROR_IO, too, when the disk has no room for it, before anything is written. */
int adapter_write(const struct adapter_output *adapter, const char *path, bool force,
                  struct adapter_written *written, struct error *err);

#endif
