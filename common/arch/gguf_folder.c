#include "gguf_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/gguf_config.h"
#include "arch/gguf_tensors.h"
#include "arch/gguf_tokenizer.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "format/gguf_parts.h"
#include "tensor/ggml_blocks.h"
#include "tensor/tensor_source.h"

/* ---- which file ---- */

static bool has_suffix(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".gguf") == 0;
}

bool gguf_folder_is(const char *path)
{
    char magic[4] = {0};
    struct stat info;
    FILE *file;
    bool is;

    if (stat(path, &info) || !S_ISREG(info.st_mode)) /* opening a pipe would wait */
        return false;
    if (has_suffix(path))
        return true;
    file = fopen(path, "rb");
    is = file && fread(magic, 1, 4, file) == 4 && memcmp(magic, "GGUF", 4) == 0;
    if (file)
        fclose(file);
    return is;
}

/* One file of each model in parts stands for it. */
static bool is_candidate(const char *name)
{
    unsigned number, n_parts;

    return has_suffix(name) && (!gguf_parts_name(name, &number, &n_parts) || number <= 1);
}

char *gguf_folder_find(const struct folder *folder, struct error *err)
{
    char **names, *found = NULL;
    bool has_weights;
    size_t n_names;

    if (checkpoint_look(folder, "", &has_weights, err) || has_weights ||
        folder_list(folder, "", &names, &n_names, err))
        return NULL;
    for (size_t i = 0; i < n_names; i++) {
        if (!is_candidate(names[i]))
            continue;
        if (found) {
            error_set(err, ERROR_FORMAT,
                      "'%s': '" ERROR_NAME "' and '" ERROR_NAME "' are a model each; "
                      "name the file instead of the directory",
                      folder->path, found, names[i]);
            free(found);
            found = NULL;
            break;
        }
        found = memory_copy(names[i]);
    }
    folder_names_free(names, n_names);
    return found;
}

/* Of all that its name promises, those that are there: whoever opens them misses the others. */
static int show_parts(struct folder *folder, const char *name, struct error *err)
{
    unsigned number, n_parts, other;
    char **names = NULL, *first;
    size_t n_names = 0;

    if (gguf_parts_name(name, &number, &n_parts)) {
        if (folder_list(folder, "", &names, &n_names, err))
            return -1;
        first = gguf_parts_path(name, 1);
        for (size_t i = 0; i < n_names; i++) {
            char *theirs = gguf_parts_name(names[i], &number, &other) && other == n_parts
                               ? gguf_parts_path(names[i], 1)
                               : NULL;

            if (theirs && strcmp(theirs, first) == 0)
                folder_show(folder, names[i]);
            free(theirs);
        }
        free(first);
        folder_names_free(names, n_names);
    }
    folder_show(folder, name);
    folder_restrict(folder);
    return 0;
}

/* ---- how it is stored ---- */

/* Bytes of each format of ggml's, by the name of it; plain ones by their dtype's, which is the
 * same. */
static void count_formats(const struct checkpoint *checkpoint, size_t n_bytes[N_GGML_FORMATS])
{
    memset(n_bytes, 0, N_GGML_FORMATS * sizeof *n_bytes);
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        struct tensor_stored stored = tensor_stored(&checkpoint->tensors[i]);

        for (int k = 0; k < N_GGML_FORMATS; k++)
            if (strcmp(ggml_type((enum ggml_format)k)->name, stored.format) == 0)
                n_bytes[k] += stored.n_bytes;
    }
}

static const char *torch_dtype(const struct checkpoint *checkpoint)
{
    size_t n_bytes[N_GGML_FORMATS], best = 0;

    count_formats(checkpoint, n_bytes);
    for (size_t k = 0; k < N_GGML_FORMATS; k++)
        if (n_bytes[k] > n_bytes[best])
            best = k;
    return best == GGML_F32 ? "float32" : best == GGML_F16 ? "float16" : "bfloat16";
}

char *gguf_folder_formats(const struct checkpoint *checkpoint)
{
    size_t n_bytes[N_GGML_FORMATS];
    struct buffer text = {0};

    if (!checkpoint->gguf)
        return NULL;
    count_formats(checkpoint, n_bytes);
    for (size_t k = 0; k < N_GGML_BLOCKS; k++)
        if (n_bytes[k])
            buffer_format(&text, "%s%s", text.size ? ", " : "GGUF ",
                          ggml_type((enum ggml_format)k)->name);
    return text.data;
}

/* ---- its files ---- */

static void add_text(struct folder *folder, const char *name, struct buffer *text)
{
    folder_add(folder, name, text->data, text->size);
    *text = (struct buffer){0};
}

static void add_modules(struct buffer *text)
{
    static const struct {
        const char *name, *path, *type;
    } modules[] = {{"0", "", "sentence_transformers.models.Transformer"},
                   {"1", "1_Pooling", "sentence_transformers.models.Pooling"}};
    struct json_writer json = {.out = text, .is_spaced = true, .n_indented = 2};

    json_writer_array(&json, NULL);
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        json_writer_object(&json, NULL);
        json_writer_size(&json, "idx", i);
        json_writer_string(&json, "name", modules[i].name);
        json_writer_string(&json, "path", modules[i].path);
        json_writer_string(&json, "type", modules[i].type);
        json_writer_end(&json);
    }
    json_writer_end(&json);
}

/* A model that makes one vector of a text is a folder of sentence-transformers. */
static int add_pooling(struct folder *folder, const struct gguf_model *model, struct error *err)
{
    static const char *const modes[] = {NULL, "mean_tokens", "cls_token", "lasttoken"};
    static const char *const all[] = {"cls_token",           "mean_tokens",
                                      "max_tokens",          "mean_sqrt_len_tokens",
                                      "weightedmean_tokens", "lasttoken"};
    struct buffer text = {0};
    struct json_writer json;
    size_t kind;

    if (gguf_model_count(model, "pooling_type", 0, 0, 1000, &kind, err))
        return -1;
    if (kind == 0)
        return 0;
    if (kind >= sizeof modes / sizeof *modes)
        return error_set(err, ERROR_UNSUPPORTED, "%s.pooling_type is %zu%s, which is not supported",
                         model->architecture->name, kind, kind == 4 ? " (a reranker)" : "");
    add_modules(&text);
    add_text(folder, "modules.json", &text);
    json = (struct json_writer){.out = &text, .is_spaced = true, .n_indented = 1};
    json_writer_object(&json, NULL);
    json_writer_size(&json, "word_embedding_dimension", model->hidden_size);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char name[64];

        snprintf(name, sizeof name, "pooling_mode_%s", all[i]);
        json_writer_bool(&json, name, strcmp(all[i], modes[kind]) == 0);
    }
    json_writer_end(&json);
    add_text(folder, "1_Pooling/config.json", &text);
    json = (struct json_writer){.out = &text, .is_spaced = true, .n_indented = 1};
    json_writer_object(&json, NULL);
    json_writer_size(&json, "max_seq_length", model->n_positions);
    json_writer_bool(&json, "do_lower_case", false);
    json_writer_end(&json);
    add_text(folder, "sentence_bert_config.json", &text);
    return 0;
}

static int add_files(struct folder *folder, const struct gguf_model *model,
                     const struct checkpoint *checkpoint, struct error *err)
{
    struct buffer text = {0};

    if (gguf_config_make(&text, model, checkpoint, torch_dtype(checkpoint), err)) {
        buffer_release(&text);
        return -1;
    }
    add_text(folder, "config.json", &text);
    if (!(model->architecture->set & GGUF_BERT)) {
        gguf_config_add_generation(&text, model);
        add_text(folder, "generation_config.json", &text);
    }
    return add_pooling(folder, model, err) || gguf_tokenizer_add(checkpoint->gguf, folder, err) ? -1
                                                                                                : 0;
}

/* ---- what it says of itself ---- */

static void add_metadata(struct checkpoint *checkpoint)
{
    struct buffer text = {0};

    for (size_t i = 0; i < checkpoint->gguf->n_values; i++) {
        const struct gguf_value *value = &checkpoint->gguf->values[i];

        if (strncmp(value->key, "general.", 8) != 0)
            continue;
        buffer_clear(&text);
        buffer_add_text(&text, "");
        for (size_t k = 0; k < value->n_items; k++) {
            buffer_add_text(&text, k ? ", " : "");
            if (value->type == GGUF_STRING)
                buffer_add_text(&text, gguf_text(value, k).bytes);
            else
                buffer_format(&text, "%.9g", gguf_number(value, k));
        }
        checkpoint_add_metadata(checkpoint, value->key, text.data);
    }
    buffer_release(&text);
}

/* ---- all ---- */

static int present(struct folder *folder, struct checkpoint *checkpoint, struct error *err)
{
    struct gguf_model model;

    if (!checkpoint->gguf)
        return error_set(err, ERROR_FORMAT, "not a GGUF file");
    if (gguf_model_load(&model, checkpoint->gguf, err) ||
        gguf_tensors_make(checkpoint, &model, err) || add_files(folder, &model, checkpoint, err))
        return -1;
    add_metadata(checkpoint);
    return 0;
}

struct checkpoint *gguf_folder_open(struct folder *folder, const char *name, struct error *err)
{
    struct notices none = {0}; /* there are none of a GGUF file */
    struct checkpoint *checkpoint;

    if (show_parts(folder, name, err))
        return NULL;
    checkpoint = checkpoint_open(folder, "", name, &none, err);
    notices_release(&none);
    if (checkpoint && present(folder, checkpoint, err)) {
        error_context(err, "'%s/%s'", folder->path, name);
        checkpoint_close(checkpoint);
        return NULL;
    }
    return checkpoint;
}
