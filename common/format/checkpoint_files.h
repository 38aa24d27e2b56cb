/* checkpoint_files.h - what the writers of all formats share: a list of files being written. */
#ifndef COCKTAIL_CHECKPOINT_FILES_H
#define COCKTAIL_CHECKPOINT_FILES_H

#include <stdatomic.h>
#include <stddef.h>

#include "format/checkpoint_writer.h"

struct checkpoint_output_file {
    char *name; /* relative to outdir */
    int fd;     /* -1: written already */
    atomic_size_t written_bytes;
};

/* The first member of what a format keeps for a checkpoint. */
struct checkpoint_writer {
    const struct checkpoint_writer_kind *kind;
    struct checkpoint_output output;
    struct checkpoint_output_file *files;
    size_t n_files;
};

/* Room for n_files files; once, before the first. */
void checkpoint_files_init(struct checkpoint_writer *writer, size_t n_files);
/* Creates the next file, whose name it takes over. */
struct checkpoint_output_file *checkpoint_files_create(struct checkpoint_writer *writer,
                                                       struct outdir *outdir, char *name,
                                                       struct error *err);
/* The next file, whose name it takes over, with these bytes and no others. */
int checkpoint_files_add(struct checkpoint_writer *writer, struct outdir *outdir, char *name,
                         const void *bytes, size_t n, struct error *err);
/* Writes n bytes at `offset`. Threads may call this at once. */
int checkpoint_files_write(struct checkpoint_output_file *file, size_t offset, const void *bytes,
                           size_t n, struct error *err);

#endif
