/* name_pattern.c - PCRE2, with a callout in front of every item of a pattern, which counts. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "name_pattern.h"

#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PATTERN_BYTES_MAX = 64 * 1000, HEAP_LIMIT_KIB = 64 << 10 };

struct name_pattern {
    pcre2_code *code; /* NULL: only its text is compared, a dot in it being any character */
    pcre2_match_data *data;
    pcre2_match_context *context;
    char *text;
    size_t length;
    bool is_end;
};

/* ---- made ---- */

static pcre2_code *compile(const char *shown, const char *text, uint32_t options,
                           struct error *err)
{
    PCRE2_SIZE offset;
    int number;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &number,
                                     &offset, NULL);

    if (!code) {
        PCRE2_UCHAR reason[128] = {0};

        pcre2_get_error_message(number, reason, sizeof reason);
        error_set(err, ERROR_FORMAT, "pattern '" ERROR_NAME "': %s", shown, (char *)reason);
    }
    return code;
}

static bool is_plain(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";

    return text[strspn(text, letters)] == '\0';
}

static int make_code(struct name_pattern *pattern, struct error *err)
{
    /* Alone first, so that "a)|(b" does not fit in between. */
    pcre2_code *alone = compile(pattern->text, pattern->text, PCRE2_UTF, err);
    char *whole;

    if (!alone)
        return -1;
    pcre2_code_free(alone);
    whole = memory_format(pattern->is_end ? "(?:.*\\.)?(?:%s)" : "(?:%s)", pattern->text);
    pattern->code = compile(pattern->text, whole, PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                            PCRE2_AUTO_CALLOUT, err);
    free(whole);
    if (!pattern->code)
        return -1;
    pattern->data = pcre2_match_data_create_from_pattern(pattern->code, NULL);
    pattern->context = pcre2_match_context_create(NULL);
    if (!pattern->data || !pattern->context)
        memory_exhausted();
    pcre2_set_heap_limit(pattern->context, HEAP_LIMIT_KIB);
    return 0;
}

struct name_pattern *name_pattern_new(const char *text, bool is_end, struct error *err)
{
    struct name_pattern *pattern;

    if (strlen(text) > PATTERN_BYTES_MAX) {
        error_set(err, ERROR_FORMAT, "pattern '" ERROR_NAME "…': longer than %d bytes", text,
                  PATTERN_BYTES_MAX);
        return NULL;
    }
    pattern = memory_zalloc(1, sizeof *pattern);
    *pattern = (struct name_pattern){.text = memory_copy(text), .length = strlen(text),
                                     .is_end = is_end};
    if (is_plain(text) || make_code(pattern, err) == 0)
        return pattern;
    name_pattern_free(pattern);
    return NULL;
}

void name_pattern_free(struct name_pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_match_data_free(pattern->data);
    pcre2_match_context_free(pattern->context);
    pcre2_code_free(pattern->code);
    free(pattern->text);
    free(pattern);
}

/* ---- compared ---- */

int name_pattern_spend(size_t *work, size_t n, struct error *err)
{
    if (n > *work)
        return error_set(err, ERROR_FORMAT, "so many names and patterns would take too long to "
                         "compare");
    *work -= n;
    return 0;
}

static bool is_equal(const struct name_pattern *pattern, const char *name, size_t length)
{
    const char *end;

    if (length < pattern->length || (!pattern->is_end && length != pattern->length))
        return false;
    end = name + length - pattern->length;
    if (end != name && end[-1] != '.')
        return false;
    for (size_t i = 0; i < pattern->length; i++)
        if (pattern->text[i] != end[i] && pattern->text[i] != '.')
            return false;
    return true;
}

static int count_step(pcre2_callout_block *block, void *data)
{
    size_t *work = data;

    (void)block;
    if (*work < NAME_PATTERN_STEP)
        return PCRE2_ERROR_CALLOUT;
    *work -= NAME_PATTERN_STEP;
    return 0;
}

int name_pattern_match(const struct name_pattern *pattern, const char *name, size_t length,
                       size_t *work, struct error *err)
{
    int rc;

    if (name_pattern_spend(work, 1, err))
        return -1;
    if (!pattern->code)
        return is_equal(pattern, name, length);
    pcre2_set_callout(pattern->context, count_step, work);
    rc = pcre2_match(pattern->code, (PCRE2_SPTR)name, length, 0, 0, pattern->data,
                     pattern->context);
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH)
        return rc >= 0;
    if (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21)
        return error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': its name is not valid UTF-8",
                         name);
    return error_set(err, ERROR_FORMAT, "pattern '" ERROR_NAME "': takes too long on names like '"
                     ERROR_NAME "'", pattern->text, name);
}
