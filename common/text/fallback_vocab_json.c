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
    struct buffer *out = &fallback->json;
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
    buffer_add_text(out, "{\"decoder\":{\"type\":\"ByteLevel\"}");
    if (is_qwen)
        buffer_add_text(out, ",\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":"
                        "\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
                        "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"
                        "\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|"
                        "\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},"
                        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
                        "\"use_regex\":false}]}");
    else
        buffer_format(out, ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,"
                      "\"trim_offsets\":true,\"use_regex\":true}",
                      fallback_flag(source->config->add_prefix_space, false));
    rc = is_roberta && !fallback->map_only
             ? fallback_add_template(out, fallback->subword, "<s>", "</s>", true, 0, err)
             : 0;
    buffer_add_char(out, '}');
done:
    bpe_merges_release(&merges);
    return rc;
}
