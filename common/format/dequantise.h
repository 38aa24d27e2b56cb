/* dequantise.h - the tensors of a quantised checkpoint made into those of the model that was quantised.
 *
 * Which matrices are quantised is seen from the tensors: a matrix has companions, called like it but for
 * the ending. How they are read is said by settings, which come from config.json and must agree with the
 * shapes. Companions are used up; what was kept for activations and caches is dropped. Sources:
 * docs/formats.md, "Quantised checkpoints". */
#ifndef COCKTAIL_DEQUANTISE_H
#define COCKTAIL_DEQUANTISE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "format/checkpoint.h"

enum quantisation_method {
    QUANTISATION_UNSAID, /* there are no settings */
    QUANTISATION_GPTQ, QUANTISATION_AWQ, QUANTISATION_COMPRESSED, QUANTISATION_FP8,
    QUANTISATION_MODELOPT, QUANTISATION_MXFP4, QUANTISATION_BITSANDBYTES, QUANTISATION_MLX,
    QUANTISATION_OTHER, /* one whose tensors say all: fbgemm, Quark */
};

enum quantisation_strategy {
    QUANTISATION_BY_TENSOR, QUANTISATION_BY_CHANNEL, QUANTISATION_BY_GROUP, QUANTISATION_BY_BLOCK,
};

/* What a group of compressed-tensors says of its weights. */
struct quantisation_scheme {
    unsigned bits;
    bool is_float, is_symmetric;
    enum quantisation_strategy strategy;
    size_t group_size, block_rows, block_columns;
};

enum quantisation_mode { QUANTISATION_AFFINE, QUANTISATION_MXFP4_MODE, QUANTISATION_MXFP8_MODE, QUANTISATION_NVFP4_MODE };

struct quantisation {
    enum quantisation_method method;
    const char *name, *file;  /* of the method, and where it is said: for messages */
    unsigned bits;            /* 0: not said */
    size_t group_size;        /* SIZE_MAX: a whole row; 0: not said */
    bool has_exceptions;      /* single modules may have other bits and groups: their shapes tell */
    bool adds_one;            /* GPTQ: zeros are stored less one */
    size_t block_rows, block_columns; /* 0: there are no blocks */
    enum quantisation_mode mode;      /* MLX */
    const cJSON *modules;             /* MLX: settings by the name of a module; or NULL */
    struct quantisation_scheme *schemes; /* [n_schemes] of compressed-tensors */
    size_t n_schemes;
};

/* Whether there are tensors that only a quantised checkpoint has. */
bool dequantise_is_needed(const struct checkpoint *checkpoint);

/* Replaces the tensors. One without settings and without any such tensors stays as it is. ERROR_FORMAT for
 * companions that lack each other, shapes that do not go together, settings that they contradict;
 * ERROR_UNSUPPORTED, which names the way of storing, for what is not read, then or when settings are missing:
 * the tensors are as they were. */
int dequantise(struct checkpoint *checkpoint, const struct quantisation *settings,
               struct error *err);

#endif
