/* megatron_tensors.h - the tensors of a Megatron-LM checkpoint put together from all ranks, under
 * the names of transformers. */
#ifndef COCKTAIL_MEGATRON_TENSORS_H
#define COCKTAIL_MEGATRON_TENSORS_H

#include "arch/megatron_settings.h"
#include "base/error.h"
#include "format/megatron_files.h"

/* Gives the checkpoint of `files` logical tensors: those that a model of settings->family has, in
 * its order, whatever the ranks. Nothing is read; they go on reading the files. ERROR_FORMAT,
 * naming file and tensor, for one that is missing or not as args say; ERROR_UNSUPPORTED for one
 * that has no place. */
int megatron_tensors_make(struct megatron_files *files, const struct megatron_settings *settings,
                          struct error *err);

#endif
