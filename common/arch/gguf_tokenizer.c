/* gguf_tokenizer.c - the files of a tokenizer, written from a GGUF file's metadata.
 *
 * Each kind of llama.cpp's tokenizers has a twin among the models of the tokenizers library: scores
 * (sentencepiece's BPE) become merges, as the converter of transformers derives them. */
#include "gguf_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "arch/gguf_templates.h"
#include "arch/gguf_tokens.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "text/bpe_merges.h"
#include "text/sentencepiece_json.h"
#include "text/token_table.h"

struct maker {
    const struct gguf *gguf;
    struct gguf_tokens tokens;
    struct buffer text;
    struct json_writer json;
};

static void add_type(struct json_writer *json, const char *key, const char *type)
{
    json_writer_object(json, key);
    json_writer_string(json, "type", type);
}

static struct gguf_text text_of(const struct maker *maker, size_t id)
{
    return maker->tokens.items[id].text;
}

static void add_token_text(struct maker *maker, const char *key, size_t id)
{
    struct gguf_text text = text_of(maker, id);

    json_writer_bytes(&maker->json, key, text.bytes, text.length);
}

/* ---- added tokens ---- */

static void add_added_tokens(struct maker *maker)
{
    struct json_writer *json = &maker->json;

    json_writer_array(json, "added_tokens");
    for (size_t i = 0; i < maker->tokens.n_items; i++) {
        const struct gguf_token *token = &maker->tokens.items[i];

        if (!gguf_token_is_added(token))
            continue;
        json_writer_object(json, NULL);
        json_writer_size(json, "id", i);
        add_token_text(maker, "content", i);
        json_writer_bool(json, "single_word", false);
        json_writer_bool(json, "lstrip", token->lstrip);
        json_writer_bool(json, "rstrip", token->rstrip);
        json_writer_bool(json, "normalized", token->normalized);
        json_writer_bool(json, "special", token->type != GGUF_TOKEN_USER);
        json_writer_end(json);
    }
    json_writer_end(json);
}

/* ---- normalizer ---- */

static void add_bert_normalizer(struct maker *maker)
{
    struct json_writer *json = &maker->json;

    add_type(json, "normalizer", "BertNormalizer");
    json_writer_bool(json, "clean_text", true);
    json_writer_bool(json, "handle_chinese_chars", true);
    if (maker->tokens.strips_accents < 0)
        json_writer_null(json, "strip_accents");
    else
        json_writer_bool(json, "strip_accents", maker->tokens.strips_accents);
    json_writer_bool(json, "lowercase", maker->tokens.lowers);
    json_writer_end(json);
}

static void add_unigram_normalizer(struct maker *maker)
{
    struct json_writer *json = &maker->json;
    const struct gguf_value *map = maker->tokens.charsmap;

    if (!map && !maker->tokens.merges_spaces) {
        json_writer_null(json, "normalizer");
        return;
    }
    add_type(json, "normalizer", "Sequence");
    json_writer_array(json, "normalizers");
    if (map) {
        struct buffer base64 = {0};

        base64_encode(map->items, map->n_items, &base64);
        add_type(json, NULL, "Precompiled");
        json_writer_bytes(json, "precompiled_charsmap", base64.data, base64.size);
        json_writer_end(json);
        buffer_release(&base64);
    }
    if (maker->tokens.merges_spaces) {
        add_type(json, NULL, "Strip");
        json_writer_bool(json, "strip_left", false);
        json_writer_bool(json, "strip_right", true);
        json_writer_end(json);
        sentencepiece_add_replace(json, NULL, "Regex", " {2,}", SENTENCEPIECE_SPACE);
    }
    json_writer_end(json);
    json_writer_end(json);
}

static void add_normalizer(struct maker *maker)
{
    switch (maker->tokens.kind) {
    case GGUF_KIND_SCORES:
        sentencepiece_add_normalizer(&maker->json, maker->tokens.adds_space);
        break;
    case GGUF_KIND_WORDS: add_bert_normalizer(maker); break;
    case GGUF_KIND_UNIGRAM: add_unigram_normalizer(maker); break;
    case GGUF_KIND_MERGES:
        if (maker->tokens.pre->is_plain)
            sentencepiece_add_normalizer(&maker->json, false);
        else
            json_writer_null(&maker->json, "normalizer");
        break;
    }
}

/* ---- pre-tokenizer and decoder ---- */

static void add_metaspace(struct maker *maker, const char *key)
{
    bool is_first_too = maker->tokens.adds_space || maker->tokens.merges_spaces;

    sentencepiece_add_metaspace(&maker->json, key, is_first_too ? "always" : "never", true);
}

static void add_pre_tokenizer(struct maker *maker)
{
    struct json_writer *json = &maker->json;
    struct buffer pre = {0};

    switch (maker->tokens.kind) {
    case GGUF_KIND_SCORES: json_writer_null(json, "pre_tokenizer"); break;
    case GGUF_KIND_WORDS:
        add_type(json, "pre_tokenizer", "BertPreTokenizer");
        json_writer_end(json);
        break;
    case GGUF_KIND_UNIGRAM: add_metaspace(maker, "pre_tokenizer"); break;
    case GGUF_KIND_MERGES:
        gguf_pre_describe(maker->tokens.pre, &pre);
        json_writer_raw(json, "pre_tokenizer", pre.data);
        break;
    }
    buffer_release(&pre);
}

static void add_decoder(struct maker *maker)
{
    struct json_writer *json = &maker->json;
    const struct gguf_tokens *tokens = &maker->tokens;

    if (tokens->kind == GGUF_KIND_SCORES || (tokens->pre && tokens->pre->is_plain)) {
        sentencepiece_add_decoder(json, tokens->kind == GGUF_KIND_SCORES && tokens->adds_space);
    } else if (tokens->kind == GGUF_KIND_WORDS) {
        add_type(json, "decoder", "WordPiece");
        json_writer_string(json, "prefix", "##");
        json_writer_bool(json, "cleanup", true);
        json_writer_end(json);
    } else if (tokens->kind == GGUF_KIND_UNIGRAM) {
        add_metaspace(maker, "decoder");
    } else {
        add_type(json, "decoder", "ByteLevel");
        json_writer_bool(json, "add_prefix_space", true);
        json_writer_bool(json, "trim_offsets", true);
        json_writer_bool(json, "use_regex", true);
        json_writer_end(json);
    }
}

/* ---- what stands around a text ---- */

enum { N_PARTS_MAX = 8 };

struct part { /* id GGUF_NO_TOKEN: a text */
    size_t id;
    const char *text;
    unsigned type;
};

/* Begin A end, then separator B end, as llama.cpp has it for rerankers; without an end, begin A
 * begin B, which is how decoders have it elsewhere. */
static size_t list_parts(const struct maker *maker, bool is_pair, struct part *parts)
{
    const struct gguf_tokens *tokens = &maker->tokens;
    bool is_words = tokens->kind == GGUF_KIND_WORDS;
    size_t first = is_words ? tokens->specials[GGUF_CLASS]
                   : tokens->adds_begin ? tokens->specials[GGUF_BEGIN] : GGUF_NO_TOKEN;
    size_t last = is_words ? tokens->specials[GGUF_SEPARATOR]
                  : tokens->adds_end ? tokens->specials[GGUF_END] : GGUF_NO_TOKEN;
    size_t between = !is_words && tokens->adds_separator ? tokens->specials[GGUF_SEPARATOR]
                                                         : GGUF_NO_TOKEN;
    bool begins_twice = last == GGUF_NO_TOKEN;
    unsigned second = is_words || begins_twice ? 1 : 0;
    size_t n = 0;

    if (first != GGUF_NO_TOKEN)
        parts[n++] = (struct part){first, NULL, 0};
    parts[n++] = (struct part){GGUF_NO_TOKEN, "A", 0};
    if (last != GGUF_NO_TOKEN)
        parts[n++] = (struct part){last, NULL, 0};
    if (!is_pair)
        return n;
    if (between != GGUF_NO_TOKEN)
        parts[n++] = (struct part){between, NULL, 0};
    if (begins_twice && first != GGUF_NO_TOKEN)
        parts[n++] = (struct part){first, NULL, second};
    parts[n++] = (struct part){GGUF_NO_TOKEN, "B", second};
    if (last != GGUF_NO_TOKEN)
        parts[n++] = (struct part){last, NULL, second};
    return n;
}

static void add_parts(struct maker *maker, const char *key, const struct part *parts, size_t n)
{
    struct json_writer *json = &maker->json;

    json_writer_array(json, key);
    for (size_t i = 0; i < n; i++) {
        json_writer_object(json, NULL);
        json_writer_object(json, parts[i].text ? "Sequence" : "SpecialToken");
        if (parts[i].text)
            json_writer_string(json, "id", parts[i].text);
        else
            add_token_text(maker, "id", parts[i].id);
        json_writer_size(json, "type_id", parts[i].type);
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
}

static bool occurs_before(const struct part *parts, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (parts[j].id == parts[i].id)
            return true;
    return false;
}

static void add_special_id(struct json_writer *json, struct gguf_text text, size_t id)
{
    json_writer_object(json, text.bytes);
    json_writer_bytes(json, "id", text.bytes, text.length);
    json_writer_array(json, "ids");
    json_writer_size(json, NULL, id);
    json_writer_end(json);
    json_writer_array(json, "tokens");
    json_writer_bytes(json, NULL, text.bytes, text.length);
    json_writer_end(json);
    json_writer_end(json);
}

static int add_special_ids(struct maker *maker, const struct part *parts, size_t n,
                           struct error *err)
{
    json_writer_object(&maker->json, "special_tokens");
    for (size_t i = 0; i < n; i++) {
        struct gguf_text text;

        if (parts[i].text || occurs_before(parts, i))
            continue;
        text = text_of(maker, parts[i].id);
        if (memchr(text.bytes, 0, text.length))
            return error_set(err, ERROR_FORMAT, "'tokenizer.ggml.tokens': item %zu, which stands "
                             "around texts, holds a NUL", parts[i].id);
        add_special_id(&maker->json, text, parts[i].id);
    }
    json_writer_end(&maker->json);
    return 0;
}

static int add_post_processor(struct maker *maker, struct error *err)
{
    struct part single[N_PARTS_MAX], pair[N_PARTS_MAX];
    size_t n_single = list_parts(maker, false, single), n_pair = list_parts(maker, true, pair);
    int rc;

    if (n_pair == 2) { /* the texts alone */
        json_writer_null(&maker->json, "post_processor");
        return 0;
    }
    add_type(&maker->json, "post_processor", "TemplateProcessing");
    add_parts(maker, "single", single, n_single);
    add_parts(maker, "pair", pair, n_pair);
    rc = add_special_ids(maker, pair, n_pair, err);
    json_writer_end(&maker->json);
    return rc;
}

/* ---- model ---- */

/* {"token": id, …} of all that are no fillers. */
static void add_vocabulary(struct maker *maker)
{
    struct buffer vocab = {0};

    buffer_add_char(&vocab, '{');
    for (size_t i = 0; i < maker->tokens.n_items; i++) {
        struct gguf_text text = text_of(maker, i);

        if (maker->tokens.items[i].is_filler)
            continue;
        if (vocab.size > 1)
            buffer_add_char(&vocab, ',');
        json_add_bytes(&vocab, text.bytes, text.length);
        buffer_format(&vocab, ":%zu", i);
    }
    buffer_add_char(&vocab, '}');
    json_writer_raw(&maker->json, "vocab", vocab.data);
    buffer_release(&vocab);
}

static void add_pair(struct buffer *out, struct gguf_text left, struct gguf_text right)
{
    buffer_add_text(out, out->size > 1 ? ",[" : "[");
    json_add_bytes(out, left.bytes, left.length);
    buffer_add_char(out, ',');
    json_add_bytes(out, right.bytes, right.length);
    buffer_add_char(out, ']');
}

/* A merge "left right" is cut at its first space behind its first byte. */
static int cut_merge(const struct maker *maker, size_t i, struct gguf_text *left,
                     struct gguf_text *right, struct error *err)
{
    struct gguf_text merge = gguf_text(maker->tokens.merges, i);
    const char *space = merge.length > 1 ? memchr(merge.bytes + 1, ' ', merge.length - 1) : NULL;
    size_t n = space ? (size_t)(space - merge.bytes) : 0;
    struct buffer joined = {0};
    bool is_known = false;

    if (space) {
        *left = (struct gguf_text){merge.bytes, n};
        *right = (struct gguf_text){space + 1, merge.length - n - 1};
        buffer_add(&joined, left->bytes, left->length);
        buffer_add(&joined, right->bytes, right->length);
        is_known = hash_map_find(&maker->tokens.by_text, left->bytes, left->length) &&
                   hash_map_find(&maker->tokens.by_text, right->bytes, right->length) &&
                   hash_map_find(&maker->tokens.by_text, joined.data, joined.size);
        buffer_release(&joined);
    }
    if (!space)
        return error_set(err, ERROR_FORMAT, "'tokenizer.ggml.merges': item %zu, '" ERROR_NAME
                         "', is no pair", i, merge.bytes);
    if (!is_known)
        return error_set(err, ERROR_FORMAT, "'tokenizer.ggml.merges': item %zu, '" ERROR_NAME
                         "', is not of tokens that make a token", i, merge.bytes);
    return 0;
}

/* Of a pair that is there twice the first counts, for llama.cpp; Hugging Face takes the last. */
static int add_merges(struct maker *maker, struct error *err)
{
    const struct gguf_value *list = maker->tokens.merges;
    struct hash_map seen = {0};
    struct buffer merges = {0};
    int rc = 0;

    buffer_add_char(&merges, '[');
    for (size_t i = 0; rc == 0 && i < list->n_items; i++) {
        struct gguf_text merge = gguf_text(list, i), left, right;

        rc = cut_merge(maker, i, &left, &right, err);
        if (rc == 0 && hash_map_add(&seen, merge.bytes, merge.length, i) == i)
            add_pair(&merges, left, right);
    }
    buffer_add_char(&merges, ']');
    json_writer_raw(&maker->json, "merges", merges.data);
    buffer_release(&merges);
    hash_map_release(&seen);
    return rc;
}

static int derive_merges(struct maker *maker, struct token_table *table, struct bpe_merges *merges,
                         struct error *err)
{
    double *scores = memory_try(maker->tokens.n_items, sizeof *scores, "the scores", err);
    int rc = scores ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < maker->tokens.n_items; i++) {
        struct gguf_text text = text_of(maker, i);
        uint32_t entry;

        if (maker->tokens.items[i].is_filler)
            continue;
        rc = token_table_put(table, text.bytes, text.length, i, &entry, err);
        if (rc == 0)
            scores[entry] = gguf_number(maker->tokens.scores, i);
    }
    if (rc == 0) {
        bpe_merges_derive(merges, table, scores);
        if (merges->problem)
            rc = error_set(err, ERROR_FORMAT, "'tokenizer.ggml.tokens': cannot derive the merges: "
                           "%s", merges->problem);
    }
    free(scores);
    return rc;
}

static int add_scored_merges(struct maker *maker, struct error *err)
{
    struct token_table table = {0};
    struct bpe_merges merges = {0};
    struct buffer text = {0};
    int rc = derive_merges(maker, &table, &merges, err);

    buffer_add_char(&text, '[');
    for (size_t i = 0; rc == 0 && i < merges.n_items; i++)
        add_pair(&text, text_of(maker, merges.items[i].left),
                 text_of(maker, merges.items[i].right));
    buffer_add_char(&text, ']');
    json_writer_raw(&maker->json, "merges", text.data);
    buffer_release(&text);
    bpe_merges_release(&merges);
    token_table_release(&table);
    return rc;
}

static int add_bpe(struct maker *maker, struct error *err)
{
    struct json_writer *json = &maker->json;
    bool has_scores = maker->tokens.kind == GGUF_KIND_SCORES;
    bool falls_back = has_scores || maker->tokens.pre->is_plain;

    json_writer_null(json, "dropout");
    if (falls_back && maker->tokens.specials[GGUF_UNKNOWN] != GGUF_NO_TOKEN)
        add_token_text(maker, "unk_token", maker->tokens.specials[GGUF_UNKNOWN]);
    else
        json_writer_null(json, "unk_token");
    json_writer_null(json, "continuing_subword_prefix");
    json_writer_null(json, "end_of_word_suffix");
    json_writer_bool(json, "fuse_unk", falls_back);
    json_writer_bool(json, "byte_fallback", falls_back);
    json_writer_bool(json, "ignore_merges", !has_scores && maker->tokens.pre->ignores_merges);
    add_vocabulary(maker);
    return has_scores ? add_scored_merges(maker, err) : add_merges(maker, err);
}

static void add_word_piece(struct maker *maker)
{
    struct json_writer *json = &maker->json;

    add_token_text(maker, "unk_token", maker->tokens.specials[GGUF_UNKNOWN]);
    json_writer_string(json, "continuing_subword_prefix", "##");
    json_writer_size(json, "max_input_chars_per_word", 100);
    add_vocabulary(maker);
}

/* Scores of what is found before the model sees a text do not count, but would be the worst. */
static void add_unigram(struct maker *maker)
{
    struct json_writer *json = &maker->json;
    struct buffer pieces = {0};

    buffer_add_char(&pieces, '[');
    for (size_t i = 0; i < maker->tokens.n_items; i++) {
        struct gguf_text text = text_of(maker, i);
        enum gguf_token_type type = maker->tokens.items[i].type;

        buffer_add_text(&pieces, i ? ",[" : "[");
        json_add_bytes(&pieces, text.bytes, text.length);
        buffer_add_char(&pieces, ',');
        json_add_number(&pieces, type == GGUF_TOKEN_NORMAL
                                     ? gguf_number(maker->tokens.scores, i) : 0);
        buffer_add_char(&pieces, ']');
    }
    buffer_add_char(&pieces, ']');
    json_writer_size(json, "unk_id", maker->tokens.specials[GGUF_UNKNOWN]);
    json_writer_raw(json, "vocab", pieces.data);
    json_writer_bool(json, "byte_fallback", false);
    buffer_release(&pieces);
}

static int add_model(struct maker *maker, struct error *err)
{
    static const char *const types[] = {[GGUF_KIND_SCORES] = "BPE", [GGUF_KIND_MERGES] = "BPE",
                                        [GGUF_KIND_WORDS] = "WordPiece",
                                        [GGUF_KIND_UNIGRAM] = "Unigram"};
    int rc = 0;

    add_type(&maker->json, "model", types[maker->tokens.kind]);
    if (maker->tokens.kind == GGUF_KIND_WORDS)
        add_word_piece(maker);
    else if (maker->tokens.kind == GGUF_KIND_UNIGRAM)
        add_unigram(maker);
    else
        rc = add_bpe(maker, err);
    json_writer_end(&maker->json);
    return rc;
}

/* ---- the files ---- */

static void add_file(struct folder *folder, const char *name, struct buffer *text)
{
    folder_add(folder, name, text->data, text->size); /* moved */
    *text = (struct buffer){0};
}

static int add_tokenizer(struct maker *maker, struct folder *folder, struct error *err)
{
    struct json_writer *json = &maker->json;
    int rc;

    *json = (struct json_writer){.out = &maker->text};
    json_writer_object(json, NULL);
    json_writer_string(json, "version", "1.0");
    json_writer_null(json, "truncation");
    json_writer_null(json, "padding");
    add_added_tokens(maker);
    add_normalizer(maker);
    add_pre_tokenizer(maker);
    rc = add_post_processor(maker, err);
    if (rc == 0) {
        add_decoder(maker);
        rc = add_model(maker, err);
    }
    if (rc)
        return -1;
    json_writer_end(json);
    add_file(folder, "tokenizer.json", &maker->text);
    return 0;
}

static void add_config(struct maker *maker, struct folder *folder)
{
    struct json_writer *json = &maker->json;
    bool has_types = maker->tokens.kind == GGUF_KIND_WORDS;

    *json = (struct json_writer){.out = &maker->text};
    json_writer_object(json, NULL);
    json_writer_string(json, "tokenizer_class", "PreTrainedTokenizerFast");
    for (size_t i = 0; i < GGUF_SPECIALS; i++)
        if (maker->tokens.specials[i] != GGUF_NO_TOKEN)
            add_token_text(maker, gguf_special_names[i].name, maker->tokens.specials[i]);
    json_writer_bool(json, "clean_up_tokenization_spaces", false);
    json_writer_array(json, "model_input_names");
    json_writer_string(json, NULL, "input_ids");
    if (has_types)
        json_writer_string(json, NULL, "token_type_ids");
    json_writer_string(json, NULL, "attention_mask");
    json_writer_end(json);
    json_writer_end(json);
    add_file(folder, "tokenizer_config.json", &maker->text);
}

int gguf_tokenizer_add(const struct gguf *gguf, struct folder *folder, struct error *err)
{
    struct maker maker = {.gguf = gguf};
    int rc = gguf_tokens_read(&maker.tokens, gguf, err);

    if (rc == 0 && maker.tokens.is_there) {
        rc = add_tokenizer(&maker, folder, err);
        if (rc == 0)
            add_config(&maker, folder);
    }
    if (rc == 0)
        rc = gguf_templates_add(gguf, folder, err);
    if (rc)
        error_context(err, "'%s'", folder->path);
    buffer_release(&maker.text);
    gguf_tokens_release(&maker.tokens);
    return rc;
}
