/* regex.c - PCRE2 on letters, and the limit on its work.
 *
 * PCRE2's own limits hold per start of a match, and under JIT they do not see repeats of single
 * characters; a^n against (?=a+b)a is quadratic without touching them. So the translated pattern
 * has callouts where work piles up. Each costs a number of steps, and those behind a repeat one
 * more per letter between them and the callout before. Steps are granted per byte of text. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "regex.h"

#include <pcre2.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "text/alphabet.h"
#include "text/regex_translate.h"

enum {
    /* In units of about a nanosecond. */
    CALLOUT_COST = 16,
    INTERPRETER_COST = 128,
    STEPS_PER_SCAN = 1000000,
    STEPS_PER_BYTE = 1000,
    JIT_STACK_MAX = 8 << 20,
    HEAP_LIMIT_KIB = 256 << 10, /* of the interpreter, which stands in for JIT */
};

struct regex_state { /* what a thread needs while it scans */
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* made when the 32 KiB on the machine's stack have been too little */
    uint8_t *letters;
    size_t capacity;
    size_t steps_left, position, callout_cost;
};

struct regex {
    char *pattern;
    pcre2_code *code;
    struct alphabet alphabet;
    bool has_jit;
    _Atomic(struct regex_state *) spare; /* kept for the next scan */
};

static int compile(struct regex *regex, const struct buffer *pattern, struct error *err)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    const char *bytes = pattern->data ? pattern->data : "";
    int code;
    PCRE2_SIZE offset;

    if (!context)
        memory_exhausted();
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    regex->code = pcre2_compile((PCRE2_SPTR)bytes, pattern->size,
                                PCRE2_MULTILINE | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &code, &offset,
                                context);
    pcre2_compile_context_free(context);
    if (!regex->code) {
        PCRE2_UCHAR text[128] = {0};

        pcre2_get_error_message(code, text, sizeof text);
        return error_set(err, ERROR_UNSUPPORTED, "PCRE2 does not take the pattern: %s", text);
    }
    regex->has_jit = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
    return 0;
}

struct regex *regex_new(const char *pattern, size_t length, struct error *err)
{
    struct regex_translation translation = {0};
    struct regex *regex = memory_zalloc(1, sizeof *regex);

    if (regex_translate(&translation, pattern, length, err) ||
        compile(regex, &translation.pattern, err)) {
        regex_free(regex);
        regex = NULL;
    } else {
        regex->pattern = memory_format("%.*s", (int)length, pattern);
        regex->alphabet = translation.alphabet; /* moved */
        translation.alphabet = (struct alphabet){0};
    }
    regex_translation_release(&translation);
    return regex;
}

static void state_free(struct regex_state *state)
{
    if (!state)
        return;
    pcre2_match_data_free(state->data);
    pcre2_match_context_free(state->context);
    pcre2_jit_stack_free(state->stack);
    free(state->letters);
    free(state);
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    state_free(atomic_load(&regex->spare));
    pcre2_code_free(regex->code);
    alphabet_release(&regex->alphabet);
    free(regex->pattern);
    free(regex);
}

const char *regex_pattern(const struct regex *regex)
{
    return regex->pattern;
}

static int count_steps(pcre2_callout_block *block, void *data)
{
    struct regex_state *state = data;
    size_t position = block->current_position, distance = 0;

    if (block->callout_number == 0) /* 1 stands where a repeat begins */
        distance = position > state->position ? position - state->position
                                              : state->position - position;
    state->position = position;
    if (state->steps_left < distance + state->callout_cost) {
        state->steps_left = 0;
        return PCRE2_ERROR_CALLOUT;
    }
    state->steps_left -= distance + state->callout_cost;
    return 0;
}

static struct regex_state *state_new(const struct regex *regex)
{
    struct regex_state *state = memory_zalloc(1, sizeof *state);

    state->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
    state->context = pcre2_match_context_create(NULL);
    if (!state->data || !state->context)
        memory_exhausted();
    pcre2_set_match_limit(state->context, UINT32_MAX);
    pcre2_set_depth_limit(state->context, UINT32_MAX);
    pcre2_set_heap_limit(state->context, HEAP_LIMIT_KIB);
    pcre2_set_callout(state->context, count_steps, state);
    return state;
}

void regex_scan_begin(struct regex_scan *scan, const struct regex *regex)
{
    struct regex *shared = (struct regex *)regex; /* only `spare` is changed */

    *scan = (struct regex_scan){.regex = regex, .state = atomic_exchange(&shared->spare, NULL)};
    if (!scan->state)
        scan->state = state_new(regex);
    scan->state->steps_left = STEPS_PER_SCAN;
}

void regex_scan_end(struct regex_scan *scan)
{
    struct regex *shared = (struct regex *)scan->regex;

    state_free(atomic_exchange(&shared->spare, scan->state));
    *scan = (struct regex_scan){0};
}

void regex_scan_text(struct regex_scan *scan, const char *text, size_t n)
{
    struct regex_state *state = scan->state;

    if (n >= state->capacity) {
        free(state->letters);
        state->capacity = n + n / 2 + 256;
        state->letters = memory_alloc(state->capacity);
    }
    scan->text = text;
    scan->n = n;
    scan->n_letters = alphabet_map(&scan->regex->alphabet, text, n, state->letters);
    scan->from = scan->last_end = scan->letter = scan->byte = 0;
    scan->has_matched = false;
    state->steps_left += n * STEPS_PER_BYTE;
}

/* Where a letter's character begins. Places are asked for in ascending order. */
static size_t byte_of(struct regex_scan *scan, size_t letter)
{
    if (scan->n_letters == scan->n)
        return letter;
    while (scan->letter < letter) {
        scan->byte++;
        while (scan->byte < scan->n && ((unsigned char)scan->text[scan->byte] & 0xc0) == 0x80)
            scan->byte++;
        scan->letter++;
    }
    return scan->byte;
}

static int match(struct regex_scan *scan)
{
    const struct regex *regex = scan->regex;
    struct regex_state *state = scan->state;
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;

    state->position = scan->from;
    state->callout_cost = CALLOUT_COST;
    if (regex->has_jit) {
        rc = pcre2_jit_match(regex->code, state->letters, scan->n_letters, scan->from, 0,
                             state->data, state->context);
        if (rc == PCRE2_ERROR_JIT_STACKLIMIT && !state->stack) {
            state->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK_MAX, NULL);
            pcre2_jit_stack_assign(state->context, NULL, state->stack);
            rc = pcre2_jit_match(regex->code, state->letters, scan->n_letters, scan->from, 0,
                                 state->data, state->context);
        }
    }
    state->callout_cost = INTERPRETER_COST;
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(regex->code, state->letters, scan->n_letters, scan->from, PCRE2_NO_JIT,
                         state->data, state->context);
    return rc;
}

int regex_scan_next(struct regex_scan *scan, size_t *start, size_t *end, struct error *err)
{
    while (scan->from <= scan->n_letters) {
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(scan->state->data);
        int rc = match(scan);

        if (rc == PCRE2_ERROR_NOMATCH)
            return 0;
        if (rc < 0)
            return error_set(err, ERROR_UNSUPPORTED,
                             "the regular expression gave up on a text of %zu bytes: it would take "
                             "too long or too much memory", scan->n);
        if (span[0] == span[1] && scan->has_matched && scan->last_end == span[1]) {
            scan->from++;
            continue;
        }
        scan->from = scan->last_end = span[1];
        scan->has_matched = true;
        *start = byte_of(scan, span[0]);
        *end = byte_of(scan, span[1]);
        return 1;
    }
    return 0;
}
