/* gguf_blocks.h - tensors of GGUF files that are stored in blocks: sources of floats.
 *
 * Any range can be read, by several threads at once; where rows are whole blocks, products use them
 * as they lie in the file, under ggml's name for the format (math/gemm_matrix.h). Source:
 * docs/formats.md, "Blocks of GGUF". */
#ifndef COCKTAIL_GGUF_BLOCKS_H
#define COCKTAIL_GGUF_BLOCKS_H

#include "base/arena.h"
#include "format/checkpoint_tensors.h"
#include "tensor/ggml_blocks.h"

/* The values of blocks that begin at byte `place` of `file`. In the arena. */
const struct tensor_source *gguf_blocks_source(struct arena *arena,
                                               const struct tensor_source *file,
                                               enum ggml_format format, size_t place);

/* NVFP4 has a second tensor, X.scale beside X.weight: one number, or one for each expert, that the
 * values are multiplied by; and X.input_scale, of no use to weights. Both are used up; without the
 * first, values are as they are. ERROR_FORMAT when X.scale has another size. */
int gguf_blocks_apply_scales(struct checkpoint *checkpoint, struct error *err);

#endif
