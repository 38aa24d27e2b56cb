/* decoder.c - a chain of steps, each making a new list of strings from the old one. */
#include "decoder.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/pretokenizer.h"
#include "text/regex.h"
#include "text/rewrite.h"
#include "text/unicode.h"

enum { STEPS_MAX = 1000 };

struct step {
    const char *type; /* its name in the file */
    /* NULL: run_replace, the only one that can fail. */
    void (*run)(const struct step *step, const struct token_list *in, struct token_list *out);
    char *pattern, *content; /* strings of the step; what they mean depends on it */
    struct regex *regex;
    size_t start, stop;
    bool is_on; /* cleanup, or "the first token keeps its marks" */
};

struct decoder {
    struct step *steps;
    size_t n_steps;
    bool joins_with_space; /* no decoder in the file */
};

/* ---- lists ---- */

void token_list_add(struct token_list *list, const char *token, size_t length)
{
    if (list->n_tokens == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->ends = memory_resize(list->ends, list->capacity, sizeof *list->ends);
    }
    buffer_add(&list->bytes, token, length);
    list->ends[list->n_tokens++] = list->bytes.size;
}

void token_list_clear(struct token_list *list)
{
    buffer_clear(&list->bytes);
    list->n_tokens = 0;
}

void token_list_release(struct token_list *list)
{
    buffer_release(&list->bytes);
    buffer_release(&list->scratch);
    free(list->ends);
    *list = (struct token_list){0};
}

static const char *token_at(const struct token_list *list, size_t i, size_t *length)
{
    size_t start = i ? list->ends[i - 1] : 0;

    *length = list->ends[i] - start;
    return list->bytes.data + start;
}

/* Ends a token whose bytes were added to list->bytes directly. */
static void end_token(struct token_list *list)
{
    token_list_add(list, "", 0);
}

/* ---- steps ---- */

/* Both leave off where `out` holds more than `limit` bytes. */
static void replace_string(const struct step *step, const char *token, size_t length, size_t limit,
                           struct buffer *out)
{
    size_t n = strlen(step->pattern);

    assert(token || length == 0);
    while (length > 0 && out->size <= limit) {
        const char *found = n ? memmem(token, length, step->pattern, n) : NULL;
        size_t before = found ? (size_t)(found - token) : length;

        buffer_add(out, token, before);
        if (!found)
            break;
        buffer_add_text(out, step->content);
        token += before + n;
        length -= before + n;
    }
}

static int replace_regex(const struct step *step, const char *token, size_t length, size_t limit,
                         struct buffer *out, struct error *err)
{
    struct regex_scan scan;
    size_t at = 0, start, end;
    int more = 0;

    regex_scan_begin(&scan, step->regex);
    regex_scan_text(&scan, token, length);
    while (out->size <= limit && (more = regex_scan_next(&scan, &start, &end, err)) > 0) {
        buffer_add(out, token + at, start - at);
        buffer_add_text(out, step->content);
        at = end;
    }
    regex_scan_end(&scan);
    buffer_add(out, token + at, length - at);
    return more < 0 ? -1 : 0;
}

static int run_replace(const struct step *step, const struct token_list *in,
                       struct token_list *out, size_t limit, struct error *err)
{
    for (size_t i = 0; i < in->n_tokens && out->bytes.size <= limit; i++) {
        size_t length;
        const char *token = token_at(in, i, &length);

        if (!step->regex)
            replace_string(step, token, length, limit, &out->bytes);
        else if (length > 0 && /* nothing matches in an empty token, not even an empty pattern */
                 replace_regex(step, token, length, limit, &out->bytes, err))
            return -1;
        end_token(out);
    }
    return 0;
}

static void run_fuse(const struct step *step, const struct token_list *in, struct token_list *out)
{
    (void)step;
    if (in->n_tokens)
        token_list_add(out, in->bytes.data, in->bytes.size);
}

static void run_strip(const struct step *step, const struct token_list *in,
                      struct token_list *out)
{
    size_t n = strlen(step->content);

    for (size_t i = 0; i < in->n_tokens; i++) {
        size_t length;
        const char *token = token_at(in, i, &length);

        for (size_t k = 0; k < step->start && length >= n && memcmp(token, step->content, n) == 0;
             k++) {
            token += n;
            length -= n;
        }
        for (size_t k = 0; k < step->stop && length >= n &&
                           memcmp(token + length - n, step->content, n) == 0; k++)
            length -= n;
        token_list_add(out, token, length);
    }
}

/* The byte of a token "<0xHH>", or -1. */
static int fallback_byte(const char *token, size_t length)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *high, *low;

    if (length != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>' || !token[3] || !token[4])
        return -1;
    high = strchr(digits, token[3]);
    low = strchr(digits, token[4]);
    return high && low ? (int)((high - digits) % 16 * 16 + (low - digits) % 16) : -1;
}

static void run_byte_fallback(const struct step *step, const struct token_list *in,
                              struct token_list *out)
{
    struct buffer *run = &out->scratch;

    (void)step;
    buffer_clear(run);
    for (size_t i = 0; i <= in->n_tokens; i++) {
        size_t length = 0;
        const char *token = i < in->n_tokens ? token_at(in, i, &length) : NULL;
        int byte = token ? fallback_byte(token, length) : -1;

        if (byte >= 0) {
            buffer_add_char(run, (char)byte);
            continue;
        }
        if (run->size && utf8_valid_prefix(run->data, run->size) == run->size)
            token_list_add(out, run->data, run->size);
        else
            for (size_t k = 0; k < run->size; k++)
                token_list_add(out, "\xef\xbf\xbd", 3);
        buffer_clear(run);
        if (token)
            token_list_add(out, token, length);
    }
}

/* The token's bytes if it consists of display characters only, else its own UTF-8. */
static void add_display_bytes(struct buffer *out, const char *token, size_t length)
{
    size_t before = out->size;

    for (size_t at = 0; at < length;) {
        uint32_t code_point;
        int byte;

        at += unicode_decode(token, at, &code_point);
        byte = pretokenizer_display_to_byte(code_point);
        if (byte < 0) {
            out->size = before;
            buffer_add(out, token, length);
            return;
        }
        buffer_add_char(out, (char)byte);
    }
}

static void run_byte_level(const struct step *step, const struct token_list *in,
                           struct token_list *out)
{
    struct buffer *bytes = &out->scratch;

    (void)step;
    buffer_clear(bytes);
    for (size_t i = 0; i < in->n_tokens; i++) {
        size_t length;
        const char *token = token_at(in, i, &length);

        add_display_bytes(bytes, token, length);
    }
    utf8_add_lossy(&out->bytes, bytes->data, bytes->size);
    end_token(out);
}

/* The replacement becomes a space; in the first token it goes, unless nothing is prepended. */
static void run_metaspace(const struct step *step, const struct token_list *in,
                          struct token_list *out)
{
    size_t n = strlen(step->pattern);

    for (size_t i = 0; i < in->n_tokens; i++) {
        size_t length;
        const char *token = token_at(in, i, &length);

        for (size_t at = 0; at < length;) {
            if (length - at >= n && memcmp(token + at, step->pattern, n) == 0) {
                if (i > 0 || step->is_on)
                    buffer_add_char(&out->bytes, ' ');
                at += n;
            } else {
                buffer_add_char(&out->bytes, token[at++]);
            }
        }
        end_token(out);
    }
}

/* In place, as `to` is not longer than `from`. */
static void replace_all(struct buffer *text, size_t start, const char *from, const char *to)
{
    size_t n_from = strlen(from), n_to = strlen(to);
    size_t read = start, write = start;

    assert(n_to <= n_from);
    while (read < text->size) {
        const char *found = memmem(text->data + read, text->size - read, from, n_from);
        size_t before = (found ? (size_t)(found - text->data) : text->size) - read;

        memmove(text->data + write, text->data + read, before);
        read += before;
        write += before;
        if (found) {
            memcpy(text->data + write, to, n_to);
            read += n_from;
            write += n_to;
        }
    }
    if (write < text->size) {
        text->size = write;
        text->data[write] = '\0';
    }
}

/* The token that begins at `start` of the buffer. */
static void clean_up(struct buffer *text, size_t start)
{
    static const char *const pairs[][2] = {
        {" .", "."},     {" ?", "?"},   {" !", "!"},       {" ,", ","},     {" ' ", "'"},
        {" n't", "n't"}, {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"},
        {" 're", "'re"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        replace_all(text, start, pairs[i][0], pairs[i][1]);
}

static void run_wordpiece(const struct step *step, const struct token_list *in,
                          struct token_list *out)
{
    size_t n = strlen(step->pattern);

    for (size_t i = 0; i < in->n_tokens; i++) {
        size_t length, start = out->bytes.size;
        const char *token = token_at(in, i, &length);

        if (i > 0 && length >= n && memcmp(token, step->pattern, n) == 0) {
            token += n;
            length -= n;
        } else if (i > 0) {
            buffer_add_char(&out->bytes, ' ');
        }
        buffer_add(&out->bytes, token, length);
        if (step->is_on)
            clean_up(&out->bytes, start);
        end_token(out);
    }
}

static void run_bpe(const struct step *step, const struct token_list *in, struct token_list *out)
{
    struct step replace = {.pattern = step->pattern};

    for (size_t i = 0; i < in->n_tokens; i++) {
        size_t length;
        const char *token = token_at(in, i, &length);

        replace.content = i + 1 < in->n_tokens ? " " : "";
        replace_string(&replace, token, length, SIZE_MAX, &out->bytes);
        end_token(out);
    }
}

static void run_ctc(const struct step *step, const struct token_list *in, struct token_list *out)
{
    struct step drop = {.pattern = step->pattern, .content = ""};
    struct step delimit = {.pattern = step->content, .content = " "};
    const char *last = NULL;
    size_t last_length = 0;
    struct buffer text = {0};

    for (size_t i = 0; i < in->n_tokens; i++) {
        size_t length, start = out->bytes.size;
        const char *token = token_at(in, i, &length);

        if (last && length == last_length && memcmp(token, last, length) == 0)
            continue;
        last = token;
        last_length = length;
        buffer_clear(&text);
        replace_string(&drop, token, length, SIZE_MAX, &text);
        if (step->is_on) {
            clean_up(&text, 0);
            replace_string(&delimit, text.data, text.size, SIZE_MAX, &out->bytes);
        } else {
            buffer_add(&out->bytes, text.data, text.size);
        }
        if (out->bytes.size > start)
            end_token(out);
    }
    buffer_release(&text);
}

/* ---- loading ---- */

static struct step *add_step(struct decoder *decoder, const char *type)
{
    decoder->steps = memory_resize(decoder->steps, decoder->n_steps + 1, sizeof *decoder->steps);
    decoder->steps[decoder->n_steps] = (struct step){.type = type};
    return &decoder->steps[decoder->n_steps++];
}

static int need_string(const cJSON *json, const char *name, char **out, struct error *err)
{
    const char *text = json_find_string(json, name);

    if (!text)
        return error_set(err, ERROR_FORMAT, "%s is not a string", name);
    *out = memory_copy(text);
    return 0;
}

static int need_count(const cJSON *json, const char *name, size_t *out, struct error *err)
{
    const cJSON *number = json_find(json, name);

    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0 && number->valuedouble < 1e9))
        return error_set(err, ERROR_FORMAT, "%s is not a count", name);
    *out = (size_t)number->valuedouble;
    return 0;
}

static int load_replace(struct step *step, const cJSON *json, struct error *err)
{
    const cJSON *pattern = json_find(json, "pattern");
    const char *regex = json_find_string(pattern, "Regex");

    if (need_string(json, "content", &step->content, err))
        return -1;
    if (!regex)
        return need_string(pattern, "String", &step->pattern, err);
    step->regex = regex_new(regex, strlen(regex), err);
    return step->regex ? 0 : -1;
}

static int load_fuse(struct step *step, const cJSON *json, struct error *err)
{
    (void)json;
    (void)err;
    step->run = run_fuse;
    return 0;
}

static int load_strip(struct step *step, const cJSON *json, struct error *err)
{
    size_t n;

    step->run = run_strip;
    if (need_string(json, "content", &step->content, err) ||
        need_count(json, "start", &step->start, err) || need_count(json, "stop", &step->stop, err))
        return -1;
    n = strlen(step->content);
    if (n == 0 || utf8_sequence((const unsigned char *)step->content, n) != n)
        return error_set(err, ERROR_FORMAT, "content is not one character");
    return 0;
}

static int load_byte_fallback(struct step *step, const cJSON *json, struct error *err)
{
    (void)json;
    (void)err;
    step->run = run_byte_fallback;
    return 0;
}

static int load_byte_level(struct step *step, const cJSON *json, struct error *err)
{
    (void)json;
    (void)err;
    step->run = run_byte_level;
    return 0;
}

static int load_metaspace(struct step *step, const cJSON *json, struct error *err)
{
    const char *scheme = json_find_string(json, "prepend_scheme");

    step->run = run_metaspace;
    step->is_on = scheme ? strcmp(scheme, "never") == 0
                         : !json_bool(json, "add_prefix_space", true);
    if (!json_find(json, "replacement")) {
        step->pattern = memory_copy("\xe2\x96\x81");
        return 0;
    }
    if (need_string(json, "replacement", &step->pattern, err))
        return -1;
    if (!*step->pattern)
        return error_set(err, ERROR_FORMAT, "replacement is empty");
    return 0;
}

static int load_cleanup(struct step *step, const cJSON *json, struct error *err)
{
    const cJSON *cleanup = json_find(json, "cleanup");

    if (cleanup && !cJSON_IsBool(cleanup))
        return error_set(err, ERROR_FORMAT, "cleanup is not true or false");
    step->is_on = !cJSON_IsFalse(cleanup);
    return 0;
}

static int load_wordpiece(struct step *step, const cJSON *json, struct error *err)
{
    step->run = run_wordpiece;
    return load_cleanup(step, json, err) ? -1 : need_string(json, "prefix", &step->pattern, err);
}

static int load_bpe(struct step *step, const cJSON *json, struct error *err)
{
    step->run = run_bpe;
    return need_string(json, "suffix", &step->pattern, err);
}

static int load_ctc(struct step *step, const cJSON *json, struct error *err)
{
    step->run = run_ctc;
    if (load_cleanup(step, json, err) ||
        need_string(json, "pad_token", &step->pattern, err) ||
        need_string(json, "word_delimiter_token", &step->content, err))
        return -1;
    return 0;
}

static const struct {
    const char *name;
    int (*load)(struct step *step, const cJSON *json, struct error *err);
} types[] = {
    {"ByteLevel", load_byte_level}, {"Metaspace", load_metaspace}, {"WordPiece", load_wordpiece},
    {"Replace", load_replace},      {"Fuse", load_fuse},           {"Strip", load_strip},
    {"ByteFallback", load_byte_fallback}, {"BPEDecoder", load_bpe}, {"CTC", load_ctc},
};

static int load_any(struct decoder *decoder, const cJSON *json, struct error *err)
{
    const char *type = json_find_string(json, "type");
    const cJSON *decoders, *item;

    if (!type)
        return error_set(err, ERROR_FORMAT, "decoder without a type");
    if (decoder->n_steps >= STEPS_MAX)
        return error_set(err, ERROR_UNSUPPORTED, "more than %d decoders are not supported",
                         STEPS_MAX);
    if (strcmp(type, "Sequence") == 0) {
        decoders = json_find(json, "decoders");
        if (!cJSON_IsArray(decoders))
            return error_set(err, ERROR_FORMAT, "decoders is not a list");
        cJSON_ArrayForEach(item, decoders)
            if (load_any(decoder, item, err))
                return -1;
        return 0;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].name) == 0) {
            if (types[i].load(add_step(decoder, types[i].name), json, err))
                return error_context(err, "decoder %s", type);
            return 0;
        }
    return error_set(err, ERROR_UNSUPPORTED, "unknown decoder '" ERROR_NAME "'", type);
}

struct decoder *decoder_new(const cJSON *json, struct error *err)
{
    struct decoder *decoder = memory_zalloc(1, sizeof *decoder);

    if (!json || cJSON_IsNull(json)) {
        decoder->joins_with_space = true;
    } else if (load_any(decoder, json, err)) {
        decoder_free(decoder);
        return NULL;
    }
    return decoder;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    for (size_t i = 0; i < decoder->n_steps; i++) {
        free(decoder->steps[i].pattern);
        free(decoder->steps[i].content);
        regex_free(decoder->steps[i].regex);
    }
    free(decoder->steps);
    free(decoder);
}

static int run_step(const struct step *step, const struct token_list *in, struct token_list *out,
                    size_t n_first, struct error *err)
{
    size_t limit = rewrite_limit(n_first);

    if (step->run)
        step->run(step, in, out);
    else if (run_replace(step, in, out, limit, err))
        return error_context(err, "decoder %s", step->type);
    if (out->bytes.size > limit)
        return error_set(err, ERROR_FORMAT, "decoder %s: makes more than %zu bytes of tokens that "
                         "have %zu", step->type, limit, n_first);
    return 0;
}

int decoder_run(const struct decoder *decoder, struct token_list *tokens, struct token_list *other,
                struct buffer *out, struct error *err)
{
    size_t n_first = tokens->bytes.size;
    int rc = 0;

    for (size_t i = 0; i < decoder->n_steps && rc == 0; i++) {
        struct token_list swap = *tokens;

        token_list_clear(other);
        rc = run_step(&decoder->steps[i], tokens, other, n_first, err);
        *tokens = *other;
        *other = swap;
    }
    for (size_t i = 0; decoder->joins_with_space && i < tokens->n_tokens; i++) {
        size_t length;
        const char *token = token_at(tokens, i, &length);

        if (i)
            buffer_add_char(out, ' ');
        buffer_add(out, token, length);
    }
    if (rc == 0 && !decoder->joins_with_space)
        buffer_add(out, tokens->bytes.data, tokens->bytes.size);
    token_list_clear(tokens);
    return rc;
}

bool decoder_add_piece(const struct decoder *decoder, const char *token, size_t length,
                       struct buffer *out)
{
    size_t before = out->size;

    for (size_t i = 0; i < decoder->n_steps && out->size == before; i++)
        if (decoder->steps[i].run == run_byte_level)
            add_display_bytes(out, token, length);
        else if (decoder->steps[i].run == run_byte_fallback && fallback_byte(token, length) >= 0)
            buffer_add_char(out, (char)fallback_byte(token, length));
    if (out->size > before &&
        utf8_valid_prefix(out->data + before, out->size - before) < out->size - before)
        return true;
    if (out->size > before)
        buffer_splice(out, before, out->size - before, "");
    return false;
}
