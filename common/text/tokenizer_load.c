/* tokenizer_load.c - a tokenizer from its files: tokenizer.json or what stands in for it, and
 * tokenizer_config.json.
 *
 * tokenizer.json is walked once with the pull reader; only its small components become trees. */
#include "tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "text/subword_load.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_fallback.h"

static const size_t file_bytes_max = 200 * 1000 * 1000;

/* ---- added tokens ---- */

/* The id that a new token gets: that of the vocabulary, else the next free one. */
static uint32_t choose_id(const struct tokenizer *tokenizer, const char *content, size_t length)
{
    uint32_t id;

    if (subword_find(tokenizer->subword, content, length, &id))
        return id;
    id = (uint32_t)subword_n_tokens(tokenizer->subword);
    return tokenizer->n_added && tokenizer->max_added_id >= id ? tokenizer->max_added_id + 1 : id;
}

/* Adds a token or, when its content is known, gives that one these properties. */
static void add_token(struct tokenizer *tokenizer, const struct added_token *properties)
{
    const struct added_token *known =
        tokenizer_added(tokenizer, properties->content, properties->length);
    struct added_token token = *properties;
    uint32_t *id;

    if (token.length == 0)
        return;
    if (known) {
        struct added_token *old = &tokenizer->added[known - tokenizer->added];

        token.content = old->content;
        token.id = old->id;
        token.special |= old->special; /* once special, always special */
        *old = token;
        return;
    }
    token.id = choose_id(tokenizer, token.content, token.length);
    token.content = arena_copy(&tokenizer->arena, token.content, token.length);
    id = arena_alloc(&tokenizer->arena, sizeof *id);
    *id = token.id;
    hash_map_add(&tokenizer->added_by_id, (const char *)id, sizeof *id, tokenizer->n_added);
    if (tokenizer->n_added == 0 || token.id > tokenizer->max_added_id)
        tokenizer->max_added_id = token.id;
    if ((tokenizer->n_added & (tokenizer->n_added - 1)) == 0)
        tokenizer->added = memory_resize(tokenizer->added,
                                         tokenizer->n_added ? 2 * tokenizer->n_added : 1,
                                         sizeof *tokenizer->added);
    tokenizer->added[tokenizer->n_added] = token;
    hash_map_add(&tokenizer->added_by_content, token.content, token.length, tokenizer->n_added++);
}

static int need_flag(const cJSON *json, const char *name, bool *flag, struct error *err)
{
    int value = json_find_bool(json, name);

    if (value < 0)
        return error_set(err, ERROR_FORMAT, "%s is not true or false", name);
    *flag = value;
    return 0;
}

static int read_added(struct tokenizer *tokenizer, const cJSON *json, struct error *err)
{
    const cJSON *item;

    if (!json || cJSON_IsNull(json))
        return 0;
    if (!cJSON_IsArray(json))
        return error_set(err, ERROR_FORMAT, "added_tokens is not a list");
    cJSON_ArrayForEach(item, json) {
        struct added_token token = {0};
        const char *content = json_find_string(item, "content");

        if (!content || !cJSON_IsNumber(json_find(item, "id")))
            return error_set(err, ERROR_FORMAT, "added_tokens: an entry without content or id");
        token.content = (char *)(uintptr_t)content;
        token.length = strlen(content);
        if (tokenizer->is_map) {
            add_token(tokenizer, &token);
            continue;
        }
        if (need_flag(item, "single_word", &token.single_word, err) ||
            need_flag(item, "lstrip", &token.lstrip, err) ||
            need_flag(item, "rstrip", &token.rstrip, err) ||
            need_flag(item, "normalized", &token.normalized, err) ||
            need_flag(item, "special", &token.special, err))
            return error_context(err, "added_tokens: '" ERROR_NAME "'", content);
        add_token(tokenizer, &token);
    }
    return 0;
}

/* What the files beside tokenizer.json add, where it does not know them. */
static void add_config_tokens(struct tokenizer *tokenizer, const struct tokenizer_config *config,
                              const char *const *specials)
{
    for (size_t i = 0; i < config->n_tokens; i++) {
        const struct config_token *named = &config->tokens[i];
        size_t length = strlen(named->content), taken_length;
        const char *taken = named->has_id ? tokenizer_token(tokenizer, named->id, &taken_length)
                                          : NULL;

        if (tokenizer_added(tokenizer, named->content, length))
            continue;
        if (taken && (taken_length != length || memcmp(taken, named->content, length) != 0))
            continue; /* the id belongs to another token: the entry is wrong */
        add_token(tokenizer, &(struct added_token){
            .content = named->content, .length = length, .single_word = named->single_word,
            .lstrip = named->lstrip, .rstrip = named->rstrip, .normalized = named->normalized,
            .special = named->special});
    }
    for (size_t i = 0; specials && specials[i]; i++)
        if (!tokenizer_added(tokenizer, specials[i], strlen(specials[i])))
            add_token(tokenizer, &(struct added_token){.content = (char *)(uintptr_t)specials[i],
                                                       .length = strlen(specials[i]),
                                                       .special = true});
}

/* Once all tokens are known: what is searched, and look-up by id. */
static int finish_added(struct tokenizer *tokenizer, struct error *err)
{
    struct normalizer_scratch *scratch = normalizer_scratch_new();
    struct buffer normal = {0};
    size_t n_origin;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < tokenizer->n_added; i++) {
        struct added_token *token = &tokenizer->added[i];

        if (!token->normalized)
            continue;
        buffer_clear(&normal);
        rc = normalizer_run(tokenizer->normalizer, scratch, token->content, token->length, &normal,
                            &n_origin, err);
        token->normal = memory_alloc(normal.size + 1);
        token->normal_length = normal.size;
        if (normal.size)
            memcpy(token->normal, normal.data, normal.size);
    }
    tokenizer->raw_matcher = added_matcher_new(tokenizer->added, tokenizer->n_added, false);
    tokenizer->normalized_matcher = added_matcher_new(tokenizer->added, tokenizer->n_added, true);
    buffer_release(&normal);
    normalizer_scratch_free(scratch);
    return rc;
}

/* ---- tokenizer.json ---- */

enum { PART_ADDED, PART_NORMALIZER, PART_PRETOKENIZER, PART_TEMPLATE, PART_DECODER, N_PARTS };

static const char *const part_names[N_PARTS] = {"added_tokens", "normalizer", "pre_tokenizer",
                                                "post_processor", "decoder"};

/* The value that follows, as a tree. */
static cJSON *read_tree(struct json_reader *reader, struct error *err)
{
    size_t start = (json_reader_peek(reader), reader->position);

    if (json_reader_skip(reader, err))
        return NULL;
    return json_parse(reader->text + start, reader->position - start, err);
}

static int check_version(struct json_reader *reader, struct error *err)
{
    struct json_text version;

    if (json_reader_string(reader, &version, err))
        return -1;
    if (!json_text_is(version, "1.0"))
        return error_set(err, ERROR_UNSUPPORTED, "unknown version '" ERROR_NAME "'",
                         version.bytes);
    return 0;
}

static int read_member(struct tokenizer *tokenizer, struct json_reader *reader,
                       struct json_text key, cJSON **parts, struct error *err)
{
    for (size_t i = 0; i < N_PARTS; i++) {
        if (!json_text_is(key, part_names[i]))
            continue;
        cJSON_Delete(parts[i]); /* of two the later counts, as in the reference */
        parts[i] = read_tree(reader, err);
        return parts[i] ? 0 : error_context(err, "%s", part_names[i]);
    }
    if (json_text_is(key, "model")) {
        subword_free(tokenizer->subword);
        tokenizer->subword = tokenizer->is_map ? subword_load_map(reader, err)
                                               : subword_load(reader, err);
        return tokenizer->subword ? 0 : error_context(err, "model");
    }
    if (tokenizer->is_map)
        return json_reader_skip(reader, err);
    if (json_text_is(key, "version"))
        return check_version(reader, err);
    if (json_text_is(key, "truncation") || json_text_is(key, "padding"))
        return json_reader_skip(reader, err); /* no command applies them on its own */
    return error_set(err, ERROR_UNSUPPORTED, "unknown key '" ERROR_NAME "'", key.bytes);
}

static int build(struct tokenizer *tokenizer, cJSON *const *parts, struct error *err)
{
    if (tokenizer->is_map)
        return read_added(tokenizer, parts[PART_ADDED], err);
    tokenizer->normalizer = normalizer_new(parts[PART_NORMALIZER], err);
    if (!tokenizer->normalizer)
        return -1;
    tokenizer->pretokenizer = pretokenizer_new(parts[PART_PRETOKENIZER], err);
    if (!tokenizer->pretokenizer ||
        template_load(&tokenizer->template, parts[PART_TEMPLATE], err))
        return -1;
    tokenizer->decoder = decoder_new(parts[PART_DECODER], err);
    return tokenizer->decoder ? read_added(tokenizer, parts[PART_ADDED], err) : -1;
}

static int read_json(struct tokenizer *tokenizer, const char *text, size_t size, struct error *err)
{
    cJSON *parts[N_PARTS] = {NULL};
    struct json_reader reader;
    struct json_text key;
    int more = -1;

    json_reader_init(&reader, text, size);
    if (json_reader_object(&reader, err) == 0)
        while ((more = json_reader_member(&reader, &key, err)) > 0)
            if (read_member(tokenizer, &reader, key, parts, err)) {
                more = -1;
                break;
            }
    if (more == 0)
        more = json_reader_finish(&reader, err);
    if (more == 0 && !tokenizer->subword)
        more = error_set(err, ERROR_FORMAT, "no model in it");
    if (more == 0)
        more = build(tokenizer, parts, err);
    for (size_t i = 0; i < N_PARTS; i++)
        cJSON_Delete(parts[i]);
    json_reader_release(&reader);
    return more;
}

/* ---- what tokenizer_config.json changes ---- */

static void apply_class(struct tokenizer *tokenizer, const struct tokenizer_config *config,
                        bool has_json)
{
    static const char *const llama_like[] = {"Llama", "CodeLlama", "Gemma", NULL};
    static const char *const bert_like[] = {"Bert", NULL};
    static const char *const byte_level[] = {"GPT2",       "Roberta", "Bart",  "Longformer", "LED",
                                             "Blenderbot", "Deberta", "CodeGen", "Mvp",      NULL};
    bool says_flags = config->add_bos_token >= 0 || config->add_eos_token >= 0;

    if (tokenizer_config_is(config, llama_like) && (says_flags || !has_json)) {
        const char *bos = tokenizer_config_find(config, "bos_token");
        const char *eos = tokenizer_config_find(config, "eos_token");
        uint32_t bos_id, eos_id;
        bool adds_bos = config->add_bos_token != 0 &&
                        tokenizer_find(tokenizer, bos ? bos : "<s>", &bos_id);
        bool adds_eos = config->add_eos_token == 1 &&
                        tokenizer_find(tokenizer, eos ? eos : "</s>", &eos_id);

        template_release(&tokenizer->template);
        template_from_flags(&tokenizer->template, adds_bos ? &bos_id : NULL,
                            adds_eos ? &eos_id : NULL);
    }
    if (tokenizer_config_is(config, bert_like) && has_json)
        normalizer_set_bert(tokenizer->normalizer, config->do_lower_case != 0,
                            config->strip_accents, config->tokenize_chinese_chars != 0);
    if (tokenizer_config_is(config, byte_level) && config->add_prefix_space >= 0)
        pretokenizer_set_prefix_space(tokenizer->pretokenizer, config->add_prefix_space);
    tokenizer->truncates_left = config->truncates_left;
    tokenizer->gives_types = config->gives_types;
}

static void name_specials(struct tokenizer *tokenizer, const struct tokenizer_config *config)
{
    for (size_t i = 0; i < config->n_tokens; i++) {
        const struct config_token *named = &config->tokens[i];
        uint32_t id;

        if (!named->name || !tokenizer_find(tokenizer, named->content, &id))
            continue;
        tokenizer->specials = memory_resize(tokenizer->specials, tokenizer->n_specials + 1,
                                            sizeof *tokenizer->specials);
        tokenizer->specials[tokenizer->n_specials++] =
            (struct special){memory_copy(named->name), id};
    }
}

/* ---- loading ---- */

/* The text that the tokenizer is read from: tokenizer.json, or one made from other files. */
static int load_text(const struct folder *folder, const char *directory,
                     struct tokenizer_config *config, struct tokenizer_fallback *source,
                     bool *has_json, struct error *err)
{
    char *path = folder_join(directory, "tokenizer.json"), *text;
    int rc = 0;

    *has_json = folder_look(folder, path) != FOLDER_ABSENT;
    if (*has_json) {
        source->file = "tokenizer.json";
        text = folder_read_text(folder, path, file_bytes_max, &source->json.size, err);
        source->json.data = text;
        rc = text ? tokenizer_fallback_check_pointer(text, err) : -1;
        if (text && rc)
            error_context(err, "'%s/%s'", folder->path, path);
    } else {
        const char *file = tokenizer_fallback_find(folder, directory);

        if (file)
            tokenizer_config_guess_class(config, folder, directory, file);
        rc = tokenizer_fallback_make(source, folder, directory, config, err);
    }
    free(path);
    return rc;
}

static int load_all(struct tokenizer *tokenizer, const struct folder *folder, const char *directory,
                    struct tokenizer_config *config, struct error *err)
{
    struct tokenizer_fallback source = {.map_only = tokenizer->is_map};
    bool has_json;
    int rc = load_text(folder, directory, config, &source, &has_json, err);

    tokenizer->file = source.file;
    tokenizer->is_guess = source.is_guess;

    if (rc == 0) {
        tokenizer->subword = source.subword; /* NULL: it stands in the text */
        rc = read_json(tokenizer, source.json.data, source.json.size, err);
        if (rc)
            error_context(err, "'%s/%s%s%s'", folder->path, directory, *directory ? "/" : "",
                          source.file);
    } else {
        subword_free(source.subword);
    }
    if (rc == 0)
        add_config_tokens(tokenizer, config, source.specials);
    if (rc == 0 && !tokenizer->is_map) {
        apply_class(tokenizer, config, has_json);
        rc = finish_added(tokenizer, err);
        if (rc)
            error_context(err, "'%s/%s%s%s': added_tokens", folder->path, directory,
                          *directory ? "/" : "", source.file);
    }
    if (rc == 0 && !tokenizer->is_map) {
        subword_finish(tokenizer->subword, pretokenizer_is_byte_level(tokenizer->pretokenizer));
        tokenizer->scan = pretokenizer_scanner(tokenizer->pretokenizer);
        name_specials(tokenizer, config);
    }
    buffer_release(&source.json);
    return rc;
}

static struct tokenizer *load_as(bool is_map, const struct folder *folder, const char *directory,
                                 struct error *err)
{
    struct tokenizer *tokenizer = memory_zalloc(1, sizeof *tokenizer);
    struct tokenizer_config config;
    int rc = tokenizer_config_load(&config, folder, directory, err);

    tokenizer->is_map = is_map;
    if (rc == 0) {
        rc = load_all(tokenizer, folder, directory, &config, err);
        tokenizer_config_release(&config);
    }
    if (rc) {
        tokenizer_free(tokenizer);
        return NULL;
    }
    return tokenizer;
}

struct tokenizer *tokenizer_load(const struct folder *folder, const char *directory,
                                 struct error *err)
{
    return load_as(false, folder, directory, err);
}

struct tokenizer *tokenizer_load_map(const struct folder *folder, const char *directory,
                                     struct error *err)
{
    return load_as(true, folder, directory, err);
}

bool tokenizer_is_there(const struct folder *folder, const char *directory)
{
    char *path = folder_join(directory, "tokenizer.json");
    bool is_there = folder_look(folder, path) != FOLDER_ABSENT ||
                    tokenizer_fallback_find(folder, directory);

    free(path);
    return is_there;
}

enum likeness { FILES_ABSENT, FILES_SAME, FILES_DIFFER };

static int compare_bytes(struct file *a, struct file *b, enum likeness *likeness, struct error *err)
{
    const void *bytes_a, *bytes_b;

    *likeness = FILES_DIFFER;
    if (a->size_bytes != b->size_bytes)
        return 0;
    bytes_a = file_map(a, err);
    bytes_b = bytes_a ? file_map(b, err) : NULL;
    if (!bytes_b)
        return -1;
    if (memcmp(bytes_a, bytes_b, a->size_bytes) == 0)
        *likeness = FILES_SAME;
    return 0;
}

static int compare_files(const struct folder *a, const char *in_a, const struct folder *b,
                         const char *in_b, const char *name, enum likeness *likeness,
                         struct error *err)
{
    char *path_a = folder_join(in_a, name), *path_b = folder_join(in_b, name);
    bool has_a = folder_look(a, path_a) != FOLDER_ABSENT;
    bool has_b = folder_look(b, path_b) != FOLDER_ABSENT;
    struct file *file_a = has_a && has_b ? folder_open_file(a, path_a, err) : NULL;
    struct file *file_b = file_a ? folder_open_file(b, path_b, err) : NULL;
    int rc = has_a && has_b && !file_b ? -1 : 0;

    *likeness = has_a || has_b ? FILES_DIFFER : FILES_ABSENT;
    if (file_b)
        rc = compare_bytes(file_a, file_b, likeness, err);
    file_close(file_a);
    file_close(file_b);
    free(path_a);
    free(path_b);
    return rc;
}

int tokenizer_has_same_files(const struct folder *a, const char *in_a, const struct folder *b,
                             const char *in_b, bool *same, struct error *err)
{
    /* Those that tokenizer_config_load reads. */
    static const char *const names[] = {"tokenizer_config.json", "special_tokens_map.json",
                                        "added_tokens.json"};
    enum likeness likeness;

    *same = false;
    if (compare_files(a, in_a, b, in_b, "tokenizer.json", &likeness, err))
        return -1;
    if (likeness != FILES_SAME)
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (compare_files(a, in_a, b, in_b, names[i], &likeness, err))
            return -1;
        if (likeness == FILES_DIFFER)
            return 0;
    }
    *same = true;
    return 0;
}

int tokenizer_lower_case(struct tokenizer *tokenizer, struct error *err)
{
    normalizer_lower_first(tokenizer->normalizer);
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        free(tokenizer->added[i].normal);
        tokenizer->added[i].normal = NULL;
    }
    added_matcher_free(tokenizer->raw_matcher);
    added_matcher_free(tokenizer->normalized_matcher);
    tokenizer->raw_matcher = tokenizer->normalized_matcher = NULL;
    return finish_added(tokenizer, err);
}
