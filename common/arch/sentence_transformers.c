#include "sentence_transformers.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const size_t file_bytes_max = 1000 * 1000;

/* In the order in which several are concatenated. */
static const struct {
    const char *key, *name;
} pooling_modes[] = {
    {"pooling_mode_cls_token", "cls"},
    {"pooling_mode_max_tokens", "max"},
    {"pooling_mode_mean_tokens", "mean"},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
    {"pooling_mode_weightedmean_tokens", "weightedmean"},
    {"pooling_mode_lasttoken", "lasttoken"},
};

static cJSON *load_json(const struct folder *folder, const char *path, struct error *err)
{
    size_t size;
    char *text = folder_read_text(folder, path, file_bytes_max, &size, err);
    cJSON *json = text ? json_parse(text, size, err) : NULL;

    if (text && !json)
        error_context(err, "'%s/%s'", folder->path, path);
    free(text);
    return json;
}

/* One component, so that it cannot lead out of the folder. */
static bool is_plain_path(const char *path)
{
    return !strchr(path, '/') && !strchr(path, '\\') && strcmp(path, "..") != 0 &&
           strcmp(path, ".") != 0;
}

static int add_module(struct sentence_folder *sentence, const cJSON *entry, struct error *err)
{
    const char *path = json_find_string(entry, "path"), *type = json_find_string(entry, "type");
    const char *dot;

    if (!path || !type)
        return error_set(err, ERROR_FORMAT, "a module without path or type");
    if (!is_plain_path(path))
        return error_set(err, ERROR_FORMAT, "module path '" ERROR_NAME "' is not a plain name",
                         path);
    dot = strrchr(type, '.');
    sentence->modules = memory_resize(sentence->modules, sentence->n_modules + 1,
                                      sizeof *sentence->modules);
    sentence->modules[sentence->n_modules++] =
        (struct sentence_module){memory_copy(path), memory_copy(dot ? dot + 1 : type)};
    return 0;
}

static int load_modules(struct sentence_folder *sentence, const struct folder *folder,
                        struct error *err)
{
    cJSON *json = load_json(folder, "modules.json", err);
    const cJSON *entry;
    int rc = -1;

    if (!json)
        return -1;
    if (!cJSON_IsArray(json)) {
        error_set(err, ERROR_FORMAT, "is not a list");
        goto done;
    }
    cJSON_ArrayForEach(entry, json)
        if (add_module(sentence, entry, err))
            goto done;
    rc = 0;
done:
    if (rc)
        error_context(err, "'%s/modules.json'", folder->path);
    cJSON_Delete(json);
    return rc;
}

/* Old files have one boolean per mode, sentence-transformers 6 a name. */
static char *pooling_name(const cJSON *json)
{
    const char *mode = json_find_string(json, "pooling_mode");
    struct buffer name = {0};

    if (mode)
        return memory_copy(mode);
    for (size_t i = 0; i < sizeof pooling_modes / sizeof *pooling_modes; i++)
        if (json_find_bool(json, pooling_modes[i].key) == 1)
            buffer_format(&name, "%s%s", name.size ? "+" : "", pooling_modes[i].name);
    if (!name.size)
        buffer_add_text(&name, "mean");
    return name.data;
}

static int load_pooling(struct sentence_folder *sentence, const struct folder *folder,
                        const char *directory, struct error *err)
{
    char *path = folder_join(directory, "config.json");
    cJSON *json = load_json(folder, path, err);

    free(path);
    if (!json)
        return -1;
    free(sentence->pooling);
    sentence->pooling = pooling_name(json);
    cJSON_Delete(json);
    return 0;
}

int sentence_folder_load(struct sentence_folder *sentence, const struct folder *folder,
                         struct error *err)
{
    *sentence = (struct sentence_folder){.transformer = ""};
    if (folder_look(folder, "modules.json") == FOLDER_ABSENT) {
        if (folder_look(folder, "config.json") == FOLDER_ABSENT &&
            folder_look(folder, "0_Transformer/config.json") != FOLDER_ABSENT)
            sentence->transformer = "0_Transformer";
        if (folder_look(folder, "1_Pooling/config.json") == FOLDER_ABSENT)
            return 0;
        return load_pooling(sentence, folder, "1_Pooling", err);
    }
    if (load_modules(sentence, folder, err))
        goto failed;
    for (size_t i = 0; i < sentence->n_modules; i++) {
        const struct sentence_module *module = &sentence->modules[i];

        if (strcmp(module->kind, "Transformer") == 0)
            sentence->transformer = module->path;
        if (strcmp(module->kind, "Pooling") == 0 &&
            load_pooling(sentence, folder, module->path, err))
            goto failed;
    }
    return 0;
failed:
    sentence_folder_release(sentence);
    return -1;
}

void sentence_folder_release(struct sentence_folder *sentence)
{
    for (size_t i = 0; i < sentence->n_modules; i++) {
        free(sentence->modules[i].path);
        free(sentence->modules[i].kind);
    }
    free(sentence->modules);
    free(sentence->pooling);
    *sentence = (struct sentence_folder){.transformer = ""};
}

int sentence_folder_make(const struct config *config, const char *transformer, const char *pooling,
                         struct sentence_file files[SENTENCE_FILES], struct error *err)
{
    double hidden_size = config_number(config, config_hidden_size);
    double n_positions = config_number(config, config_max_positions);
    bool is_mean = strcmp(pooling, "mean") == 0;
    struct buffer text = {0};

    for (size_t i = 0; i < SENTENCE_FILES; i++)
        files[i] = (struct sentence_file){0};
    if (hidden_size < 1)
        return error_set(err, ERROR_FORMAT, "config.json has no hidden_size, which the pooling "
                         "module needs");
    files[0] = (struct sentence_file){
        "modules.json",
        memory_format("[\n"
                      "  {\"idx\": 0, \"name\": \"0\", \"path\": \"%s\", "
                      "\"type\": \"sentence_transformers.models.Transformer\"},\n"
                      "  {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", "
                      "\"type\": \"sentence_transformers.models.Pooling\"},\n"
                      "  {\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", "
                      "\"type\": \"sentence_transformers.models.Normalize\"}\n"
                      "]\n",
                      transformer)};
    files[1] = (struct sentence_file){
        "1_Pooling/config.json",
        memory_format("{\n"
                      "  \"word_embedding_dimension\": %.0f,\n"
                      "  \"pooling_mode_cls_token\": %s,\n"
                      "  \"pooling_mode_mean_tokens\": %s,\n"
                      "  \"pooling_mode_max_tokens\": false,\n"
                      "  \"pooling_mode_mean_sqrt_len_tokens\": false\n"
                      "}\n",
                      hidden_size, is_mean ? "false" : "true", is_mean ? "true" : "false")};
    /* RoBERTa's positions start behind the padding index, so two of them are never used. */
    if (n_positions > 0 && config->model_type && strstr(config->model_type, "roberta")) {
        const cJSON *pad = json_find(config->json, "pad_token_id");

        n_positions -= (cJSON_IsNumber(pad) ? pad->valuedouble : 1) + 1;
    }
    buffer_add_text(&text, "{\n");
    if (n_positions > 0)
        buffer_format(&text, "  \"max_seq_length\": %.0f,\n", n_positions);
    buffer_add_text(&text, "  \"do_lower_case\": false\n}\n");
    files[2] = (struct sentence_file){*transformer ? "0_Transformer/sentence_bert_config.json"
                                                   : "sentence_bert_config.json",
                                      text.data};
    return 0;
}
