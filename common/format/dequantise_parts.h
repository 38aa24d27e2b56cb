/* dequantise_parts.h - what dequantise.c and the ways of storing that it knows share. */
#ifndef COCKTAIL_DEQUANTISE_PARTS_H
#define COCKTAIL_DEQUANTISE_PARTS_H

#include "format/dequantise.h"

struct dequantiser {
    struct checkpoint *checkpoint;
    const struct quantisation *settings;
    bool *is_used;    /* [n_tensors] of the checkpoint: read by a logical one */
    bool has_settings; /* or companions: numbers of 8 bits are not plain */
    struct error *err;
};

/* The tensor called `module` + `ending`; NULL when there is none. dequantiser_take: from now on it counts
 * as used. */
const struct tensor *dequantiser_find(const struct dequantiser *dequantiser, const char *module,
                                      const char *ending);
const struct tensor *dequantiser_take(struct dequantiser *dequantiser, const char *module,
                                      const char *ending);
/* The same, or ERROR_FORMAT that says that `tensor` lacks it. */
const struct tensor *dequantiser_need(struct dequantiser *dequantiser, const struct tensor *tensor,
                                      const char *module, const char *ending);
/* ERROR_UNSUPPORTED: the tensors do not say all, and there are no settings. */
int dequantiser_lacks_settings(const struct dequantiser *dequantiser, const struct tensor *tensor);
/* ERROR_FORMAT: the settings are those of another method. */
int dequantiser_contradicts(const struct dequantiser *dequantiser, const struct tensor *tensor);

/* Each makes *out of `tensor`, which has the ending that the way is known by, and of its companions, to be
 * called as the model calls it: 1, 0 when the tensor is not of that way, or -1. `module` is the name without
 * the ending. */
typedef int dequantise_way(struct dequantiser *dequantiser, const struct tensor *tensor,
                           const char *module, struct tensor *out);
dequantise_way dequantise_qweight, dequantise_packed, dequantise_blocks, dequantise_numbers;

#endif
