/* loader.h - tensors of a checkpoint as the weights of a model: found in its layout, which has been
 * checked, and used where they lie in the file, if they can be. */
#ifndef COCKTAIL_LOADER_H
#define COCKTAIL_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_layout.h"
#include "base/buffer.h"
#include "model/expert_group.h"
#include "model/model_weights.h"

struct loader {
    struct parameters *parameters;
    const struct model_spec *spec;
    const struct model_layout *layout;
    const struct expert_group *experts; /* whose share of the experts is loaded; NULL: all */
    struct notices *notices;
    struct buffer name; /* of the entry that is looked for */
    struct error *err;
};

/* The entry of that name; one that has no tensor, or NULL, only where that may be. */
const struct layout_entry *loader_find(struct loader *loader, struct place place, const char *name,
                                       const char *ending);

/* All of these: ERROR_UNSUPPORTED for what is not of floating numbers. */
int loader_vector(struct loader *loader, struct place place, const char *name, const char *ending,
                  const float **out);
/* The values of a tensor, in the arena of the parameters. */
int loader_floats(struct loader *loader, const struct tensor *tensor, float **out);
/* W [n_out, n_in], the first rows of the tensor, or stored as [n_in, n_out]. */
int loader_use(struct loader *loader, const struct tensor *tensor, size_t n_out, size_t n_in,
               bool is_transposed, struct gemm_matrix *out);
int loader_matrix(struct loader *loader, struct place place, const char *name, const char *ending,
                  bool is_transposed, struct gemm_matrix *out);
int loader_linear(struct loader *loader, struct place place, const char *name, bool is_transposed,
                  bool has_bias, struct linear *out);
int loader_norm(struct loader *loader, struct place place, const char *name, enum norm_kind kind,
                struct norm *out);

/* Rows `first` to `first + n_out` of a fused matrix. */
struct linear loader_part(const struct linear *fused, size_t first, size_t n_out);

#endif
