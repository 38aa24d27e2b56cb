/* gguf_tensors.h - the tensors of a GGUF file as transformers has them: for gguf_folder.c.
 *
 * Source: docs/models.md, "GGUF". */
#ifndef COCKTAIL_GGUF_TENSORS_H
#define COCKTAIL_GGUF_TENSORS_H

#include "arch/gguf_model.h"
#include "format/checkpoint.h"

/* Gives the checkpoint logical tensors in place of those of its file, and finds the factors of
 * rotary embeddings. ERROR_UNSUPPORTED for a tensor that we do not know, ERROR_FORMAT for one that
 * is missing, or whose shape contradicts the metadata. */
int gguf_tensors_make(struct checkpoint *checkpoint, struct gguf_model *model, struct error *err);

#endif
