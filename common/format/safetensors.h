/* safetensors.h - the header of safetensors files, read and written.
 * Source: the format description and tensor.rs of huggingface/safetensors. */
#ifndef COCKTAIL_SAFETENSORS_H
#define COCKTAIL_SAFETENSORS_H

#include "base/buffer.h"
#include "tensor/output_tensor.h"

/* Lower is earlier: the order in which the reference writer lays tensors out (dtype, then name by
 * bytes). For qsort-like comparison. */
int safetensors_compare(const struct output_tensor *a, const struct output_tensor *b);

/* Adds length prefix and padded JSON header for tensors that lie in this order (as
 * safetensors_compare sorts them) without gaps, with {"format":"pt"}: byte for byte what the
 * reference writer makes. */
void safetensors_add_header(struct buffer *out, const struct output_tensor *const *tensors,
                            size_t n_tensors);

#endif
