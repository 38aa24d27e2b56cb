/* fallback_parts.c - the pieces of a tokenizer.json that more than one builder writes. */
#include "fallback_parts.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"

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

const char *fallback_flag(int flag, bool value)
{
    return (flag < 0 ? value : flag) ? "true" : "false";
}

/* ---- templates ---- */

static void add_template_special(struct buffer *out, const char *token, unsigned type_id)
{
    buffer_add_text(out, "{\"SpecialToken\":{\"id\":");
    json_add_string(out, token);
    buffer_format(out, ",\"type_id\":%u}}", type_id);
}

static void add_template_sequence(struct buffer *out, char name, unsigned type_id)
{
    buffer_format(out, "{\"Sequence\":{\"id\":\"%c\",\"type_id\":%u}}", name, type_id);
}

int fallback_add_template(struct buffer *out, const struct subword *subword, const char *first,
                          const char *last, bool is_last_doubled, unsigned second_type,
                          struct error *err)
{
    uint32_t first_id = 0, last_id;

    if ((first && need_token(subword, first, &first_id, err)) ||
        need_token(subword, last, &last_id, err))
        return -1;
    buffer_add_text(out, ",\"post_processor\":{\"type\":\"TemplateProcessing\"");
    for (int is_pair = 0; is_pair < 2; is_pair++) {
        buffer_add_text(out, is_pair ? ",\"pair\":[" : ",\"single\":[");
        if (first) {
            add_template_special(out, first, 0);
            buffer_add_char(out, ',');
        }
        add_template_sequence(out, 'A', 0);
        buffer_add_char(out, ',');
        add_template_special(out, last, 0);
        if (is_pair && is_last_doubled) {
            buffer_add_char(out, ',');
            add_template_special(out, last, 0);
        }
        if (is_pair) {
            buffer_add_char(out, ',');
            add_template_sequence(out, 'B', second_type);
            buffer_add_char(out, ',');
            add_template_special(out, last, second_type);
        }
        buffer_add_char(out, ']');
    }
    buffer_add_text(out, ",\"special_tokens\":{");
    for (int i = first ? 0 : 1; i < 2; i++) {
        const char *token = i ? last : first;

        if (i && first && strcmp(first, last) == 0)
            break;
        buffer_add_text(out, i && first ? "," : "");
        json_add_string(out, token);
        buffer_add_text(out, ":{\"id\":");
        json_add_string(out, token);
        buffer_format(out, ",\"ids\":[%u],\"tokens\":[", i ? last_id : first_id);
        json_add_string(out, token);
        buffer_add_text(out, "]}");
    }
    buffer_add_text(out, "}}");
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

void fallback_add_split(struct buffer *out, const char *pattern)
{
    buffer_add_text(out, "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                    "\"Split\",\"pattern\":{\"Regex\":");
    json_add_string(out, pattern);
    buffer_add_text(out, "},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\","
                    "\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]},"
                    "\"decoder\":{\"type\":\"ByteLevel\"},\"added_tokens\":[");
}

void fallback_add_token(struct buffer *out, const char *content, size_t length, bool lstrip,
                        bool special)
{
    bool is_first = out->size && out->data[out->size - 1] == '[';

    buffer_format(out, "%s{\"id\":0,\"content\":", is_first ? "" : ",");
    json_add_bytes(out, content, length);
    buffer_format(out, ",\"single_word\":false,\"lstrip\":%s,\"rstrip\":false,"
                  "\"normalized\":false,\"special\":%s}",
                  fallback_flag(lstrip, false), fallback_flag(special, false));
}
