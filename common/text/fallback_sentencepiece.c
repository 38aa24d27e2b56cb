/* fallback_sentencepiece.c - the protobuf that sentencepiece writes: Llama and Gemma (BPE, merges
 * derived from the scores), XLM-RoBERTa and T5 (Unigram). */
#include "fallback_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "base/wire.h"
#include "text/sentencepiece_json.h"
#include "text/unigram.h"

static const char *const llama_classes[] = {"Llama", "CodeLlama", NULL};
static const char *const gemma_classes[] = {"Gemma", NULL};
static const char *const xlmr_classes[] = {"XLMRoberta", NULL};
static const char *const t5_classes[] = {"T5", "MT5", NULL};

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

static int read_proto(struct proto *proto, const struct fallback_source *source, struct error *err)
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
static void add_added_tokens(struct json_writer *json, const struct proto *proto,
                             const char *const *special)
{
    json_writer_array(json, "added_tokens");
    for (size_t i = 0; i < proto->n_pieces; i++) {
        const struct piece_entry *piece = &proto->pieces[i];

        if (piece->type == PIECE_CONTROL || piece->type == PIECE_USER_DEFINED)
            fallback_add_token(json, piece->text, piece->length, false,
                               piece->type == PIECE_CONTROL);
    }
    for (size_t i = 0; special && special[i]; i++)
        fallback_add_token(json, special[i], strlen(special[i]), strcmp(special[i], "<mask>") == 0,
                           true);
    json_writer_end(json);
}

static void add_charsmap(struct json_writer *json, const struct proto *proto)
{
    struct buffer text = {0};

    base64_encode(proto->charsmap.bytes, proto->charsmap.size, &text);
    fallback_open(json, NULL, "Precompiled");
    json_writer_string(json, "precompiled_charsmap", text.data);
    json_writer_end(json);
    buffer_release(&text);
}

/* ---- BPE ---- */

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
        subword = fallback_make_bpe(fallback, &tokens, &merges, &settings, err);
    } else {
        token_table_release(&tokens);
    }
    bpe_merges_release(&merges);
    free(scores);
    return subword;
}

static void add_gemma_splits(struct json_writer *json)
{
    sentencepiece_add_normalizer(json, false);
    fallback_open(json, "pre_tokenizer", "Split");
    json_writer_object(json, "pattern");
    json_writer_string(json, "String", " ");
    json_writer_end(json);
    json_writer_string(json, "behavior", "MergedWithPrevious");
    json_writer_bool(json, "invert", false);
    json_writer_end(json);
}

static int make_llama(struct tokenizer_fallback *fallback, const struct fallback_source *source,
                      const struct proto *proto, struct error *err)
{
    static const char *const specials[] = {"<unk>", "<s>", "</s>", NULL};
    struct json_writer json = {.out = &fallback->json};
    bool is_gemma = tokenizer_config_is(source->config, gemma_classes);

    fallback->subword = make_scored_bpe(fallback, proto, err);
    if (!fallback->subword)
        return -1;
    fallback->specials = is_gemma || fallback->is_guess ? NULL : specials;
    json_writer_object(&json, NULL);
    if (is_gemma)
        add_gemma_splits(&json);
    else if (source->config->legacy == 0)
        sentencepiece_add_metaspace(&json, "pre_tokenizer", "first", false);
    else
        sentencepiece_add_normalizer(&json, true);
    sentencepiece_add_decoder(&json, !is_gemma); /* what stands in front of the text goes */
    add_added_tokens(&json, proto, NULL);
    json_writer_end(&json);
    return 0;
}

/* ---- Unigram ---- */

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

static void add_unigram_components(struct json_writer *json, const struct proto *proto)
{
    fallback_open(json, "normalizer", "Sequence");
    json_writer_array(json, "normalizers");
    if (proto->charsmap.size)
        add_charsmap(json, proto);
    fallback_open(json, NULL, "Strip");
    json_writer_bool(json, "strip_left", false);
    json_writer_bool(json, "strip_right", true);
    json_writer_end(json);
    sentencepiece_add_replace(json, NULL, "Regex", " {2,}", SENTENCEPIECE_SPACE);
    json_writer_end(json);
    json_writer_end(json);
    sentencepiece_add_metaspace(json, "pre_tokenizer", "always", true);
    sentencepiece_add_metaspace(json, "decoder", "always", true);
}

static int make_unigram(struct tokenizer_fallback *fallback, const struct fallback_source *source,
                        const struct proto *proto, bool is_xlmr, struct error *err)
{
    static const char *const xlmr_specials[] = {"<pad>", "<mask>", NULL};
    static const char *const specials[] = {"<unk>", "<s>", "</s>", NULL};
    bool is_t5 = tokenizer_config_is(source->config, t5_classes);
    struct unigram_settings settings = {true, is_xlmr ? 3 : proto->unk_id, false};
    struct unigram_pieces pieces = {0};
    struct json_writer json = {.out = &fallback->json};
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
    json_writer_object(&json, NULL);
    add_unigram_components(&json, proto);
    add_added_tokens(&json, proto, is_xlmr ? xlmr_specials : NULL);
    if (fallback->map_only)
        ; /* no text will need a template */
    else if (is_xlmr)
        rc = fallback_add_template(&json, fallback->subword, "<s>", "</s>", true, 0, err);
    else if (is_t5)
        rc = fallback_add_template(&json, fallback->subword, NULL, "</s>", false, 0, err);
    json_writer_end(&json);
    return rc;
}

static int make_from_proto(struct tokenizer_fallback *fallback, struct fallback_source *source,
                           bool is_xlmr_file, struct error *err)
{
    static const char *const *const known[] = {llama_classes, gemma_classes, xlmr_classes,
                                               t5_classes};
    struct proto proto = {0};
    int rc = read_proto(&proto, source, err);

    if (rc == 0)
        rc = fallback_check_class(fallback, source, known, 4, err);
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

int fallback_sentencepiece(struct tokenizer_fallback *fallback, struct fallback_source *source,
                           struct error *err)
{
    struct error as_proto = {0};

    if (make_from_proto(fallback, source, false, &as_proto) == 0)
        return 0;
    /* Llama 3 gives the name tokenizer.model to a tiktoken file. */
    if (as_proto.code == ERROR_FORMAT && !fallback->subword &&
        utf8_valid_prefix(source->text, source->size) == source->size)
        return fallback_tiktoken(fallback, source, err);
    return error_set(err, as_proto.code, "%s", as_proto.text);
}

int fallback_xlmr(struct tokenizer_fallback *fallback, struct fallback_source *source,
                  struct error *err)
{
    return make_from_proto(fallback, source, true, err);
}
