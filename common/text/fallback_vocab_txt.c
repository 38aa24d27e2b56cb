/* fallback_vocab_txt.c - vocab.txt, one token a line: BERT and MPNet. */
#include "fallback_parts.h"

#include "text/wordpiece.h"

static const char *const mpnet_classes[] = {"MPNet", NULL};
static const char *const bert_classes[] = {"Bert", "DistilBert", "Electra", NULL};

static void add_components(struct json_writer *json, const struct tokenizer_config *config)
{
    fallback_open(json, "normalizer", "BertNormalizer");
    json_writer_bool(json, "clean_text", true);
    json_writer_bool(json, "handle_chinese_chars",
                     fallback_flag(config->tokenize_chinese_chars, true));
    if (config->strip_accents < 0)
        json_writer_null(json, "strip_accents");
    else
        json_writer_bool(json, "strip_accents", config->strip_accents);
    json_writer_bool(json, "lowercase", fallback_flag(config->do_lower_case, true));
    json_writer_end(json);
    fallback_add_plain(json, "pre_tokenizer", "BertPreTokenizer");
    fallback_open(json, "decoder", "WordPiece");
    json_writer_string(json, "prefix", "##");
    json_writer_bool(json, "cleanup", true);
    json_writer_end(json);
}

int fallback_vocab_txt(struct tokenizer_fallback *fallback, struct fallback_source *source,
                       struct error *err)
{
    static const char *const *const known[] = {bert_classes, mpnet_classes};
    static const char *const specials[] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]", NULL};
    const struct tokenizer_config *config = source->config;
    bool is_mpnet = tokenizer_config_is(config, mpnet_classes);
    struct wordpiece_settings settings = wordpiece_bert_settings();
    struct token_table tokens = {0};
    struct json_writer json = {.out = &fallback->json};

    if (fallback_check_class(fallback, source, known, 2, err))
        return -1;
    if (wordpiece_read_lines(&tokens, source->text, source->size, err)) {
        token_table_release(&tokens);
        return -1;
    }
    fallback->subword = fallback->map_only ? subword_new_map(&tokens, "WordPiece")
                                           : wordpiece_new(&tokens, &settings, err);
    if (!fallback->subword)
        return -1;
    fallback->specials = is_mpnet || fallback->is_guess ? NULL : specials;
    json_writer_object(&json, NULL);
    add_components(&json, config);
    if (fallback->map_only)
        ; /* no text will need a template */
    else if (fallback_add_template(&json, fallback->subword, is_mpnet ? "<s>" : "[CLS]",
                                   is_mpnet ? "</s>" : "[SEP]", is_mpnet, is_mpnet ? 0 : 1, err))
        return -1;
    json_writer_end(&json);
    return 0;
}
