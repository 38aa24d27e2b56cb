/* checkpoint_writer.h - write safetensors, sharded, in the layout of the reference writer, or one
 * PyTorch file.
 *
 * The tensors are known before the first byte, so every file and every offset is fixed at once, and
 * any thread may then write any part of any tensor. */
#ifndef COCKTAIL_CHECKPOINT_WRITER_H
#define COCKTAIL_CHECKPOINT_WRITER_H

#include <stddef.h>

#include "base/error.h"
#include "base/outdir.h"
#include "tensor/tensor.h"

struct checkpoint_writer;

/* Creates STEM.safetensors, or its shards and their index, in `directory` ("" for the top) of
 * outdir, with their headers. tensors[n_tensors] are borrowed, in the order of
 * safetensors_compare. A new shard begins where the next tensor would pass shard_bytes (as
 * huggingface_hub splits); a larger tensor gets a shard of its own. `n_parameters` goes into the
 * index. NULL on error. Freed with checkpoint_writer_close. */
struct checkpoint_writer *checkpoint_writer_open(struct outdir *outdir, const char *directory,
                                                 const char *stem,
                                                 const struct tensor *const *tensors,
                                                 size_t n_tensors, size_t shard_bytes,
                                                 size_t n_parameters, struct error *err);

/* Creates the file at `path` of outdir, which holds the state dict as torch.save writes one; errors
 * as torchbin_writer_new has them. */
struct checkpoint_writer *checkpoint_writer_open_torch(struct outdir *outdir, const char *path,
                                                       const struct tensor *const *tensors,
                                                       size_t n_tensors, struct error *err);
/* Whether that could be done, without doing it. */
int checkpoint_writer_check_torch(const struct tensor *const *tensors, size_t n_tensors,
                                  struct error *err);

/* Writes n bytes at byte `offset` of tensors[index]. Threads may call this at once. */
int checkpoint_writer_write(struct checkpoint_writer *writer, size_t index, size_t offset,
                            const void *bytes, size_t n, struct error *err);

/* What depends on all bytes of the tensors, once they are written. */
int checkpoint_writer_finish(struct checkpoint_writer *writer, struct error *err);

/* The files written, relative to outdir. */
size_t checkpoint_writer_n_files(const struct checkpoint_writer *writer);
const char *checkpoint_writer_file(const struct checkpoint_writer *writer, size_t i);

/* Closes the files. -1 when the system reports a late error. */
int checkpoint_writer_close(struct checkpoint_writer *writer, struct error *err);

#endif
