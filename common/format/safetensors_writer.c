/* safetensors_writer.c - the tensors of a checkpoint laid out in shards. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "format/checkpoint_files.h"
#include "format/safetensors.h"

struct shard {
    size_t first, n_tensors; /* a run of writer->order */
    size_t size_bytes;       /* of its tensors */
    size_t data_start;       /* behind the header */
};

struct place {
    size_t shard, offset; /* relative to the data of the shard */
};

struct safetensors_files {
    struct checkpoint_writer base;      /* its files are the shards, then the index */
    struct place *places;               /* [n_tensors] */
    const struct output_tensor **order; /* [n_tensors], shard after shard */
    struct shard *shards;
    size_t n_shards;
};

/* Which shard holds which tensor: places[].shard, counted in the order in which shards are closed. */
static void split(struct safetensors_files *writer)
{
    const struct checkpoint_output *output = &writer->base.output;
    size_t *open = memory_zalloc(output->n_tensors, sizeof *open), n_open = 0, used = 0;

    for (size_t i = 0; i < output->n_tensors; i++) {
        size_t size = output->tensors[i]->size_bytes;

        if (size > output->shard_bytes) {
            writer->places[i].shard = writer->n_shards++;
            continue;
        }
        if (n_open && size > output->shard_bytes - used) {
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
static void arrange(struct safetensors_files *writer)
{
    const struct checkpoint_output *output = &writer->base.output;
    size_t first = 0;

    for (size_t i = 0; i < output->n_tensors; i++)
        writer->shards[writer->places[i].shard].n_tensors++;
    for (size_t s = 0; s < writer->n_shards; s++) {
        writer->shards[s].first = first;
        first += writer->shards[s].n_tensors;
        writer->shards[s].n_tensors = 0;
    }
    for (size_t i = 0; i < output->n_tensors; i++) {
        struct shard *shard = &writer->shards[writer->places[i].shard];

        writer->places[i].offset = shard->size_bytes;
        writer->order[shard->first + shard->n_tensors++] = output->tensors[i];
        shard->size_bytes += output->tensors[i]->size_bytes;
    }
}

static int create_shard(struct safetensors_files *writer, size_t index, struct outdir *outdir,
                        const char *path, struct error *err)
{
    struct shard *shard = &writer->shards[index];
    struct buffer header = {0};
    int stem = (int)(strlen(path) - strlen(safetensors_writer.extension));
    char *name = writer->n_shards == 1
                     ? memory_copy(path)
                     : memory_format("%.*s-%05zu-of-%05zu%s", stem, path, index + 1,
                                     writer->n_shards, safetensors_writer.extension);
    struct checkpoint_output_file *file = checkpoint_files_create(&writer->base, outdir, name, err);
    int rc = -1;

    safetensors_add_header(&header, writer->order + shard->first, shard->n_tensors);
    shard->data_start = header.size;
    if (file)
        rc = outdir_write_at(file->fd, 0, header.data, header.size, file->name, err);
    buffer_release(&header);
    return rc;
}

static int compare_places_by_name(const void *a, const void *b)
{
    return strcmp((*(const struct output_tensor *const *const *)a)[0]->name,
                  (*(const struct output_tensor *const *const *)b)[0]->name);
}

static int write_index(struct safetensors_files *writer, struct outdir *outdir, const char *path,
                       struct error *err)
{
    const struct checkpoint_output *output = &writer->base.output;
    const struct output_tensor *const **sorted = memory_zalloc(output->n_tensors, sizeof *sorted);
    struct buffer text = {0};
    struct json_writer json = {.out = &text, .is_spaced = true, .n_indented = 2};
    size_t total = 0;
    int rc;

    for (size_t i = 0; i < output->n_tensors; i++) {
        sorted[i] = &output->tensors[i];
        total += output->tensors[i]->size_bytes;
    }
    qsort(sorted, output->n_tensors, sizeof *sorted, compare_places_by_name);
    json_writer_object(&json, NULL);
    json_writer_object(&json, "metadata");
    json_writer_size(&json, "total_parameters", output->n_parameters);
    json_writer_size(&json, "total_size", total);
    json_writer_end(&json);
    json_writer_object(&json, "weight_map");
    for (size_t i = 0; i < output->n_tensors; i++) {
        const struct place *place = &writer->places[sorted[i] - output->tensors];
        const char *shard = writer->base.files[place->shard].name, *slash = strrchr(shard, '/');

        json_writer_string(&json, (*sorted[i])->name, slash ? slash + 1 : shard);
    }
    json_writer_end(&json);
    json_writer_end(&json);
    buffer_add_char(&text, '\n');
    rc = checkpoint_files_add(&writer->base, outdir, memory_format("%s.index.json", path),
                              text.data, text.size, err);
    buffer_release(&text);
    free(sorted);
    return rc;
}

static int open_shards(struct checkpoint_writer *base, struct outdir *outdir, const char *path,
                       struct error *err)
{
    struct safetensors_files *writer = (struct safetensors_files *)base;
    size_t n_tensors = base->output.n_tensors;

    writer->places = memory_zalloc(n_tensors, sizeof *writer->places);
    writer->order = memory_zalloc(n_tensors, sizeof *writer->order);
    split(writer);
    writer->shards = memory_zalloc(writer->n_shards, sizeof *writer->shards);
    arrange(writer);
    checkpoint_files_init(base, writer->n_shards + 1);
    for (size_t s = 0; s < writer->n_shards; s++)
        if (create_shard(writer, s, outdir, path, err))
            return -1;
    return writer->n_shards > 1 ? write_index(writer, outdir, path, err) : 0;
}

static int write_range(struct checkpoint_writer *base, size_t index, size_t offset,
                       const void *bytes, size_t n, struct error *err)
{
    const struct safetensors_files *writer = (const struct safetensors_files *)base;
    const struct place *place = &writer->places[index];

    return checkpoint_files_write(&base->files[place->shard],
                                  writer->shards[place->shard].data_start + place->offset + offset,
                                  bytes, n, err);
}

static void release(struct checkpoint_writer *base)
{
    struct safetensors_files *writer = (struct safetensors_files *)base;

    free(writer->shards);
    free(writer->places);
    free(writer->order);
}

const struct checkpoint_writer_kind safetensors_writer = {
    .name = "safetensors",
    .extension = ".safetensors",
    .compare = safetensors_compare,
    .writer_bytes = sizeof(struct safetensors_files),
    .open = open_shards,
    .write = write_range,
    .release = release,
};
