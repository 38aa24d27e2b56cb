#include "jinja_functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digits.h"
#include "jinja/jinja_iterate.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_value.h"

#define FUNCTION(name)                                                                            \
    static int name(struct jinja_heap *heap, const struct jinja_arguments *arguments,             \
                    struct jinja_value *out)

FUNCTION(raise_exception)
{
    struct jinja_value values[JINJA_PARAMETERS_MAX], text;

    (void)out;
    if (jinja_bind(heap, "raise_exception", "message", 1, arguments, values) ||
        jinja_to_str(heap, values[0], &text))
        return -1;
    return error_set(heap->err, ERROR_FORMAT, "the chat template refuses this: %.*s",
                     (int)text.string->size, text.string->bytes);
}

/* ---- the time ---- */

static int find_time(struct jinja_heap *heap, struct tm *parts, long *microseconds)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    struct timespec now;
    size_t seconds;
    time_t fixed;

    if (epoch && *epoch) {
        if (!digits_read_all(epoch, &seconds) || seconds > 253402300799u) /* the year 9999 */
            return jinja_fail(heap, "SOURCE_DATE_EPOCH is not a number of seconds: '%.40s'",
                              epoch);
        fixed = (time_t)seconds;
        *microseconds = 0;
        gmtime_r(&fixed, parts);
        return 0;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    *microseconds = now.tv_nsec / 1000;
    localtime_r(&now.tv_sec, parts);
    return 0;
}

/* As Python's: without a time zone %z and %Z are empty; %f is microseconds. */
static void prepare_format(struct buffer *out, const struct jinja_string *format,
                           long microseconds)
{
    for (size_t i = 0; i < format->size; i++) {
        char next = i + 1 < format->size ? format->bytes[i + 1] : '\0';

        if (format->bytes[i] != '%') {
            buffer_add_char(out, format->bytes[i]);
            continue;
        }
        i++;
        if (next == 'f')
            buffer_format(out, "%06ld", microseconds);
        else if (next != 'z' && next != 'Z')
            buffer_add(out, format->bytes + i - 1, next ? 2 : 1);
    }
}

enum { FORMAT_MAX = 1000, TIME_TEXT_MAX = 16 * 1024 };

int jinja_strftime_now(struct jinja_heap *heap, const struct jinja_string *format,
                       struct jinja_value *out)
{
    struct buffer prepared = {0};
    long microseconds;
    struct tm parts;
    char *text;
    size_t n;

    if (format->size > FORMAT_MAX || memchr(format->bytes, '\0', format->size))
        return jinja_fail(heap, "strftime_now: a format of more than %d bytes, or with a NUL",
                          FORMAT_MAX);
    text = jinja_alloc(heap, TIME_TEXT_MAX, 1);
    if (!text || find_time(heap, &parts, &microseconds))
        return -1;
    prepare_format(&prepared, format, microseconds);
    buffer_add_char(&prepared, '.'); /* never empty: 0 means that there was no room */
    n = strftime(text, TIME_TEXT_MAX, prepared.data, &parts);
    buffer_release(&prepared);
    if (n == 0)
        return jinja_fail(heap, "strftime_now: the result is too long");
    return jinja_string_copy(heap, text, n - 1, out);
}

FUNCTION(strftime_now)
{
    struct jinja_value values[JINJA_PARAMETERS_MAX];
    struct jinja_string *format;

    if (jinja_bind(heap, "strftime_now", "format", 1, arguments, values) ||
        jinja_take_string(heap, "strftime_now", values[0], &format))
        return -1;
    return jinja_strftime_now(heap, format, out);
}

/* ---- values ---- */

static size_t count_range(int64_t start, int64_t stop, int64_t step)
{
    if (step == 0)
        return 0;
    if (step > 0)
        return start >= stop ? 0 : (size_t)(((uint64_t)stop - (uint64_t)start - 1) / (uint64_t)step) + 1;
    return start <= stop
               ? 0 : (size_t)(((uint64_t)start - (uint64_t)stop - 1) / (0 - (uint64_t)step)) + 1;
}

FUNCTION(range)
{
    struct jinja_value values[JINJA_PARAMETERS_MAX];
    struct jinja_range *made = jinja_alloc(heap, 1, sizeof *made);
    bool has_start = arguments->n_items > 1;

    if (!made || arguments->n_named > 0)
        return made ? jinja_fail(heap, "range() takes no keyword arguments") : -1;
    if (jinja_bind(heap, "range", has_start ? "start,stop,step" : "stop", 1, arguments, values) ||
        jinja_take_int(heap, "range", values[0], 0, has_start ? &made->start : &made->stop) ||
        (has_start && jinja_take_int(heap, "range", values[1], 0, &made->stop)) ||
        jinja_take_int(heap, "range", has_start ? values[2] : (struct jinja_value){0}, 1,
                       &made->step))
        return -1;
    if (made->step == 0)
        return jinja_fail(heap, "range() arg 3 must not be zero");
    made->n_items = count_range(made->start, made->stop, made->step);
    if (made->n_items > JINJA_RANGE_MAX)
        return jinja_fail(heap, "Range too big. The sandbox blocks ranges larger than %d.",
                          JINJA_RANGE_MAX);
    *out = (struct jinja_value){.kind = JINJA_RANGE, .range = made};
    return 0;
}

/* dict(pairs or a dict, name=value, …) */
static int fill_dict(struct jinja_heap *heap, const struct jinja_arguments *arguments,
                     struct jinja_dict *dict)
{
    struct jinja_value from = arguments->n_items ? arguments->items[0] : (struct jinja_value){0};
    struct jinja_walk walk;
    struct jinja_value item;
    int more = 0;

    if (arguments->n_items > 1)
        return jinja_fail(heap, "dict expected at most 1 argument, got %zu", arguments->n_items);
    if (from.kind == JINJA_UNDEFINED)
        return jinja_fail_undefined(heap, from);
    if (from.kind == JINJA_DICT) {
        for (size_t i = 0; i < from.dict->n_entries; i++)
            if (jinja_dict_set(heap, dict, from.dict->entries[i].key,
                               from.dict->entries[i].value))
                return -1;
    } else if (from.kind != JINJA_MISSING) {
        if (jinja_walk_begin(heap, from, &walk))
            return -1;
        while ((more = jinja_walk_next(heap, &walk, &item)) > 0) {
            struct jinja_value pair;

            if (jinja_to_list(heap, item, JINJA_LIST, &pair))
                return -1;
            if (pair.list->n_items != 2)
                return jinja_fail(heap, "dict: pairs were expected");
            if (jinja_dict_set(heap, dict, pair.list->items[0], pair.list->items[1]))
                return -1;
        }
    }
    for (size_t i = 0; i < arguments->n_named; i++) {
        struct jinja_value name = {.kind = JINJA_STRING, .string = arguments->named[i].name};

        if (jinja_dict_set(heap, dict, name, arguments->named[i].value))
            return -1;
    }
    return more;
}

FUNCTION(make_dict)
{
    struct jinja_dict *dict;

    if (jinja_dict_new(heap, &dict) || fill_dict(heap, arguments, dict))
        return -1;
    *out = (struct jinja_value){.kind = JINJA_DICT, .dict = dict};
    return 0;
}

FUNCTION(make_namespace)
{
    struct jinja_dict *dict;

    if (jinja_dict_new(heap, &dict) || fill_dict(heap, arguments, dict))
        return -1;
    for (size_t i = 0; i < dict->n_entries; i++)
        if (dict->entries[i].key.kind == JINJA_STRING &&
            dict->entries[i].key.string->size > 0 && dict->entries[i].key.string->bytes[0] == '_')
            return jinja_fail(heap, "a member of a namespace must not begin with '_'");
    *out = (struct jinja_value){.kind = JINJA_NAMESPACE, .dict = dict};
    return 0;
}

FUNCTION(make_cycler)
{
    struct jinja_cycler *cycler = jinja_alloc(heap, 1, sizeof *cycler);
    struct jinja_value items;

    if (!cycler)
        return -1;
    if (arguments->n_items == 0 || arguments->n_named > 0)
        return jinja_fail(heap, "at least one item has to be provided");
    if (jinja_list_new(heap, JINJA_TUPLE, arguments->n_items, &items))
        return -1;
    memcpy(items.list->items, arguments->items, arguments->n_items * sizeof *arguments->items);
    cycler->items = items.list;
    *out = (struct jinja_value){.kind = JINJA_CYCLER, .cycler = cycler};
    return 0;
}

FUNCTION(make_joiner)
{
    struct jinja_value values[JINJA_PARAMETERS_MAX];
    struct jinja_joiner *joiner = jinja_alloc(heap, 1, sizeof *joiner);

    if (!joiner || jinja_bind(heap, "joiner", "sep", 0, arguments, values))
        return -1;
    joiner->separator = values[0];
    if (values[0].kind == JINJA_MISSING && jinja_string_text(heap, ", ", &joiner->separator))
        return -1;
    *out = (struct jinja_value){.kind = JINJA_JOINER, .joiner = joiner};
    return 0;
}

int jinja_call_joiner(struct jinja_heap *heap, struct jinja_joiner *joiner,
                      struct jinja_value *out)
{
    bool is_first = !joiner->is_used;

    joiner->is_used = true;
    *out = joiner->separator;
    return is_first ? jinja_string_text(heap, "", out) : 0;
}

FUNCTION(lipsum)
{
    (void)arguments;
    (void)out;
    return jinja_unsupported(heap, "the function 'lipsum' is not supported");
}

static const struct jinja_function functions[] = {
    {"raise_exception", raise_exception}, {"strftime_now", strftime_now}, {"range", range},
    {"namespace", make_namespace}, {"dict", make_dict}, {"cycler", make_cycler},
    {"joiner", make_joiner}, {"lipsum", lipsum},
};

const struct jinja_function *jinja_find_function(const struct jinja_string *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (jinja_string_is(name, functions[i].name))
            return &functions[i];
    return NULL;
}
