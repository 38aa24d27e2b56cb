/* tokenizer_fallback.c - one builder per kind of file, chosen by the file that is there.
 *
 * Components are written as JSON text; what differs between classes of tokenizers is a row of a
 * table or a short function. */
#include "tokenizer_fallback.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/folder_hint.h"
#include "base/json.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "base/wire.h"
#include "text/bpe.h"
#include "text/bpe_merges.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

#define LOWER_ONE "\xe2\x96\x81" /* U+2581, what sentencepiece writes for a space */

static const size_t file_bytes_max = 100 * 1000 * 1000;

struct source {
    const struct folder *folder;
    const char *directory;
    const struct tokenizer_config *config;
    char *text; /* of the file that was found */
    size_t size;
};

static const char *const qwen_classes[] = {"Qwen2", NULL};
static const char *const roberta_classes[] = {"Roberta", "Bart", "Longformer", "LED", NULL};
static const char *const gpt2_classes[] = {"GPT2", "GPTNeoX", "CodeGen", NULL};
static const char *const llama_classes[] = {"Llama", "CodeLlama", NULL};
static const char *const gemma_classes[] = {"Gemma", NULL};
static const char *const xlmr_classes[] = {"XLMRoberta", NULL};
static const char *const t5_classes[] = {"T5", "MT5", NULL};
static const char *const mpnet_classes[] = {"MPNet", NULL};
static const char *const bert_classes[] = {"Bert", "DistilBert", "Electra", NULL};

/* -1, unless the map will do. */
static int refuse_class(struct tokenizer_fallback *fallback, const struct source *source,
                        const char *file, struct error *err)
{
    fallback->is_guess = fallback->map_only;
    if (fallback->map_only)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s': a %s for a tokenizer of class '" ERROR_NAME "' "
                     "is not known; a tokenizer.json is needed", source->folder->path, file,
                     source->config->class_name);
}

/* Whether the class is given and in none of the lists. */
static bool is_foreign(const struct source *source, const char *const *const *lists, size_t n_lists)
{
    for (size_t i = 0; i < n_lists; i++)
        if (tokenizer_config_is(source->config, lists[i]))
            return false;
    return source->config->class_name && *source->config->class_name;
}

static int need_token(const struct subword *subword, const char *token, uint32_t *id,
                      struct error *err)
{
    if (subword_find(subword, token, strlen(token), id))
        return 0;
    return error_set(err, ERROR_FORMAT, "token '%s' is not in the vocabulary", token);
}

/* As bpe_new, or a map. */
static struct subword *make_bpe(const struct tokenizer_fallback *fallback,
                                struct token_table *tokens, const struct bpe_merges *merges,
                                const struct bpe_settings *settings, struct error *err)
{
    return fallback->map_only ? subword_new_map(tokens, "BPE")
                              : bpe_new(tokens, merges, settings, err);
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

/* FIRST A LAST; and, for a pair, then [LAST] B LAST, the second text of this type. FIRST NULL:
 * none. */
static int add_template(struct buffer *out, const struct subword *subword, const char *first,
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

/* ---- vocab.txt ---- */

static const char *or_default(int flag, bool value)
{
    return (flag < 0 ? value : flag) ? "true" : "false";
}

static int make_bert(struct tokenizer_fallback *fallback, struct source *source, struct error *err)
{
    static const char *const *const known[] = {bert_classes, mpnet_classes};
    static const char *const specials[] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]", NULL};
    const struct tokenizer_config *config = source->config;
    bool is_mpnet = tokenizer_config_is(config, mpnet_classes);
    struct wordpiece_settings settings = wordpiece_bert_settings();
    struct token_table tokens = {0};
    struct buffer *out = &fallback->json;

    if (is_foreign(source, known, 2) && refuse_class(fallback, source, "vocab.txt", err))
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
    buffer_format(out, "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
                  "\"handle_chinese_chars\":%s,\"strip_accents\":%s,\"lowercase\":%s},"
                  "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
                  "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}",
                  or_default(config->tokenize_chinese_chars, true),
                  config->strip_accents < 0 ? "null" : or_default(config->strip_accents, false),
                  or_default(config->do_lower_case, true));
    if (fallback->map_only)
        ; /* no text will need a template */
    else if (is_mpnet ? add_template(out, fallback->subword, "<s>", "</s>", true, 0, err)
                      : add_template(out, fallback->subword, "[CLS]", "[SEP]", false, 1, err))
        return -1;
    buffer_add_char(out, '}');
    return 0;
}

/* ---- vocab.json and merges.txt ---- */

static int read_vocab_json(struct token_table *tokens, const struct source *source,
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
                       const struct source *source, struct error *err)
{
    char *path = folder_join(source->directory, "merges.txt"), *text;
    size_t size;
    int rc = -1;

    text = folder_read_text(source->folder, path, file_bytes_max, &size, err);
    if (text) {
        rc = bpe_merges_read_lines(merges, text, size, tokens, err);
        if (rc)
            error_context(err, "merges.txt");
    }
    free(text);
    free(path);
    return rc;
}

static int make_byte_level(struct tokenizer_fallback *fallback, struct source *source,
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

    if (is_foreign(source, known, 3) && refuse_class(fallback, source, "vocab.json", err))
        return -1;
    if (read_vocab_json(&tokens, source, err) ||
        (!fallback->map_only && read_merges(&merges, &tokens, source, err))) {
        token_table_release(&tokens);
        goto done;
    }
    fallback->subword = make_bpe(fallback, &tokens, &merges, &settings, err);
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
                      or_default(source->config->add_prefix_space, false));
    rc = is_roberta && !fallback->map_only
             ? add_template(out, fallback->subword, "<s>", "</s>", true, 0, err)
             : 0;
    buffer_add_char(out, '}');
done:
    bpe_merges_release(&merges);
    return rc;
}

/* ---- sentencepiece ---- */

struct piece_entry {
    const char *text;
    size_t length;
    double score;
    unsigned type; /* enum piece_type */
};

enum piece_type { PIECE_CONTROL = 3, PIECE_USER_DEFINED = 4 };
enum trainer_model { TRAINER_UNIGRAM = 1, TRAINER_BPE = 2 };

struct proto { /* ModelProto */
    struct piece_entry *pieces;
    size_t n_pieces, capacity;
    unsigned model; /* enum trainer_model, or another number */
    size_t unk_id;
    struct wire charsmap;
};

static double float_from_bits(uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float value;

    memcpy(&value, &word, sizeof value);
    return value;
}

static int read_piece(struct proto *proto, struct wire message)
{
    struct piece_entry piece = {"", 0, 0, 1};
    struct wire_field field;
    int more;

    while ((more = wire_next(&message, &field)) > 0) {
        if (field.number == 1 && field.type == WIRE_BYTES) {
            piece.text = (const char *)field.bytes.bytes;
            piece.length = field.bytes.size;
        } else if (field.number == 2 && field.type == WIRE_FIXED32) {
            piece.score = float_from_bits(field.value);
        } else if (field.number == 3 && field.type == WIRE_VARINT) {
            piece.type = (unsigned)field.value;
        }
    }
    if (more < 0 || utf8_valid_prefix(piece.text, piece.length) < piece.length)
        return -1;
    if (proto->n_pieces == proto->capacity) {
        proto->capacity = proto->capacity ? 2 * proto->capacity : 1024;
        proto->pieces = memory_resize(proto->pieces, proto->capacity, sizeof *proto->pieces);
    }
    proto->pieces[proto->n_pieces++] = piece;
    return 0;
}

static int read_trainer(struct proto *proto, struct wire message)
{
    struct wire_field field;
    int more;

    while ((more = wire_next(&message, &field)) > 0)
        if (field.number == 3 && field.type == WIRE_VARINT)
            proto->model = (unsigned)field.value;
        else if (field.number == 40 && field.type == WIRE_VARINT)
            proto->unk_id = field.value;
    return more;
}

static int read_normalizer(struct proto *proto, struct wire message)
{
    struct wire_field field;
    int more;

    while ((more = wire_next(&message, &field)) > 0)
        if (field.number == 2 && field.type == WIRE_BYTES)
            proto->charsmap = field.bytes;
    return more;
}

static int read_proto(struct proto *proto, const struct source *source, struct error *err)
{
    struct wire wire = {(const unsigned char *)source->text, source->size, 0};
    struct wire_field field;
    int more, rc = 0;

    proto->model = TRAINER_UNIGRAM;
    while (rc == 0 && (more = wire_next(&wire, &field)) > 0) {
        if (field.type != WIRE_BYTES)
            continue;
        if (field.number == 1)
            rc = read_piece(proto, field.bytes);
        else if (field.number == 2)
            rc = read_trainer(proto, field.bytes);
        else if (field.number == 3)
            rc = read_normalizer(proto, field.bytes);
    }
    if (rc || more < 0 || proto->n_pieces == 0)
        return error_set(err, ERROR_FORMAT, "at byte %zu: not a sentencepiece model",
                         wire.position);
    return 0;
}

/* CONTROL pieces are special added tokens, USER_DEFINED ones are not special. */
static void add_added_tokens(struct buffer *out, const struct proto *proto,
                             const char *const *special)
{
    bool is_first = true;

    buffer_add_text(out, ",\"added_tokens\":[");
    for (size_t i = 0; i < proto->n_pieces; i++) {
        const struct piece_entry *piece = &proto->pieces[i];

        if (piece->type != PIECE_CONTROL && piece->type != PIECE_USER_DEFINED)
            continue;
        buffer_format(out, "%s{\"id\":%zu,\"content\":", is_first ? "" : ",", i);
        json_add_bytes(out, piece->text, piece->length);
        buffer_format(out, ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                      "\"normalized\":false,\"special\":%s}",
                      piece->type == PIECE_CONTROL ? "true" : "false");
        is_first = false;
    }
    for (size_t i = 0; special && special[i]; i++) {
        buffer_format(out, "%s{\"id\":0,\"content\":", is_first ? "" : ",");
        json_add_string(out, special[i]);
        buffer_format(out, ",\"single_word\":false,\"lstrip\":%s,\"rstrip\":false,"
                      "\"normalized\":false,\"special\":true}",
                      strcmp(special[i], "<mask>") == 0 ? "true" : "false");
        is_first = false;
    }
    buffer_add_char(out, ']');
}

/* BPE with merges derived from the scores. */
static struct subword *make_scored_bpe(const struct tokenizer_fallback *fallback,
                                       const struct proto *proto, struct error *err)
{
    static const struct bpe_settings settings = {
        .unk_token = {"<unk>", 5}, .fuse_unk = true, .byte_fallback = true};
    double *scores = memory_zalloc(proto->n_pieces, sizeof *scores);
    struct token_table tokens = {0};
    struct bpe_merges merges = {0};
    struct subword *subword = NULL;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < proto->n_pieces; i++) {
        const struct piece_entry *piece = &proto->pieces[i];
        uint32_t entry;

        if (isnan(piece->score) && !fallback->map_only) /* nothing can be sorted by it */
            rc = error_set(err, ERROR_FORMAT, "the score of piece %zu is not a number", i);
        else
            rc = token_table_put(&tokens, piece->text, piece->length, i, &entry, err);
        if (rc == 0)
            scores[entry] = piece->score;
    }
    if (rc == 0) {
        if (!fallback->map_only)
            bpe_merges_derive(&merges, &tokens, scores);
        subword = make_bpe(fallback, &tokens, &merges, &settings, err);
    } else {
        token_table_release(&tokens);
    }
    bpe_merges_release(&merges);
    free(scores);
    return subword;
}

static int make_llama(struct tokenizer_fallback *fallback, const struct source *source,
                      const struct proto *proto, struct error *err)
{
    static const char *const specials[] = {"<unk>", "<s>", "</s>", NULL};
    struct buffer *out = &fallback->json;
    bool is_gemma = tokenizer_config_is(source->config, gemma_classes);

    fallback->subword = make_scored_bpe(fallback, proto, err);
    if (!fallback->subword)
        return -1;
    fallback->specials = is_gemma || fallback->is_guess ? NULL : specials;
    if (is_gemma)
        buffer_add_text(out, "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
                        "\"content\":\"" LOWER_ONE "\"},\"pre_tokenizer\":{\"type\":\"Split\","
                        "\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\","
                        "\"invert\":false}");
    else if (source->config->legacy == 0)
        buffer_add_text(out, "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" LOWER_ONE
                        "\",\"prepend_scheme\":\"first\",\"split\":false}");
    else
        buffer_add_text(out, "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
                        "\"Prepend\",\"prepend\":\"" LOWER_ONE "\"},{\"type\":\"Replace\","
                        "\"pattern\":{\"String\":\" \"},\"content\":\"" LOWER_ONE "\"}]}");
    buffer_format(out, ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
                  "\"pattern\":{\"String\":\"" LOWER_ONE "\"},\"content\":\" \"},{\"type\":"
                  "\"ByteFallback\"},{\"type\":\"Fuse\"}%s]}",
                  is_gemma ? "" : ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}");
    add_added_tokens(out, proto, NULL);
    buffer_add_char(out, '}');
    return 0;
}

/* fairseq's order: four tokens of its own, then the pieces from the fourth on, then <mask>. */
static int add_xlmr_pieces(struct unigram_pieces *pieces, const struct proto *proto,
                           struct error *err)
{
    static const char *const first[] = {"<s>", "<pad>", "</s>", "<unk>"};

    for (size_t i = 0; i < 4; i++)
        if (unigram_add_piece(pieces, first[i], strlen(first[i]), 0, err))
            return -1;
    for (size_t i = 3; i < proto->n_pieces; i++)
        if (unigram_add_piece(pieces, proto->pieces[i].text, proto->pieces[i].length,
                              proto->pieces[i].score, err))
            return -1;
    return unigram_add_piece(pieces, "<mask>", 6, 0, err);
}

/* T5 has `n_extra` tokens of its own behind the pieces, <extra_id_0> being the last. */
static int add_plain_pieces(struct unigram_pieces *pieces, const struct proto *proto,
                            size_t n_extra, struct error *err)
{
    for (size_t i = 0; i < proto->n_pieces; i++)
        if (unigram_add_piece(pieces, proto->pieces[i].text, proto->pieces[i].length,
                              proto->pieces[i].score, err))
            return -1;
    while (n_extra > 0) {
        char token[48];

        snprintf(token, sizeof token, "<extra_id_%zu>", --n_extra);
        if (unigram_add_piece(pieces, token, strlen(token), 0, err))
            return -1;
    }
    return 0;
}

static void add_unigram_components(struct buffer *out, const struct proto *proto)
{
    buffer_add_text(out, "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
    if (proto->charsmap.size) {
        buffer_add_text(out, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
        base64_encode(proto->charsmap.bytes, proto->charsmap.size, out);
        buffer_add_text(out, "\"},");
    }
    buffer_add_text(out, "{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},"
                    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"" LOWER_ONE
                    "\"}]},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" LOWER_ONE
                    "\",\"prepend_scheme\":\"always\",\"split\":true},\"decoder\":{\"type\":"
                    "\"Metaspace\",\"replacement\":\"" LOWER_ONE "\",\"prepend_scheme\":\"always\","
                    "\"split\":true}");
}

static int make_unigram(struct tokenizer_fallback *fallback, const struct source *source,
                        const struct proto *proto, bool is_xlmr, struct error *err)
{
    static const char *const xlmr_specials[] = {"<pad>", "<mask>", NULL};
    static const char *const specials[] = {"<unk>", "<s>", "</s>", NULL};
    bool is_t5 = tokenizer_config_is(source->config, t5_classes);
    struct unigram_settings settings = {true, is_xlmr ? 3 : proto->unk_id, false};
    struct unigram_pieces pieces = {0};
    struct buffer *out = &fallback->json;
    int rc = 0;

    if (is_xlmr ? add_xlmr_pieces(&pieces, proto, err)
                : add_plain_pieces(&pieces, proto, is_t5 ? source->config->n_extra_ids : 0, err)) {
        unigram_release_pieces(&pieces);
        return -1;
    }
    if (fallback->map_only) {
        fallback->subword = subword_new_map(&pieces.tokens, "Unigram");
        unigram_release_pieces(&pieces);
    } else {
        fallback->subword = unigram_new(&pieces, &settings, err);
    }
    if (!fallback->subword)
        return -1;
    fallback->specials = is_t5 || fallback->is_guess ? NULL : specials;
    add_unigram_components(out, proto);
    add_added_tokens(out, proto, is_xlmr ? xlmr_specials : NULL);
    if (fallback->map_only)
        ; /* no text will need a template */
    else if (is_xlmr)
        rc = add_template(out, fallback->subword, "<s>", "</s>", true, 0, err);
    else if (is_t5)
        rc = add_template(out, fallback->subword, NULL, "</s>", false, 0, err);
    buffer_add_char(out, '}');
    return rc;
}

static int make_tiktoken(struct tokenizer_fallback *fallback, struct source *source,
                         struct error *err);

static int make_from_proto(struct tokenizer_fallback *fallback, struct source *source,
                           bool is_xlmr_file, struct error *err)
{
    static const char *const *const known[] = {llama_classes, gemma_classes, xlmr_classes,
                                               t5_classes};
    struct proto proto = {0};
    int rc = read_proto(&proto, source, err);

    if (rc == 0 && is_foreign(source, known, 4))
        rc = refuse_class(fallback, source, fallback->file, err);
    if (rc == 0 && proto.model == TRAINER_BPE)
        rc = make_llama(fallback, source, &proto, err);
    else if (rc == 0 && (proto.model == TRAINER_UNIGRAM || fallback->map_only))
        rc = make_unigram(fallback, source, &proto,
                          !fallback->is_guess &&
                              (is_xlmr_file || tokenizer_config_is(source->config, xlmr_classes)),
                          err);
    else if (rc == 0)
        rc = error_set(err, ERROR_UNSUPPORTED, "sentencepiece model of type %u", proto.model);
    free(proto.pieces);
    return rc;
}

static int make_sentencepiece(struct tokenizer_fallback *fallback, struct source *source,
                              struct error *err)
{
    struct error as_proto = {0};

    if (make_from_proto(fallback, source, false, &as_proto) == 0)
        return 0;
    /* Llama 3 gives the name tokenizer.model to a tiktoken file. */
    if (as_proto.code == ERROR_FORMAT && !fallback->subword &&
        utf8_valid_prefix(source->text, source->size) == source->size)
        return make_tiktoken(fallback, source, err);
    return error_set(err, as_proto.code, "%s", as_proto.text);
}

static int make_xlmr(struct tokenizer_fallback *fallback, struct source *source, struct error *err)
{
    return make_from_proto(fallback, source, true, err);
}

/* ---- tiktoken and tekken: base64 bytes with ranks ---- */

static int put_bytes(struct token_table *tokens, const char *base64, size_t n, size_t id,
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

/* Lines "base64 rank". */
static int read_ranks(struct token_table *tokens, const struct source *source, struct error *err)
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
        if (put_bytes(tokens, at, (size_t)(space - at), rank, err))
            return error_context(err, "line %zu", line);
        at = end + 1;
    }
    return tokens->n_entries ? 0 : error_set(err, ERROR_FORMAT, "no tokens in it");
}

static void add_split_components(struct buffer *out, const char *pattern)
{
    buffer_add_text(out, "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                    "\"Split\",\"pattern\":{\"Regex\":");
    json_add_string(out, pattern);
    buffer_add_text(out, "},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\","
                    "\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]},"
                    "\"decoder\":{\"type\":\"ByteLevel\"},\"added_tokens\":[");
}

static void add_special_token(struct buffer *out, const char *content, bool is_first)
{
    buffer_format(out, "%s{\"id\":0,\"content\":", is_first ? "" : ",");
    json_add_string(out, content);
    buffer_add_text(out, ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                    "\"normalized\":false,\"special\":true}");
}

/* The 256 special tokens of Llama 3, in the order of their ids. */
static void add_llama3_specials(struct buffer *out)
{
    static const char *const first[] = {
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
        "<|reserved_special_token_1|>", "<|reserved_special_token_2|>",
        "<|reserved_special_token_3|>", "<|start_header_id|>", "<|end_header_id|>",
        "<|reserved_special_token_4|>", "<|eot_id|>",
    };

    for (size_t i = 0; i < 256; i++) {
        char name[48];

        snprintf(name, sizeof name, "<|reserved_special_token_%zu|>", i - 5);
        add_special_token(out, i < 10 ? first[i] : name, i == 0);
    }
}

static int make_tiktoken(struct tokenizer_fallback *fallback, struct source *source,
                         struct error *err)
{
    static const char pattern[] =
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
        "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    static const struct bpe_settings settings = {.ignore_merges = true};
    struct token_table tokens = {0};
    struct bpe_merges merges = {0};

    if (read_ranks(&tokens, source, err)) {
        token_table_release(&tokens);
        return -1;
    }
    if (!fallback->map_only)
        bpe_merges_derive(&merges, &tokens, NULL);
    fallback->subword = make_bpe(fallback, &tokens, &merges, &settings, err);
    bpe_merges_release(&merges);
    if (!fallback->subword)
        return -1;
    add_split_components(&fallback->json, pattern);
    add_llama3_specials(&fallback->json);
    buffer_add_text(&fallback->json, "]}");
    return 0;
}

/* ids 0 … n_special-1 are special tokens: named ones, then <SPECIAL_i>. */
static int add_tekken_specials(struct token_table *tokens, const cJSON *json, size_t n_special,
                               struct buffer *out, struct error *err)
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
        add_special_token(out, name, i == 0);
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
        if (put_bytes(tokens, bytes, strlen(bytes), rank + n_special, err))
            return -1;
    }
    return 0;
}

static int make_tekken(struct tokenizer_fallback *fallback, struct source *source,
                       struct error *err)
{
    static const struct bpe_settings settings = {.ignore_merges = true};
    cJSON *json = json_parse(source->text, source->size, err);
    const cJSON *config = json_find(json, "config");
    const char *pattern = json_find_string(config, "pattern");
    struct token_table tokens = {0};
    struct bpe_merges merges = {0};
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
    add_split_components(&fallback->json, pattern);
    /* The special tokens come last: they are no parts to merge from. */
    if (read_tekken(&tokens, json, n_all > n_special ? n_all - n_special : 0, n_special, err))
        goto done;
    if (!fallback->map_only)
        bpe_merges_derive(&merges, &tokens, NULL);
    if (add_tekken_specials(&tokens, json, n_special, &fallback->json, err))
        goto done;
    buffer_add_text(&fallback->json, "]}");
    fallback->subword = make_bpe(fallback, &tokens, &merges, &settings, err);
    tokens = (struct token_table){0};
    rc = fallback->subword ? 0 : -1;
done:
    token_table_release(&tokens);
    bpe_merges_release(&merges);
    cJSON_Delete(json);
    return rc;
}

/* ---- which file ---- */

int tokenizer_fallback_check_pointer(const char *text, struct error *err)
{
    if (strncmp(text, "version https://git-lfs", 23) != 0)
        return 0;
    return error_set(err, ERROR_FORMAT, "a Git LFS pointer, not the file; fetch it with 'git lfs "
                     "pull'");
}

static const struct {
    const char *name;
    int (*make)(struct tokenizer_fallback *fallback, struct source *source, struct error *err);
} builders[] = {
    {"vocab.txt", make_bert},
    {"vocab.json", make_byte_level},
    {"tokenizer.model", make_sentencepiece},
    {"spiece.model", make_sentencepiece},
    {"sentencepiece.bpe.model", make_xlmr},
    {"tekken.json", make_tekken},
};

static int no_tokenizer(const struct folder *folder, const char *directory, struct error *err)
{
    static const char *const names[] = {"tokenizer.json", "vocab.txt", "vocab.json",
                                        "tokenizer.model", "spiece.model",
                                        "sentencepiece.bpe.model", "tekken.json", NULL};
    char *hint = folder_hint(folder, directory, "a tokenizer", names, false);

    error_set(err, ERROR_FORMAT, "'%s%s%s': no tokenizer in it (looked for tokenizer.json, "
              "vocab.txt, vocab.json, tokenizer.model, spiece.model, "
              "sentencepiece.bpe.model, tekken.json)%s", folder->path, *directory ? "/" : "",
              directory, hint);
    free(hint);
    return -1;
}

/* The row of the file that is there; SIZE_MAX: none is. */
static size_t find_builder(const struct folder *folder, const char *directory)
{
    for (size_t i = 0; i < sizeof builders / sizeof *builders; i++) {
        char *path = folder_join(directory, builders[i].name);
        bool is_there = folder_look(folder, path) != FOLDER_ABSENT;

        free(path);
        if (is_there)
            return i;
    }
    return SIZE_MAX;
}

const char *tokenizer_fallback_find(const struct folder *folder, const char *directory)
{
    size_t i = find_builder(folder, directory);

    return i == SIZE_MAX ? NULL : builders[i].name;
}

int tokenizer_fallback_make(struct tokenizer_fallback *fallback, const struct folder *folder,
                            const char *directory, const struct tokenizer_config *config,
                            struct error *err)
{
    struct source source = {folder, directory, config, NULL, 0};
    size_t i = find_builder(folder, directory);
    char *path;
    int rc = -1;

    if (i == SIZE_MAX)
        return no_tokenizer(folder, directory, err);
    path = folder_join(directory, builders[i].name);
    fallback->file = builders[i].name;
    source.text = folder_read_text(folder, path, file_bytes_max, &source.size, err);
    if (source.text) {
        if (tokenizer_fallback_check_pointer(source.text, err) == 0)
            rc = builders[i].make(fallback, &source, err);
        if (rc)
            error_context(err, "'%s/%s'", folder->path, path);
    }
    free(source.text);
    free(path);
    return rc;
}
