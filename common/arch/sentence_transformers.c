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

/* Old files have one boolean per mode, sentence-transformers 6 a name or a list of names. */
static char *pooling_name(const cJSON *json)
{
    const cJSON *modes = json_find(json, "pooling_mode"), *mode;
    struct buffer name = {0};

    if (cJSON_IsString(modes))
        return memory_copy(modes->valuestring);
    cJSON_ArrayForEach(mode, modes) {
        buffer_format(&name, "%s%s", name.size ? "+" : "",
                      cJSON_IsString(mode) ? mode->valuestring : "?");
    }
    for (size_t i = 0; i < sizeof pooling_modes / sizeof *pooling_modes && !modes; i++)
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
    sentence->skips_prompt = json_find_bool(json, "include_prompt") == 0;
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

/* ---- settings ---- */

/* NULL without an error when the file is absent. */
static cJSON *find_json(const struct folder *folder, const char *directory, const char *name,
                        struct error *err)
{
    char *path = folder_join(directory, name);
    cJSON *json = NULL;

    if (folder_look(folder, path) != FOLDER_ABSENT) {
        json = load_json(folder, path, err);
        if (json && !cJSON_IsObject(json)) {
            error_set(err, ERROR_FORMAT, "'%s/%s': is not an object", folder->path, path);
            cJSON_Delete(json);
            json = NULL;
        }
    }
    free(path);
    return json;
}

/* A whole number from 1 to below `end`, else 0. */
static size_t find_count(const cJSON *json, const char *name, double end)
{
    const cJSON *number = json_find(json, name);
    double value = cJSON_IsNumber(number) ? number->valuedouble : 0;

    return value >= 1 && value < end ? (size_t)value : 0;
}

/* Beside config.json, under a name that says which class of transformers was wrapped. */
static int load_transformer_settings(struct sentence_settings *settings,
                                     const struct folder *folder, const char *directory,
                                     struct error *err)
{
    static const char *const names[] = {
        "sentence_bert_config.json",       "sentence_roberta_config.json",
        "sentence_distilbert_config.json", "sentence_camembert_config.json",
        "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
        "sentence_xlnet_config.json",
    };
    cJSON *json = NULL;

    for (size_t i = 0; i < sizeof names / sizeof *names && !json && !err->code; i++)
        json = find_json(folder, directory, names[i], err);
    if (json) {
        settings->max_tokens = find_count(json, "max_seq_length", 1e9);
        settings->lowers_case = json_find_bool(json, "do_lower_case") == 1;
    }
    cJSON_Delete(json);
    return err->code ? -1 : 0;
}

/* transformers writes 1e30 where there is no limit. */
static int load_tokenizer_limit(struct sentence_settings *settings, const struct folder *folder,
                                const char *directory, struct error *err)
{
    cJSON *json = find_json(folder, directory, "tokenizer_config.json", err);

    if (!json && *directory && !err->code)
        json = find_json(folder, "", "tokenizer_config.json", err);
    if (json)
        settings->max_tokens = find_count(json, "model_max_length", 1e9);
    cJSON_Delete(json);
    return err->code ? -1 : 0;
}

static int add_prompts(struct sentence_settings *settings, const cJSON *json, struct error *err)
{
    const cJSON *prompts = json_find(json, "prompts"), *prompt;
    const char *chosen = json_find_string(json, "default_prompt_name");

    cJSON_ArrayForEach(prompt, prompts)
        if (prompt->string && cJSON_IsString(prompt)) {
            settings->prompts = memory_resize(settings->prompts, settings->n_prompts + 1,
                                              sizeof *settings->prompts);
            settings->prompts[settings->n_prompts++] = (struct sentence_prompt){
                memory_copy(prompt->string), memory_copy(prompt->valuestring)};
        }
    for (size_t i = 0; i < settings->n_prompts && chosen; i++)
        if (strcmp(settings->prompts[i].name, chosen) == 0)
            settings->default_prompt = &settings->prompts[i];
    if (chosen && !settings->default_prompt)
        return error_set(err, ERROR_FORMAT, "default_prompt_name '" ERROR_NAME "' is none of the "
                         "prompts", chosen);
    return 0;
}

int sentence_settings_load(struct sentence_settings *settings,
                           const struct sentence_folder *sentence, const struct folder *folder,
                           struct error *err)
{
    static const char name[] = "config_sentence_transformers.json";
    const char *directory = sentence->transformer;
    cJSON *json;
    int rc;

    *settings = (struct sentence_settings){0};
    if (load_transformer_settings(settings, folder, directory, err) ||
        (!settings->max_tokens && load_tokenizer_limit(settings, folder, directory, err)))
        return -1;
    json = find_json(folder, "", name, err);
    if (!json)
        return err->code ? -1 : 0;
    rc = add_prompts(settings, json, err);
    if (rc) {
        error_context(err, "'%s/%s'", folder->path, name);
        sentence_settings_release(settings);
    }
    cJSON_Delete(json);
    return rc;
}

void sentence_settings_release(struct sentence_settings *settings)
{
    for (size_t i = 0; i < settings->n_prompts; i++) {
        free(settings->prompts[i].name);
        free(settings->prompts[i].text);
    }
    free(settings->prompts);
    *settings = (struct sentence_settings){0};
}

const struct sentence_prompt *sentence_settings_prompt(const struct sentence_settings *settings,
                                                       const char *name, struct error *err)
{
    struct buffer names = {0};

    for (size_t i = 0; i < settings->n_prompts; i++)
        if (strcmp(settings->prompts[i].name, name) == 0)
            return &settings->prompts[i];
    for (size_t i = 0; i < settings->n_prompts; i++)
        buffer_format(&names, "%s'" ERROR_NAME "'", i ? ", " : "", settings->prompts[i].name);
    if (names.size)
        error_set(err, ERROR_USAGE, "no prompt '" ERROR_NAME "'; the model has %.600s", name,
                  names.data);
    else
        error_set(err, ERROR_USAGE, "no prompt '" ERROR_NAME "': the model has none", name);
    buffer_release(&names);
    return NULL;
}

/* ---- dense modules ---- */

/* "torch.nn.modules.activation.Tanh": the last component counts. */
static int find_activation(const cJSON *json, enum activation *out, struct error *err)
{
    static const struct {
        const char *name;
        enum activation activation;
    } activations[] = {
        {"Tanh", ACTIVATION_TANH}, {"Identity", ACTIVATION_IDENTITY}, {"ReLU", ACTIVATION_RELU},
        {"GELU", ACTIVATION_GELU}, {"Sigmoid", ACTIVATION_SIGMOID},   {"SiLU", ACTIVATION_SILU},
    };
    const char *name = json_find_string(json, "activation_function"), *dot;

    if (!name)
        name = "Tanh";
    dot = strrchr(name, '.');
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(activations[i].name, dot ? dot + 1 : name) == 0) {
            *out = activations[i].activation;
            return 0;
        }
    return error_set(err, ERROR_UNSUPPORTED, "activation_function '" ERROR_NAME "' is not known",
                     name);
}

/* It may be told to read or write other vectors than the embedding. */
static int check_wiring(const cJSON *json, struct error *err)
{
    static const char *const keys[] = {"module_input_name", "module_output_name"};

    for (size_t i = 0; i < 2; i++) {
        const char *name = json_find_string(json, keys[i]);

        if (name && strcmp(name, "sentence_embedding") != 0)
            return error_set(err, ERROR_UNSUPPORTED, "%s '" ERROR_NAME "' is not supported",
                             keys[i], name);
    }
    if (json_find_bool(json, "use_residual") == 1)
        return error_set(err, ERROR_UNSUPPORTED, "use_residual is not supported");
    return 0;
}

int sentence_dense_load(struct sentence_dense *dense, const struct folder *folder,
                        const char *path, struct error *err)
{
    const double end = 1 << 24;
    cJSON *json = find_json(folder, path, "config.json", err);
    int rc = -1;

    if (!json)
        return err->code ? -1 : error_set(err, ERROR_FORMAT, "'%s/%s/config.json': is missing",
                                          folder->path, path);
    *dense = (struct sentence_dense){
        .n_in = find_count(json, "in_features", end),
        .n_out = find_count(json, "out_features", end),
        .has_bias = json_find_bool(json, "bias") != 0,
    };
    if (!dense->n_in || !dense->n_out)
        error_set(err, ERROR_FORMAT, "in_features or out_features is missing or out of range");
    else
        rc = find_activation(json, &dense->activation, err) || check_wiring(json, err) ? -1 : 0;
    if (rc)
        error_context(err, "'%s/%s/config.json'", folder->path, path);
    cJSON_Delete(json);
    return rc;
}

/* ---- making the layout ---- */

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
