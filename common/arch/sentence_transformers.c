#include "sentence_transformers.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/memory.h"

static const size_t file_bytes_max = 1000 * 1000;
static const char settings_name[] = "config_sentence_transformers.json";

/* In the order in which several are concatenated. */
static const struct pooling_mode {
    const char *key, *name;
} pooling_modes[] = {
    {"pooling_mode_cls_token", "cls"},
    {"pooling_mode_max_tokens", "max"},
    {"pooling_mode_mean_tokens", "mean"},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
    {"pooling_mode_weightedmean_tokens", "weightedmean"},
    {"pooling_mode_lasttoken", "lasttoken"},
};

static const struct pooling_mode *pooling_mode(const char *name)
{
    for (size_t i = 0; i < sizeof pooling_modes / sizeof *pooling_modes; i++)
        if (strcmp(pooling_modes[i].name, name) == 0)
            return &pooling_modes[i];
    return NULL;
}

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

/* One component, so that it cannot lead out of the folder. */
static bool is_plain_path(const char *path)
{
    return !strchr(path, '/') && !strchr(path, '\\') && strcmp(path, "..") != 0 &&
           strcmp(path, ".") != 0;
}

static int add_module(struct sentence_folder *sentence, const cJSON *entry, struct error *err)
{
    const char *path = json_find_string(entry, "path"), *type = json_find_string(entry, "type");
    struct sentence_module *module;
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
        (struct sentence_module){.path = memory_copy(path), .type = memory_copy(type)};
    module = &sentence->modules[sentence->n_modules - 1];
    module->kind = module->type + (dot ? dot + 1 - type : 0);
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

/* Modes that we do not know by the rest of their key, so that whoever pools can refuse them. */
static void add_other_modes(struct buffer *name, const cJSON *json)
{
    static const char prefix[] = "pooling_mode_";
    const cJSON *item;

    cJSON_ArrayForEach(item, json) {
        bool is_known = !cJSON_IsTrue(item) || strncmp(item->string, prefix, strlen(prefix)) != 0;

        for (size_t i = 0; i < sizeof pooling_modes / sizeof *pooling_modes; i++)
            is_known |= strcmp(item->string, pooling_modes[i].key) == 0;
        if (!is_known)
            buffer_format(name, "%s%s", name->size ? "+" : "", item->string + strlen(prefix));
    }
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
        if (json_bool(json, pooling_modes[i].key, false))
            buffer_format(&name, "%s%s", name.size ? "+" : "", pooling_modes[i].name);
    if (!modes)
        add_other_modes(&name, json);
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
    sentence->skips_prompt = !json_bool(json, "include_prompt", true);
    cJSON_Delete(json);
    return 0;
}

/* Files of before version 4 do not say what kind of model it is. */
static int load_kind(struct sentence_folder *sentence, const struct folder *folder,
                     struct error *err)
{
    cJSON *json = find_json(folder, "", settings_name, err);
    const char *kind = json_find_string(json, "model_type");

    sentence->is_cross_encoder = kind && strcmp(kind, "CrossEncoder") == 0;
    cJSON_Delete(json);
    return err->code ? -1 : 0;
}

int sentence_folder_load(struct sentence_folder *sentence, const struct folder *folder,
                         struct error *err)
{
    *sentence = (struct sentence_folder){.transformer = ""};
    if (load_kind(sentence, folder, err))
        return -1;
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
        free(sentence->modules[i].type);
    }
    free(sentence->modules);
    free(sentence->pooling);
    *sentence = (struct sentence_folder){.transformer = ""};
}

/* ---- settings ---- */

/* A whole number from 1 to below `end`, else 0. */
static size_t find_count(const cJSON *json, const char *name, double end)
{
    const cJSON *number = json_find(json, name);
    double value = cJSON_IsNumber(number) ? number->valuedouble : 0;

    return value >= 1 && value < end ? (size_t)value : 0;
}

/* ---- what is said and not obeyed ---- */

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* A value that says nothing need not be obeyed. */
static bool is_void(const cJSON *value)
{
    return cJSON_IsNull(value) ||
           ((cJSON_IsObject(value) || cJSON_IsArray(value)) && !value->child);
}

/* A notice names the members of `json`, of that file, that are none of `known`. */
static void note_members(const cJSON *json, const char *const *known, const char *folder,
                         const char *file, struct notices *notices)
{
    struct buffer names = {0};
    const cJSON *item;

    cJSON_ArrayForEach(item, json)
        if (!is_one_of(item->string, known) && !is_void(item) && names.size < 300)
            buffer_format(&names, "%s%.60s", names.size ? ", " : "", item->string);
    if (names.size)
        notices_add(notices, "'%s/%s': not used: %s", folder, file, names.data);
    buffer_release(&names);
}

void sentence_module_note(const struct sentence_module *module, const struct folder *folder,
                          struct notices *notices)
{
    static const char *const pooling[] = {
        "word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt",
        "pooling_mode_cls_token", "pooling_mode_max_tokens", "pooling_mode_mean_tokens",
        "pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens",
        "pooling_mode_lasttoken", NULL};
    static const char *const dense[] = {
        "in_features", "out_features", "bias", "activation_function", "module_input_name",
        "module_output_name", "use_residual", NULL};
    static const char *const normalize[] = {"module_input_name", "module_output_name", NULL};
    static const struct {
        const char *kind;
        const char *const *known;
    } kinds[] = {{"Pooling", pooling}, {"Dense", dense}, {"Normalize", normalize}};
    char *path = folder_join(module->path, "config.json");
    struct error ignored = {0}; /* whoever loads the module says what is wrong with it */

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(module->kind, kinds[i].kind) == 0) {
            cJSON *json = find_json(folder, module->path, "config.json", &ignored);

            note_members(json, kinds[i].known, folder->path, path, notices);
            cJSON_Delete(json);
        }
    free(path);
}

/* ---- the transformer ---- */

/* Fails unless the member is absent or one of `values`. */
static int check_value(const cJSON *json, const char *name, const char *const *values,
                       struct error *err)
{
    const cJSON *member = json_find(json, name);

    if (!member || (cJSON_IsString(member) && is_one_of(member->valuestring, values)))
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "%s '" ERROR_NAME "' is not supported", name,
                     cJSON_IsString(member) ? member->valuestring : "that is no string");
}

/* Texts go through the forward pass, and its last states or the scores are what is wanted. */
static int check_transformer(const cJSON *json, struct error *err)
{
    static const char *const tasks[] = {"feature-extraction", "sequence-classification", NULL};
    static const char *const outputs[] = {"token_embeddings", "scores", NULL};
    static const char *const methods[] = {"forward", NULL};
    static const char *const results[] = {"last_hidden_state", "logits", NULL};
    const cJSON *modes = json_find(json, "modality_config"), *text = json_find(modes, "text");

    if (modes && !text)
        return error_set(err, ERROR_UNSUPPORTED, "modality_config has no text: only texts are "
                         "supported");
    return check_value(json, "transformer_task", tasks, err) ||
           check_value(json, "module_output_name", outputs, err) ||
           check_value(text, "method", methods, err) ||
           check_value(text, "method_output_name", results, err) ? -1 : 0;
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
    /* Padding or not makes no difference to a text. */
    static const char *const known[] = {
        "max_seq_length", "do_lower_case", "transformer_task", "module_output_name",
        "modality_config", "unpad_inputs", NULL,
    };
    cJSON *json = NULL;
    char *path = NULL;

    for (size_t i = 0; i < sizeof names / sizeof *names && !json && !err->code; i++) {
        free(path);
        path = folder_join(directory, names[i]);
        json = find_json(folder, directory, names[i], err);
    }
    if (json) {
        settings->max_tokens = find_count(json, "max_seq_length", 1e9);
        settings->lowers_case = json_bool(json, "do_lower_case", false);
        note_members(json, known, folder->path, path, &settings->notices);
        if (check_transformer(json, err))
            error_context(err, "'%s/%s'", folder->path, path);
    }
    cJSON_Delete(json);
    free(path);
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
    /* Names that every model has, for nothing unless it says for what. */
    static const char *const empty[] = {"query", "document", NULL};
    const cJSON *prompts = json_find(json, "prompts"), *prompt;
    const char *chosen = json_find_string(json, "default_prompt_name");

    if (prompts && !cJSON_IsObject(prompts))
        return error_set(err, ERROR_FORMAT, "prompts is not an object");
    cJSON_ArrayForEach(prompt, prompts)
        if (!cJSON_IsNull(prompt)) {
            if (!cJSON_IsString(prompt))
                return error_set(err, ERROR_FORMAT, "prompt '" ERROR_NAME "' is not a string",
                                 prompt->string);
            settings->prompts = memory_resize(settings->prompts, settings->n_prompts + 1,
                                              sizeof *settings->prompts);
            settings->prompts[settings->n_prompts++] = (struct sentence_prompt){
                memory_copy(prompt->string), memory_copy(prompt->valuestring)};
        }
    for (size_t i = 0; i < settings->n_prompts && chosen; i++)
        if (strcmp(settings->prompts[i].name, chosen) == 0)
            settings->default_prompt = &settings->prompts[i];
    if (chosen && !settings->default_prompt && !is_one_of(chosen, empty))
        return error_set(err, ERROR_FORMAT, "default_prompt_name '" ERROR_NAME "' is none of the "
                         "prompts", chosen);
    return 0;
}

/* "torch.nn.modules.activation.Tanh" -> "Tanh"; NULL when there is none. */
static char *last_component(const char *name)
{
    const char *dot = name ? strrchr(name, '.') : NULL;

    return name ? memory_copy(dot ? dot + 1 : name) : NULL;
}

static int load_model_settings(struct sentence_settings *settings, const struct folder *folder,
                               struct error *err)
{
    static const char *const known[] = {
        "prompts", "default_prompt_name", "truncate_dim", "similarity_fn_name", "activation_fn",
        /* says what it was made with, not what it does */
        "__version__", "model_type", "requirements", "keep_in_fp32_modules", NULL,
    };
    cJSON *json = find_json(folder, "", settings_name, err);
    const char *similarity = json_find_string(json, "similarity_fn_name");
    int rc = -1;

    if (!json)
        return err->code ? -1 : 0;
    note_members(json, known, folder->path, settings_name, &settings->notices);
    settings->n_dimensions = find_count(json, "truncate_dim", 1e9);
    settings->similarity = similarity ? memory_copy(similarity) : NULL;
    settings->activation = last_component(json_find_string(json, "activation_fn"));
    if (json_find(json, "truncate_dim") && !settings->n_dimensions)
        error_set(err, ERROR_FORMAT, "truncate_dim is not a number of dimensions");
    else
        rc = add_prompts(settings, json, err);
    if (rc)
        error_context(err, "'%s/%s'", folder->path, settings_name);
    cJSON_Delete(json);
    return rc;
}

int sentence_settings_load(struct sentence_settings *settings,
                           const struct sentence_folder *sentence, const struct folder *folder,
                           struct error *err)
{
    const char *directory = sentence->transformer;

    *settings = (struct sentence_settings){0};
    if (load_transformer_settings(settings, folder, directory, err) ||
        (!settings->max_tokens && load_tokenizer_limit(settings, folder, directory, err)) ||
        load_model_settings(settings, folder, err)) {
        sentence_settings_release(settings);
        return -1;
    }
    return 0;
}

void sentence_settings_release(struct sentence_settings *settings)
{
    for (size_t i = 0; i < settings->n_prompts; i++) {
        free(settings->prompts[i].name);
        free(settings->prompts[i].text);
    }
    free(settings->prompts);
    free(settings->similarity);
    free(settings->activation);
    notices_release(&settings->notices);
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

const char *sentence_settings_activation(const struct sentence_settings *settings,
                                         const struct config *config)
{
    const cJSON *ours = json_find(config->json, "sentence_transformers");
    const char *name = json_find_string(ours, "activation_fn"), *dot;

    if (settings->activation)
        return settings->activation;
    if (!name)
        name = json_find_string(config->json, "sbert_ce_default_activation_function");
    dot = name ? strrchr(name, '.') : NULL;
    return dot ? dot + 1 : name;
}

/* ---- modules that can be run ---- */

int sentence_folder_check(const struct sentence_folder *sentence, struct error *err)
{
    static const char ours[] = "sentence_transformers.";

    for (size_t i = 0; i < sentence->n_modules; i++) {
        const struct sentence_module *module = &sentence->modules[i];

        if (module->kind != module->type && strncmp(module->type, ours, strlen(ours)) != 0)
            return error_set(err, ERROR_UNSUPPORTED, "module '" ERROR_NAME "' is of type '"
                             ERROR_NAME "', code of its own, which is not run", module->path,
                             module->type);
    }
    return 0;
}

int sentence_folder_check_scorer(const struct sentence_folder *sentence, struct error *err)
{
    for (size_t i = 0; i < sentence->n_modules; i++) {
        const struct sentence_module *module = &sentence->modules[i];

        if (i > 0 || strcmp(module->kind, "Transformer") != 0)
            return error_set(err, ERROR_UNSUPPORTED, "module '" ERROR_NAME "' of kind '" ERROR_NAME
                             "' is not supported in a reranker", module->path, module->kind);
    }
    return sentence_folder_check(sentence, err);
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
    if (json_bool(json, "use_residual", false))
        return error_set(err, ERROR_UNSUPPORTED, "use_residual is not supported");
    return 0;
}

int sentence_normalize_check(const struct folder *folder, const char *path, struct error *err)
{
    cJSON *json = find_json(folder, path, "config.json", err);
    int rc = err->code || check_wiring(json, err) ? -1 : 0;

    if (rc && json)
        error_context(err, "'%s/%s/config.json'", folder->path, path);
    cJSON_Delete(json);
    return rc;
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
        .has_bias = json_bool(json, "bias", true),
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

/* A file whose outermost level has a line for each value. */
static struct json_writer start_file(struct buffer *text)
{
    return (struct json_writer){.out = text, .is_spaced = true, .n_indented = 1};
}

static char *end_file(struct json_writer *json)
{
    json_writer_end(json);
    buffer_add_char(json->out, '\n');
    return json->out->data;
}

static char *modules(const char *transformer)
{
    const struct {
        const char *path, *type;
    } list[] = {
        {transformer, "sentence_transformers.models.Transformer"},
        {"1_Pooling", "sentence_transformers.models.Pooling"},
        {"2_Normalize", "sentence_transformers.models.Normalize"},
    };
    struct buffer text = {0};
    struct json_writer json = start_file(&text);

    json_writer_array(&json, NULL);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const char name[] = {(char)('0' + i), '\0'};

        json_writer_object(&json, NULL);
        json_writer_size(&json, "idx", i);
        json_writer_string(&json, "name", name);
        json_writer_string(&json, "path", list[i].path);
        json_writer_string(&json, "type", list[i].type);
        json_writer_end(&json);
    }
    return end_file(&json);
}

/* As version 2 wrote it; the last two modes, which came later, only where they are meant. */
static char *pooling_config(double hidden_size, const char *pooling)
{
    static const char *const always[] = {"cls", "mean", "max", "mean_sqrt_len_tokens"};
    struct buffer text = {0};
    struct json_writer json = start_file(&text);
    bool is_written = false;

    json_writer_object(&json, NULL);
    json_writer_double(&json, "word_embedding_dimension", hidden_size);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        bool is_meant = strcmp(pooling, always[i]) == 0;

        json_writer_bool(&json, pooling_mode(always[i])->key, is_meant);
        is_written |= is_meant;
    }
    if (!is_written && pooling_mode(pooling))
        json_writer_bool(&json, pooling_mode(pooling)->key, true);
    return end_file(&json);
}

static char *transformer_config(const struct config *config)
{
    double n_positions = config_number(config, config_max_positions);
    struct buffer text = {0};
    struct json_writer json = start_file(&text);

    /* RoBERTa's positions start behind the padding index, so two of them are never used. */
    if (n_positions > 0 && config->model_type && strstr(config->model_type, "roberta")) {
        const cJSON *pad = json_find(config->json, "pad_token_id");

        n_positions -= (cJSON_IsNumber(pad) ? pad->valuedouble : 1) + 1;
    }
    json_writer_object(&json, NULL);
    if (n_positions > 0)
        json_writer_double(&json, "max_seq_length", n_positions);
    json_writer_bool(&json, "do_lower_case", false);
    return end_file(&json);
}

int sentence_folder_make(const struct config *config, const char *transformer, const char *pooling,
                         struct sentence_file files[SENTENCE_FILES], struct error *err)
{
    double hidden_size = config_number(config, config_hidden_size);

    for (size_t i = 0; i < SENTENCE_FILES; i++)
        files[i] = (struct sentence_file){0};
    if (hidden_size < 1)
        return error_set(err, ERROR_FORMAT, "config.json has no hidden_size, which the pooling "
                         "module needs");
    files[0] = (struct sentence_file){"modules.json", modules(transformer)};
    files[1] = (struct sentence_file){"1_Pooling/config.json",
                                      pooling_config(hidden_size, pooling)};
    files[2] = (struct sentence_file){*transformer ? "0_Transformer/sentence_bert_config.json"
                                                   : "sentence_bert_config.json",
                                      transformer_config(config)};
    return 0;
}
