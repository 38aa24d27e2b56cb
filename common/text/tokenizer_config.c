#include "tokenizer_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

static const size_t file_bytes_max = 50 * 1000 * 1000;

static const char *const token_names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                          "pad_token", "cls_token", "mask_token"};
static const size_t n_token_names = sizeof token_names / sizeof *token_names;

/* ---- tokens ---- */

static struct config_token *add_token(struct tokenizer_config *config, const char *content)
{
    struct config_token *token;

    config->tokens = memory_resize(config->tokens, config->n_tokens + 1, sizeof *config->tokens);
    token = &config->tokens[config->n_tokens++];
    *token = (struct config_token){.content = memory_copy(content)};
    return token;
}

/* A string, or an object that keeps its properties. */
static int add_special(struct tokenizer_config *config, const char *name, const cJSON *value,
                       struct error *err)
{
    const char *content = cJSON_IsString(value) ? value->valuestring
                                                : json_find_string(value, "content");
    struct config_token *token;

    if (!content)
        return error_set(err, ERROR_FORMAT, "%s is neither a string nor an object with content",
                         name ? name : "a special token");
    token = add_token(config, content);
    token->name = name ? memory_copy(name) : NULL;
    token->special = true;
    if (cJSON_IsObject(value)) {
        token->single_word = json_bool(value, "single_word", false);
        token->lstrip = json_bool(value, "lstrip", false);
        token->rstrip = json_bool(value, "rstrip", false);
        token->normalized = json_bool(value, "normalized", false);
    }
    return 0;
}

static int add_named(struct tokenizer_config *config, const cJSON *json, struct error *err)
{
    static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};

    for (size_t i = 0; i < n_token_names; i++) {
        const cJSON *value = json_find(json, token_names[i]);

        if (value && !tokenizer_config_find(config, token_names[i]) &&
            !(cJSON_IsString(value) && !*value->valuestring) && !cJSON_IsFalse(value) &&
            add_special(config, token_names[i], value, err))
            return -1;
    }
    for (size_t i = 0; i < 2; i++) {
        const cJSON *list = json_find(json, lists[i]), *item;

        if (cJSON_IsArray(list))
            cJSON_ArrayForEach(item, list)
                if (add_special(config, NULL, item, err))
                    return -1;
    }
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = ((const struct config_token *)a)->id, y = ((const struct config_token *)b)->id;

    return (x > y) - (x < y);
}

static int read_id(const char *text, uint32_t *id)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end || value > 0x7fffffff)
        return -1;
    *id = (uint32_t)value;
    return 0;
}

/* {"5": {"content": "<s>", "lstrip": false, …}, …} */
static int add_decoder(struct tokenizer_config *config, const cJSON *json, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json) {
        const char *content = json_find_string(item, "content");
        struct config_token *token;
        uint32_t id;

        if (!content || read_id(item->string, &id))
            return error_set(err, ERROR_FORMAT, "added_tokens_decoder: '" ERROR_NAME "' is not an "
                             "id with a content", item->string);
        token = add_token(config, content);
        token->has_id = true;
        token->id = id;
        token->single_word = json_bool(item, "single_word", false);
        token->lstrip = json_bool(item, "lstrip", false);
        token->rstrip = json_bool(item, "rstrip", false);
        token->normalized = json_bool(item, "normalized", false);
        token->special = json_bool(item, "special", false);
    }
    return 0;
}

/* added_tokens.json of old models: {"<s>": 5, …}; what is special is said elsewhere. */
static int add_legacy(struct tokenizer_config *config, const cJSON *json, struct error *err)
{
    size_t n_named = config->n_tokens;
    const cJSON *item;

    if (!cJSON_IsObject(json))
        return error_set(err, ERROR_FORMAT, "is not an object");
    cJSON_ArrayForEach(item, json) {
        struct config_token *token;

        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 0x7fffffff))
            return error_set(err, ERROR_FORMAT, "token '" ERROR_NAME "' has no id", item->string);
        token = add_token(config, item->string);
        token->has_id = true;
        token->id = (uint32_t)item->valuedouble;
        for (size_t i = 0; i < n_named; i++)
            token->special |= strcmp(config->tokens[i].content, token->content) == 0;
        token->normalized = !token->special;
    }
    return 0;
}

/* ---- files ---- */

/* NULL without an error when the file is absent. */
static cJSON *load_json(const struct folder *folder, const char *directory, const char *name,
                        struct error *err)
{
    char *path = folder_join(directory, name), *text = NULL;
    cJSON *json = NULL;
    size_t size;

    if (folder_look(folder, path) != FOLDER_ABSENT) {
        text = folder_read_text(folder, path, file_bytes_max, &size, err);
        json = text ? json_parse(text, size, err) : NULL;
        if (json && !cJSON_IsObject(json)) {
            error_set(err, ERROR_FORMAT, "is not an object");
            cJSON_Delete(json);
            json = NULL;
        }
        if (text && !json)
            error_context(err, "'%s/%s'", folder->path, path);
    }
    free(text);
    free(path);
    return json;
}

static void set_class(struct tokenizer_config *config, const char *name)
{
    static const char *const endings[] = {"Fast", "Tokenizer"};
    const char *end;
    size_t n;

    if (!name)
        return;
    end = name + strlen(name);
    for (size_t i = 0; i < 2; i++) {
        n = strlen(endings[i]);
        if ((size_t)(end - name) >= n && memcmp(end - n, endings[i], n) == 0)
            end -= n;
    }
    config->class_name = memory_format("%.*s", (int)(end - name), name);
}

/* What decides whether a model is told the two texts of a pair apart. Classes that are not listed
 * give no types unless model_input_names says so; without any class it is left to the template. */
static void read_types(struct tokenizer_config *config, const cJSON *json)
{
    static const char *const classes[] = {
        "Bert", "BertJapanese", "Electra", "MobileBert", "ConvBert", "LayoutLM",
        "LayoutLMv2", "SqueezeBert", "Lxmert", "Deberta", "DebertaV2", "Canine", "FNet", "Tapas",
        "MarkupLM", NULL,
    };
    const cJSON *names = json_find(json, "model_input_names"), *name;

    config->gives_types = !config->class_name || tokenizer_config_is(config, classes);
    if (!names)
        return;
    config->gives_types = false;
    cJSON_ArrayForEach(name, names) {
        if (cJSON_IsString(name) && strcmp(name->valuestring, "token_type_ids") == 0)
            config->gives_types = true;
    }
}

static void read_flags(struct tokenizer_config *config, const cJSON *json)
{
    const char *side = json_find_string(json, "truncation_side");

    config->add_bos_token = json_find_bool(json, "add_bos_token");
    config->add_eos_token = json_find_bool(json, "add_eos_token");
    config->add_prefix_space = json_find_bool(json, "add_prefix_space");
    config->legacy = json_find_bool(json, "legacy");
    config->do_lower_case = json_find_bool(json, "do_lower_case");
    config->strip_accents = json_find_bool(json, "strip_accents");
    config->tokenize_chinese_chars = json_find_bool(json, "tokenize_chinese_chars");
    config->truncates_left = side && strcmp(side, "left") == 0;
}

static int read_extra_ids(struct tokenizer_config *config, const cJSON *json, struct error *err)
{
    const cJSON *number = json_find(json, "extra_ids");

    if (!number || cJSON_IsNull(number))
        return 0;
    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0 && number->valuedouble <= 100000) ||
        number->valuedouble != floor(number->valuedouble))
        return error_set(err, ERROR_FORMAT, "extra_ids is not a whole number up to 100000");
    config->n_extra_ids = (size_t)number->valuedouble;
    return 0;
}

/* Place in token_names, whichever file the token is from; the nameless ones follow. */
static size_t name_rank(const struct config_token *token)
{
    size_t rank = 0;

    while (rank < n_token_names && !(token->name && strcmp(token->name, token_names[rank]) == 0))
        rank++;
    return rank;
}

/* New tokens get their ids in this order. */
static void sort_tokens(struct tokenizer_config *config)
{
    struct config_token *sorted = memory_zalloc(config->n_tokens, sizeof *sorted);
    size_t n_ids = 0, n = 0;

    for (size_t i = 0; i < config->n_tokens; i++)
        if (config->tokens[i].has_id)
            sorted[n_ids++] = config->tokens[i];
    n = n_ids;
    for (size_t rank = 0; rank <= n_token_names; rank++)
        for (size_t i = 0; i < config->n_tokens; i++)
            if (!config->tokens[i].has_id && name_rank(&config->tokens[i]) == rank)
                sorted[n++] = config->tokens[i];
    if (n_ids)
        qsort(sorted, n_ids, sizeof *sorted, compare_ids);
    free(config->tokens);
    config->tokens = sorted;
}

static int load_all(struct tokenizer_config *config, const struct folder *folder,
                    const char *directory, struct error *err)
{
    cJSON *json = load_json(folder, directory, "tokenizer_config.json", err), *map = NULL,
          *legacy = NULL;
    const cJSON *decoder = json_find(json, "added_tokens_decoder");
    const char *file = "tokenizer_config.json";
    int rc = -1;

    if (err->code)
        goto done;
    set_class(config, json_find_string(json, "tokenizer_class"));
    read_flags(config, json);
    read_types(config, json);
    if (read_extra_ids(config, json, err) ||
        (decoder && add_decoder(config, decoder, err)) || add_named(config, json, err))
        goto done;
    if (!decoder) { /* the older files count only then */
        map = load_json(folder, directory, file = "special_tokens_map.json", err);
        if (err->code || (map && add_named(config, map, err)))
            goto done;
        legacy = load_json(folder, directory, file = "added_tokens.json", err);
        if (err->code || (legacy && add_legacy(config, legacy, err)))
            goto done;
    }
    sort_tokens(config);
    rc = 0;
done:
    if (rc && err->text[0] != '\'')
        error_context(err, "'%s/%s%s%s'", folder->path, directory, *directory ? "/" : "", file);
    cJSON_Delete(json);
    cJSON_Delete(map);
    cJSON_Delete(legacy);
    return rc;
}

int tokenizer_config_load(struct tokenizer_config *config, const struct folder *folder,
                          const char *directory, struct error *err)
{
    *config = (struct tokenizer_config){.add_bos_token = -1, .add_eos_token = -1,
                                        .add_prefix_space = -1, .legacy = -1,
                                        .do_lower_case = -1,
                                        .strip_accents = -1, .tokenize_chinese_chars = -1,
                                        .n_extra_ids = 100};
    if (load_all(config, folder, directory, err)) {
        tokenizer_config_release(config);
        return -1;
    }
    return 0;
}

static const struct guess {
    const char *model_type, *file_end, *class_name;
} guesses[] = {
    {"mpnet", ".txt", "MPNet"},           {"roberta", "vocab.json", "Roberta"},
    {"bart", "vocab.json", "Bart"},       {"longformer", "vocab.json", "Longformer"},
    {"led", "vocab.json", "LED"},         {"qwen2", "vocab.json", "Qwen2"},
    {"qwen2_moe", "vocab.json", "Qwen2"}, {"qwen3", "vocab.json", "Qwen2"},
    {"qwen3_moe", "vocab.json", "Qwen2"}, {"llama", ".model", "Llama"},
    {"gemma", ".model", "Gemma"},         {"gemma2", ".model", "Gemma"},
    {"gemma3", ".model", "Gemma"},        {"gemma3_text", ".model", "Gemma"},
    {"t5", ".model", "T5"},               {"mt5", ".model", "T5"},
    {"switch_transformers", ".model", "T5"}, {"xlm-roberta", ".model", "XLMRoberta"},
    /* which number their tokens in other ways: */
    {"albert", ".model", "Albert"},       {"camembert", ".model", "Camembert"},
    {"deberta-v2", ".model", "DebertaV2"}, {"m2m_100", ".model", "M2M100"},
    {"mbart", ".model", "MBart"},         {"pegasus", ".model", "Pegasus"},
    {"xlnet", ".model", "XLNet"},
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);

    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

void tokenizer_config_guess_class(struct tokenizer_config *config, const struct folder *folder,
                                  const char *directory, const char *file)
{
    struct error ignored = {0}; /* whoever needs config.json tells what is wrong with it */
    cJSON *json = config->class_name ? NULL : load_json(folder, directory, "config.json", &ignored);
    const char *model_type = json_find_string(json, "model_type");

    set_class(config, json_find_string(json, "tokenizer_class"));
    for (size_t i = 0; model_type && !config->class_name && i < sizeof guesses / sizeof *guesses;
         i++)
        if (strcmp(guesses[i].model_type, model_type) == 0 && ends_with(file, guesses[i].file_end))
            config->class_name = memory_copy(guesses[i].class_name);
    cJSON_Delete(json);
}

void tokenizer_config_release(struct tokenizer_config *config)
{
    for (size_t i = 0; i < config->n_tokens; i++) {
        free(config->tokens[i].name);
        free(config->tokens[i].content);
    }
    free(config->tokens);
    free(config->class_name);
    *config = (struct tokenizer_config){0};
}

const char *tokenizer_config_find(const struct tokenizer_config *config, const char *name)
{
    for (size_t i = 0; i < config->n_tokens; i++)
        if (config->tokens[i].name && strcmp(config->tokens[i].name, name) == 0)
            return config->tokens[i].content;
    return NULL;
}

bool tokenizer_config_is(const struct tokenizer_config *config, const char *const *names)
{
    for (size_t i = 0; config->class_name && names[i]; i++)
        if (strcmp(config->class_name, names[i]) == 0)
            return true;
    return false;
}
