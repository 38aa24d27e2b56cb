#include "checkpoint_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "format/checkpoint_files.h"

/* After so many bytes the system is asked to start writing: otherwise it waits for dirty pages to
 * pile up, and the flush at the end takes as long as everything before. */
static const size_t flush_bytes = 16 * 1000 * 1000;

/* ---- files ---- */

void checkpoint_files_init(struct checkpoint_writer *writer, size_t n_files)
{
    writer->files = memory_zalloc(n_files, sizeof *writer->files);
}

struct checkpoint_output_file *checkpoint_files_create(struct checkpoint_writer *writer,
                                                       struct outdir *outdir, char *name,
                                                       struct error *err)
{
    struct checkpoint_output_file *file = &writer->files[writer->n_files++];

    file->name = name;
    file->fd = outdir_create(outdir, name, err);
    return file->fd >= 0 ? file : NULL;
}

int checkpoint_files_add(struct checkpoint_writer *writer, struct outdir *outdir, char *name,
                         const void *bytes, size_t n, struct error *err)
{
    struct checkpoint_output_file *file = &writer->files[writer->n_files++];

    file->name = name;
    file->fd = -1;
    return outdir_write(outdir, name, bytes, n, err);
}

int checkpoint_files_write(struct checkpoint_output_file *file, size_t offset, const void *bytes,
                           size_t n, struct error *err)
{
    size_t before;

    if (outdir_write_at(file->fd, offset, bytes, n, file->name, err))
        return -1;
    before = atomic_fetch_add(&file->written_bytes, n);
    /* Only a hint: a file system without it just flushes later. */
    if (before / flush_bytes != (before + n) / flush_bytes)
        sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return 0;
}

/* ---- any format ---- */

/* Whoever reads the file takes one of two tensors, and which one is not said. */
static int check_names(const struct checkpoint_output *output, struct error *err)
{
    struct hash_map names = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < output->n_tensors; i++) {
        const char *name = output->tensors[i]->name;

        if (hash_map_add(&names, name, strlen(name), i) != i)
            rc = error_set(err, ERROR_INCOMPATIBLE, "tensor '" ERROR_NAME "': would be written twice",
                           name);
    }
    hash_map_release(&names);
    return rc;
}

int checkpoint_writer_check(const struct checkpoint_writer_kind *kind,
                            const struct checkpoint_output *output, struct error *err)
{
    if (check_names(output, err))
        return -1;
    return kind->check ? kind->check(output, err) : 0;
}

struct checkpoint_writer *checkpoint_writer_open(const struct checkpoint_writer_kind *kind,
                                                 struct outdir *outdir, const char *path,
                                                 const struct checkpoint_output *output,
                                                 struct error *err)
{
    struct checkpoint_writer *writer;

    if (check_names(output, err))
        return NULL;
    writer = memory_zalloc(1, kind->writer_bytes);
    writer->kind = kind;
    writer->output = *output;
    if (kind->open(writer, outdir, path, err) == 0)
        return writer;
    checkpoint_writer_close(writer, err);
    return NULL;
}

int checkpoint_writer_write(struct checkpoint_writer *writer, size_t index, size_t offset,
                            const void *bytes, size_t n, struct error *err)
{
    return writer->kind->write(writer, index, offset, bytes, n, err);
}

int checkpoint_writer_finish(struct checkpoint_writer *writer, struct error *err)
{
    return writer->kind->finish ? writer->kind->finish(writer, err) : 0;
}

size_t checkpoint_writer_n_files(const struct checkpoint_writer *writer)
{
    return writer->n_files;
}

const char *checkpoint_writer_file(const struct checkpoint_writer *writer, size_t i)
{
    return writer->files[i].name;
}

int checkpoint_writer_close(struct checkpoint_writer *writer, struct error *err)
{
    int rc = 0;

    if (!writer)
        return 0;
    for (size_t i = 0; i < writer->n_files; i++) {
        if (writer->files[i].fd >= 0 && close(writer->files[i].fd))
            rc = error_errno(err, "cannot write '%s'", writer->files[i].name);
        free(writer->files[i].name);
    }
    free(writer->files);
    writer->kind->release(writer);
    free(writer);
    return rc;
}
