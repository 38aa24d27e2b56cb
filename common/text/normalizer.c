/* normalizer.c - the normalizers of tokenizer.json, one row each in `types` below.
 *
 * A Sequence, nested or not, becomes a flat list of steps, each of which writes a new text. What
 * most texts consist of goes fast: ASCII through a table per step, what a step leaves alone by
 * memcpy. */
#include "normalizer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/normal_forms.h"
#include "text/precompiled.h"
#include "text/pretokenizer.h"
#include "text/regex.h"
#include "text/rewrite.h"
#include "text/unicode.h"

enum { CHARACTER_BYTES = 12 }; /* at most: a lower case of three code points */

/* What a step does to one code point: writes what becomes of it, and returns how many bytes. */
typedef size_t character_map(uint32_t code_point, char *out);

struct step {
    const struct type *type;
    /* Steps that take each character alone: ASCII by table (length 0 or 1), others by function. */
    char ascii_to[128];
    unsigned char ascii_length[128];
    character_map *map;
    bool clean_text, handle_chinese_chars, lowercase; /* BertNormalizer */
    int strip_accents;                                /* -1: as lowercase */
    bool strip_left, strip_right;
    char *pattern, *content; /* Replace (pattern: NULL for a regex), Prepend (content) */
    size_t pattern_length, content_length;
    struct regex *regex;
    struct precompiled *precompiled;
    enum normal_form form;
    struct {
        char bytes[2];
        unsigned char length;
    } display[256]; /* ByteLevel */
};

struct type {
    const char *name;
    int (*parse)(struct step *step, const cJSON *json, struct error *err);
    /* Appends the new text of text[n], n > 0. The first n_origin bytes of it come from the first
     * character; of what is appended, *n_origin_out do. */
    int (*run)(const struct step *step, const char *text, size_t n, size_t n_origin,
               struct buffer *out, size_t *n_origin_out, struct error *err);
};

struct normalizer {
    struct step *steps;
    size_t n_steps;
};

struct normalizer_scratch {
    struct buffer texts[2];
};

/* Fields */

static const char *find_string(const cJSON *json, const char *name, struct error *err)
{
    const char *text = json_find_string(json, name);

    if (!text)
        error_set(err, ERROR_FORMAT, "'%s' is missing or not a string", name);
    return text;
}

static int find_bool(const cJSON *json, const char *name, bool *value, struct error *err)
{
    int found = json_find_bool(json, name);

    if (found < 0)
        return error_set(err, ERROR_FORMAT, "'%s' is missing or not true or false", name);
    *value = found;
    return 0;
}

/* Steps that take each character alone */

static void map_characters(const struct step *step, const char *text, size_t n, struct buffer *out)
{
    for (size_t at = 0; at < n;) {
        size_t ascii_end = at + unicode_ascii_prefix(text + at, n - at);
        char *end = rewrite_room(out, ascii_end - at);

        for (; at < ascii_end; at++) {
            *end = step->ascii_to[(unsigned char)text[at]];
            end += step->ascii_length[(unsigned char)text[at]];
        }
        rewrite_end(out, end);
        while (at < n && (unsigned char)text[at] >= 0x80) {
            uint32_t code_point;

            at += unicode_decode(text, at, &code_point);
            end = rewrite_room(out, CHARACTER_BYTES);
            rewrite_end(out, end + step->map(code_point, end));
        }
    }
}

static int run_characters(const struct step *step, const char *text, size_t n, size_t n_origin,
                          struct buffer *out, size_t *n_origin_out, struct error *err)
{
    size_t start = out->size;

    (void)err;
    /* In two parts, so that what comes from the first character can be counted. */
    map_characters(step, text, n_origin, out);
    *n_origin_out = out->size - start;
    map_characters(step, text + n_origin, n - n_origin, out);
    return 0;
}

static int set_map(struct step *step, character_map *map)
{
    step->map = map;
    for (uint32_t c = 0; c < 128; c++) {
        char to[CHARACTER_BYTES] = {0};

        step->ascii_length[c] = (unsigned char)map(c, to);
        step->ascii_to[c] = to[0];
    }
    return 0;
}

static size_t lower_character(uint32_t code_point, char *out)
{
    uint32_t lower[3];
    size_t n = unicode_lower(code_point, lower), length = 0;

    for (size_t i = 0; i < n; i++)
        length += unicode_encode(lower[i], out + length);
    return length;
}

static size_t strip_character(uint32_t code_point, char *out)
{
    return unicode_flags(code_point) & UNICODE_MARK_9 ? 0 : unicode_encode(code_point, out);
}

static size_t nmt_character(uint32_t c, char *out)
{
    bool is_deleted = (c >= 0x01 && c <= 0x08) || c == 0x0b || (c >= 0x0e && c <= 0x1f) ||
                      c == 0x7f || c == 0x8f || c == 0x9f;
    bool is_space = c == 0x09 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 ||
                    (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                    c == 0xfeff || c == 0xfffd;

    if (is_deleted)
        return 0;
    return unicode_encode(is_space ? ' ' : c, out);
}

static int parse_lowercase(struct step *step, const cJSON *json, struct error *err)
{
    (void)json, (void)err;
    return set_map(step, lower_character);
}

static int parse_strip_accents(struct step *step, const cJSON *json, struct error *err)
{
    (void)json, (void)err;
    return set_map(step, strip_character);
}

static int parse_nmt(struct step *step, const cJSON *json, struct error *err)
{
    (void)json, (void)err;
    return set_map(step, nmt_character);
}

/* BertNormalizer */

static bool is_chinese(uint32_t c)
{
    /* 2B820 to 2B91F is left out in the original of the reference, too. */
    return c >= 0x3400 && ((c >= 0x4e00 && c <= 0x9fff) || c <= 0x4dbf ||
                           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x2a6df) ||
                           (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) ||
                           (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0x2f800 && c <= 0x2fa1f));
}

static void set_bert_tables(struct step *step)
{
    for (uint32_t c = 0; c < 128; c++) {
        uint32_t flags = step->clean_text ? unicode_flags(c) : 0;
        char to = flags & UNICODE_SPACE ? ' ' : (char)c;

        step->ascii_length[c] = !(flags & UNICODE_BERT_CONTROL);
        step->ascii_to[c] = step->lowercase && to >= 'A' && to <= 'Z' ? to - 'A' + 'a' : to;
    }
}

static int parse_bert(struct step *step, const cJSON *json, struct error *err)
{
    const cJSON *strip_accents = json_find(json, "strip_accents");

    if (find_bool(json, "clean_text", &step->clean_text, err) ||
        find_bool(json, "handle_chinese_chars", &step->handle_chinese_chars, err) ||
        find_bool(json, "lowercase", &step->lowercase, err))
        return -1;
    if (strip_accents && !cJSON_IsBool(strip_accents))
        return error_set(err, ERROR_FORMAT, "'strip_accents' is not true, false or null");
    step->strip_accents = json_find_bool(json, "strip_accents");
    set_bert_tables(step);
    return 0;
}

/* The state within one run of BertNormalizer. */
struct bert {
    const struct step *step;
    struct buffer *out;
    /* Marks after a starter which are no accents to BERT: they must be put in order. */
    struct buffer marks;
};

static void bert_emit(struct bert *bert, uint32_t code_point)
{
    char *end = rewrite_room(bert->out, CHARACTER_BYTES);

    rewrite_end(bert->out, end + (bert->step->lowercase ? lower_character(code_point, end)
                                                        : unicode_encode(code_point, end)));
}

static void bert_flush(struct bert *bert)
{
    struct buffer sorted = {0};
    uint32_t code_point;

    if (bert->marks.size == 0)
        return;
    normal_form_add(NORMAL_FORM_NFD, bert->marks.data, bert->marks.size, &sorted, NULL);
    for (size_t at = 0; at < sorted.size;) {
        at += unicode_decode(sorted.data, at, &code_point);
        bert_emit(bert, code_point);
    }
    buffer_release(&sorted);
    buffer_clear(&bert->marks);
}

/* Takes the code point apart and drops the accents. */
static void bert_strip(struct bert *bert, uint32_t code_point)
{
    uint32_t parts[NORMAL_FORM_PARTS];
    size_t n_parts = normal_form_decompose(code_point, false, parts);

    for (size_t i = 0; i < n_parts; i++) {
        const struct unicode_property *property = unicode_property(parts[i]);

        if (property->combining_class == 0)
            bert_flush(bert);
        if (property->flags & UNICODE_BERT_MARK)
            continue;
        if (property->combining_class) {
            char *end = rewrite_room(&bert->marks, 4);

            rewrite_end(&bert->marks, end + unicode_encode(parts[i], end));
        } else {
            bert_emit(bert, parts[i]);
        }
    }
}

static void bert_code_point(struct bert *bert, uint32_t code_point, bool is_stripping)
{
    uint32_t flags = unicode_flags(code_point);
    bool is_padded = bert->step->handle_chinese_chars && is_chinese(code_point);

    if (bert->step->clean_text) {
        if (code_point == 0xfffd || flags & UNICODE_BERT_CONTROL)
            return;
        code_point = flags & UNICODE_SPACE ? ' ' : code_point;
    }
    if (is_padded) {
        bert_flush(bert);
        bert_emit(bert, ' ');
    }
    if (is_stripping && (!(flags & UNICODE_STABLE_NFD) || flags & UNICODE_BERT_MARK)) {
        bert_strip(bert, code_point);
    } else {
        bert_flush(bert);
        bert_emit(bert, code_point);
    }
    if (is_padded)
        bert_emit(bert, ' ');
}

static int run_bert(const struct step *step, const char *text, size_t n, size_t n_origin,
                    struct buffer *out, size_t *n_origin_out, struct error *err)
{
    bool is_stripping = step->strip_accents < 0 ? step->lowercase : step->strip_accents;
    struct bert bert = {step, out, {0}};
    size_t start = out->size;

    (void)err;
    *n_origin_out = 0;
    for (size_t at = 0; at < n;) {
        size_t limit = at < n_origin ? n_origin : n; /* so that we see it go by */
        size_t n_ascii = bert.marks.size ? 0 : unicode_ascii_prefix(text + at, limit - at);
        size_t ascii_end = at + n_ascii;
        char *end = rewrite_room(out, n_ascii);

        for (; at < ascii_end; at++) {
            *end = step->ascii_to[(unsigned char)text[at]];
            end += step->ascii_length[(unsigned char)text[at]];
        }
        rewrite_end(out, end);
        /* ASCII that is deleted does not keep marks before and behind it apart. */
        while (at < limit && ((unsigned char)text[at] >= 0x80 ||
                              !step->ascii_length[(unsigned char)text[at]])) {
            uint32_t code_point;

            at += unicode_decode(text, at, &code_point);
            bert_code_point(&bert, code_point, is_stripping);
        }
        if (at <= n_origin)
            *n_origin_out = out->size - start + bert.marks.size;
        if (at < n && (unsigned char)text[at] < 0x80 &&
            step->ascii_length[(unsigned char)text[at]])
            bert_flush(&bert);
    }
    bert_flush(&bert);
    buffer_release(&bert.marks);
    return 0;
}

/* NFC NFD NFKC NFKD */

static int parse_form(struct step *step, const cJSON *json, struct error *err)
{
    const char *name = json_find_string(json, "type");

    (void)err;
    step->form = !strcmp(name, "NFC") ? NORMAL_FORM_NFC
               : !strcmp(name, "NFD") ? NORMAL_FORM_NFD
               : !strcmp(name, "NFKC") ? NORMAL_FORM_NFKC : NORMAL_FORM_NFKD;
    return 0;
}

static int run_form(const struct step *step, const char *text, size_t n, size_t n_origin,
                    struct buffer *out, size_t *n_origin_out, struct error *err)
{
    struct origin origin;

    (void)err;
    origin_init(&origin, text, n, n_origin);
    normal_form_add(step->form, text, n, out, &origin);
    *n_origin_out = origin.n_out;
    return 0;
}

/* Strip */

static int parse_strip(struct step *step, const cJSON *json, struct error *err)
{
    return find_bool(json, "strip_left", &step->strip_left, err) ||
                   find_bool(json, "strip_right", &step->strip_right, err)
               ? -1
               : 0;
}

static int run_strip(const struct step *step, const char *text, size_t n, size_t n_origin,
                     struct buffer *out, size_t *n_origin_out, struct error *err)
{
    size_t start = 0, end = n;
    uint32_t code_point;

    (void)err;
    while (step->strip_left && start < end) {
        size_t length = unicode_decode(text, start, &code_point);

        if (!(unicode_flags(code_point) & UNICODE_SPACE))
            break;
        start += length;
    }
    while (step->strip_right && end > start) {
        size_t last = end - 1;

        while ((text[last] & 0xc0) == 0x80)
            last--;
        unicode_decode(text, last, &code_point);
        if (!(unicode_flags(code_point) & UNICODE_SPACE))
            break;
        end = last;
    }
    buffer_add(out, text + start, end - start);
    n_origin = n_origin < end ? n_origin : end;
    *n_origin_out = n_origin > start ? n_origin - start : 0;
    return 0;
}

/* Prepend */

static int parse_prepend(struct step *step, const cJSON *json, struct error *err)
{
    const char *prepend = find_string(json, "prepend", err);

    if (!prepend)
        return -1;
    step->content = memory_copy(prepend);
    step->content_length = strlen(prepend);
    return 0;
}

static int run_prepend(const struct step *step, const char *text, size_t n, size_t n_origin,
                       struct buffer *out, size_t *n_origin_out, struct error *err)
{
    (void)err;
    buffer_add(out, step->content, step->content_length);
    buffer_add(out, text, n);
    *n_origin_out = n_origin ? step->content_length + n_origin : 0;
    return 0;
}

/* Replace */

static int parse_replace(struct step *step, const cJSON *json, struct error *err)
{
    const cJSON *pattern = json_find(json, "pattern");
    const char *content = find_string(json, "content", err);
    const char *literal = json_find_string(pattern, "String");
    const char *regex = json_find_string(pattern, "Regex");

    if (!content)
        return -1;
    if (!literal == !regex)
        return error_set(err, ERROR_FORMAT,
                         "'pattern' is missing or not {\"String\": …} or {\"Regex\": …}");
    if (regex || !*literal) { /* nothing matches between all characters: let the engine see to it */
        regex = regex ? regex : literal;
        step->regex = regex_new(regex, strlen(regex), err);
        if (!step->regex)
            return error_context(err, "pattern '" ERROR_NAME "'", regex);
    } else {
        step->pattern = memory_copy(literal);
        step->pattern_length = strlen(literal);
    }
    step->content = memory_copy(content);
    step->content_length = strlen(content);
    return 0;
}

/* Copies text[n] and then the content. Most words are short: 16 bytes are copied at once where that
 * many can be read. */
static void add_with_content(const struct step *step, const char *text, size_t n,
                             size_t n_readable, struct buffer *out)
{
    char *end = rewrite_room(out, n + step->content_length + 16);

    if (n <= 16 && n_readable >= 16)
        memcpy(end, text, 16);
    else
        memcpy(end, text, n);
    memcpy(end + n, step->content, step->content_length);
    rewrite_end(out, end + n + step->content_length);
}

/* The matches in text[n] before the place *end are done. The next one: 1, 0 for none, -1 on error. */
static int next_match(const struct step *step, struct regex_scan *scan, const char *text, size_t n,
                      size_t *start, size_t *end, struct error *err)
{
    const char *found;

    if (step->regex)
        return regex_scan_next(scan, start, end, err);
    found = step->pattern_length == 1
                ? memchr(text + *end, step->pattern[0], n - *end)
                : memmem(text + *end, n - *end, step->pattern, step->pattern_length);
    if (!found)
        return 0;
    *start = (size_t)(found - text);
    *end = *start + step->pattern_length;
    return 1;
}

/* The content is said to come from the last character of the match. */
static int run_replace(const struct step *step, const char *text, size_t n, size_t n_origin,
                       struct buffer *out, size_t *n_origin_out, struct error *err)
{
    size_t n_done = 0, start, end = 0;
    struct regex_scan scan;
    int rc;

    if (step->regex) {
        regex_scan_begin(&scan, step->regex);
        regex_scan_text(&scan, text, n);
    }
    *n_origin_out = n_origin;
    while ((rc = next_match(step, &scan, text, n, &start, &end, err)) > 0) {
        add_with_content(step, text + n_done, start - n_done, n - n_done, out);
        if (start < n_origin)
            *n_origin_out -= (end < n_origin ? end : n_origin) - start;
        if (end <= n_origin || end == 0)
            *n_origin_out += step->content_length;
        n_done = end;
        if (rewrite_check(out, n, err)) {
            rc = -1;
            break;
        }
    }
    buffer_add(out, text + n_done, n - n_done);
    if (step->regex)
        regex_scan_end(&scan);
    return rc;
}

/* ByteLevel */

static int parse_byte_level(struct step *step, const cJSON *json, struct error *err)
{
    (void)json, (void)err;
    for (unsigned byte = 0; byte < 256; byte++)
        step->display[byte].length = (unsigned char)unicode_encode(
            pretokenizer_byte_to_display((unsigned char)byte), step->display[byte].bytes);
    return 0;
}

static int run_byte_level(const struct step *step, const char *text, size_t n, size_t n_origin,
                          struct buffer *out, size_t *n_origin_out, struct error *err)
{
    char *start = rewrite_room(out, 2 * n), *end = start;

    (void)err;
    *n_origin_out = 0;
    for (size_t at = 0; at < n; at++) {
        unsigned char byte = (unsigned char)text[at];

        memcpy(end, step->display[byte].bytes, 2);
        end += step->display[byte].length;
        if (at + 1 == n_origin)
            *n_origin_out = (size_t)(end - start);
    }
    rewrite_end(out, end);
    return 0;
}

/* Precompiled */

static int parse_precompiled(struct step *step, const cJSON *json, struct error *err)
{
    const char *charsmap = find_string(json, "precompiled_charsmap", err);

    if (charsmap)
        step->precompiled = precompiled_new(charsmap, err);
    return step->precompiled ? 0 : -1;
}

static int run_precompiled(const struct step *step, const char *text, size_t n, size_t n_origin,
                           struct buffer *out, size_t *n_origin_out, struct error *err)
{
    struct origin origin;

    origin_init(&origin, text, n, n_origin);
    if (precompiled_add(step->precompiled, text, n, out, &origin, err))
        return -1;
    *n_origin_out = origin.n_out;
    return 0;
}

/* The table, and the list of steps */

static const struct type types[] = {
    {"BertNormalizer", parse_bert, run_bert},
    {"ByteLevel", parse_byte_level, run_byte_level},
    {"Lowercase", parse_lowercase, run_characters},
    {"NFC", parse_form, run_form},
    {"NFD", parse_form, run_form},
    {"NFKC", parse_form, run_form},
    {"NFKD", parse_form, run_form},
    {"Nmt", parse_nmt, run_characters},
    {"Precompiled", parse_precompiled, run_precompiled},
    {"Prepend", parse_prepend, run_prepend},
    {"Replace", parse_replace, run_replace},
    {"Strip", parse_strip, run_strip},
    {"StripAccents", parse_strip_accents, run_characters},
};

static int add_steps(struct normalizer *normalizer, const cJSON *json, struct error *err);

static int add_sequence(struct normalizer *normalizer, const cJSON *json, struct error *err)
{
    const cJSON *list = json_find(json, "normalizers"), *item;
    size_t number = 0;

    if (!cJSON_IsArray(list))
        return error_set(err, ERROR_FORMAT, "Sequence: 'normalizers' is missing or not a list");
    cJSON_ArrayForEach(item, list) {
        number++;
        if (add_steps(normalizer, item, err))
            return error_context(err, "Sequence: number %zu", number);
    }
    return 0;
}

static int add_steps(struct normalizer *normalizer, const cJSON *json, struct error *err)
{
    const char *name = json_find_string(json, "type");
    struct step *step;

    if (!name)
        return error_set(err, ERROR_FORMAT, "'type' is missing or not a string");
    if (!strcmp(name, "Sequence"))
        return add_sequence(normalizer, json, err);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) != 0)
            continue;
        normalizer->steps = memory_resize(normalizer->steps, normalizer->n_steps + 1,
                                          sizeof *normalizer->steps);
        step = &normalizer->steps[normalizer->n_steps++];
        *step = (struct step){.type = &types[i]};
        return step->type->parse(step, json, err) ? error_context(err, "%s", name) : 0;
    }
    return error_set(err, ERROR_UNSUPPORTED, "type '" ERROR_NAME "' is not supported", name);
}

struct normalizer *normalizer_new(const cJSON *json, struct error *err)
{
    struct normalizer *normalizer = memory_zalloc(1, sizeof *normalizer);

    if (json && !cJSON_IsNull(json) && add_steps(normalizer, json, err)) {
        error_context(err, "normalizer");
        normalizer_free(normalizer);
        return NULL;
    }
    return normalizer;
}

void normalizer_free(struct normalizer *normalizer)
{
    if (!normalizer)
        return;
    for (size_t i = 0; i < normalizer->n_steps; i++) {
        struct step *step = &normalizer->steps[i];

        free(step->pattern);
        free(step->content);
        regex_free(step->regex);
        precompiled_free(step->precompiled);
    }
    free(normalizer->steps);
    free(normalizer);
}

void normalizer_set_bert(struct normalizer *normalizer, int lowercase, int strip_accents,
                         int handle_chinese_chars)
{
    for (size_t i = 0; i < normalizer->n_steps; i++) {
        struct step *step = &normalizer->steps[i];

        if (step->type->run != run_bert)
            continue;
        if (lowercase >= 0)
            step->lowercase = lowercase;
        if (strip_accents >= 0)
            step->strip_accents = strip_accents;
        if (handle_chinese_chars >= 0)
            step->handle_chinese_chars = handle_chinese_chars;
        set_bert_tables(step);
    }
}

void normalizer_lower_first(struct normalizer *normalizer)
{
    struct error ignored = {0};
    const struct type *type = types;
    struct step step;

    while (type->parse != parse_lowercase)
        type++;
    for (size_t i = 0; i < normalizer->n_steps; i++)
        if (normalizer->steps[i].type == type)
            return;
    step = (struct step){.type = type};
    parse_lowercase(&step, NULL, &ignored); /* it has no parameters */
    normalizer->steps = memory_resize(normalizer->steps, normalizer->n_steps + 1,
                                      sizeof *normalizer->steps);
    memmove(normalizer->steps + 1, normalizer->steps,
            normalizer->n_steps++ * sizeof *normalizer->steps);
    normalizer->steps[0] = step;
}

void normalizer_describe(const struct normalizer *normalizer, struct buffer *out)
{
    for (size_t i = 0; i < normalizer->n_steps; i++) {
        const struct step *step = &normalizer->steps[i];
        int strips_accents = step->strip_accents < 0 ? step->lowercase : step->strip_accents;
        const char *texts[] = {step->pattern, step->content,
                               step->regex ? regex_pattern(step->regex) : NULL};
        size_t size;

        buffer_format(out, "%s %d%d%d%d%d%d", step->type->name, step->clean_text,
                      step->handle_chinese_chars, step->lowercase, strips_accents,
                      step->strip_left, step->strip_right);
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            buffer_format(out, " %zu:%s", texts[t] ? strlen(texts[t]) : 0,
                          texts[t] ? texts[t] : "");
        if (step->precompiled) {
            const unsigned char *bytes = precompiled_bytes(step->precompiled, &size);

            buffer_add(out, bytes, size);
        }
        buffer_add_char(out, '\n');
    }
}

struct normalizer_scratch *normalizer_scratch_new(void)
{
    return memory_zalloc(1, sizeof(struct normalizer_scratch));
}

void normalizer_scratch_free(struct normalizer_scratch *scratch)
{
    if (!scratch)
        return;
    buffer_release(&scratch->texts[0]);
    buffer_release(&scratch->texts[1]);
    free(scratch);
}

int normalizer_run(const struct normalizer *normalizer, struct normalizer_scratch *scratch,
                   const char *text, size_t n, struct buffer *out, size_t *n_origin,
                   struct error *err)
{
    size_t n_first = n;
    uint32_t first;

    *n_origin = n ? unicode_decode(text, 0, &first) : 0;
    for (size_t i = 0; i < normalizer->n_steps && n > 0; i++) {
        const struct step *step = &normalizer->steps[i];
        struct buffer *next = &scratch->texts[i % 2];

        buffer_clear(next);
        if (i + 1 == normalizer->n_steps)
            return step->type->run(step, text, n, *n_origin, out, n_origin, err);
        if (step->type->run(step, text, n, *n_origin, next, n_origin, err) ||
            rewrite_check(next, n_first, err))
            return -1;
        text = next->data;
        n = next->size;
    }
    buffer_add(out, text, n);
    return 0;
}
