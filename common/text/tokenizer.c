/* tokenizer.c - the stages put together: added tokens, normalizer, pre-tokenizer, model, template.
 *
 * tokenizer.json is walked once with the pull reader; only its small components become trees. Text
 * is cut at raw added tokens, each rest is normalized and cut at normalized added tokens, and what
 * remains is split into words for the model (docs/tokenizers.md, "Pipeline"). */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/ids.h"
#include "text/normalizer.h"
#include "text/pieces.h"
#include "text/pretokenizer.h"
#include "text/subword.h"
#include "text/subword_load.h"
#include "text/template.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_fallback.h"

static const size_t file_bytes_max = 200 * 1000 * 1000;

struct special {
    char *name; /* "bos_token" */
    uint32_t id;
};

struct tokenizer {
    struct normalizer *normalizer;
    struct pretokenizer *pretokenizer;
    pretokenizer_scan *scan; /* the short way through the pre-tokenizer, or NULL */
    struct subword *subword;
    struct template template;
    struct decoder *decoder;
    struct added_token *added;
    size_t n_added, n_tokens;
    uint32_t max_added_id;
    struct hash_map added_by_content; /* -> index in added */
    struct hash_map added_by_id;      /* the same; a key is the four bytes of an id */
    struct arena arena;               /* of contents and of ids as keys */
    struct added_matcher *raw_matcher, *normalized_matcher;
    bool truncates_left, gives_types;
    struct special *specials;
    size_t n_specials;
    bool is_map; /* for look-ups alone: there is nothing to run */
    bool is_guess;
    const char *file;
};

struct tokenizer_scratch {
    struct normalizer_scratch *normalizer;
    struct subword_scratch *subword;
    struct buffer clean, normal; /* text as UTF-8, and normalized */
    struct pieces pieces, spare;
    struct ids first, second;
};

/* ---- added tokens ---- */

static const struct added_token *find_added(const struct tokenizer *tokenizer, const char *content,
                                            size_t length)
{
    const size_t *index = hash_map_find(&tokenizer->added_by_content, content, length);

    return index ? &tokenizer->added[*index] : NULL;
}

static const struct added_token *find_added_id(const struct tokenizer *tokenizer, uint32_t id)
{
    const size_t *index = hash_map_find(&tokenizer->added_by_id, (const char *)&id, sizeof id);

    return index ? &tokenizer->added[*index] : NULL;
}

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
        find_added(tokenizer, properties->content, properties->length);
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

        if (find_added(tokenizer, named->content, length))
            continue;
        if (taken && (taken_length != length || memcmp(taken, named->content, length) != 0))
            continue; /* the id belongs to another token: the entry is wrong */
        add_token(tokenizer, &(struct added_token){
            .content = named->content, .length = length, .single_word = named->single_word,
            .lstrip = named->lstrip, .rstrip = named->rstrip, .normalized = named->normalized,
            .special = named->special});
    }
    for (size_t i = 0; specials && specials[i]; i++)
        if (!find_added(tokenizer, specials[i], strlen(specials[i])))
            add_token(tokenizer, &(struct added_token){.content = (char *)(uintptr_t)specials[i],
                                                       .length = strlen(specials[i]),
                                                       .special = true});
}

/* Once all tokens are known: what is searched, and look-up by id. */
static int finish_added(struct tokenizer *tokenizer, struct error *err)
{
    struct normalizer_scratch *scratch = normalizer_scratch_new();
    struct buffer normal = {0};
    size_t n_new = 0, n_origin;
    uint32_t id;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < tokenizer->n_added; i++) {
        struct added_token *token = &tokenizer->added[i];

        n_new += !subword_find(tokenizer->subword, token->content, token->length, &id);
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
    tokenizer->n_tokens = subword_n_tokens(tokenizer->subword) + n_new;
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

static int load_all(struct tokenizer *tokenizer, const struct folder *folder,
                    const char *directory, struct tokenizer_config *config, struct error *err)
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
        if (pretokenizer_is_byte_level(tokenizer->pretokenizer))
            subword_use_bytes(tokenizer->subword);
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

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    for (size_t i = 0; i < tokenizer->n_added; i++)
        free(tokenizer->added[i].normal);
    for (size_t i = 0; i < tokenizer->n_specials; i++)
        free(tokenizer->specials[i].name);
    free(tokenizer->added);
    arena_release(&tokenizer->arena);
    free(tokenizer->specials);
    hash_map_release(&tokenizer->added_by_content);
    hash_map_release(&tokenizer->added_by_id);
    added_matcher_free(tokenizer->raw_matcher);
    added_matcher_free(tokenizer->normalized_matcher);
    normalizer_free(tokenizer->normalizer);
    pretokenizer_free(tokenizer->pretokenizer);
    subword_free(tokenizer->subword);
    template_release(&tokenizer->template);
    decoder_free(tokenizer->decoder);
    free(tokenizer);
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

struct tokenizer_scratch *tokenizer_scratch_new(const struct tokenizer *tokenizer)
{
    struct tokenizer_scratch *scratch = memory_zalloc(1, sizeof *scratch);

    scratch->normalizer = normalizer_scratch_new();
    scratch->subword = subword_scratch_new(tokenizer->subword);
    return scratch;
}

void tokenizer_scratch_free(struct tokenizer_scratch *scratch)
{
    if (!scratch)
        return;
    normalizer_scratch_free(scratch->normalizer);
    subword_scratch_free(scratch->subword);
    buffer_release(&scratch->clean);
    buffer_release(&scratch->normal);
    pieces_release(&scratch->pieces);
    pieces_release(&scratch->spare);
    ids_release(&scratch->first);
    ids_release(&scratch->second);
    free(scratch);
}

/* ---- text to ids ---- */

/* Normalized text without added tokens. */
static int encode_words(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                        const char *text, size_t n, size_t n_origin, struct ids *ids,
                        struct error *err)
{
    if (tokenizer->scan) {
        for (size_t at = 0; at < n;) {
            size_t end = tokenizer->scan(text, n, at);

            if (subword_encode(tokenizer->subword, scratch->subword, text + at, end - at, ids, err))
                return -1;
            at = end;
        }
        return 0;
    }
    pieces_clear(&scratch->pieces);
    buffer_add(&scratch->pieces.text, text, n);
    pieces_add(&scratch->pieces, 0, n, n_origin);
    if (pretokenizer_run(tokenizer->pretokenizer, &scratch->pieces, &scratch->spare, err))
        return -1;
    for (size_t i = 0; i < scratch->pieces.n_items; i++)
        if (subword_encode(tokenizer->subword, scratch->subword,
                           scratch->pieces.text.data + scratch->pieces.items[i].start,
                           scratch->pieces.items[i].length, ids, err))
            return -1;
    return 0;
}

/* Text between raw added tokens. */
static int encode_segment(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                          const char *text, size_t n, bool is_first, struct ids *ids,
                          struct error *err)
{
    struct added_search search = {.matcher = tokenizer->normalized_matcher};
    struct added_span span;
    size_t n_origin;

    buffer_clear(&scratch->normal);
    if (normalizer_run(tokenizer->normalizer, scratch->normalizer, text, n, &scratch->normal,
                       &n_origin, err))
        return -1;
    search.text = scratch->normal.data;
    search.n = scratch->normal.size;
    while (added_search_next(&search, &span)) {
        if (span.token)
            ids_add(ids, span.token->id);
        else if (encode_words(tokenizer, scratch, search.text + span.start, span.end - span.start,
                              is_first && span.start < n_origin ? n_origin - span.start : 0, ids,
                              err))
            return -1;
    }
    return 0;
}

static int encode_text(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                       const char *text, size_t n, struct ids *ids, struct error *err)
{
    struct added_search search = {.matcher = tokenizer->raw_matcher};
    struct added_span span;

    ids_clear(ids);
    if (utf8_valid_prefix(text, n) < n) {
        buffer_clear(&scratch->clean);
        utf8_add_lossy(&scratch->clean, text, n);
        text = scratch->clean.data;
        n = scratch->clean.size;
    }
    search.text = text;
    search.n = n;
    while (added_search_next(&search, &span)) {
        if (span.token)
            ids_add(ids, span.token->id);
        else if (encode_segment(tokenizer, scratch, text + span.start, span.end - span.start,
                                span.start == 0, ids, err))
            return -1;
    }
    return 0;
}

/* ---- truncation and template ---- */

/* Lengths that a pair keeps of n[0] and n[1] so that they are at most `max` together: longest
 * first. */
static void share_length(size_t n[2], size_t max)
{
    bool is_swapped = n[0] > n[1];
    size_t shorter = n[is_swapped], longer;

    if (n[0] + n[1] <= max)
        return;
    longer = shorter > max ? shorter : shorter > max - shorter ? shorter : max - shorter;
    if (shorter + longer > max) {
        shorter = max / 2;
        longer = shorter + max % 2;
    }
    n[is_swapped] = shorter;
    n[!is_swapped] = longer;
}

static void reserve(struct encoding *encoding, size_t n)
{
    if (n <= encoding->capacity)
        return;
    encoding->capacity = n > 2 * encoding->capacity ? n : 2 * encoding->capacity;
    encoding->ids = memory_resize(encoding->ids, encoding->capacity, sizeof *encoding->ids);
    encoding->type_ids = memory_resize(encoding->type_ids, encoding->capacity, 1);
    encoding->is_special = memory_resize(encoding->is_special, encoding->capacity, 1);
}

static void append(struct encoding *out, const uint32_t *ids, size_t n, uint8_t type_id,
                   uint8_t is_special)
{
    reserve(out, out->n_ids + n);
    if (n) {
        memcpy(out->ids + out->n_ids, ids, n * sizeof *ids);
        memset(out->type_ids + out->n_ids, type_id, n);
        memset(out->is_special + out->n_ids, is_special, n);
    }
    out->n_ids += n;
}

static void apply_template(const struct template_list *list, const uint32_t *const ids[2],
                           const size_t n[2], bool no_special, struct encoding *out)
{
    if (list->n_parts == 0) {
        append(out, ids[0], n[0], 0, 0);
        append(out, ids[1], n[1], 1, 0);
    }
    for (size_t i = 0; i < list->n_parts; i++) {
        const struct template_part *part = &list->parts[i];

        if (part->kind != TEMPLATE_SPECIAL)
            append(out, ids[part->kind], n[part->kind], part->type_id, 0);
        else if (!no_special)
            append(out, part->ids, part->n_ids, part->type_id, 1);
    }
}

int tokenizer_encode(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                     const char *text, size_t n, const char *pair, size_t n_pair,
                     const struct encode_options *options, struct encoding *out, struct error *err)
{
    const struct template_list *list =
        pair ? &tokenizer->template.pair : &tokenizer->template.single;
    struct ids *ids[2] = {&scratch->first, &scratch->second};
    const uint32_t *starts[2];
    size_t lengths[2], n_added = options->no_special ? 0 : template_n_added(list);

    out->n_ids = 0;
    out->is_truncated = false;
    if (encode_text(tokenizer, scratch, text, n, ids[0], err))
        return -1;
    ids_clear(ids[1]);
    if (pair && encode_text(tokenizer, scratch, pair, n_pair, ids[1], err))
        return -1;
    lengths[0] = ids[0]->n_items;
    lengths[1] = ids[1]->n_items;
    if (options->max_length) {
        if (options->max_length < n_added)
            return error_set(err, ERROR_USAGE, "a maximum length of %zu leaves no room for the %zu "
                             "special tokens", options->max_length, n_added);
        if (pair)
            share_length(lengths, options->max_length - n_added);
        else if (lengths[0] > options->max_length - n_added)
            lengths[0] = options->max_length - n_added;
        out->is_truncated = lengths[0] + lengths[1] < ids[0]->n_items + ids[1]->n_items;
    }
    for (size_t i = 0; i < 2; i++) {
        starts[i] = ids[i]->items;
        if (tokenizer->truncates_left && lengths[i])
            starts[i] += ids[i]->n_items - lengths[i];
    }
    apply_template(list, starts, lengths, options->no_special, out);
    if (!tokenizer->gives_types && out->n_ids)
        memset(out->type_ids, 0, out->n_ids);
    return 0;
}

void encoding_release(struct encoding *encoding)
{
    free(encoding->ids);
    free(encoding->type_ids);
    free(encoding->is_special);
    *encoding = (struct encoding){0};
}

/* ---- ids to text ---- */

/* As the reference has it, the text decides: a token that the normalizer changes is not special. */
static bool is_special(const struct tokenizer *tokenizer, const char *token, size_t length)
{
    const struct added_token *added = find_added(tokenizer, token, length);

    return added && added->special;
}

/* lists: empty, scratch */
static int decode(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n,
                  bool skip_special, struct token_list lists[2], struct buffer *out,
                  struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct added_token *added = find_added_id(tokenizer, ids[i]);
        size_t length = 0;
        const char *token = added ? NULL : subword_token(tokenizer->subword, ids[i], &length);

        if (added) {
            token = added->normal ? added->normal : added->content;
            length = added->normal ? added->normal_length : added->length;
        }
        if (!token || (skip_special && is_special(tokenizer, token, length)))
            continue;
        token_list_add(&lists[0], token, length);
    }
    return decoder_run(tokenizer->decoder, &lists[0], &lists[1], out, err);
}

int tokenizer_decode(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n,
                     bool skip_special, struct buffer *out, struct error *err)
{
    struct token_list lists[2] = {0};
    int rc = decode(tokenizer, ids, n, skip_special, lists, out, err);

    token_list_release(&lists[0]);
    token_list_release(&lists[1]);
    return rc;
}

int tokenizer_stream_add(const struct tokenizer *tokenizer, struct tokenizer_stream *stream,
                         uint32_t id, bool skip_special, struct buffer *out, struct error *err)
{
    static const char replacement[] = "\xef\xbf\xbd";
    struct buffer *before = &stream->before, *now = &stream->now;
    const uint32_t *ids;

    if (stream->n_ids == stream->capacity) {
        stream->capacity = stream->capacity ? 2 * stream->capacity : 64;
        stream->ids = memory_resize(stream->ids, stream->capacity, sizeof *stream->ids);
    }
    stream->ids[stream->n_ids++] = id;
    /* Decoders look at neighbours, so a few ids that are already out are decoded again. */
    ids = stream->ids + stream->n_prefix;
    buffer_clear(before);
    buffer_clear(now);
    if (decode(tokenizer, ids, stream->n_read - stream->n_prefix, skip_special, stream->lists,
               before, err) ||
        decode(tokenizer, ids, stream->n_ids - stream->n_prefix, skip_special, stream->lists, now,
               err))
        return -1;
    if (now->size > before->size &&
        !(now->size >= 3 && memcmp(now->data + now->size - 3, replacement, 3) == 0)) {
        buffer_add(out, now->data + before->size, now->size - before->size);
        stream->n_prefix = stream->n_read;
        stream->n_read = stream->n_ids;
    }
    return 0;
}

void tokenizer_stream_release(struct tokenizer_stream *stream)
{
    free(stream->ids);
    token_list_release(&stream->lists[0]);
    token_list_release(&stream->lists[1]);
    buffer_release(&stream->before);
    buffer_release(&stream->now);
    *stream = (struct tokenizer_stream){0};
}

/* ---- look-ups ---- */

const char *tokenizer_token(const struct tokenizer *tokenizer, uint32_t id, size_t *length)
{
    const struct added_token *added = find_added_id(tokenizer, id);

    if (!added)
        return subword_token(tokenizer->subword, id, length);
    *length = added->length;
    return added->content;
}

int tokenizer_check_ids(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n,
                        size_t n_rows, const char *name, struct error *err)
{
    size_t i = 0, length = 0;
    const char *token;

    while (i < n && ids[i] < n_rows)
        i++;
    if (i == n)
        return 0;
    token = tokenizer_token(tokenizer, ids[i], &length);
    return error_set(err, ERROR_FORMAT, "token '%.*s' has the id %u, but '%s' has embeddings for 0 "
                     "to %zu only (%zu rows); does the tokenizer belong to the model?", (int)(length < 160 ? length : 160),
                     token ? token : "", (unsigned)ids[i], name, n_rows - 1, n_rows);
}

bool tokenizer_find(const struct tokenizer *tokenizer, const char *token, uint32_t *id)
{
    const struct added_token *added = find_added(tokenizer, token, strlen(token));

    if (!added)
        return subword_find(tokenizer->subword, token, strlen(token), id);
    *id = added->id;
    return true;
}

bool tokenizer_special(const struct tokenizer *tokenizer, const char *name, uint32_t *id)
{
    for (size_t i = 0; i < tokenizer->n_specials; i++)
        if (strcmp(tokenizer->specials[i].name, name) == 0) {
            *id = tokenizer->specials[i].id;
            return true;
        }
    return false;
}

const char *tokenizer_type(const struct tokenizer *tokenizer)
{
    return subword_type(tokenizer->subword);
}

const char *tokenizer_file(const struct tokenizer *tokenizer)
{
    return tokenizer->file;
}

bool tokenizer_is_guess(const struct tokenizer *tokenizer)
{
    return tokenizer->is_guess;
}

/* ---- comparing ---- */

/* What is searched in a text, and how, in an order that does not depend on the file's. */
static int compare_contents(const void *a, const void *b)
{
    const struct added_token *x = *(const struct added_token *const *)a;
    const struct added_token *y = *(const struct added_token *const *)b;
    size_t n = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->content, y->content, n);

    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static void describe_added(const struct tokenizer *tokenizer, struct buffer *out)
{
    const struct added_token **sorted = memory_alloc((tokenizer->n_added + 1) * sizeof *sorted);

    for (size_t i = 0; i < tokenizer->n_added; i++)
        sorted[i] = &tokenizer->added[i];
    qsort(sorted, tokenizer->n_added, sizeof *sorted, compare_contents);
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const struct added_token *token = sorted[i];
        const char *searched = token->normal ? token->normal : token->content;
        size_t length = token->normal ? token->normal_length : token->length;

        buffer_format(out, "%zu:", token->length);
        buffer_add(out, token->content, token->length);
        buffer_format(out, " %zu:", length);
        buffer_add(out, searched, length);
        buffer_format(out, " %d%d%d\n", token->single_word, token->lstrip, token->rstrip);
    }
    free(sorted);
}

void tokenizer_describe(const struct tokenizer *tokenizer, enum tokenizer_part part,
                        struct buffer *out)
{
    switch (part) {
    case TOKENIZER_ADDED: describe_added(tokenizer, out); break;
    case TOKENIZER_NORMALIZER: normalizer_describe(tokenizer->normalizer, out); break;
    case TOKENIZER_PRETOKENIZER: pretokenizer_describe(tokenizer->pretokenizer, out); break;
    case TOKENIZER_MODEL: subword_describe(tokenizer->subword, out); break;
    case TOKENIZER_TEMPLATE: template_describe(&tokenizer->template, out); break;
    }
}

int tokenizer_take_tokens(struct tokenizer *tokenizer, struct token_table *tokens,
                          struct error *err)
{
    subword_take_tokens(tokenizer->subword, tokens);
    for (size_t i = 0; i < tokenizer->n_added; i++)
        if (token_table_put(tokens, tokenizer->added[i].content, tokenizer->added[i].length,
                            tokenizer->added[i].id, NULL, err))
            return -1;
    token_table_seal(tokens);
    return 0;
}
