/* pretokenizer.c - a list of steps, each of which goes through all pieces.
 *
 * Sequences are laid out flat, and ByteLevel becomes up to three steps: a space in front, the cut
 * into words, the display characters. Most steps only cut: the text stays where it is and a new
 * list of pieces is made. The others write the text anew. */
#include "pretokenizer.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/regex.h"
#include "text/rewrite.h"
#include "text/scanners.h"
#include "text/split.h"
#include "text/unicode.h"
#include "text/unicode_names.h"

enum step_kind {
    /* cut: */
    STEP_BERT,
    STEP_SPACES,       /* WhitespaceSplit */
    STEP_WORDS,        /* Whitespace */
    STEP_FLAGS,        /* Punctuation, Digits: characters with a flag are matches */
    STEP_FIXED_LENGTH,
    STEP_SCRIPTS,
    STEP_STRING,       /* Split by a string, CharDelimiterSplit */
    STEP_SCANNER,      /* Split by a known pattern */
    STEP_REGEX,        /* Split by any other */
    /* write: */
    STEP_PREFIX_SPACE,
    STEP_DISPLAY,
    STEP_METASPACE,
};

enum prepend { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

struct step {
    enum step_kind kind;
    enum split_behavior behavior;
    bool is_inverted;
    uint32_t flags;                 /* STEP_FLAGS */
    size_t length;                  /* FixedLength: code points */
    char *string;                   /* STEP_STRING; the replacement of Metaspace */
    size_t string_size;
    struct scanner scanner;
    struct regex *regex;
    bool is_on;                     /* STEP_PREFIX_SPACE */
    enum prepend prepend;           /* Metaspace */
    bool splits;
};

enum { DEPTH_MAX = 32, STEPS_MAX = 1000 };

struct pretokenizer {
    struct step *steps;
    size_t n_steps;
    bool is_byte_level;
};

/* The display characters of bytes: what prints in Latin-1 stands for itself, the others follow from
 * U+0100 on. */
unsigned pretokenizer_byte_to_display(unsigned char byte)
{
    if (byte <= 0x20)
        return 0x100 + byte;
    if (byte <= 0x7e)
        return byte;
    if (byte <= 0xa0)
        return 0x121 + (byte - 0x7fu);
    return byte == 0xad ? 0x143 : byte;
}

int pretokenizer_display_to_byte(unsigned code_point)
{
    if (code_point >= 0x100 && code_point <= 0x120)
        return (int)code_point - 0x100;
    if (code_point >= 0x121 && code_point <= 0x142)
        return (int)code_point - 0x121 + 0x7f;
    if (code_point == 0x143)
        return 0xad;
    if (code_point > 0xff || pretokenizer_byte_to_display((unsigned char)code_point) != code_point)
        return -1;
    return (int)code_point;
}

/* Steps that cut. Each gets one piece of the text and adds its parts to `out`. */

static void cut_spaces(const char *text, const struct piece *piece, struct pieces *out)
{
    size_t start = 0, at = 0, n = piece->length;

    while (at < n) {
        uint32_t code_point;
        size_t length = unicode_decode(text, at, &code_point);

        if (unicode_flags(code_point) & UNICODE_SPACE) {
            split_add(out, piece, start, at);
            start = at + length;
        }
        at += length;
    }
    split_add(out, piece, start, n);
}

static void cut_bert(const char *text, const struct piece *piece, struct pieces *out)
{
    size_t start = 0, at = 0, n = piece->length;

    while (at < n) {
        uint32_t code_point;
        size_t length = unicode_decode(text, at, &code_point);
        uint32_t flags = unicode_flags(code_point) & (UNICODE_SPACE | UNICODE_BERT_PUNCTUATION);

        if (flags) {
            split_add(out, piece, start, at);
            start = at + length;
            if (!(flags & UNICODE_SPACE))
                split_add(out, piece, at, start);
        }
        at += length;
    }
    split_add(out, piece, start, n);
}

/* \w+|[^\w\s]+ and nothing else. */
static void cut_words(const char *text, const struct piece *piece, struct pieces *out)
{
    size_t start = 0, at = 0, n = piece->length;
    uint32_t kind = UNICODE_SPACE;

    while (at < n) {
        uint32_t code_point;
        size_t length = unicode_decode(text, at, &code_point);
        uint32_t flags = unicode_flags(code_point);
        uint32_t next = flags & UNICODE_WORD ? UNICODE_WORD : flags & UNICODE_SPACE;

        if (next != kind) {
            if (kind != UNICODE_SPACE)
                split_add(out, piece, start, at);
            start = at;
            kind = next;
        }
        at += length;
    }
    if (kind != UNICODE_SPACE)
        split_add(out, piece, start, n);
}

static void cut_flags(const struct step *step, const char *text, const struct piece *piece,
                      struct pieces *out)
{
    size_t at = 0, n = piece->length;
    struct split split;

    split_begin(&split, step->behavior, false, *piece, out);
    while (at < n) {
        uint32_t code_point;
        size_t length = unicode_decode(text, at, &code_point);

        if (unicode_flags(code_point) & step->flags)
            split_match(&split, at, at + length);
        at += length;
    }
    split_end(&split);
}

static void cut_fixed_length(const struct step *step, const char *text, const struct piece *piece,
                             struct pieces *out)
{
    size_t start = 0, at = 0, n = piece->length;

    while (at < n) {
        uint32_t code_point;

        for (size_t i = 0; i < step->length && at < n; i++)
            at += unicode_decode(text, at, &code_point);
        split_add(out, piece, start, at);
        start = at;
    }
}

/* The first piece begins with the first character that has a script: what stands before it is
 * lost. */
static void cut_scripts(const char *text, const struct piece *piece, struct pieces *out)
{
    size_t start = 0, at = 0, n = piece->length;
    unsigned last = 0;

    while (at < n) {
        uint32_t code_point;
        size_t length = unicode_decode(text, at, &code_point);
        unsigned script = unicode_names_joined_script(code_point);

        if (script != 0 && script != last) {
            if (last != 0)
                split_add(out, piece, start, at);
            start = at;
            last = script;
        }
        at += length;
    }
    if (last != 0)
        split_add(out, piece, start, n);
}

/* The empty string matches before every character and at the end, which cuts characters apart. */
static void match_empty(struct split *split, const char *text, size_t n)
{
    size_t at = 0;

    while (at < n) {
        uint32_t code_point;

        split_match(split, at, at);
        at += unicode_decode(text, at, &code_point);
    }
    split_match(split, n, n);
}

static void cut_string(const struct step *step, const char *text, const struct piece *piece,
                       struct pieces *out)
{
    size_t at = 0, n = piece->length;
    struct split split;

    split_begin(&split, step->behavior, step->is_inverted, *piece, out);
    if (step->string_size == 0)
        match_empty(&split, text, n);
    while (step->string_size > 0 && at < n) {
        const char *found = step->string_size == 1
                                ? memchr(text + at, step->string[0], n - at)
                                : memmem(text + at, n - at, step->string, step->string_size);

        if (!found)
            break;
        at = (size_t)(found - text) + step->string_size;
        split_match(&split, at - step->string_size, at);
    }
    split_end(&split);
}

/* The matches cover the text and are kept as they are. */
static bool keeps_matches(const struct step *step)
{
    return step->behavior == SPLIT_ISOLATED ||
           (step->behavior == SPLIT_REMOVED && step->is_inverted);
}

static void cut_scanner(const struct step *step, const char *text, const struct piece *piece,
                        struct pieces *out)
{
    size_t at = 0, n = piece->length, start, end;
    struct split split;

    if (step->scanner.word && keeps_matches(step)) {
        for (; at < n; at = end) {
            end = step->scanner.word(text, n, at);
            split_add(out, piece, at, end);
        }
        return;
    }
    split_begin(&split, step->behavior, step->is_inverted, *piece, out);
    if (step->scanner.word) {
        for (; at < n; at = end) {
            end = step->scanner.word(text, n, at);
            split_match(&split, at, end);
        }
    } else {
        for (; at < n && step->scanner.find(text, n, at, &start, &end); at = end)
            split_match(&split, start, end);
    }
    split_end(&split);
}

static int cut_regex(const struct step *step, const char *text, const struct piece *piece,
                     struct regex_scan *scan, struct pieces *out, struct error *err)
{
    struct split split;
    size_t start, end;
    int more;

    split_begin(&split, step->behavior, step->is_inverted, *piece, out);
    regex_scan_text(scan, text, piece->length);
    while ((more = regex_scan_next(scan, &start, &end, err)) > 0)
        split_match(&split, start, end);
    split_end(&split);
    return more;
}

static int run_regex(const struct step *step, const struct pieces *in, struct pieces *out,
                     struct error *err)
{
    struct regex_scan scan;
    int rc = 0;

    regex_scan_begin(&scan, step->regex);
    for (size_t i = 0; i < in->n_items && rc == 0; i++)
        rc = cut_regex(step, out->text.data + in->items[i].start, &in->items[i], &scan, out, err);
    regex_scan_end(&scan);
    return rc;
}

/* `out` has the text, `in` the pieces. */
static int run_cut(const struct step *step, const struct pieces *in, struct pieces *out,
                   struct error *err)
{
    if (step->kind == STEP_REGEX)
        return run_regex(step, in, out, err);
    for (size_t i = 0; i < in->n_items; i++) {
        const struct piece *piece = &in->items[i];
        const char *text = out->text.data + piece->start;

        switch (step->kind) {
        case STEP_BERT: cut_bert(text, piece, out); break;
        case STEP_SPACES: cut_spaces(text, piece, out); break;
        case STEP_WORDS: cut_words(text, piece, out); break;
        case STEP_FLAGS: cut_flags(step, text, piece, out); break;
        case STEP_FIXED_LENGTH: cut_fixed_length(step, text, piece, out); break;
        case STEP_SCRIPTS: cut_scripts(text, piece, out); break;
        case STEP_STRING: cut_string(step, text, piece, out); break;
        default: cut_scanner(step, text, piece, out); break;
        }
    }
    return 0;
}

/* Steps that write. */

/* A space in front of every piece that does not begin with one. It counts to the character that
 * follows. */
static void write_prefix_space(const struct pieces *in, struct pieces *out)
{
    for (size_t i = 0; i < in->n_items; i++) {
        struct piece piece = in->items[i];
        const char *text = in->text.data + piece.start;
        size_t start = out->text.size, n_added = text[0] != ' ';

        buffer_add(&out->text, " ", n_added);
        buffer_add(&out->text, text, piece.length);
        pieces_add(out, start, piece.length + n_added,
                   piece.n_origin > 0 ? piece.n_origin + n_added : 0);
    }
}

static void write_display(const struct pieces *in, struct pieces *out)
{
    for (size_t i = 0; i < in->n_items; i++) {
        struct piece piece = in->items[i];
        const char *text = in->text.data + piece.start;
        size_t start = out->text.size, n_origin = 0;
        char *end = rewrite_room(&out->text, 2 * piece.length);

        for (size_t k = 0; k < piece.length; k++) {
            end += unicode_encode(pretokenizer_byte_to_display((unsigned char)text[k]), end);
            if (k < piece.n_origin)
                n_origin = (size_t)(end - out->text.data) - start;
        }
        rewrite_end(&out->text, end);
        pieces_add(out, start, out->text.size - start, n_origin);
    }
}

static bool begins_with_replacement(const struct step *step, const char *text, size_t n)
{
    return text[0] == ' ' ||
           (n >= step->string_size && memcmp(text, step->string, step->string_size) == 0);
}

/* How many of the bytes written come from the first character of all. */
static size_t metaspace_origin(const struct step *step, const char *text, struct piece piece,
                               size_t n_added)
{
    size_t n_origin = piece.n_origin;

    if (n_origin == 0)
        return 0;
    for (size_t i = 0; i < piece.n_origin && i < piece.length; i++)
        if (text[i] == ' ')
            n_origin += step->string_size - 1;
    return n_origin + n_added;
}

/* Each space becomes the replacement, and the text is cut before each of these. */
static void write_metaspace_piece(const struct step *step, const char *text, struct piece piece,
                                  size_t n_added, struct pieces *out)
{
    size_t size = step->string_size, from = 0;
    struct piece written = {out->text.size, 0, metaspace_origin(step, text, piece, n_added)};
    char *start = rewrite_room(&out->text, (piece.length + 1) * size), *end = start;

    memcpy(end, step->string, n_added);
    end += n_added;
    for (size_t at = 0; at < piece.length;) {
        bool is_space = text[at] == ' ';

        if (!is_space && text[at] != step->string[0]) {
            *end++ = text[at++];
            continue;
        }
        if (is_space || begins_with_replacement(step, text + at, piece.length - at)) {
            if (step->splits)
                split_add(out, &written, from, (size_t)(end - start));
            from = step->splits ? (size_t)(end - start) : 0;
            memcpy(end, step->string, size);
            end += size;
            at += is_space ? 1 : size;
        } else {
            *end++ = text[at++];
        }
    }
    rewrite_end(&out->text, end);
    split_add(out, &written, from, (size_t)(end - start));
}

static void write_metaspace(const struct step *step, const struct pieces *in, struct pieces *out)
{
    for (size_t i = 0; i < in->n_items; i++) {
        struct piece piece = in->items[i];
        const char *text = in->text.data + piece.start;
        bool may_prepend = step->prepend == PREPEND_ALWAYS ||
                           (step->prepend == PREPEND_FIRST && piece.n_origin > 0);
        bool prepends = may_prepend && !begins_with_replacement(step, text, piece.length);

        write_metaspace_piece(step, text, piece, prepends ? step->string_size : 0, out);
    }
}

int pretokenizer_run(const struct pretokenizer *pretokenizer, struct pieces *pieces,
                     struct pieces *spare, struct error *err)
{
    size_t n_first = pieces->text.size;

    for (size_t i = 0; i < pretokenizer->n_steps; i++) {
        const struct step *step = &pretokenizer->steps[i];
        struct pieces old = *pieces;

        if (step->kind == STEP_PREFIX_SPACE && !step->is_on)
            continue;
        pieces_clear(spare);
        switch (step->kind) {
        case STEP_PREFIX_SPACE: write_prefix_space(pieces, spare); break;
        case STEP_DISPLAY: write_display(pieces, spare); break;
        case STEP_METASPACE: write_metaspace(step, pieces, spare); break;
        default:
            pieces->text = spare->text;
            spare->text = old.text;
            if (run_cut(step, pieces, spare, err))
                return -1;
        }
        old = *pieces;
        *pieces = *spare;
        *spare = old;
        if (rewrite_check(&pieces->text, n_first, err))
            return -1;
    }
    return 0;
}

bool pretokenizer_is_byte_level(const struct pretokenizer *pretokenizer)
{
    return pretokenizer->is_byte_level;
}

pretokenizer_scan *pretokenizer_scanner(const struct pretokenizer *pretokenizer)
{
    pretokenizer_scan *word = NULL;

    for (size_t i = 0; i < pretokenizer->n_steps; i++) {
        const struct step *step = &pretokenizer->steps[i];

        if (step->kind == STEP_PREFIX_SPACE && !step->is_on)
            continue;
        if (word || step->kind != STEP_SCANNER || !keeps_matches(step))
            return NULL;
        word = step->scanner.word;
        if (!word)
            return NULL;
    }
    return word;
}

void pretokenizer_set_prefix_space(struct pretokenizer *pretokenizer, bool add_prefix_space)
{
    for (size_t i = 0; i < pretokenizer->n_steps; i++)
        if (pretokenizer->steps[i].kind == STEP_PREFIX_SPACE)
            pretokenizer->steps[i].is_on = add_prefix_space;
}

void pretokenizer_describe(const struct pretokenizer *pretokenizer, struct buffer *out)
{
    for (size_t i = 0; i < pretokenizer->n_steps; i++) {
        const struct step *step = &pretokenizer->steps[i];
        const char *text = step->kind == STEP_SCANNER ? scanner_spelling(&step->scanner)
                           : step->regex              ? regex_pattern(step->regex)
                           : step->string             ? step->string
                                                      : "";

        if (step->kind == STEP_PREFIX_SPACE && !step->is_on)
            continue;
        /* A known pattern is one way to run an expression. */
        buffer_format(out, "%d %d %d %x %zu %d %d %zu:%s\n",
                      step->kind == STEP_SCANNER ? STEP_REGEX : step->kind, step->behavior,
                      step->is_inverted, (unsigned)step->flags, step->length, step->prepend,
                      step->splits, strlen(text), text);
    }
    buffer_add_text(out, pretokenizer->is_byte_level ? "bytes" : "");
}

/* Loading */

static struct step *add_step(struct pretokenizer *pretokenizer, enum step_kind kind)
{
    struct step *step;

    pretokenizer->steps = memory_resize(pretokenizer->steps, pretokenizer->n_steps + 1,
                                        sizeof *pretokenizer->steps);
    step = &pretokenizer->steps[pretokenizer->n_steps++];
    *step = (struct step){.kind = kind};
    return step;
}

static int get_bool(const cJSON *json, const char *name, bool *value, struct error *err)
{
    int found = json_find_bool(json, name);

    if (found < 0)
        return error_set(err, ERROR_FORMAT, "'%s' is missing or not true or false", name);
    *value = found;
    return 0;
}

/* A member that may be absent, or null where `null_is_absent`: then *value stays. */
static int get_optional_bool(const cJSON *json, const char *name, bool null_is_absent, bool *value,
                             struct error *err)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);

    if (!member || (null_is_absent && cJSON_IsNull(member)))
        return 0;
    return get_bool(json, name, value, err);
}

/* A string of exactly one character. */
static int get_character(const cJSON *json, const char *name, struct step *step, struct error *err)
{
    const char *text = json_find_string(json, name);
    uint32_t code_point;

    if (!text || !*text || text[unicode_decode(text, 0, &code_point)] != 0)
        return error_set(err, ERROR_FORMAT, "'%s' is missing or not one character", name);
    step->string = memory_copy(text);
    step->string_size = strlen(text);
    return 0;
}

static int get_behavior(const cJSON *json, struct step *step, struct error *err)
{
    const char *name = json_find_string(json, "behavior");

    if (!name || !split_behavior_find(name, &step->behavior))
        return error_set(err, ERROR_FORMAT, "'behavior' is missing or not Removed, Isolated, "
                         "MergedWithPrevious, MergedWithNext or Contiguous");
    return 0;
}

static int load_bert(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    (void)json, (void)err;
    add_step(out, STEP_BERT);
    return 0;
}

static int load_whitespace_split(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    (void)json, (void)err;
    add_step(out, STEP_SPACES);
    return 0;
}

static int load_whitespace(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    (void)json, (void)err;
    add_step(out, STEP_WORDS);
    return 0;
}

static int load_scripts(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    (void)json, (void)err;
    add_step(out, STEP_SCRIPTS);
    return 0;
}

static int load_punctuation(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    struct step *step = add_step(out, STEP_FLAGS);

    step->flags = UNICODE_BERT_PUNCTUATION;
    step->behavior = SPLIT_ISOLATED;
    return cJSON_GetObjectItemCaseSensitive(json, "behavior") ? get_behavior(json, step, err) : 0;
}

static int load_digits(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    struct step *step = add_step(out, STEP_FLAGS);
    bool individual = false;

    if (get_bool(json, "individual_digits", &individual, err))
        return -1;
    step->flags = UNICODE_NUMERIC_17;
    step->behavior = individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return 0;
}

static int load_delimiter(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    struct step *step = add_step(out, STEP_STRING);

    step->behavior = SPLIT_REMOVED;
    return get_character(json, "delimiter", step, err);
}

static int load_fixed_length(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    struct step *step = add_step(out, STEP_FIXED_LENGTH);
    const cJSON *length = cJSON_GetObjectItemCaseSensitive(json, "length");
    double value = length ? length->valuedouble : 5;

    if (length && (!cJSON_IsNumber(length) || value < 1 || value > 0x1p64 || value != floor(value)))
        return error_set(err, ERROR_FORMAT, "'length' is not a positive whole number");
    step->length = value < 1e18 ? (size_t)value : SIZE_MAX;
    return 0;
}

static int load_split(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    struct step *step = add_step(out, STEP_STRING);
    const cJSON *pattern = json_find(json, "pattern");
    const char *string = json_find_string(pattern, "String");
    const char *regex = json_find_string(pattern, "Regex");
    const struct scanner *scanner;

    if (!string == !regex || !pattern->child || pattern->child->next)
        return error_set(err, ERROR_FORMAT,
                         "'pattern' is missing or not {\"String\": …} or {\"Regex\": …}");
    if (get_behavior(json, step, err) || get_bool(json, "invert", &step->is_inverted, err))
        return -1;
    if (string) {
        step->string = memory_copy(string);
        step->string_size = strlen(string);
        return 0;
    }
    scanner = scanner_for(regex);
    if (scanner) {
        step->kind = STEP_SCANNER;
        step->scanner = *scanner;
        return 0;
    }
    step->kind = STEP_REGEX;
    step->regex = regex_new(regex, strlen(regex), err);
    return step->regex ? 0 : error_context(err, "pattern '" ERROR_NAME "'", regex);
}

static int load_byte_level(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    bool has_prefix = false, trims = false, splits = true;

    if (get_bool(json, "add_prefix_space", &has_prefix, err) ||
        get_bool(json, "trim_offsets", &trims, err) ||
        get_optional_bool(json, "use_regex", false, &splits, err))
        return -1;
    add_step(out, STEP_PREFIX_SPACE)->is_on = has_prefix;
    if (splits) {
        struct step *step = add_step(out, STEP_SCANNER);

        step->scanner.word = scanner_gpt2;
        step->behavior = SPLIT_ISOLATED;
    }
    add_step(out, STEP_DISPLAY);
    return 0;
}

static int get_prepend(const cJSON *json, struct step *step, struct error *err)
{
    static const char *const names[] = {
        [PREPEND_ALWAYS] = "always", [PREPEND_FIRST] = "first", [PREPEND_NEVER] = "never"};
    const char *name = json_find_string(json, "prepend_scheme");

    if (!cJSON_GetObjectItemCaseSensitive(json, "prepend_scheme"))
        return 0; /* always */
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            step->prepend = (enum prepend)i;
            return 0;
        }
    return error_set(err, ERROR_FORMAT, "'prepend_scheme' is not always, first or never");
}

static int load_metaspace(struct pretokenizer *out, const cJSON *json, struct error *err)
{
    struct step *step = add_step(out, STEP_METASPACE);
    const cJSON *old_name = json_find(json, "str_rep"); /* of old files, and not used */
    bool has_prefix = true;

    step->splits = true;
    if (get_character(json, "replacement", step, err) || get_prepend(json, step, err) ||
        get_optional_bool(json, "split", true, &step->splits, err) ||
        get_optional_bool(json, "add_prefix_space", true, &has_prefix, err))
        return -1;
    if (old_name && !cJSON_IsString(old_name))
        return error_set(err, ERROR_FORMAT, "'str_rep' is not a string");
    if (!has_prefix && step->prepend != PREPEND_NEVER)
        return error_set(err, ERROR_FORMAT,
                         "'add_prefix_space' is false, but 'prepend_scheme' is not \"never\"");
    return 0;
}

static int load(struct pretokenizer *out, const cJSON *json, size_t depth, struct error *err);

static int load_sequence(struct pretokenizer *out, const cJSON *json, size_t depth,
                         struct error *err)
{
    const cJSON *list = json_find(json, "pretokenizers"), *item;

    if (!cJSON_IsArray(list))
        return error_set(err, ERROR_FORMAT, "'pretokenizers' is missing or not a list");
    if (depth == DEPTH_MAX)
        return error_set(err, ERROR_UNSUPPORTED, "sequences nested more than %d deep are not "
                         "supported", DEPTH_MAX);
    cJSON_ArrayForEach(item, list)
        if (load(out, item, depth + 1, err))
            return -1;
    return 0;
}

/* Adds the steps of a component. Its name comes before what is wrong with it. */
static int load(struct pretokenizer *out, const cJSON *json, size_t depth, struct error *err)
{
    static const struct {
        const char *type;
        int (*load)(struct pretokenizer *out, const cJSON *json, struct error *err);
    } loaders[] = {
        {"BertPreTokenizer", load_bert},   {"ByteLevel", load_byte_level},
        {"CharDelimiterSplit", load_delimiter}, {"Digits", load_digits},
        {"FixedLength", load_fixed_length}, {"Metaspace", load_metaspace},
        {"Punctuation", load_punctuation}, {"Split", load_split},
        {"UnicodeScripts", load_scripts},  {"Whitespace", load_whitespace},
        {"WhitespaceSplit", load_whitespace_split},
    };
    const char *type = json_find_string(json, "type");
    int rc = -2;

    if (!type)
        return error_set(err, ERROR_FORMAT, "pre-tokenizer: 'type' is missing or not a string");
    if (out->n_steps > STEPS_MAX)
        return error_set(err, ERROR_UNSUPPORTED, "more than %d pre-tokenizers are not supported",
                         STEPS_MAX);
    if (strcmp(type, "Sequence") == 0)
        return load_sequence(out, json, depth, err) ? error_context(err, "Sequence") : 0;
    for (size_t i = 0; i < sizeof loaders / sizeof *loaders && rc == -2; i++)
        if (strcmp(loaders[i].type, type) == 0)
            rc = loaders[i].load(out, json, err);
    if (rc == -2)
        return error_set(err, ERROR_UNSUPPORTED, "the pre-tokenizer '" ERROR_NAME "' is not known",
                         type);
    return rc ? error_context(err, "pre-tokenizer %s", type) : 0;
}

struct pretokenizer *pretokenizer_new(const cJSON *json, struct error *err)
{
    struct pretokenizer *pretokenizer = memory_zalloc(1, sizeof *pretokenizer);

    if (json && !cJSON_IsNull(json) && load(pretokenizer, json, 0, err)) {
        pretokenizer_free(pretokenizer);
        return NULL;
    }
    if (pretokenizer->n_steps > 0 &&
        pretokenizer->steps[pretokenizer->n_steps - 1].kind == STEP_DISPLAY) {
        pretokenizer->is_byte_level = true; /* whoever reads the pieces knows */
        pretokenizer->n_steps--;
    }
    return pretokenizer;
}

void pretokenizer_free(struct pretokenizer *pretokenizer)
{
    if (!pretokenizer)
        return;
    for (size_t i = 0; i < pretokenizer->n_steps; i++) {
        free(pretokenizer->steps[i].string);
        regex_free(pretokenizer->steps[i].regex);
    }
    free(pretokenizer->steps);
    free(pretokenizer);
}
