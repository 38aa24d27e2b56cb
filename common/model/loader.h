/* loader.h - tensors of a checkpoint as the weights of a model: found by their plain names,
 * checked, and used where they lie in the file, if they can be. */
#ifndef COCKTAIL_LOADER_H
#define COCKTAIL_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/checkpoint_names.h"
#include "base/buffer.h"
#include "model/parameters.h"

struct loader {
    struct parameters *parameters;
    const struct model_spec *spec;
    const struct checkpoint *checkpoint;
    struct checkpoint_names names;
    struct notices *notices;
    struct buffer name; /* plain, of the tensor that is looked for */
    struct error *err;
};

struct place { /* where names begin */
    const char *prefix;
    size_t layer, expert;
};

/* Sets the name that the functions below look for: "layers.#." and "mlp.up_proj" and ".weight" ->
 * "layers.3.mlp.up_proj.weight". */
void loader_set_name(struct loader *loader, struct place place, const char *name,
                     const char *ending);
/* NULL: there is none. Of loader_need that is an error. */
const struct tensor *loader_find(const struct loader *loader);
const struct tensor *loader_need(const struct loader *loader);

/* ERROR_UNSUPPORTED for what is not of numbers, ERROR_FORMAT for another shape than [first], or
 * [first, second] where n_dims is 2. */
int loader_check(const struct loader *loader, const struct tensor *tensor, size_t n_dims,
                 size_t first, size_t second);

int loader_vector(struct loader *loader, size_t n, const float **out);
/* W [n_out, n_in], or stored as [n_in, n_out]. */
int loader_use(struct loader *loader, const struct tensor *tensor, size_t n_out, size_t n_in,
               bool is_transposed, struct gemm_matrix *out);
int loader_matrix(struct loader *loader, size_t n_out, size_t n_in, bool is_transposed,
                  struct gemm_matrix *out);
int loader_linear(struct loader *loader, struct place place, const char *name, size_t n_out,
                  size_t n_in, bool is_transposed, bool has_bias, struct linear *out);
int loader_norm(struct loader *loader, struct place place, const char *name, enum norm_kind kind,
                size_t n, struct norm *out);

/* Rows `first` to `first + n_out` of a fused matrix. */
struct linear loader_part(const struct linear *fused, size_t first, size_t n_out);

#endif
