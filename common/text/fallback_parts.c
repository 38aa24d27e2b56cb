/* fallback_parts.c - the pieces of a tokenizer.json that more than one builder writes. */
#include "fallback_parts.h"

#include <string.h>

#include "base/base64.h"

int fallback_check_class(struct tokenizer_fallback *fallback, const struct fallback_source *source,
                         const char *const *const *known, size_t n_known, struct error *err)
{
    const char *name = source->config->class_name;

    for (size_t i = 0; i < n_known; i++)
        if (tokenizer_config_is(source->config, known[i]))
            return 0;
    if (!name || !*name)
        return 0;
    fallback->is_guess = fallback->map_only;
    if (fallback->map_only)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s': a %s for a tokenizer of class '" ERROR_NAME "' "
                     "is not known; a tokenizer.json is needed", source->folder->path,
                     fallback->file, name);
}

static int need_token(const struct subword *subword, const char *token, uint32_t *id,
                      struct error *err)
{
    if (subword_find(subword, token, strlen(token), id))
        return 0;
    return error_set(err, ERROR_FORMAT, "token '%s' is not in the vocabulary", token);
}

struct subword *fallback_make_bpe(const struct tokenizer_fallback *fallback,
                                  struct token_table *tokens, const struct bpe_merges *merges,
                                  const struct bpe_settings *settings, struct error *err)
{
    return fallback->map_only ? subword_new_map(tokens, "BPE")
                              : bpe_new(tokens, merges, settings, err);
}

bool fallback_flag(int flag, bool value)
{
    return flag < 0 ? value : flag != 0;
}

void fallback_open(struct json_writer *json, const char *key, const char *type)
{
    json_writer_object(json, key);
    json_writer_string(json, "type", type);
}

void fallback_add_plain(struct json_writer *json, const char *key, const char *type)
{
    fallback_open(json, key, type);
    json_writer_end(json);
}

/* ---- templates ---- */

/* An item: {"SpecialToken":{"id":…,"type_id":…}}, or a "Sequence". */
static void add_template_item(struct json_writer *json, const char *kind, const char *id,
                              unsigned type_id)
{
    json_writer_object(json, NULL);
    json_writer_object(json, kind);
    json_writer_string(json, "id", id);
    json_writer_size(json, "type_id", type_id);
    json_writer_end(json);
    json_writer_end(json);
}

static void add_template_token(struct json_writer *json, const char *token, uint32_t id)
{
    json_writer_object(json, token);
    json_writer_string(json, "id", token);
    json_writer_array(json, "ids");
    json_writer_size(json, NULL, id);
    json_writer_end(json);
    json_writer_array(json, "tokens");
    json_writer_string(json, NULL, token);
    json_writer_end(json);
    json_writer_end(json);
}

int fallback_add_template(struct json_writer *json, const struct subword *subword,
                          const char *first, const char *last, bool is_last_doubled,
                          unsigned second_type, struct error *err)
{
    uint32_t first_id = 0, last_id;

    if ((first && need_token(subword, first, &first_id, err)) ||
        need_token(subword, last, &last_id, err))
        return -1;
    fallback_open(json, "post_processor", "TemplateProcessing");
    for (int is_pair = 0; is_pair < 2; is_pair++) {
        json_writer_array(json, is_pair ? "pair" : "single");
        if (first)
            add_template_item(json, "SpecialToken", first, 0);
        add_template_item(json, "Sequence", "A", 0);
        add_template_item(json, "SpecialToken", last, 0);
        if (is_pair && is_last_doubled)
            add_template_item(json, "SpecialToken", last, 0);
        if (is_pair) {
            add_template_item(json, "Sequence", "B", second_type);
            add_template_item(json, "SpecialToken", last, second_type);
        }
        json_writer_end(json);
    }
    json_writer_object(json, "special_tokens");
    if (first)
        add_template_token(json, first, first_id);
    if (!first || strcmp(first, last) != 0)
        add_template_token(json, last, last_id);
    json_writer_end(json);
    json_writer_end(json);
    return 0;
}

/* ---- base64 bytes ---- */

int fallback_put_bytes(struct token_table *tokens, const char *base64, size_t n, size_t id,
                       struct error *err)
{
    struct buffer bytes = {0}, spelled = {0};
    int rc = base64_decode(base64, n, &bytes);

    if (rc || !bytes.size) {
        rc = error_set(err, ERROR_FORMAT, "token %zu is not base64", id);
    } else {
        subword_spell(bytes.data, bytes.size, &spelled);
        rc = token_table_put(tokens, spelled.data, spelled.size, id, NULL, err);
    }
    buffer_release(&bytes);
    buffer_release(&spelled);
    return rc;
}

/* ---- other components ---- */

void fallback_add_split(struct json_writer *json, const char *pattern)
{
    fallback_open(json, "pre_tokenizer", "Sequence");
    json_writer_array(json, "pretokenizers");
    fallback_open(json, NULL, "Split");
    json_writer_object(json, "pattern");
    json_writer_string(json, "Regex", pattern);
    json_writer_end(json);
    json_writer_string(json, "behavior", "Isolated");
    json_writer_bool(json, "invert", false);
    json_writer_end(json);
    fallback_open(json, NULL, "ByteLevel");
    json_writer_bool(json, "add_prefix_space", false);
    json_writer_bool(json, "trim_offsets", true);
    json_writer_bool(json, "use_regex", false);
    json_writer_end(json);
    json_writer_end(json);
    json_writer_end(json);
}

void fallback_add_token(struct json_writer *json, const char *content, size_t length, bool lstrip,
                        bool special)
{
    json_writer_object(json, NULL);
    json_writer_size(json, "id", 0);
    json_writer_bytes(json, "content", content, length);
    json_writer_bool(json, "single_word", false);
    json_writer_bool(json, "lstrip", lstrip);
    json_writer_bool(json, "rstrip", false);
    json_writer_bool(json, "normalized", false);
    json_writer_bool(json, "special", special);
    json_writer_end(json);
}
