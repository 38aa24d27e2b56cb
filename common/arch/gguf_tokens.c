/* gguf_tokens.c - the metadata of a tokenizer, with the rules of llama.cpp about what is not said.
 *
 * From llama_vocab::impl::load in llama-vocab.cpp of llama.cpp. Unlike that, an id out of range, or
 * a token that is there twice, is an error. */
#include "gguf_tokens.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "text/sentencepiece_json.h"

#define KEY(name) "tokenizer.ggml." name

const struct gguf_special_name gguf_special_names[GGUF_SPECIALS] = {
    [GGUF_BEGIN] = {KEY("bos_token_id"), "bos_token"},
    [GGUF_END] = {KEY("eos_token_id"), "eos_token"},
    [GGUF_UNKNOWN] = {KEY("unknown_token_id"), "unk_token"},
    [GGUF_SEPARATOR] = {KEY("seperator_token_id"), "sep_token"}, /* as llama.cpp spells it */
    [GGUF_PADDING] = {KEY("padding_token_id"), "pad_token"},
    [GGUF_CLASS] = {KEY("cls_token_id"), "cls_token"},
    [GGUF_MASK] = {KEY("mask_token_id"), "mask_token"},
};

#define NONE GGUF_NO_TOKEN

static const struct kind {
    const char *model;
    enum gguf_kind kind;
    const char *pre;                 /* NULL: the file says it */
    size_t specials[GGUF_SPECIALS];  /* where the file does not say them */
    bool adds_begin, adds_end, adds_separator, adds_space;
} kinds[] = {
    {"llama", GGUF_KIND_SCORES, NULL, {1, 2, 0, NONE, NONE, NONE, NONE}, true, false, false, true},
    {"gpt2", GGUF_KIND_MERGES, NULL, {NONE, NONE, NONE, NONE, NONE, NONE, NONE},
     false, false, false, false},
    {"gemma4", GGUF_KIND_MERGES, "gemma4", {NONE, NONE, NONE, NONE, NONE, NONE, NONE},
     false, false, false, false},
    {"bert", GGUF_KIND_WORDS, NULL, {NONE, NONE, 100, 102, 0, 101, 103}, true, false, true, false},
    {"t5", GGUF_KIND_UNIGRAM, NULL, {NONE, 1, 2, NONE, 0, NONE, NONE}, false, true, false, false},
};

/* ---- single values ---- */

static bool is_text(struct gguf_text text, const char *expected)
{
    return text.length == strlen(expected) && memcmp(text.bytes, expected, text.length) == 0;
}

/* The text, or "" where the key is absent. */
static int read_text(const struct gguf *gguf, const char *key, struct gguf_text *text,
                     struct error *err)
{
    const struct gguf_value *value = gguf_find(gguf, key);

    *text = (struct gguf_text){"", 0};
    if (!value)
        return 0;
    if (value->is_array || value->type != GGUF_STRING)
        return error_set(err, ERROR_FORMAT, "'%s': not a text", key);
    *text = gguf_text(value, 0);
    return 0;
}

/* Leaves the flag alone where the key is absent. */
static int read_flag(const struct gguf *gguf, const char *key, bool *flag, struct error *err)
{
    const struct gguf_value *value = gguf_find(gguf, key);

    if (!value)
        return 0;
    if (value->is_array || value->type != GGUF_BOOL)
        return error_set(err, ERROR_FORMAT, "'%s': not a boolean", key);
    *flag = gguf_number(value, 0) != 0;
    return 0;
}

static bool is_integer(const struct gguf_value *value)
{
    return gguf_is_number(value) && value->type != GGUF_F32 && value->type != GGUF_F64 &&
           value->type != GGUF_BOOL;
}

static int read_specials(struct gguf_tokens *tokens, const struct gguf *gguf,
                         const struct kind *kind, struct error *err)
{
    for (size_t i = 0; i < GGUF_SPECIALS; i++) {
        const char *key = gguf_special_names[i].key;
        const struct gguf_value *value = gguf_find(gguf, key);
        double id;

        tokens->specials[i] = kind->specials[i] < tokens->n_items ? kind->specials[i] : NONE;
        if (!value)
            continue;
        if (value->is_array || !is_integer(value))
            return error_set(err, ERROR_FORMAT, "'%s': not a whole number", key);
        id = gguf_number(value, 0);
        if (id < 0 || id >= (double)tokens->n_items)
            return error_set(err, ERROR_FORMAT, "'%s': %.0f, and there are %zu tokens", key, id,
                             tokens->n_items);
        tokens->specials[i] = (size_t)id;
    }
    return 0;
}

/* Files of Gemma leave it out, and llama.cpp, which has bytes for what is unknown, then takes 0. */
static void find_unknown(struct gguf_tokens *tokens, const struct gguf *gguf)
{
    if (gguf_find(gguf, gguf_special_names[GGUF_UNKNOWN].key))
        return;
    for (size_t i = 0; i < tokens->n_items; i++)
        if (tokens->items[i].type == GGUF_TOKEN_UNKNOWN) {
            tokens->specials[GGUF_UNKNOWN] = i;
            return;
        }
}

/* [CLS] of Bert is what llama.cpp calls its begin token. */
static void name_class(struct gguf_tokens *tokens, const struct gguf *gguf)
{
    if (gguf_find(gguf, gguf_special_names[GGUF_BEGIN].key))
        tokens->specials[GGUF_CLASS] = tokens->specials[GGUF_BEGIN];
    tokens->specials[GGUF_BEGIN] = tokens->specials[GGUF_END] = NONE;
}

static int read_flags(struct gguf_tokens *tokens, const struct gguf *gguf, struct error *err)
{
    bool strips = false;

    if (read_flag(gguf, KEY("add_bos_token"), &tokens->adds_begin, err) ||
        read_flag(gguf, KEY("add_eos_token"), &tokens->adds_end, err) ||
        read_flag(gguf, KEY("add_sep_token"), &tokens->adds_separator, err) ||
        read_flag(gguf, KEY("add_space_prefix"), &tokens->adds_space, err) ||
        read_flag(gguf, KEY("remove_extra_whitespaces"), &tokens->merges_spaces, err) ||
        read_flag(gguf, KEY("normalizer.lowercase"), &tokens->lowers, err) ||
        read_flag(gguf, KEY("normalizer.strip_accents"), &strips, err))
        return -1;
    if (gguf_find(gguf, KEY("normalizer.strip_accents")))
        tokens->strips_accents = strips;
    if (tokens->pre && tokens->pre->is_plain && tokens->pre->adds_begin)
        tokens->adds_begin = true; /* Gemma 4, whatever the file says */
    return 0;
}

/* ---- what kind it is ---- */

static int read_pre(struct gguf_tokens *tokens, const struct gguf *gguf, const struct kind *kind,
                    struct error *err)
{
    static const char *const with_separator[] = {"jina-v1-en", "jina-v2-code", "roberta-bpe"};
    struct gguf_text name = {"default", 7};

    if (kind->pre)
        name = (struct gguf_text){kind->pre, strlen(kind->pre)};
    else if (gguf_find(gguf, KEY("pre")) && read_text(gguf, KEY("pre"), &name, err))
        return -1;
    tokens->pre = gguf_pre_find(name.bytes, name.length);
    if (!tokens->pre)
        return error_set(err, ERROR_UNSUPPORTED, "'" KEY("pre") "': '" ERROR_NAME "' is a way to "
                         "cut texts that is not known", name.bytes);
    tokens->adds_begin = tokens->pre->adds_begin;
    for (size_t i = 0; i < sizeof with_separator / sizeof *with_separator; i++)
        tokens->adds_separator |= is_text(name, with_separator[i]);
    return 0;
}

/* NULL with an error, and without one where the file has no tokenizer. */
static const struct kind *read_kind(const struct gguf *gguf, struct error *err)
{
    struct gguf_text model;

    if (read_text(gguf, KEY("model"), &model, err))
        return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (is_text(model, kinds[i].model))
            return &kinds[i];
    if (model.length && !is_text(model, "none") && !is_text(model, "no_vocab"))
        error_set(err, ERROR_UNSUPPORTED, "'" KEY("model") "': a tokenizer of kind '" ERROR_NAME
                  "' is not supported", model.bytes);
    return NULL;
}

/* ---- tokens ---- */

bool gguf_token_is_control(struct gguf_text text)
{
    static const char *const names[] = {
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
        "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<｜end▁of▁sentence｜>", "<end_of_utterance>",
        "<|eom_id|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "</s>", "<eos>",
        "<turn|>", "<|tool_response>", "[e~[",
        "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
        "<|code_prefix|>", "<|prefix|>", "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",
        "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>", "<|fim_middle|>",
        "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>",
        "<|middle|>", "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]", "<|fim_repo|>",
        "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_text(text, names[i]))
            return true;
    return false;
}

bool gguf_token_is_added(const struct gguf_token *token)
{
    return token->type == GGUF_TOKEN_CONTROL || token->type == GGUF_TOKEN_USER ||
           token->type == GGUF_TOKEN_UNKNOWN;
}

/* "[PAD17]", the converters' word for "no token has this id". Older ones count the fillers alone. */
static bool is_filler(const struct gguf_token *token, size_t id, bool is_at_end)
{
    char own[32];
    size_t i = 4;

    if (token->type != GGUF_TOKEN_UNUSED)
        return false;
    snprintf(own, sizeof own, "[PAD%zu]", id);
    if (is_text(token->text, own))
        return true;
    if (!is_at_end || token->text.length < 6 || memcmp(token->text.bytes, "[PAD", 4) != 0)
        return false;
    while (i < token->text.length && isdigit((unsigned char)token->text.bytes[i]))
        i++;
    return i > 4 && i + 1 == token->text.length && token->text.bytes[i] == ']';
}

static struct gguf_text join(struct arena *arena, const char *first, struct gguf_text text)
{
    size_t n = strlen(first);
    char *bytes = arena_alloc(arena, n + text.length + 1);

    memcpy(bytes, first, n);
    memcpy(bytes + n, text.bytes, text.length);
    return (struct gguf_text){bytes, n + text.length};
}

static struct gguf_text lower_ones(struct arena *arena, struct gguf_text text)
{
    char *bytes = arena_alloc(arena, 3 * text.length + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.length; i++) {
        size_t length = text.bytes[i] == ' ' ? 3 : 1;

        memcpy(bytes + n, text.bytes[i] == ' ' ? SENTENCEPIECE_SPACE : text.bytes + i, length);
        n += length;
    }
    return (struct gguf_text){bytes, n};
}

static bool begins_with(struct gguf_text text, const char *start)
{
    return text.length >= strlen(start) && memcmp(text.bytes, start, strlen(start)) == 0;
}

/* From llama.cpp's spelling to that of Hugging Face. */
static void spell(struct gguf_tokens *tokens, struct gguf_token *token, size_t id)
{
    struct gguf_text *text = &token->text;
    bool has_lower_ones = (tokens->kind == GGUF_KIND_SCORES && !tokens->adds_space) ||
                          (tokens->pre && tokens->pre->is_plain);
    char empty[32];

    if (text->length == 0) {
        snprintf(empty, sizeof empty, "[EMPTY_%zu]", id);
        *text = join(&tokens->arena, empty, (struct gguf_text){"", 0});
    } else if (tokens->kind == GGUF_KIND_WORDS && !gguf_token_is_added(token)) {
        /* "▁word" is a word, "tail" what follows one. Older converters left "[unused0]" alone. */
        if (begins_with(*text, SENTENCEPIECE_SPACE))
            *text = (struct gguf_text){text->bytes + 3, text->length - 3};
        else if (text->bytes[0] != '[' || text->length < 3 || text->bytes[text->length - 1] != ']')
            *text = join(&tokens->arena, "##", *text);
    } else if (has_lower_ones && token->type == GGUF_TOKEN_USER &&
               memchr(text->bytes, ' ', text->length)) {
        *text = lower_ones(&tokens->arena, *text);
        token->normalized = true;
    }
}

/* NULL with an error: the array that has an item for each token. */
static const struct gguf_value *find_items(const struct gguf *gguf, const char *key, size_t n_min,
                                           struct error *err)
{
    const struct gguf_value *value = gguf_find(gguf, key);

    if (!value)
        error_set(err, ERROR_FORMAT, "'%s': missing", key);
    else if (!value->is_array)
        error_set(err, ERROR_FORMAT, "'%s': not an array", key);
    else if (value->n_items < n_min)
        error_set(err, ERROR_FORMAT, "'%s': %zu items for %zu tokens", key, value->n_items, n_min);
    else
        return value;
    return NULL;
}

static int read_types(struct gguf_tokens *tokens, const struct gguf *gguf, struct error *err)
{
    const struct gguf_value *types = NULL;

    if (gguf_find(gguf, KEY("token_type"))) {
        types = find_items(gguf, KEY("token_type"), tokens->n_items, err);
        if (!types)
            return -1;
        if (!is_integer(types))
            return error_set(err, ERROR_FORMAT, "'" KEY("token_type") "': not whole numbers");
    }
    for (size_t i = 0; i < tokens->n_items; i++) {
        double type = types ? gguf_number(types, i) : GGUF_TOKEN_NORMAL;

        if (!(type >= 0 && type <= GGUF_TOKEN_BYTE))
            return error_set(err, ERROR_FORMAT, "'" KEY("token_type") "': item %zu is %.0f, and "
                             "types go up to 6", i, type);
        tokens->items[i].type = (enum gguf_token_type)type;
    }
    return 0;
}

static int read_texts(struct gguf_tokens *tokens, const struct gguf *gguf, struct error *err)
{
    const struct gguf_value *list = find_items(gguf, KEY("tokens"), 1, err);

    if (!list)
        return -1;
    if (list->type != GGUF_STRING)
        return error_set(err, ERROR_FORMAT, "'" KEY("tokens") "': not texts");
    if (list->n_items > INT32_MAX)
        return error_set(err, ERROR_FORMAT, "'" KEY("tokens") "': %zu items", list->n_items);
    tokens->n_items = list->n_items;
    tokens->items = arena_alloc(&tokens->arena, list->n_items * sizeof *tokens->items);
    for (size_t i = 0; i < list->n_items; i++) {
        struct gguf_text text = gguf_text(list, i);

        if (utf8_valid_prefix(text.bytes, text.length) < text.length)
            return error_set(err, ERROR_FORMAT, "'" KEY("tokens") "': item %zu is not UTF-8", i);
        tokens->items[i].text = text;
    }
    return 0;
}

static bool is_named(const struct gguf_tokens *tokens, size_t id)
{
    for (size_t i = 0; i < GGUF_SPECIALS; i++)
        if (tokens->specials[i] == id)
            return true;
    return false;
}

static void drop_fillers(struct gguf_tokens *tokens)
{
    while (tokens->n_items > 1 && !is_named(tokens, tokens->n_items - 1) &&
           is_filler(&tokens->items[tokens->n_items - 1], tokens->n_items - 1, true))
        tokens->n_items--;
    /* In between an id may be free, too; a list of pieces has no way to leave one out. */
    for (size_t i = 0; i < tokens->n_items && tokens->kind != GGUF_KIND_UNIGRAM; i++)
        tokens->items[i].is_filler =
            !is_named(tokens, i) && is_filler(&tokens->items[i], i, false);
}

/* Gemma 4 has "</s>" for HTML, and this among its control tokens. */
static bool has_tool_response(const struct gguf_tokens *tokens)
{
    for (size_t i = 0; i < tokens->n_items; i++)
        if (is_text(tokens->items[i].text, "<|tool_response>"))
            return true;
    return false;
}

static int finish_tokens(struct gguf_tokens *tokens, struct error *err)
{
    bool keeps_end = !has_tool_response(tokens);

    for (size_t i = 0; i < tokens->n_items; i++) {
        struct gguf_token *token = &tokens->items[i];
        size_t before;

        if (!keeps_end && is_text(token->text, "</s>"))
            token->type = GGUF_TOKEN_NORMAL;
        else if (token->type == GGUF_TOKEN_NORMAL && gguf_token_is_control(token->text))
            token->type = GGUF_TOKEN_CONTROL;
        spell(tokens, token, i);
        if (token->is_filler)
            continue;
        if (gguf_token_is_added(token) && memchr(token->text.bytes, 0, token->text.length))
            return error_set(err, ERROR_FORMAT, "'" KEY("tokens") "': item %zu, which is found in "
                             "texts as a whole, holds a NUL", i);
        before = hash_map_add(&tokens->by_text, token->text.bytes, token->text.length, i);
        if (before != i)
            return error_set(err, ERROR_FORMAT, "'" KEY("tokens") "': items %zu and %zu are both '"
                             ERROR_NAME "'", before, i, token->text.bytes);
    }
    return 0;
}

/* ---- white space around added tokens, which llama.cpp knows by the names of models ---- */

static bool contains(struct gguf_text text, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i + n <= text.length; i++) {
        size_t j = 0;

        while (j < n && tolower((unsigned char)text.bytes[i + j]) == part[j])
            j++;
        if (j == n)
            return true;
    }
    return false;
}

static int set_strips(struct gguf_tokens *tokens, const struct gguf *gguf, struct error *err)
{
    struct gguf_text name, architecture, pre = {"", 0};
    bool strips_left, is_phi3, is_modern;

    if (read_text(gguf, "general.name", &name, err) ||
        read_text(gguf, "general.architecture", &architecture, err) ||
        read_text(gguf, KEY("pre"), &pre, err))
        return -1;
    strips_left = contains(pre, "jina-v2-de") || contains(pre, "jina-v2-es") ||
                  contains(pre, "jina-v2-code") || contains(architecture, "nomic-bert-moe") ||
                  contains(architecture, "jina-bert-v3");
    is_phi3 = contains(name, "phi-3") || contains(name, "phi3");
    is_modern = contains(name, "modern-bert");
    for (size_t i = 0; i < tokens->n_items; i++) {
        struct gguf_token *token = &tokens->items[i];

        if (!gguf_token_is_added(token))
            continue;
        token->lstrip = (strips_left && is_text(token->text, "<mask>")) ||
                        (is_modern && !strips_left && !is_phi3 && is_text(token->text, "[MASK]"));
        token->rstrip = is_phi3 && !strips_left && !is_text(token->text, "<unk>") &&
                        !is_text(token->text, "<s>") && !is_text(token->text, "<|endoftext|>");
    }
    return 0;
}

/* ---- what the kinds need beside ---- */

static int read_scores(struct gguf_tokens *tokens, const struct gguf *gguf, size_t n,
                       struct error *err)
{
    tokens->scores = find_items(gguf, KEY("scores"), n, err);
    if (!tokens->scores)
        return -1;
    if (!gguf_is_number(tokens->scores))
        return error_set(err, ERROR_FORMAT, "'" KEY("scores") "': not numbers");
    for (size_t i = 0; i < tokens->n_items; i++)
        if (!isfinite(gguf_number(tokens->scores, i)))
            return error_set(err, ERROR_FORMAT, "'" KEY("scores") "': item %zu is not a finite "
                             "number", i);
    return 0;
}

static int read_charsmap(struct gguf_tokens *tokens, const struct gguf *gguf, struct error *err)
{
    const struct gguf_value *map = gguf_find(gguf, KEY("precompiled_charsmap"));

    if (!map)
        return 0;
    if (!map->is_array || (map->type != GGUF_U8 && map->type != GGUF_I8))
        return error_set(err, ERROR_FORMAT, "'" KEY("precompiled_charsmap") "': not bytes");
    if (map->n_items)
        tokens->charsmap = map;
    return 0;
}

static int read_rest(struct gguf_tokens *tokens, const struct gguf *gguf, size_t n_all,
                     struct error *err)
{
    switch (tokens->kind) {
    case GGUF_KIND_SCORES: return read_scores(tokens, gguf, n_all, err);
    case GGUF_KIND_UNIGRAM:
        return read_scores(tokens, gguf, n_all, err) ? -1 : read_charsmap(tokens, gguf, err);
    case GGUF_KIND_MERGES:
        tokens->merges = find_items(gguf, KEY("merges"), 0, err);
        if (tokens->merges && tokens->merges->type != GGUF_STRING)
            return error_set(err, ERROR_FORMAT, "'" KEY("merges") "': not texts");
        return tokens->merges ? 0 : -1;
    case GGUF_KIND_WORDS: break;
    }
    return 0;
}

/* What will be put around a text, or stand for what is unknown, must be there. */
static int check_specials(const struct gguf_tokens *tokens, struct error *err)
{
    bool is_words = tokens->kind == GGUF_KIND_WORDS;
    const bool needed[GGUF_SPECIALS] = {
        [GGUF_BEGIN] = tokens->adds_begin && !is_words,
        [GGUF_END] = tokens->adds_end && !is_words,
        [GGUF_UNKNOWN] = tokens->kind != GGUF_KIND_MERGES,
        [GGUF_SEPARATOR] = is_words,
        [GGUF_CLASS] = is_words,
    };

    for (size_t i = 0; i < GGUF_SPECIALS; i++)
        if (needed[i] && tokens->specials[i] == NONE)
            return error_set(err, ERROR_FORMAT, "'%s': missing, and its token is needed",
                             gguf_special_names[is_words && i == GGUF_CLASS ? GGUF_BEGIN : i].key);
    return 0;
}

int gguf_tokens_read(struct gguf_tokens *tokens, const struct gguf *gguf, struct error *err)
{
    const struct kind *kind = read_kind(gguf, err);
    size_t n_all;

    *tokens = (struct gguf_tokens){0};
    if (!kind)
        return err->code ? -1 : 0;
    tokens->is_there = true;
    tokens->kind = kind->kind;
    tokens->adds_begin = kind->adds_begin;
    tokens->adds_end = kind->adds_end;
    tokens->adds_separator = kind->adds_separator;
    tokens->adds_space = kind->adds_space;
    tokens->lowers = true;
    tokens->strips_accents = -1;
    if ((tokens->kind == GGUF_KIND_MERGES && read_pre(tokens, gguf, kind, err)) ||
        read_texts(tokens, gguf, err) || read_types(tokens, gguf, err) ||
        read_specials(tokens, gguf, kind, err) || read_flags(tokens, gguf, err))
        return -1;
    if (tokens->kind == GGUF_KIND_WORDS)
        name_class(tokens, gguf);
    if (tokens->kind == GGUF_KIND_SCORES)
        find_unknown(tokens, gguf);
    n_all = tokens->n_items;
    drop_fillers(tokens);
    if (finish_tokens(tokens, err) || set_strips(tokens, gguf, err) ||
        read_rest(tokens, gguf, n_all, err))
        return -1;
    return check_specials(tokens, err);
}

void gguf_tokens_release(struct gguf_tokens *tokens)
{
    hash_map_release(&tokens->by_text);
    arena_release(&tokens->arena);
    *tokens = (struct gguf_tokens){0};
}
