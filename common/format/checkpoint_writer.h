/* checkpoint_writer.h - write the weights of a model, in any format that has a row.
 *
 * The tensors are known before the first byte, so every file and every offset is fixed at once, and
 * any thread may then write any part of any tensor. */
#ifndef COCKTAIL_CHECKPOINT_WRITER_H
#define COCKTAIL_CHECKPOINT_WRITER_H

#include <stddef.h>

#include "base/error.h"
#include "base/outdir.h"
#include "tensor/output_tensor.h"

struct gguf_metadata; /* gguf_metadata.h */

/* What is to be written; borrowed as long as the writer is open. */
struct checkpoint_output {
    const struct output_tensor *const *tensors; /* [n_tensors], in the order of the format */
    size_t n_tensors, n_parameters;
    size_t shard_bytes; /* a new file begins where the next tensor would pass this */
    const struct gguf_metadata *metadata; /* of a GGUF file; NULL: the format has none */
};

struct checkpoint_writer;

/* A format: a row, and what a format does to become one. */
struct checkpoint_writer_kind {
    const char *name;
    const char *extension; /* ".safetensors" */
    /* Lower is earlier: the order in which the tensors must be given. */
    int (*compare)(const struct output_tensor *a, const struct output_tensor *b);
    /* Whether the format can hold this; NULL: it holds everything. */
    int (*check)(const struct checkpoint_output *output, struct error *err);
    /* Creates the files of a zeroed writer of `writer_bytes` (checkpoint_files.h). */
    size_t writer_bytes;
    int (*open)(struct checkpoint_writer *writer, struct outdir *outdir, const char *path,
                struct error *err);
    int (*write)(struct checkpoint_writer *writer, size_t index, size_t offset, const void *bytes,
                 size_t n, struct error *err);
    int (*finish)(struct checkpoint_writer *writer, struct error *err); /* NULL: nothing to do */
    void (*release)(struct checkpoint_writer *writer); /* what it has besides its files */
};

/* safetensors, in the layout of the reference writer: one file, or shards and their index, split as
 * huggingface_hub splits them; a tensor larger than a shard gets one of its own. */
extern const struct checkpoint_writer_kind safetensors_writer;
/* One PyTorch file, as torch.save writes a state dict. ERROR_UNSUPPORTED for a dtype that PyTorch
 * does not have, for more than 65,000 tensors and for more than 4 GB: larger zip archives have
 * another form. */
extern const struct checkpoint_writer_kind torchbin_writer;

/* One GGUF file, version 3, aligned to 32 bytes, with the metadata of the output. ERROR_UNSUPPORTED for
 * a dtype that ggml does not have, for no dimensions or more than 4, and for a name of 64 bytes. */
extern const struct checkpoint_writer_kind gguf_writer;

/* Whether that could be written, without doing it. ERROR_INCOMPATIBLE when two tensors have one name. */
int checkpoint_writer_check(const struct checkpoint_writer_kind *kind,
                            const struct checkpoint_output *output, struct error *err);

/* Creates the file at `path` of outdir, which ends in the format's extension, or its parts beside
 * that place. NULL on error, as of the check's names. Freed with checkpoint_writer_close. */
struct checkpoint_writer *checkpoint_writer_open(const struct checkpoint_writer_kind *kind,
                                                 struct outdir *outdir, const char *path,
                                                 const struct checkpoint_output *output,
                                                 struct error *err);

/* Writes n bytes at byte `offset` of tensors[index]: of its items, which the writer packs, where they
 * are to be packed, in whole blocks. Threads may call this at once. */
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
