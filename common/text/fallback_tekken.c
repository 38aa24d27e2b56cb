/* fallback_tekken.c - tekken.json: Mistral's special tokens, then others in base64 with ranks. */
#include "fallback_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* ids 0 … n_special-1 are special tokens: named ones, then <SPECIAL_i>. */
static int add_tekken_specials(struct token_table *tokens, const cJSON *json, size_t n_special,
                               struct json_writer *out, struct error *err)
{
    static const char *const usual[] = {"<unk>", "<s>", "</s>"};
    const cJSON *list = json_find(json, "special_tokens");

    for (size_t i = 0; i < n_special; i++) {
        const cJSON *entry = cJSON_IsArray(list) ? cJSON_GetArrayItem(list, (int)i) : NULL;
        const char *name = json_find_string(entry, "token_str");
        char other[32];

        snprintf(other, sizeof other, "<SPECIAL_%zu>", i);
        if (!name)
            name = !list && i < 3 ? usual[i] : other;
        if (token_table_put(tokens, name, strlen(name), i, NULL, err))
            return -1;
        fallback_add_token(out, name, strlen(name), false, true);
    }
    return 0;
}

static int need_number(const cJSON *json, const char *name, size_t limit, size_t *value,
                       struct error *err)
{
    const cJSON *number = json_find(json, name);

    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0 && number->valuedouble <= limit))
        return error_set(err, ERROR_FORMAT, "%s is not a number up to %zu", name, limit);
    *value = (size_t)number->valuedouble;
    return 0;
}

static int read_tekken(struct token_table *tokens, const cJSON *json, size_t n_tokens,
                       size_t n_special, struct error *err)
{
    const cJSON *item;
    size_t n = 0;

    if (!cJSON_IsArray(json_find(json, "vocab")))
        return error_set(err, ERROR_FORMAT, "vocab is not a list");
    cJSON_ArrayForEach(item, json_find(json, "vocab")) {
        const char *bytes = json_find_string(item, "token_bytes");
        size_t rank;

        if (n++ == n_tokens)
            break; /* the file lists more than the model has */
        if (!bytes || need_number(item, "rank", 10000000, &rank, err))
            return error_set(err, ERROR_FORMAT, "vocab: an entry without token_bytes");
        if (fallback_put_bytes(tokens, bytes, strlen(bytes), rank + n_special, err))
            return -1;
    }
    return 0;
}

int fallback_tekken(struct tokenizer_fallback *fallback, struct fallback_source *source,
                    struct error *err)
{
    static const struct bpe_settings settings = {.ignore_merges = true};
    cJSON *json = json_parse(source->text, source->size, err);
    const cJSON *config = json_find(json, "config");
    const char *pattern = json_find_string(config, "pattern");
    struct token_table tokens = {0};
    struct bpe_merges merges = {0};
    struct json_writer out = {.out = &fallback->json};
    size_t n_all, n_special;
    int rc = -1;

    if (!json)
        return -1;
    if (!pattern) {
        error_set(err, ERROR_FORMAT, "config has no pattern");
        goto done;
    }
    if (need_number(config, "default_vocab_size", 10000000, &n_all, err) ||
        need_number(config, "default_num_special_tokens", 100000, &n_special, err))
        goto done;
    json_writer_object(&out, NULL);
    fallback_add_split(&out, pattern);
    fallback_add_plain(&out, "decoder", "ByteLevel");
    json_writer_array(&out, "added_tokens");
    /* The special tokens come last: they are no parts to merge from. */
    if (read_tekken(&tokens, json, n_all > n_special ? n_all - n_special : 0, n_special, err))
        goto done;
    if (!fallback->map_only)
        bpe_merges_derive(&merges, &tokens, NULL);
    if (add_tekken_specials(&tokens, json, n_special, &out, err))
        goto done;
    json_writer_end(&out);
    json_writer_end(&out);
    fallback->subword = fallback_make_bpe(fallback, &tokens, &merges, &settings, err);
    tokens = (struct token_table){0};
    rc = fallback->subword ? 0 : -1;
done:
    token_table_release(&tokens);
    bpe_merges_release(&merges);
    cJSON_Delete(json);
    return rc;
}
