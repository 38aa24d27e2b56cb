/* fallback_tiktoken.c - lines of a token in base64 and its rank: Llama 3. */
#include "fallback_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines "base64 rank". */
static int read_ranks(struct token_table *tokens, const struct fallback_source *source,
                      struct error *err)
{
    const char *at = source->text, *stop = at + source->size;

    for (size_t line = 1; at < stop; line++) {
        const char *end = memchr(at, '\n', (size_t)(stop - at));
        const char *space = memchr(at, ' ', (size_t)((end ? end : stop) - at));
        char *number_end;
        unsigned long rank;

        if (!end)
            end = stop;
        if (end == at) {
            at = end + 1;
            continue;
        }
        if (!space || space + 1 == end || space[1] < '0' || space[1] > '9')
            return error_set(err, ERROR_FORMAT, "line %zu: not a token and its rank", line);
        rank = strtoul(space + 1, &number_end, 10); /* the text ends in a NUL */
        if (number_end != end && *number_end != '\r')
            return error_set(err, ERROR_FORMAT, "line %zu: not a token and its rank", line);
        if (fallback_put_bytes(tokens, at, (size_t)(space - at), rank, err))
            return error_context(err, "line %zu", line);
        at = end + 1;
    }
    return tokens->n_entries ? 0 : error_set(err, ERROR_FORMAT, "no tokens in it");
}

/* The 256 special tokens of Llama 3, in the order of their ids. */
static void add_llama3_specials(struct json_writer *json)
{
    static const char *const first[] = {
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
        "<|reserved_special_token_1|>", "<|reserved_special_token_2|>",
        "<|reserved_special_token_3|>", "<|start_header_id|>", "<|end_header_id|>",
        "<|reserved_special_token_4|>", "<|eot_id|>",
    };

    for (size_t i = 0; i < 256; i++) {
        char name[48];

        if (i < 10)
            snprintf(name, sizeof name, "%s", first[i]);
        else
            snprintf(name, sizeof name, "<|reserved_special_token_%zu|>", i - 5);
        fallback_add_token(json, name, strlen(name), false, true);
    }
}

int fallback_tiktoken(struct tokenizer_fallback *fallback, struct fallback_source *source,
                      struct error *err)
{
    static const char pattern[] =
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
        "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    static const struct bpe_settings settings = {.ignore_merges = true};
    struct token_table tokens = {0};
    struct bpe_merges merges = {0};
    struct json_writer json = {.out = &fallback->json};

    if (read_ranks(&tokens, source, err)) {
        token_table_release(&tokens);
        return -1;
    }
    if (!fallback->map_only)
        bpe_merges_derive(&merges, &tokens, NULL);
    fallback->subword = fallback_make_bpe(fallback, &tokens, &merges, &settings, err);
    bpe_merges_release(&merges);
    if (!fallback->subword)
        return -1;
    json_writer_object(&json, NULL);
    fallback_add_split(&json, pattern);
    fallback_add_plain(&json, "decoder", "ByteLevel");
    json_writer_array(&json, "added_tokens");
    add_llama3_specials(&json);
    json_writer_end(&json);
    json_writer_end(&json);
    return 0;
}
