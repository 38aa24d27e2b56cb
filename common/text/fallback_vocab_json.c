/* fallback_vocab_json.c - vocab.json and merges.txt: byte-level BPE of GPT-2, RoBERTa and Qwen2. */
#include "fallback_parts.h"

#include <stdlib.h>

#include "base/json_reader.h"

static const char *const qwen_classes[] = {"Qwen2", NULL};
static const char *const roberta_classes[] = {"Roberta", "Bart", "Longformer", "LED", NULL};
static const char *const gpt2_classes[] = {"GPT2", "GPTNeoX", "CodeGen", NULL};

static int read_vocab_json(struct token_table *tokens, const struct fallback_source *source,
                           struct error *err)
{
    struct json_reader reader;
    int rc;

    json_reader_init(&reader, source->text, source->size);
    rc = token_table_read(tokens, &reader, err) || json_reader_finish(&reader, err) ? -1 : 0;
    json_reader_release(&reader);
    return rc;
}

static int read_merges(struct bpe_merges *merges, const struct token_table *tokens,
                       const struct fallback_source *source, struct error *err)
{
    char *path = folder_join(source->directory, "merges.txt"), *text;
    size_t size;
    int rc = -1;

    text = folder_read_text(source->folder, path, FALLBACK_BYTES_MAX, &size, err);
    if (text) {
        rc = bpe_merges_read_lines(merges, text, size, tokens, err);
        if (rc)
            error_context(err, "merges.txt");
    }
    free(text);
    free(path);
    return rc;
}

static void add_qwen_splits(struct json_writer *json)
{
    fallback_add_plain(json, "normalizer", "NFC");
    fallback_add_split(json, "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
                       "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
}

static void add_gpt2_splits(struct json_writer *json, const struct tokenizer_config *config)
{
    fallback_open(json, "pre_tokenizer", "ByteLevel");
    json_writer_bool(json, "add_prefix_space", fallback_flag(config->add_prefix_space, false));
    json_writer_bool(json, "trim_offsets", true);
    json_writer_bool(json, "use_regex", true);
    json_writer_end(json);
}

int fallback_vocab_json(struct tokenizer_fallback *fallback, struct fallback_source *source,
                        struct error *err)
{
    static const char *const *const known[] = {gpt2_classes, roberta_classes, qwen_classes};
    static const char *const specials[] = {"<|endoftext|>", NULL};
    bool is_qwen = tokenizer_config_is(source->config, qwen_classes);
    bool is_roberta = tokenizer_config_is(source->config, roberta_classes);
    struct bpe_settings settings = {{NULL, 0}, {NULL, 0}, {NULL, 0}, false, false, false};
    struct token_table tokens = {0};
    struct bpe_merges merges = {0};
    struct json_writer json = {.out = &fallback->json};
    int rc = -1;

    if (fallback_check_class(fallback, source, known, 3, err))
        return -1;
    if (read_vocab_json(&tokens, source, err) ||
        (!fallback->map_only && read_merges(&merges, &tokens, source, err))) {
        token_table_release(&tokens);
        goto done;
    }
    fallback->subword = fallback_make_bpe(fallback, &tokens, &merges, &settings, err);
    if (!fallback->subword)
        goto done;
    fallback->specials = is_roberta || fallback->is_guess ? NULL : specials;
    json_writer_object(&json, NULL);
    fallback_add_plain(&json, "decoder", "ByteLevel");
    if (is_qwen)
        add_qwen_splits(&json);
    else
        add_gpt2_splits(&json, source->config);
    rc = is_roberta && !fallback->map_only
             ? fallback_add_template(&json, fallback->subword, "<s>", "</s>", true, 0, err)
             : 0;
    json_writer_end(&json);
done:
    bpe_merges_release(&merges);
    return rc;
}
