#include "adapter_writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/folder.h"
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "base/outdir.h"
#include "format/checkpoint_writer.h"
#include "tensor/tensor_source.h"

enum { CHUNK_ITEMS = 1 << 16, ITEM_BYTES_MAX = 16 };

const char adapter_config_file[] = "adapter_config.json";
const char adapter_weights_file[] = "adapter_model.safetensors";

bool adapter_is_folder(const char *path)
{
    struct error ignored = {0};
    struct folder *folder = folder_open(path, false, &ignored);
    bool holds = folder && folder_look(folder, adapter_config_file) == FOLDER_FILE;

    folder_close(folder);
    return holds;
}

static bool is_anything(const char *path)
{
    (void)path;
    return true;
}

int adapter_check_target(const char *path, bool force, struct error *err)
{
    struct error ignored = {0};

    if (outdir_check(path, false, is_anything, &ignored) == 0) /* there is none, or nothing in it */
        return 0;
    if (outdir_check(path, force, is_anything, err))
        return -1;
    if (adapter_is_folder(path))
        return 0;
    return error_set(err, ERROR_EXISTS, "'%s' is not empty and holds no adapter: --force replaces "
                     "adapters only", path);
}

/* ---- adapter_config.json ---- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_texts(struct json_writer *json, const char *key, const char **texts, size_t n)
{
    if (n == 0) {
        json_writer_null(json, key);
        return;
    }
    qsort(texts, n, sizeof *texts, compare_texts);
    json_writer_array(json, key);
    for (size_t i = 0; i < n; i++)
        json_writer_string(json, NULL, texts[i]);
    json_writer_end(json);
}

static size_t largest_rank(const struct adapter_output *adapter)
{
    size_t rank = 1;

    for (size_t i = 0; i < adapter->n_targets; i++)
        if (adapter->targets[i].rank > rank)
            rank = adapter->targets[i].rank;
    return rank;
}

/* PEFT takes the first pattern that a name matches to its end: where ranks differ, all have one, the
 * longest name first, so that no name is met by that of another module which it ends in. */
static int longest_first(const void *a, const void *b)
{
    const struct adapter_target *x = a, *y = b;
    size_t n = strlen(x->module), m = strlen(y->module);

    return n != m ? (n < m) - (n > m) : strcmp(x->module, y->module);
}

static char *target_name(const struct adapter_target *target)
{
    return target->parameter ? memory_format("%s.%s", target->module, target->parameter)
                             : memory_copy(target->module);
}

static void add_pattern(struct json_writer *json, const char *key,
                        const struct adapter_output *adapter)
{
    bool differs = false;

    for (size_t i = 0; i < adapter->n_targets; i++)
        differs = differs || adapter->targets[i].rank != adapter->targets[0].rank;
    json_writer_object(json, key);
    for (size_t i = 0; differs && i < adapter->n_targets; i++) {
        char *name = target_name(&adapter->targets[i]);

        json_writer_size(json, name, adapter->targets[i].rank);
        free(name);
    }
    json_writer_end(json);
}

/* Modules, or parameters. PEFT chooses some of its own where the list of modules is null. */
static void add_targets(struct json_writer *json, const char *key,
                        const struct adapter_output *adapter, bool are_parameters)
{
    char **names = memory_zalloc(adapter->n_targets + 1, sizeof *names);
    size_t n = 0;

    for (size_t i = 0; i < adapter->n_targets; i++)
        if ((adapter->targets[i].parameter != NULL) == are_parameters)
            names[n++] = target_name(&adapter->targets[i]);
    if (n || are_parameters) {
        add_texts(json, key, (const char **)names, n);
    } else {
        json_writer_array(json, key);
        json_writer_end(json);
    }
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static bool has_parameters(const struct adapter_output *adapter)
{
    for (size_t i = 0; i < adapter->n_targets; i++)
        if (adapter->targets[i].parameter)
            return true;
    return false;
}

static void add_config(const struct adapter_output *adapter, struct buffer *out)
{
    struct json_writer json = {.out = out, .is_spaced = true, .n_indented = 3};
    size_t rank = largest_rank(adapter);

    if (adapter->n_targets)
        qsort(adapter->targets, adapter->n_targets, sizeof *adapter->targets, longest_first);
    json_writer_object(&json, NULL);
    add_pattern(&json, "alpha_pattern", adapter);
    json_writer_string(&json, "base_model_name_or_path", adapter->base);
    json_writer_string(&json, "bias", adapter->bias ? adapter->bias : "none");
    json_writer_bool(&json, "fan_in_fan_out", adapter->fan_in_fan_out);
    json_writer_bool(&json, "inference_mode", true);
    json_writer_bool(&json, "init_lora_weights", true);
    json_writer_size(&json, "lora_alpha", rank);
    json_writer_bool(&json, "lora_bias", adapter->lora_bias);
    json_writer_raw(&json, "lora_dropout", "0.0");
    add_texts(&json, "modules_to_save", adapter->saved, adapter->n_saved);
    json_writer_string(&json, "peft_type", "LORA");
    json_writer_size(&json, "r", rank);
    add_pattern(&json, "rank_pattern", adapter);
    add_targets(&json, "target_modules", adapter, false);
    if (has_parameters(adapter))
        add_targets(&json, "target_parameters", adapter, true);
    json_writer_string(&json, "task_type", adapter->task_type);
    json_writer_bool(&json, "use_dora", false);
    json_writer_bool(&json, "use_rslora", false);
    json_writer_end(&json);
    buffer_add_char(out, '\n');
}

/* ---- weights ---- */

struct pair {
    struct output_tensor output;
    const struct adapter_tensor *from;
};

static int compare_pairs(const void *a, const void *b)
{
    return safetensors_writer.compare(&((const struct pair *)a)->output,
                                      &((const struct pair *)b)->output);
}

static int make_pairs(const struct adapter_output *adapter, struct pair *pairs,
                      struct adapter_written *written, struct error *err)
{
    *written = (struct adapter_written){.n_tensors = adapter->n_tensors};
    for (size_t i = 0; i < adapter->n_tensors; i++) {
        const struct adapter_tensor *from = &adapter->tensors[i];
        struct output_tensor *output = &pairs[i].output;

        pairs[i].from = from;
        if (!from->source) {
            *output = (struct output_tensor){.dtype = DTYPE_F32, .n_dims = from->n_dims,
                                             .shape = from->shape};
        } else {
            *output = output_tensor_like(from->source);
        }
        output->name = from->name;
        if (output_tensor_measure(output, err))
            return -1;
        written->n_parameters += output->n_items;
        written->n_bytes += output->size_bytes;
    }
    if (adapter->n_tensors)
        qsort(pairs, adapter->n_tensors, sizeof *pairs, compare_pairs);
    return 0;
}

int adapter_measure(const struct adapter_output *adapter, struct adapter_written *written,
                    struct error *err)
{
    struct pair *pairs = memory_zalloc(adapter->n_tensors + 1, sizeof *pairs);
    int rc = make_pairs(adapter, pairs, written, err);

    free(pairs);
    return rc;
}

static int copy_tensor(struct checkpoint_writer *writer, size_t index, const struct tensor *source,
                       char *buffer, struct error *err)
{
    size_t chunk = tensor_chunk(source, CHUNK_ITEMS);

    for (size_t first = 0; first < source->n_items; first += chunk) {
        size_t n = source->n_items - first < chunk ? source->n_items - first : chunk, at, n_bytes;

        dtype_range_bytes(source->dtype, first, n, &at, &n_bytes);
        if (interrupt_check(err) || tensor_read(source, first, n, buffer, err) ||
            checkpoint_writer_write(writer, index, at, buffer, n_bytes, err))
            return -1;
    }
    return 0;
}

static bool is_made(const struct adapter_tensor *tensor)
{
    return !tensor->values && !tensor->source;
}

/* What is written, and where each tensor stands in the file. */
struct weights {
    const struct adapter_output *adapter;
    struct checkpoint_writer *writer;
    size_t *places;
    const struct pair *pairs;
};

/* Tensors `first` to `end` - 1 of the adapter, a group. */
static int write_made(const struct weights *weights, size_t first, size_t end, struct error *err)
{
    const struct adapter_output *adapter = weights->adapter;
    float **values = memory_zalloc(end - first, sizeof *values);
    int rc = 0;

    for (size_t i = first; rc == 0 && i < end; i++) {
        const struct pair *pair = &weights->pairs[weights->places[i]];

        values[i - first] = memory_try(pair->output.n_items, sizeof **values, "a matrix", err);
        rc = values[i - first] ? 0 : -1;
    }
    if (rc == 0)
        rc = adapter->make(adapter->context, adapter->tensors[first].group, values, err);
    for (size_t i = first; i < end; i++) {
        size_t place = weights->places[i];

        if (rc == 0)
            rc = checkpoint_writer_write(weights->writer, place, 0, values[i - first],
                                         weights->pairs[place].output.size_bytes, err);
        free(values[i - first]);
    }
    free(values);
    return rc;
}

static int write_tensors(const struct weights *weights, struct error *err)
{
    const struct adapter_output *adapter = weights->adapter;
    char *buffer = memory_alloc(CHUNK_ITEMS * ITEM_BYTES_MAX);
    int rc = 0;

    for (size_t i = 0, end; rc == 0 && i < adapter->n_tensors; i = end) {
        const struct adapter_tensor *tensor = &adapter->tensors[i];
        size_t place = weights->places[i];

        for (end = i + 1; is_made(tensor) && end < adapter->n_tensors; end++)
            if (!is_made(&adapter->tensors[end]) || adapter->tensors[end].group != tensor->group)
                break;
        if (is_made(tensor))
            rc = write_made(weights, i, end, err);
        else if (tensor->values)
            rc = checkpoint_writer_write(weights->writer, place, 0, tensor->values,
                                         weights->pairs[place].output.size_bytes, err);
        else
            rc = copy_tensor(weights->writer, place, tensor->source, buffer, err);
    }
    free(buffer);
    return rc;
}

static int write_weights(struct outdir *outdir, const struct adapter_output *adapter,
                         const struct pair *pairs, size_t n_parameters, struct error *err)
{
    size_t n = adapter->n_tensors;
    const struct output_tensor **list = memory_zalloc(n + 1, sizeof *list);
    struct checkpoint_output output = {.tensors = list, .n_tensors = n,
                                       .n_parameters = n_parameters, .shard_bytes = SIZE_MAX};
    struct weights weights = {.adapter = adapter, .pairs = pairs,
                              .places = memory_zalloc(n + 1, sizeof *weights.places)};
    int rc = -1;

    for (size_t i = 0; i < n; i++) {
        list[i] = &pairs[i].output;
        weights.places[pairs[i].from - adapter->tensors] = i;
    }
    weights.writer = checkpoint_writer_open(&safetensors_writer, outdir, adapter_weights_file, &output,
                                            err);
    if (weights.writer) {
        rc = write_tensors(&weights, err);
        if (rc == 0)
            rc = checkpoint_writer_finish(weights.writer, err);
        if (checkpoint_writer_close(weights.writer, err))
            rc = -1;
    }
    free(weights.places);
    free(list);
    return rc;
}

int adapter_check_space(const char *path, size_t n_bytes, struct error *err)
{
    size_t free_bytes;

    if (outdir_free_bytes(path, &free_bytes, err))
        return -1;
    if (free_bytes >= n_bytes)
        return 0;
    return error_set(err, ERROR_IO, "'%s': not enough disk space: the adapter needs %zu bytes, %zu are "
                     "left", path, n_bytes, free_bytes);
}

int adapter_write(const struct adapter_output *adapter, const char *path, bool force,
                  struct adapter_written *written, struct error *err)
{
    struct pair *pairs = memory_zalloc(adapter->n_tensors + 1, sizeof *pairs);
    struct buffer config = {0};
    struct outdir *outdir = NULL;
    int rc = -1;

    if (make_pairs(adapter, pairs, written, err) == 0 &&
        adapter_check_target(path, force, err) == 0 &&
        adapter_check_space(path, written->n_bytes, err) == 0)
        outdir = outdir_open(path, force, adapter_is_folder, err);
    if (outdir) {
        add_config(adapter, &config);
        rc = outdir_write(outdir, adapter_config_file, config.data, config.size, err);
        if (rc == 0)
            rc = write_weights(outdir, adapter, pairs, written->n_parameters, err);
        if (rc == 0)
            rc = outdir_commit(outdir, err);
        outdir_close(outdir);
    }
    buffer_release(&config);
    free(pairs);
    return rc;
}
