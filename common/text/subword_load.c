#include "subword_load.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "text/bpe.h"
#include "text/unigram.h"
#include "text/wordlevel.h"
#include "text/wordpiece.h"

/* ---- the fields ---- */

enum field {
    FIELD_TYPE,
    FIELD_VOCAB,
    FIELD_MERGES,
    FIELD_DROPOUT,
    FIELD_UNK_TOKEN,
    FIELD_PREFIX,
    FIELD_SUFFIX,
    FIELD_FUSE_UNK,
    FIELD_BYTE_FALLBACK,
    FIELD_IGNORE_MERGES,
    FIELD_MAX_CHARACTERS,
    FIELD_UNK_ID,
    N_FIELDS
};

struct model_fields {
    struct arena arena; /* texts */
    bool is_there[N_FIELDS], is_null[N_FIELDS];
    struct json_text type, unk_token, prefix, suffix; /* bytes NULL: absent or null */
    double dropout;
    bool fuse_unk, byte_fallback, ignore_merges;
    size_t max_characters, unk_id;
    bool vocab_is_list;
    struct token_table tokens;     /* vocab as an object */
    struct unigram_pieces pieces;  /* vocab as a list */
    struct bpe_merges merges;
    size_t merges_position; /* in the JSON text */
    bool has_read_merges;
};

static const struct field_row {
    const char *name;
    enum json_kind kind; /* JSON_NONE: read by a function of its own */
    size_t offset;
} field_rows[N_FIELDS] = {
    [FIELD_TYPE] = {"type", JSON_STRING, offsetof(struct model_fields, type)},
    [FIELD_VOCAB] = {"vocab", JSON_NONE, 0},
    [FIELD_MERGES] = {"merges", JSON_NONE, 0},
    [FIELD_DROPOUT] = {"dropout", JSON_NUMBER, offsetof(struct model_fields, dropout)},
    [FIELD_UNK_TOKEN] = {"unk_token", JSON_STRING, offsetof(struct model_fields, unk_token)},
    [FIELD_PREFIX] = {"continuing_subword_prefix", JSON_STRING,
                      offsetof(struct model_fields, prefix)},
    [FIELD_SUFFIX] = {"end_of_word_suffix", JSON_STRING, offsetof(struct model_fields, suffix)},
    [FIELD_FUSE_UNK] = {"fuse_unk", JSON_BOOL, offsetof(struct model_fields, fuse_unk)},
    [FIELD_BYTE_FALLBACK] = {"byte_fallback", JSON_BOOL,
                             offsetof(struct model_fields, byte_fallback)},
    [FIELD_IGNORE_MERGES] = {"ignore_merges", JSON_BOOL,
                             offsetof(struct model_fields, ignore_merges)},
    [FIELD_MAX_CHARACTERS] = {"max_input_chars_per_word", JSON_OBJECT,
                              offsetof(struct model_fields, max_characters)},
    [FIELD_UNK_ID] = {"unk_id", JSON_OBJECT, offsetof(struct model_fields, unk_id)},
};

static void release_fields(struct model_fields *fields)
{
    arena_release(&fields->arena);
    token_table_release(&fields->tokens);
    unigram_release_pieces(&fields->pieces);
    bpe_merges_release(&fields->merges);
}

static int read_text(struct model_fields *fields, struct json_reader *reader,
                     struct json_text *text, struct error *err)
{
    if (json_reader_string(reader, text, err))
        return -1;
    text->bytes = arena_copy(&fields->arena, text->bytes, text->length);
    return 0;
}

static int read_vocab(struct model_fields *fields, struct json_reader *reader, struct error *err)
{
    fields->vocab_is_list = json_reader_peek(reader) == JSON_ARRAY;
    return fields->vocab_is_list ? unigram_read_pieces(&fields->pieces, reader, err)
                                 : token_table_read(&fields->tokens, reader, err);
}

/* Merges need the vocabulary and the prefix, which stand before them in all known files. Where they
 * do not, the merges are read in a second pass. */
static int read_merges(struct model_fields *fields, struct json_reader *reader, struct error *err)
{
    fields->merges_position = reader->position;
    if (!fields->is_there[FIELD_VOCAB] || !fields->is_there[FIELD_PREFIX] ||
        fields->vocab_is_list)
        return json_reader_skip(reader, err);
    fields->has_read_merges = true;
    return bpe_merges_read(&fields->merges, reader, &fields->tokens, fields->prefix.length, err);
}

/* Of two with one name the later counts, as in the reference. */
static void forget_value(struct model_fields *fields, enum field field)
{
    static const size_t sizes[] = {[JSON_STRING] = sizeof(struct json_text),
                                   [JSON_BOOL] = sizeof(bool), [JSON_NUMBER] = sizeof(double),
                                   [JSON_OBJECT] = sizeof(size_t)};
    enum json_kind kind = field_rows[field].kind;

    if (kind != JSON_NONE)
        memset((char *)fields + field_rows[field].offset, 0, sizes[kind]);
    if (field == FIELD_VOCAB) {
        token_table_release(&fields->tokens);
        unigram_release_pieces(&fields->pieces);
    }
    if (field == FIELD_VOCAB || field == FIELD_PREFIX || field == FIELD_MERGES) {
        bpe_merges_release(&fields->merges); /* they may have been read: then once more, at the end */
        fields->has_read_merges = false;
    }
    fields->is_null[field] = false;
}

static int read_value(struct model_fields *fields, enum field field, struct json_reader *reader,
                      struct error *err)
{
    void *place = (char *)fields + field_rows[field].offset;

    if (field == FIELD_VOCAB)
        return read_vocab(fields, reader, err);
    if (json_reader_peek(reader) == JSON_NULL) {
        fields->is_null[field] = true;
        return json_reader_skip(reader, err);
    }
    if (field == FIELD_MERGES)
        return read_merges(fields, reader, err);
    switch (field_rows[field].kind) {
    case JSON_STRING: return read_text(fields, reader, place, err);
    case JSON_BOOL: return json_reader_bool(reader, place, err);
    case JSON_NUMBER: return json_reader_number(reader, place, err);
    default: return json_reader_size(reader, place, err);
    }
}

static int read_fields(struct model_fields *fields, struct json_reader *reader, struct error *err)
{
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        size_t field = 0;

        while (field < N_FIELDS && !json_text_is(key, field_rows[field].name))
            field++;
        if (field == N_FIELDS) {
            if (json_reader_skip(reader, err))
                return -1;
            continue;
        }
        if (fields->is_there[field])
            forget_value(fields, (enum field)field);
        if (read_value(fields, (enum field)field, reader, err))
            return error_context(err, "%s", field_rows[field].name);
        fields->is_there[field] = true;
    }
    return more;
}

/* ---- the kinds ---- */

typedef struct subword *build_function(struct model_fields *fields,
                                       const struct json_reader *reader, struct error *err);

static int read_merges_late(struct model_fields *fields, const struct json_reader *reader,
                            struct error *err)
{
    struct json_reader second;
    int rc;

    json_reader_init(&second, reader->text, reader->size);
    second.position = fields->merges_position;
    rc = bpe_merges_read(&fields->merges, &second, &fields->tokens, fields->prefix.length, err);
    json_reader_release(&second);
    return rc ? error_context(err, "merges") : 0;
}

static struct subword *build_bpe(struct model_fields *fields, const struct json_reader *reader,
                                 struct error *err)
{
    struct bpe_settings settings = {
        .unk_token = fields->unk_token,
        .continuing_subword_prefix = fields->prefix,
        .end_of_word_suffix = fields->suffix,
        .fuse_unk = fields->fuse_unk,
        .byte_fallback = fields->byte_fallback,
        .ignore_merges = fields->ignore_merges,
    };

    if (!(fields->dropout >= 0.0 && fields->dropout <= 1.0)) {
        error_set(err, ERROR_FORMAT, "BPE: dropout is %g, not a number from 0 to 1",
                  fields->dropout);
        return NULL;
    }
    if (fields->dropout > 0.0) {
        error_set(err, ERROR_UNSUPPORTED, "BPE: dropout %g would make the tokens random",
                  fields->dropout);
        return NULL;
    }
    if (!fields->has_read_merges && read_merges_late(fields, reader, err))
        return NULL;
    return bpe_new(&fields->tokens, &fields->merges, &settings, err);
}

static struct subword *build_wordpiece(struct model_fields *fields,
                                       const struct json_reader *reader, struct error *err)
{
    struct wordpiece_settings settings = {fields->unk_token, fields->prefix,
                                          fields->max_characters};

    (void)reader;
    return wordpiece_new(&fields->tokens, &settings, err);
}

static struct subword *build_wordlevel(struct model_fields *fields,
                                       const struct json_reader *reader, struct error *err)
{
    (void)reader;
    (void)err;
    return wordlevel_new(&fields->tokens, fields->unk_token);
}

static struct subword *build_unigram(struct model_fields *fields,
                                     const struct json_reader *reader, struct error *err)
{
    struct unigram_settings settings = {
        .has_unk = fields->is_there[FIELD_UNK_ID] && !fields->is_null[FIELD_UNK_ID],
        .unk_id = fields->unk_id,
        .byte_fallback = fields->byte_fallback,
    };

    (void)reader;
    return unigram_new(&fields->pieces, &settings, err);
}

/* In the order in which a file without a type is tried. */
static const struct kind_row {
    const char *name;
    bool vocab_is_list;
    build_function *build;
    int needed[4]; /* fields beside vocab, a 0 behind them */
} kind_rows[] = {
    {"BPE", false, build_bpe, {FIELD_MERGES}},
    {"WordPiece", false, build_wordpiece, {FIELD_UNK_TOKEN, FIELD_PREFIX, FIELD_MAX_CHARACTERS}},
    {"WordLevel", false, build_wordlevel, {FIELD_UNK_TOKEN}},
    {"Unigram", true, build_unigram, {0}},
};
enum { N_KINDS = sizeof kind_rows / sizeof *kind_rows };

/* A field of the kind that is missing, or NULL. */
static const char *find_missing(const struct model_fields *fields, const struct kind_row *row)
{
    if (!fields->is_there[FIELD_VOCAB])
        return "vocab";
    for (int i = 0; row->needed[i]; i++)
        if (!fields->is_there[row->needed[i]] || fields->is_null[row->needed[i]])
            return field_rows[row->needed[i]].name;
    return NULL;
}

static const struct kind_row *find_kind(const struct model_fields *fields, struct error *err)
{
    const char *missing;

    for (size_t i = 0; i < N_KINDS; i++) {
        const struct kind_row *row = &kind_rows[i];

        if (fields->is_there[FIELD_TYPE] ? !json_text_is(fields->type, row->name)
                                         : row->vocab_is_list != fields->vocab_is_list ||
                                               find_missing(fields, row))
            continue;
        missing = find_missing(fields, row);
        if (missing)
            error_set(err, ERROR_FORMAT, "%s: '%s' is missing", row->name, missing);
        else if (row->vocab_is_list != fields->vocab_is_list)
            error_set(err, ERROR_FORMAT, "%s: 'vocab' is not %s", row->name,
                      row->vocab_is_list ? "a list" : "an object");
        else
            return row;
        return NULL;
    }
    if (fields->is_null[FIELD_TYPE])
        error_set(err, ERROR_FORMAT, "its type is null");
    else if (fields->type.bytes)
        error_set(err, ERROR_UNSUPPORTED, "unknown type '" ERROR_NAME "'", fields->type.bytes);
    else
        error_set(err, ERROR_FORMAT, "no type, and its fields are of no known one");
    return NULL;
}

struct subword *subword_load(struct json_reader *reader, struct error *err)
{
    struct model_fields *fields = memory_zalloc(1, sizeof *fields);
    const struct kind_row *row = NULL;
    struct subword *subword = NULL;

    if (read_fields(fields, reader, err) == 0)
        row = find_kind(fields, err);
    if (row)
        subword = row->build(fields, reader, err);
    release_fields(fields);
    free(fields);
    return subword;
}
/* ---- maps ---- */

static int read_map_fields(struct model_fields *fields, struct json_reader *reader,
                           struct error *err)
{
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        enum field field = json_text_is(key, "vocab")  ? FIELD_VOCAB
                           : json_text_is(key, "type") ? FIELD_TYPE
                                                       : N_FIELDS;

        if (field == N_FIELDS ||
            (field == FIELD_TYPE && json_reader_peek(reader) != JSON_STRING)) {
            if (json_reader_skip(reader, err))
                return -1;
            continue;
        }
        forget_value(fields, field);
        if (read_value(fields, field, reader, err))
            return error_context(err, "%s", field_rows[field].name);
        fields->is_there[field] = true;
    }
    if (more == 0 && !fields->is_there[FIELD_VOCAB])
        more = error_set(err, ERROR_FORMAT, "model has no vocab");
    return more;
}

struct subword *subword_load_map(struct json_reader *reader, struct error *err)
{
    struct model_fields *fields = memory_zalloc(1, sizeof *fields);
    struct subword *subword = NULL;

    if (read_map_fields(fields, reader, err) == 0) {
        const char *type = fields->vocab_is_list ? "Unigram" : "BPE";

        for (size_t i = 0; i < N_KINDS && fields->type.bytes; i++)
            if (json_text_is(fields->type, kind_rows[i].name))
                type = kind_rows[i].name;
        subword = subword_new_map(
            fields->vocab_is_list ? &fields->pieces.tokens : &fields->tokens, type);
    }
    release_fields(fields);
    free(fields);
    return subword;
}
