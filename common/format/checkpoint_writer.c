#include "checkpoint_writer.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/memory.h"
#include "format/safetensors.h"
#include "format/torchbin_writer.h"

/* After so many bytes the system is asked to start writing: otherwise it waits for dirty pages to
 * pile up, and the flush at the end takes as long as everything before. */
static const size_t flush_bytes = 16 * 1000 * 1000;

struct shard {
    char *name; /* relative to outdir */
    int fd;
    size_t first, n_tensors; /* a run of writer->order */
    size_t size_bytes;       /* of its tensors */
    size_t data_start;       /* behind the header */
    atomic_size_t written_bytes;
};

struct place {
    size_t shard, offset; /* relative to the data of the shard */
};

struct checkpoint_writer {
    const struct tensor *const *tensors;
    size_t n_tensors;
    struct place *places;        /* [n_tensors] */
    const struct tensor **order; /* [n_tensors], shard after shard */
    struct shard *shards;
    size_t n_shards;
    char *index_name; /* NULL when there is one shard */
    struct torchbin_writer *torchbin; /* NULL: safetensors */
};

/* Which shard holds which tensor: places[].shard, counted in the order in which shards are closed. */
static void split(struct checkpoint_writer *writer, size_t shard_bytes)
{
    size_t *open = memory_zalloc(writer->n_tensors, sizeof *open), n_open = 0, used = 0;

    for (size_t i = 0; i < writer->n_tensors; i++) {
        size_t size = writer->tensors[i]->size_bytes;

        if (size > shard_bytes) {
            writer->places[i].shard = writer->n_shards++;
            continue;
        }
        if (n_open && size > shard_bytes - used) {
            for (size_t k = 0; k < n_open; k++)
                writer->places[open[k]].shard = writer->n_shards;
            writer->n_shards++;
            n_open = 0;
            used = 0;
        }
        open[n_open++] = i;
        used += size;
    }
    if (n_open || writer->n_shards == 0) {
        for (size_t k = 0; k < n_open; k++)
            writer->places[open[k]].shard = writer->n_shards;
        writer->n_shards++;
    }
    free(open);
}

/* Lists the tensors of each shard, in order. */
static void arrange(struct checkpoint_writer *writer)
{
    size_t first = 0;

    for (size_t i = 0; i < writer->n_tensors; i++)
        writer->shards[writer->places[i].shard].n_tensors++;
    for (size_t s = 0; s < writer->n_shards; s++) {
        writer->shards[s].first = first;
        first += writer->shards[s].n_tensors;
        writer->shards[s].n_tensors = 0;
    }
    for (size_t i = 0; i < writer->n_tensors; i++) {
        struct shard *shard = &writer->shards[writer->places[i].shard];

        writer->places[i].offset = shard->size_bytes;
        writer->order[shard->first + shard->n_tensors++] = writer->tensors[i];
        shard->size_bytes += writer->tensors[i]->size_bytes;
    }
}

static int create_shard(struct checkpoint_writer *writer, size_t index, struct outdir *outdir,
                        const char *directory, const char *stem, struct error *err)
{
    struct shard *shard = &writer->shards[index];
    struct buffer header = {0};
    char *name = writer->n_shards == 1
                     ? memory_format("%s.safetensors", stem)
                     : memory_format("%s-%05zu-of-%05zu.safetensors", stem, index + 1,
                                     writer->n_shards);
    int rc = -1;

    shard->name = folder_join(directory, name);
    free(name);
    safetensors_add_header(&header, writer->order + shard->first, shard->n_tensors);
    shard->data_start = header.size;
    shard->fd = outdir_create(outdir, shard->name, err);
    if (shard->fd >= 0)
        rc = outdir_write_at(shard->fd, 0, header.data, header.size, shard->name, err);
    buffer_release(&header);
    return rc;
}

static int compare_places_by_name(const void *a, const void *b)
{
    return strcmp((*(const struct tensor *const *const *)a)[0]->name,
                  (*(const struct tensor *const *const *)b)[0]->name);
}

static int write_index(struct checkpoint_writer *writer, struct outdir *outdir,
                       size_t n_parameters, struct error *err)
{
    const struct tensor *const **sorted = memory_zalloc(writer->n_tensors, sizeof *sorted);
    struct buffer text = {0};
    size_t total = 0;
    int rc;

    for (size_t i = 0; i < writer->n_tensors; i++) {
        sorted[i] = &writer->tensors[i];
        total += writer->tensors[i]->size_bytes;
    }
    qsort(sorted, writer->n_tensors, sizeof *sorted, compare_places_by_name);
    buffer_format(&text, "{\n  \"metadata\": {\n    \"total_parameters\": %zu,\n"
                  "    \"total_size\": %zu\n  },\n  \"weight_map\": {", n_parameters, total);
    for (size_t i = 0; i < writer->n_tensors; i++) {
        const char *shard = writer->shards[writer->places[sorted[i] - writer->tensors].shard].name;
        const char *slash = strrchr(shard, '/');

        buffer_add_text(&text, i ? ",\n    " : "\n    ");
        json_add_string(&text, (*sorted[i])->name);
        buffer_add_text(&text, ": ");
        json_add_string(&text, slash ? slash + 1 : shard);
    }
    buffer_add_text(&text, "\n  }\n}\n");
    rc = outdir_write(outdir, writer->index_name, text.data, text.size, err);
    buffer_release(&text);
    free(sorted);
    return rc;
}

struct checkpoint_writer *checkpoint_writer_open(struct outdir *outdir, const char *directory,
                                                 const char *stem,
                                                 const struct tensor *const *tensors,
                                                 size_t n_tensors, size_t shard_bytes,
                                                 size_t n_parameters, struct error *err)
{
    struct checkpoint_writer *writer = memory_zalloc(1, sizeof *writer);

    writer->tensors = tensors;
    writer->n_tensors = n_tensors;
    writer->places = memory_zalloc(n_tensors, sizeof *writer->places);
    writer->order = memory_zalloc(n_tensors, sizeof *writer->order);
    split(writer, shard_bytes);
    writer->shards = memory_zalloc(writer->n_shards, sizeof *writer->shards);
    for (size_t s = 0; s < writer->n_shards; s++)
        writer->shards[s].fd = -1;
    arrange(writer);
    for (size_t s = 0; s < writer->n_shards; s++)
        if (create_shard(writer, s, outdir, directory, stem, err))
            goto failed;
    if (writer->n_shards > 1) {
        char *name = memory_format("%s.safetensors.index.json", stem);

        writer->index_name = folder_join(directory, name);
        free(name);
        if (write_index(writer, outdir, n_parameters, err))
            goto failed;
    }
    return writer;
failed:
    checkpoint_writer_close(writer, err);
    return NULL;
}

struct checkpoint_writer *checkpoint_writer_open_torch(struct outdir *outdir, const char *path,
                                                       const struct tensor *const *tensors,
                                                       size_t n_tensors, struct error *err)
{
    struct torchbin_writer *torchbin = torchbin_writer_new(tensors, n_tensors, err);
    struct checkpoint_writer *writer;

    if (!torchbin) {
        error_context(err, "'%s'", path);
        return NULL;
    }
    writer = memory_zalloc(1, sizeof *writer);
    writer->torchbin = torchbin;
    writer->tensors = tensors;
    writer->n_tensors = n_tensors;
    writer->places = memory_zalloc(n_tensors, sizeof *writer->places);
    for (size_t i = 0; i < n_tensors; i++)
        writer->places[i].offset = torchbin_writer_place(torchbin, i);
    writer->n_shards = 1;
    writer->shards = memory_zalloc(1, sizeof *writer->shards);
    writer->shards[0].name = memory_copy(path);
    writer->shards[0].fd = outdir_create(outdir, path, err);
    if (writer->shards[0].fd >= 0)
        return writer;
    checkpoint_writer_close(writer, err);
    return NULL;
}

int checkpoint_writer_check_torch(const struct tensor *const *tensors, size_t n_tensors,
                                  struct error *err)
{
    struct torchbin_writer *writer = torchbin_writer_new(tensors, n_tensors, err);

    torchbin_writer_free(writer);
    return writer ? 0 : -1;
}

int checkpoint_writer_write(struct checkpoint_writer *writer, size_t index, size_t offset,
                            const void *bytes, size_t n, struct error *err)
{
    struct shard *shard = &writer->shards[writer->places[index].shard];
    size_t before, start = shard->data_start + writer->places[index].offset + offset;

    if (outdir_write_at(shard->fd, start, bytes, n, shard->name, err))
        return -1;
    before = atomic_fetch_add(&shard->written_bytes, n);
    /* Only a hint: a file system without it just flushes later. */
    if (before / flush_bytes != (before + n) / flush_bytes)
        sync_file_range(shard->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return 0;
}

int checkpoint_writer_finish(struct checkpoint_writer *writer, struct error *err)
{
    const struct shard *shard = writer->shards;

    return writer->torchbin ? torchbin_writer_finish(writer->torchbin, shard->fd, shard->name, err)
                            : 0;
}

size_t checkpoint_writer_n_files(const struct checkpoint_writer *writer)
{
    return writer->n_shards + (writer->index_name != NULL);
}

const char *checkpoint_writer_file(const struct checkpoint_writer *writer, size_t i)
{
    return i < writer->n_shards ? writer->shards[i].name : writer->index_name;
}

int checkpoint_writer_close(struct checkpoint_writer *writer, struct error *err)
{
    int rc = 0;

    if (!writer)
        return 0;
    for (size_t s = 0; s < writer->n_shards; s++) {
        if (writer->shards[s].fd >= 0 && close(writer->shards[s].fd))
            rc = error_errno(err, "cannot write '%s'", writer->shards[s].name);
        free(writer->shards[s].name);
    }
    free(writer->shards);
    free(writer->places);
    free(writer->order);
    free(writer->index_name);
    torchbin_writer_free(writer->torchbin);
    free(writer);
    return rc;
}
