/* gguf_tokenizer_write.c - a tokenizer in the words of llama.cpp.
 *
 * A GGUF file has names for what a tokenizer.json says in components. So each component is compared
 * with what gguf_tokenizer.c would write for such a name; and at last the whole is read back, and
 * must make the same ids of some texts, before anything is put. */
#include "gguf_tokenizer_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/gguf_pre.h"
#include "arch/gguf_templates.h"
#include "arch/gguf_tokenizer.h"
#include "arch/gguf_tokens.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "format/gguf.h"
#include "text/bpe.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"
#include "text/sentencepiece_json.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"
#include "text/wordpiece.h"

#define KEY(name) "tokenizer.ggml." name
#define REPLACE                                                                                   \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SENTENCEPIECE_SPACE "\"}"
#define METASPACE(scheme)                                                                         \
    "{\"type\":\"Metaspace\",\"replacement\":\"" SENTENCEPIECE_SPACE                               \
    "\",\"prepend_scheme\":\"" scheme "\",\"split\":false}"
#define BERT(lowers, strips)                                                                      \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"             \
    "\"strip_accents\":" strips ",\"lowercase\":" lowers "}"

enum { N_VALUES_MAX = 32, N_SAMPLE = 1500 };

struct form { /* a normalizer and a pre-tokenizer for which there is a name */
    enum gguf_kind kind;
    const char *normalizer, *pre_tokenizer; /* JSON; no pre-tokenizer: one of gguf_pre.h */
    bool adds_space, lowers;
    int strips_accents;
    const char *notice; /* what llama.cpp will do otherwise; NULL: nothing */
};

static const struct form forms[] = {
    {GGUF_KIND_SCORES,
     "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\""
     SENTENCEPIECE_SPACE "\"}," REPLACE "]}", "null", true, false, -1, NULL},
    {GGUF_KIND_SCORES, REPLACE, "null", false, false, -1, NULL},
    {GGUF_KIND_SCORES, REPLACE,
     "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\","
     "\"invert\":false}", false, false, -1, NULL},
    {GGUF_KIND_SCORES, "null", METASPACE("always"), true, false, -1,
     "puts a second space in front of texts that begin with one"},
    {GGUF_KIND_SCORES, "null", METASPACE("first"), true, false, -1,
     "puts a second space in front of texts that begin with one, and a space behind special tokens"},
    {GGUF_KIND_SCORES, "null", METASPACE("never"), false, false, -1, NULL},
    {GGUF_KIND_WORDS, BERT("true", "null"), "{\"type\":\"BertPreTokenizer\"}", false, true, -1, NULL},
    {GGUF_KIND_WORDS, BERT("false", "null"), "{\"type\":\"BertPreTokenizer\"}", false, false, -1,
     NULL},
    {GGUF_KIND_WORDS, BERT("true", "false"), "{\"type\":\"BertPreTokenizer\"}", false, true, 0, NULL},
    {GGUF_KIND_WORDS, BERT("false", "true"), "{\"type\":\"BertPreTokenizer\"}", false, false, 1,
     NULL},
    {GGUF_KIND_MERGES, "null", NULL, false, false, -1, NULL},
    {GGUF_KIND_MERGES, "{\"type\":\"NFC\"}", NULL, false, false, -1,
     "does not bring texts into the normal form NFC first"},
};

struct writer {
    const struct model_folder *model;
    struct tokenizer *tokenizer;
    size_t n_rows;
    struct notices *notices;
    const struct form *form;
    enum gguf_kind kind;
    struct bpe_facts bpe;        /* of the two kinds of BPE */
    const char *pre;
    size_t begin, end;           /* around a text, or GGUF_NO_TOKEN */
    size_t specials[GGUF_SPECIALS];
    struct gguf_text *texts, *merges;
    int32_t *types;
    float *scores;
    struct gguf_value values[N_VALUES_MAX];
    size_t n_values;
    struct arena arena;
};

static int refuse(const struct writer *writer, const char *what, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "'%s': a GGUF file has no place for %s",
                     writer->model->name, what);
}

/* ---- what kind it is ---- */

static bool same_bytes(const struct buffer *a, const struct buffer *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* Whether that part of the tokenizer does what the JSON says. */
static bool does_same(const struct tokenizer *tokenizer, enum tokenizer_part part, const char *text)
{
    struct error ignored = {0};
    struct buffer ours = {0}, theirs = {0};
    cJSON *json = json_parse(text, strlen(text), &ignored);
    bool same;

    if (part == TOKENIZER_NORMALIZER) {
        struct normalizer *normalizer = normalizer_new(json, &ignored);

        normalizer_describe(normalizer, &ours);
        normalizer_free(normalizer);
    } else {
        struct pretokenizer *pretokenizer = pretokenizer_new(json, &ignored);

        pretokenizer_describe(pretokenizer, &ours);
        pretokenizer_free(pretokenizer);
    }
    tokenizer_describe(tokenizer, part, &theirs);
    same = same_bytes(&ours, &theirs);
    buffer_release(&ours);
    buffer_release(&theirs);
    cJSON_Delete(json);
    return same;
}

static int choose_kind(struct writer *writer, struct error *err)
{
    const char *type = tokenizer_type(writer->tokenizer);

    if (strcmp(type, "WordPiece") == 0) {
        writer->kind = GGUF_KIND_WORDS;
        return 0;
    }
    if (strcmp(type, "BPE") != 0)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': writing a tokenizer of type %s into a GGUF "
                         "file is not supported", writer->model->name, type);
    bpe_facts(writer->tokenizer->subword, &writer->bpe);
    if (writer->bpe.has_affixes)
        return refuse(writer, "a continuing_subword_prefix or an end_of_word_suffix", err);
    writer->kind = writer->bpe.byte_fallback ? GGUF_KIND_SCORES : GGUF_KIND_MERGES;
    return 0;
}

static int choose_form(struct writer *writer, struct error *err)
{
    bool has_normalizer = false;

    for (size_t i = 0; i < sizeof forms / sizeof *forms && !writer->form; i++) {
        const struct form *form = &forms[i];

        if (form->kind != writer->kind ||
            !does_same(writer->tokenizer, TOKENIZER_NORMALIZER, form->normalizer))
            continue;
        has_normalizer = true;
        if (!form->pre_tokenizer ||
            does_same(writer->tokenizer, TOKENIZER_PRETOKENIZER, form->pre_tokenizer))
            writer->form = form;
    }
    if (!writer->form)
        return refuse(writer, has_normalizer ? "the pre-tokenizer of its tokenizer"
                                             : "the normalizer of its tokenizer", err);
    if (writer->form->notice)
        notices_add(writer->notices, "'%s': as a GGUF file, llama.cpp %s", writer->model->name,
                    writer->form->notice);
    return 0;
}

/* ---- pre ---- */

/* The name that llama.cpp's converter finds by the ids of its text, or NULL. */
static const char *pre_of_ids(const struct writer *writer)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(writer->tokenizer);
    struct encode_options options = {0};
    struct encoding encoding = {0};
    struct error ignored = {0};
    struct buffer list = {0};
    struct digest digest;
    char hash[DIGEST_HEX_MAX];
    const char *name = NULL;

    if (tokenizer_encode(writer->tokenizer, scratch, gguf_pre_text, strlen(gguf_pre_text), NULL, 0,
                         &options, &encoding, &ignored) == 0) {
        buffer_add_char(&list, '[');
        for (size_t i = 0; i < encoding.n_ids; i++)
            buffer_format(&list, "%s%u", i ? ", " : "", (unsigned)encoding.ids[i]);
        buffer_add_char(&list, ']');
        digest_init(&digest, DIGEST_SHA256);
        digest_add(&digest, list.data, list.size);
        digest_hex(&digest, hash);
        name = gguf_pre_of_hash(hash);
    }
    buffer_release(&list);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return name;
}

/* Whether each token, as a word, is what its merges make of it: then it is all the same whether they
 * are ignored for a whole word. */
static bool reaches_all(const struct writer *writer)
{
    const struct subword *subword = writer->tokenizer->subword;
    struct subword_scratch *scratch = subword_scratch_new(subword);
    struct ids ids = {0};
    struct error ignored = {0};
    struct buffer word = {0};
    bool all = true;

    for (uint32_t id = 0; id < writer->n_rows && all; id++) {
        size_t length;
        const char *token = tokenizer_added_id(writer->tokenizer, id)
                                ? NULL : subword_token(subword, id, &length);

        if (!token || length == 0)
            continue;
        buffer_clear(&word);
        for (size_t i = 0; i < length;) { /* words are raw bytes */
            uint32_t code_point;
            int byte;

            i += unicode_decode(token, i, &code_point);
            byte = pretokenizer_display_to_byte(code_point);
            if (byte >= 0)
                buffer_add_char(&word, (char)byte);
        }
        ids.n_items = 0;
        all = word.size > 0 && subword_encode(subword, scratch, word.data, word.size, &ids,
                                              &ignored) == 0 && ids.n_items == 1;
    }
    ids_release(&ids);
    buffer_release(&word);
    subword_scratch_free(scratch);
    return all;
}

static bool has_pattern(const struct writer *writer, const struct gguf_pre *row)
{
    struct buffer text = {0};
    bool same;

    if (row->is_plain)
        return false;
    gguf_pre_describe(row, &text);
    same = does_same(writer->tokenizer, TOKENIZER_PRETOKENIZER, text.data);
    buffer_release(&text);
    return same;
}

/* By the pattern; of its names the first that ignores merges as this one does. */
static const char *pre_of_pattern(const struct writer *writer)
{
    const struct gguf_pre *row, *first = NULL, *exact = NULL;

    for (size_t i = 0; !exact && (row = gguf_pre_row(i)); i++) {
        if (!has_pattern(writer, row))
            continue;
        if (!first)
            first = row;
        if (row->ignores_merges == writer->bpe.ignore_merges)
            exact = row;
    }
    if (!first || first == exact)
        return first ? first->name : NULL;
    if (!writer->bpe.ignore_merges && reaches_all(writer))
        return first->name;
    return exact ? exact->name : NULL;
}

/* The converter's name, unless it says something else than the pattern: of the ids alone Llama 3
 * without its begin token is taken for a model whose merges count. */
static int choose_pre(struct writer *writer, struct error *err)
{
    const char *by_ids = pre_of_ids(writer), *by_pattern;
    const struct gguf_pre *row;

    if (writer->kind != GGUF_KIND_MERGES) {
        writer->pre = by_ids && writer->kind == GGUF_KIND_WORDS ? by_ids : "default";
        return 0;
    }
    row = by_ids ? gguf_pre_find(by_ids, strlen(by_ids)) : NULL;
    if (row && has_pattern(writer, row) && row->ignores_merges == writer->bpe.ignore_merges) {
        writer->pre = by_ids;
        return 0;
    }
    by_pattern = pre_of_pattern(writer);
    writer->pre = by_pattern ? by_pattern : row ? by_ids : NULL;
    return writer->pre ? 0 : refuse(writer, "the pre-tokenizer of its tokenizer: no 'pre' of "
                                    "llama.cpp stands for it", err);
}

/* ---- special tokens ---- */

static int read_template(struct writer *writer, struct error *err)
{
    const struct template_list *list = &writer->tokenizer->template.single;
    const struct template_part *parts = list->parts;
    size_t n = 0;

    writer->begin = writer->end = GGUF_NO_TOKEN;
    if (n < list->n_parts && parts[n].kind == TEMPLATE_SPECIAL && parts[n].n_ids == 1)
        writer->begin = parts[n++].ids[0];
    if (n < list->n_parts && parts[n].kind == TEMPLATE_FIRST)
        n++;
    if (n < list->n_parts && parts[n].kind == TEMPLATE_SPECIAL && parts[n].n_ids == 1)
        writer->end = parts[n++].ids[0];
    if (n < list->n_parts)
        return refuse(writer, "the special tokens around a text", err);
    if (writer->kind == GGUF_KIND_WORDS &&
        (writer->begin == GGUF_NO_TOKEN || writer->end == GGUF_NO_TOKEN))
        return refuse(writer, "a WordPiece tokenizer without a token on either side of a text",
                      err);
    return 0;
}

/* From config.json, where the files of the tokenizer do not name it: a number, or a list of such. */
static size_t special_of_config(const struct writer *writer, const char *name)
{
    char *key = memory_format("%s_id", name);
    const cJSON *number = json_find(writer->model->config.json, key);

    if (cJSON_IsArray(number))
        number = number->child;
    free(key);
    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0) ||
        !(number->valuedouble < (double)writer->n_rows))
        return GGUF_NO_TOKEN;
    return (size_t)number->valuedouble;
}

static void read_specials(struct writer *writer)
{
    bool is_words = writer->kind == GGUF_KIND_WORDS;
    uint32_t unknown = is_words ? wordpiece_unknown(writer->tokenizer->subword)
                                : writer->bpe.unk_id;

    for (size_t i = 0; i < GGUF_SPECIALS; i++) {
        const char *name = gguf_special_names[i].name;
        uint32_t id;

        writer->specials[i] = tokenizer_special(writer->tokenizer, name, &id)
                                  ? id : special_of_config(writer, name);
    }
    if (writer->begin != GGUF_NO_TOKEN)
        writer->specials[GGUF_BEGIN] = writer->begin;
    if (writer->end != GGUF_NO_TOKEN)
        writer->specials[is_words ? GGUF_SEPARATOR : GGUF_END] = writer->end;
    if (is_words) { /* llama.cpp's converter gives all three */
        writer->specials[GGUF_END] = writer->end;
        writer->specials[GGUF_CLASS] = GGUF_NO_TOKEN;
    }
    if (writer->kind != GGUF_KIND_MERGES && unknown != TOKEN_NONE)
        writer->specials[GGUF_UNKNOWN] = unknown;
}

/* ---- tokens ---- */

static enum gguf_token_type type_of(const struct writer *writer, uint32_t id,
                                    const struct gguf_text *text)
{
    const struct added_token *added = tokenizer_added_id(writer->tokenizer, id);

    if (writer->kind == GGUF_KIND_SCORES && id == writer->bpe.unk_id)
        return GGUF_TOKEN_UNKNOWN;
    if (added)
        return added->special ? GGUF_TOKEN_CONTROL : GGUF_TOKEN_USER;
    if (writer->kind == GGUF_KIND_SCORES && text->length == 6 &&
        memcmp(text->bytes, "<0x", 3) == 0 && text->bytes[5] == '>')
        return GGUF_TOKEN_BYTE;
    return GGUF_TOKEN_NORMAL;
}

/* A space for U+2581, which would not be found in a text. */
static struct gguf_text space_out(struct arena *arena, struct gguf_text text)
{
    char *bytes = arena_alloc(arena, text.length + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.length;) {
        bool is_space = i + 3 <= text.length && memcmp(text.bytes + i, SENTENCEPIECE_SPACE, 3) == 0;

        bytes[n++] = is_space ? ' ' : text.bytes[i];
        i += is_space ? 3 : 1;
    }
    return (struct gguf_text){bytes, n};
}

static struct gguf_text spell(struct writer *writer, struct gguf_text text,
                              enum gguf_token_type type)
{
    if (writer->kind == GGUF_KIND_WORDS && type == GGUF_TOKEN_NORMAL) {
        bool is_tail = text.length >= 2 && memcmp(text.bytes, "##", 2) == 0;
        char *bytes;

        if (is_tail)
            return (struct gguf_text){text.bytes + 2, text.length - 2};
        bytes = arena_alloc(&writer->arena, text.length + 4);
        memcpy(bytes, SENTENCEPIECE_SPACE, 3);
        memcpy(bytes + 3, text.bytes, text.length);
        return (struct gguf_text){bytes, text.length + 3};
    }
    if (writer->kind == GGUF_KIND_SCORES && type == GGUF_TOKEN_USER && !writer->form->adds_space)
        return space_out(&writer->arena, text);
    return text;
}

/* How many tokens there are, and the last added one without a row. */
static size_t count_tokens(const struct writer *writer, const struct added_token **beyond)
{
    const struct tokenizer *tokenizer = writer->tokenizer;
    size_t n = subword_n_tokens(tokenizer->subword);
    uint32_t id;

    *beyond = NULL;
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const struct added_token *added = &tokenizer->added[i];

        n += !subword_find(tokenizer->subword, added->content, added->length, &id);
        if (added->id >= writer->n_rows)
            *beyond = added;
    }
    return n;
}

static int list_tokens(struct writer *writer, struct error *err)
{
    const struct added_token *beyond;
    size_t n_all = count_tokens(writer, &beyond), n = 0;

    writer->texts = arena_alloc(&writer->arena, writer->n_rows * sizeof *writer->texts);
    writer->types = arena_alloc(&writer->arena, writer->n_rows * sizeof *writer->types);
    for (size_t id = 0; id < writer->n_rows; id++) {
        struct gguf_text text;
        char filler[32];

        text.bytes = tokenizer_token(writer->tokenizer, (uint32_t)id, &text.length);
        if (text.bytes) {
            n++;
            writer->types[id] = type_of(writer, (uint32_t)id, &text);
            writer->texts[id] = spell(writer, text, (enum gguf_token_type)writer->types[id]);
            continue;
        }
        text.length = (size_t)snprintf(filler, sizeof filler, "[PAD%zu]", id);
        text.bytes = arena_copy(&writer->arena, filler, text.length);
        writer->texts[id] = text;
        writer->types[id] = GGUF_TOKEN_UNUSED;
    }
    if (beyond)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': token '" ERROR_NAME "' has id %u, and the "
                         "embedding %zu rows", writer->model->name, beyond->content,
                         (unsigned)beyond->id, writer->n_rows);
    if (n < n_all)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': %zu tokens, of which only %zu have one of "
                         "the %zu rows of the embedding", writer->model->name, n_all, n,
                         writer->n_rows);
    return 0;
}

/* What is made first has the highest score. Single characters, which nothing makes, have the lowest,
 * as sentencepiece gives them. */
static void list_scores(struct writer *writer)
{
    bool *is_made = arena_alloc(&writer->arena, writer->n_rows);
    size_t n = 0;

    writer->scores = arena_alloc(&writer->arena, writer->n_rows * sizeof *writer->scores);
    for (size_t i = 0; i < writer->bpe.n_merges; i++) {
        uint32_t id = writer->bpe.merges[i].result;

        if (id >= writer->n_rows)
            continue;
        if (!is_made[id])
            writer->scores[id] = -(float)n++;
        is_made[id] = true;
    }
    for (size_t id = 0; id < writer->n_rows; id++) {
        if (writer->types[id] == GGUF_TOKEN_UNUSED)
            writer->scores[id] = -10000;
        else if (writer->types[id] == GGUF_TOKEN_USER)
            writer->scores[id] = -1000;
        else if (writer->types[id] != GGUF_TOKEN_NORMAL)
            writer->scores[id] = 0;
        else if (!is_made[id])
            writer->scores[id] = -(float)n++;
    }
}

static int list_merges(struct writer *writer, struct error *err)
{
    writer->merges = arena_alloc(&writer->arena, (writer->bpe.n_merges + 1) *
                                                     sizeof *writer->merges);
    for (size_t i = 0; i < writer->bpe.n_merges; i++) {
        const struct bpe_merge *merge = &writer->bpe.merges[i];
        size_t n_left, n_right;
        const char *left = tokenizer_token(writer->tokenizer, merge->left, &n_left);
        const char *right = tokenizer_token(writer->tokenizer, merge->right, &n_right);
        char *text = arena_alloc(&writer->arena, n_left + n_right + 2);

        if (n_left == 0 || memchr(left + 1, ' ', n_left - 1))
            return refuse(writer, "merges of tokens with a space in them", err);
        memcpy(text, left, n_left);
        text[n_left] = ' ';
        memcpy(text + n_left + 1, right, n_right);
        writer->merges[i] = (struct gguf_text){text, n_left + n_right + 1};
    }
    return 0;
}

/* ---- the values ---- */

static void add_value(struct writer *writer, const char *key, enum gguf_type type, bool is_array,
                      size_t n, const void *items)
{
    writer->values[writer->n_values++] = (struct gguf_value){key, type, is_array, n, items};
}

static void add_text(struct writer *writer, const char *key, const char *text)
{
    struct gguf_text *item = arena_alloc(&writer->arena, sizeof *item);

    *item = (struct gguf_text){text, strlen(text)};
    add_value(writer, key, GGUF_STRING, false, 1, item);
}

static void add_flag(struct writer *writer, const char *key, bool flag)
{
    unsigned char *item = arena_alloc(&writer->arena, 1);

    *item = flag;
    add_value(writer, key, GGUF_BOOL, false, 1, item);
}

static void add_id(struct writer *writer, const char *key, size_t id)
{
    uint32_t *item = arena_alloc(&writer->arena, sizeof *item);

    *item = (uint32_t)id;
    add_value(writer, key, GGUF_U32, false, 1, item);
}

static void add_values(struct writer *writer)
{
    static const char *const models[] = {[GGUF_KIND_SCORES] = "llama", [GGUF_KIND_MERGES] = "gpt2",
                                         [GGUF_KIND_WORDS] = "bert"};

    add_text(writer, KEY("model"), models[writer->kind]);
    add_text(writer, KEY("pre"), writer->pre);
    add_value(writer, KEY("tokens"), GGUF_STRING, true, writer->n_rows, writer->texts);
    if (writer->scores)
        add_value(writer, KEY("scores"), GGUF_F32, true, writer->n_rows, writer->scores);
    add_value(writer, KEY("token_type"), GGUF_I32, true, writer->n_rows, writer->types);
    if (writer->merges)
        add_value(writer, KEY("merges"), GGUF_STRING, true, writer->bpe.n_merges, writer->merges);
    for (size_t i = 0; i < GGUF_SPECIALS; i++)
        if (writer->specials[i] != GGUF_NO_TOKEN)
            add_id(writer, gguf_special_names[i].key, writer->specials[i]);
    add_flag(writer, KEY("add_bos_token"), writer->begin != GGUF_NO_TOKEN);
    add_flag(writer, KEY("add_eos_token"), writer->end != GGUF_NO_TOKEN);
    if (writer->kind == GGUF_KIND_SCORES)
        add_flag(writer, KEY("add_space_prefix"), writer->form->adds_space);
    if (writer->kind != GGUF_KIND_WORDS)
        return;
    add_flag(writer, KEY("normalizer.lowercase"), writer->form->lowers);
    if (writer->form->strips_accents >= 0)
        add_flag(writer, KEY("normalizer.strip_accents"), writer->form->strips_accents);
}

/* ---- is it the same when it is read back? ---- */

/* A text with many of the tokens in it, in a form that the normalizer leaves alone if it can be
 * left out. */
static int make_sample(const struct writer *writer, struct buffer *sample, struct error *err)
{
    struct normalizer_scratch *scratch;
    struct buffer text = {0};
    uint32_t ids[N_SAMPLE];
    size_t n = 0, step = writer->n_rows / N_SAMPLE + 1, n_origin;
    int rc;

    for (size_t id = 0; id < writer->n_rows && n < N_SAMPLE; id += step)
        if (writer->types[id] == GGUF_TOKEN_NORMAL)
            ids[n++] = (uint32_t)id;
    buffer_add_text(&text, gguf_pre_text);
    rc = tokenizer_decode(writer->tokenizer, ids, n, false, &text, err);
    if (rc == 0 && writer->kind == GGUF_KIND_MERGES) {
        scratch = normalizer_scratch_new();
        rc = normalizer_run(writer->tokenizer->normalizer, scratch, text.data, text.size, sample,
                            &n_origin, err);
        normalizer_scratch_free(scratch);
    } else {
        buffer_add(sample, text.data, text.size);
    }
    buffer_release(&text);
    return rc;
}

static int encode(const struct tokenizer *tokenizer, const struct buffer *text,
                  struct encoding *encoding, struct error *err)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct encode_options options = {0};
    int rc = tokenizer_encode(tokenizer, scratch, text->data, text->size, NULL, 0, &options,
                              encoding, err);

    tokenizer_scratch_free(scratch);
    return rc;
}

static int compare_ids(const struct writer *writer, const struct tokenizer *again,
                       struct error *err)
{
    struct encoding ours = {0}, theirs = {0};
    struct buffer sample = {0};
    int rc = make_sample(writer, &sample, err);

    if (rc == 0)
        rc = encode(writer->tokenizer, &sample, &ours, err);
    if (rc == 0)
        rc = encode(again, &sample, &theirs, err);
    if (rc == 0 && (ours.n_ids != theirs.n_ids ||
                    memcmp(ours.ids, theirs.ids, ours.n_ids * sizeof *ours.ids) != 0))
        rc = refuse(writer, "how its tokenizer joins characters: texts would have other ids", err);
    encoding_release(&ours);
    encoding_release(&theirs);
    buffer_release(&sample);
    return rc;
}

/* WordPiece has little to say, and llama.cpp fixes it. */
static int compare_words(const struct writer *writer, const struct tokenizer *again,
                         struct error *err)
{
    struct buffer ours = {0}, theirs = {0};
    bool same;

    subword_describe(writer->tokenizer->subword, &ours);
    subword_describe(again->subword, &theirs);
    same = same_bytes(&ours, &theirs);
    buffer_release(&ours);
    buffer_release(&theirs);
    return same ? 0 : refuse(writer, "the prefix of later pieces, or the length of words, of its "
                             "tokenizer", err);
}

static bool has_rules(const struct added_token *token)
{
    bool is_found_elsewhere = token->normal && (token->normal_length != token->length ||
                                                memcmp(token->normal, token->content,
                                                       token->length) != 0);

    return token->lstrip || token->rstrip || token->single_word || is_found_elsewhere;
}

/* Qwen has "</s>" for HTML. */
static void notice_names(const struct writer *writer)
{
    for (size_t id = 0; id < writer->n_rows; id++) {
        const struct gguf_text *text = &writer->texts[id];

        if (writer->types[id] == GGUF_TOKEN_NORMAL && gguf_token_is_control(*text))
            notices_add(writer->notices, "'%s': '%.*s' is an ordinary token; llama.cpp will take it "
                        "for a special one", writer->model->name, (int)text->length, text->bytes);
    }
}

static void notice_rules(const struct writer *writer)
{
    size_t n = 0;

    for (size_t i = 0; i < writer->tokenizer->n_added; i++)
        n += has_rules(&writer->tokenizer->added[i]);
    if (n)
        notices_add(writer->notices, "'%s': %zu special tokens are found, or not, by what stands "
                    "beside them, or swallow white space there; a GGUF file cannot say that",
                    writer->model->name, n);
}

static int check(struct writer *writer, struct error *err)
{
    const struct gguf gguf = {writer->values, writer->n_values};
    struct folder *folder = folder_open("/", false, err);
    struct tokenizer *again = NULL;
    int rc = -1;

    if (folder) {
        folder_restrict(folder);
        folder_call(folder, writer->model->name);
        if (gguf_tokenizer_add(&gguf, folder, err) == 0)
            again = tokenizer_load(folder, "", err);
    }
    if (again && (writer->kind != GGUF_KIND_WORDS || compare_words(writer, again, err) == 0))
        rc = compare_ids(writer, again, err);
    tokenizer_free(again);
    folder_close(folder);
    return rc;
}

/* ---- putting ---- */

static void put_value(struct gguf_metadata *metadata, const struct gguf_value *value)
{
    const struct gguf_text *texts = value->items;

    if (value->type == GGUF_STRING && value->is_array)
        gguf_put_texts(metadata, value->key, texts, value->n_items);
    else if (value->type == GGUF_STRING)
        gguf_put_text(metadata, value->key, texts->bytes, texts->length);
    else if (value->type == GGUF_F32)
        gguf_put_f32s(metadata, value->key, value->items, value->n_items);
    else if (value->type == GGUF_I32)
        gguf_put_i32s(metadata, value->key, value->items, value->n_items);
    else if (value->type == GGUF_BOOL)
        gguf_put_bool(metadata, value->key, *(const unsigned char *)value->items != 0);
    else
        gguf_put_u32(metadata, value->key, *(const uint32_t *)value->items);
}

static int write_tokenizer(struct writer *writer, struct gguf_metadata *metadata,
                           struct error *err)
{
    if (choose_kind(writer, err) || choose_form(writer, err) || read_template(writer, err) ||
        choose_pre(writer, err))
        return -1;
    read_specials(writer);
    if (list_tokens(writer, err))
        return -1;
    if (writer->kind == GGUF_KIND_SCORES)
        list_scores(writer);
    else if (writer->kind == GGUF_KIND_MERGES && list_merges(writer, err))
        return -1;
    add_values(writer);
    if (check(writer, err))
        return -1;
    notice_names(writer);
    notice_rules(writer);
    for (size_t i = 0; i < writer->n_values; i++)
        put_value(metadata, &writer->values[i]);
    return 0;
}

int gguf_tokenizer_write(struct gguf_metadata *metadata, const struct model_folder *model,
                         size_t n_rows, struct notices *notices, struct error *err)
{
    const char *directory = model_folder_tokenizer_at(model);
    struct writer writer = {.model = model, .n_rows = n_rows, .notices = notices};
    int rc = -1;

    if (!tokenizer_is_there(model->folder, directory)) {
        gguf_put_text(metadata, KEY("model"), "none", 4);
        return 0;
    }
    writer.tokenizer = tokenizer_load(model->folder, directory, err);
    if (writer.tokenizer)
        rc = write_tokenizer(&writer, metadata, err);
    if (rc == 0)
        rc = gguf_templates_write(metadata, model->folder, directory, err);
    free(writer.bpe.merges);
    tokenizer_free(writer.tokenizer);
    arena_release(&writer.arena);
    return rc;
}
