/* rank_slices.h - tensors that are cut into slices over numbered files: Llama's own consolidated.NN.pth.
 *
 * Each of the processes that ran such a model side by side has a file, with its share of the rows or
 * columns of every matrix; which it is, the name tells. Source: docs/formats.md, "Ranks". */
#ifndef COCKTAIL_RANK_SLICES_H
#define COCKTAIL_RANK_SLICES_H

#include "base/error.h"
#include "format/checkpoint_tensors.h"

/* Puts together what stands in several of the checkpoint's files, so that each name is there once.
 * Files in which no name stands twice hold different layers, and are left as they are.
 * ERROR_UNSUPPORTED, naming tensor and files, where a name does not tell how, or slices do not fit
 * together. */
int rank_slices_join(struct checkpoint *checkpoint, struct error *err);

#endif
