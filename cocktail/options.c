#include "options.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/threads.h"

struct parser {
    const struct option_row *rows;
    void *options; /* the command's struct */
    struct common_options *common;
    char **argv;
    int argc, next; /* argv[next] has not been looked at */
    struct error *err;
};

const struct option_row *options_find(const struct option_row *rows, const char *name,
                                      size_t length)
{
    for (; rows->type != OPTION_END; rows++)
        if (strncmp(rows->long_name, name, length) == 0 && rows->long_name[length] == '\0')
            return rows;
    return NULL;
}

static const struct option_row *find_short(const struct option_row *rows, char name)
{
    for (; rows->type != OPTION_END; rows++)
        if (rows->short_name && rows->short_name == name)
            return rows;
    return NULL;
}

static bool read_count(const char *text, size_t *value)
{
    return digits_read_all(text, value) && *value > 0;
}

/* Without the hexadecimal numbers, names and leading blanks that strtod takes too. */
static bool read_number(const char *text, double *value)
{
    char *end;

    if (!*text || text[strspn(text, "0123456789+-.eE")])
        return false;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

static bool read_size(const char *text, size_t *value)
{
    static const struct {
        const char *name;
        size_t bytes;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"KB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"TB", 1000000000000},
        {"KiB", (size_t)1 << 10},
        {"MiB", (size_t)1 << 20},
        {"GiB", (size_t)1 << 30},
        {"TiB", (size_t)1 << 40},
    };
    size_t n;
    const char *unit = digits_read(text, &n);

    for (size_t i = 0; unit && i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].name) == 0)
            return !__builtin_mul_overflow(n, units[i].bytes, value) && *value > 0;
    return false;
}

/* The words of "f32|f16|bf16". */
static bool is_choice(const char *choices, const char *word)
{
    size_t length = strcspn(word, "|");

    if (word[length])
        return false;
    while (length && choices) {
        if (strncmp(choices, word, length) == 0 && strchr("|", choices[length]))
            return true;
        choices = strchr(choices, '|');
        if (choices)
            choices++;
    }
    return false;
}

static void add_text(struct option_texts *texts, const char *value)
{
    texts->items = memory_resize(texts->items, texts->n_items + 1, sizeof *texts->items);
    texts->items[texts->n_items++] = value;
}

static int set_value(struct parser *parser, const struct option_row *row, const char *value)
{
    char *field = (char *)parser->options + row->offset;
    const char *takes = NULL;

    parser->common->is_given[row - parser->rows] = true;
    switch (row->type) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return 0;
    case OPTION_COUNT:
        if (read_count(value, (size_t *)field))
            return 0;
        takes = "a whole number of at least 1";
        break;
    case OPTION_NUMBER:
        if (read_number(value, (double *)field))
            return 0;
        takes = "a number";
        break;
    case OPTION_SIZE:
        if (read_size(value, (size_t *)field))
            return 0;
        takes = "a size such as 5GB, 300MB or 2GiB";
        break;
    case OPTION_CHOICE:
        if (!is_choice(row->argument, value))
            return error_set(parser->err, ERROR_USAGE,
                             "option '--%s' takes one of %s, not '" ERROR_NAME "'", row->long_name,
                             row->argument, value);
        *(const char **)field = value;
        return 0;
    case OPTION_TEXTS:
        add_text((struct option_texts *)field, value);
        return 0;
    case OPTION_PATH:
        takes = "a path";
        if (*value == '\0')
            break;
        add_text(&parser->common->paths, value);
        /* fall through */
    case OPTION_TEXT:
    case OPTION_END:
        *(const char **)field = value;
        return 0;
    }
    return error_set(parser->err, ERROR_USAGE, "option '--%s' takes %s, not '" ERROR_NAME "'",
                     row->long_name, takes, value);
}

static bool is_option(const struct option_row *rows, const char *arg)
{
    if (strncmp(arg, "--", 2) == 0)
        return arg[2] == '\0' || options_find(rows, arg + 2, strcspn(arg + 2, "="));
    return arg[0] == '-' && arg[1] && arg[2] == '\0' && find_short(rows, arg[1]);
}

/* `given` is the value that stood in the same argument, or NULL. */
static int set_option(struct parser *parser, const struct option_row *row, const char *given)
{
    if (row->type == OPTION_FLAG && given)
        return error_set(parser->err, ERROR_USAGE, "option '--%s' takes no value, not '" ERROR_NAME
                         "'", row->long_name, given);
    if (row->type != OPTION_FLAG && !given) {
        if (parser->next == parser->argc)
            return error_set(parser->err, ERROR_USAGE, "option '--%s' needs a value: --%s %s",
                             row->long_name, row->long_name, row->argument);
        given = parser->argv[parser->next];
        if (is_option(parser->rows, given))
            return error_set(parser->err, ERROR_USAGE,
                             "option '--%s' needs a value, and '%s' is an option; "
                             "write --%s=%s if it is meant as the value",
                             row->long_name, given, row->long_name, given);
        parser->next++;
    }
    return set_value(parser, row, given);
}

static int unknown_option(struct parser *parser, const char *arg, const char *name)
{
    struct nearest nearest = {.typed = name};

    for (const struct option_row *row = parser->rows; row->type != OPTION_END; row++)
        nearest_consider(&nearest, row->long_name);
    if (nearest.word)
        return error_set(parser->err, ERROR_USAGE,
                         "unknown option '" ERROR_NAME "'; did you mean '--%s'?", arg,
                         nearest.word);
    return error_set(parser->err, ERROR_USAGE, "unknown option '" ERROR_NAME "'", arg);
}

static int parse_long(struct parser *parser, const char *arg)
{
    const char *name = arg + 2;
    size_t length = strcspn(name, "=");
    const struct option_row *row = options_find(parser->rows, name, length);
    char *typed;
    int rc;

    if (row)
        return set_option(parser, row, name[length] ? name + length + 1 : NULL);
    typed = memory_format("--%.*s", (int)(length < 200 ? length : 200), name);
    rc = unknown_option(parser, typed, typed + 2);
    free(typed);
    return rc;
}

static int parse_short(struct parser *parser, const char *arg)
{
    /* "-output x" would be taken for "-o utput": nobody means that. */
    if (arg[2] && options_find(parser->rows, arg + 1, strcspn(arg + 1, "=")))
        return unknown_option(parser, arg, arg + 1);
    for (const char *at = arg + 1; *at && !parser->common->help; at++) {
        const struct option_row *row = find_short(parser->rows, *at);

        if (!row)
            return at == arg + 1 ? unknown_option(parser, arg, arg + 1)
                                 : error_set(parser->err, ERROR_USAGE,
                                             "unknown option in '" ERROR_NAME "': '-" ERROR_NAME
                                             "'", arg, at);
        if (row->type != OPTION_FLAG)
            return set_option(parser, row, at[1] ? at + 1 : NULL);
        if (set_option(parser, row, NULL))
            return -1;
    }
    return 0;
}

static int parse_arguments(struct parser *parser)
{
    bool has_ended = false;

    while (parser->next < parser->argc && !parser->common->help) {
        const char *arg = parser->argv[parser->next++];
        int rc = 0;

        if (has_ended || arg[0] != '-' || arg[1] == '\0')
            parser->common->operands[parser->common->n_operands++] = arg;
        else if (strcmp(arg, "--") == 0)
            has_ended = true;
        else
            rc = arg[1] == '-' ? parse_long(parser, arg) : parse_short(parser, arg);
        if (rc)
            return -1;
    }
    return 0;
}

static int choose_threads(struct parser *parser)
{
    size_t *n_threads = &parser->common->n_threads;
    const char *value = getenv("COCKTAIL_THREADS");

    if (*n_threads || !options_find(parser->rows, "threads", strlen("threads")))
        return 0;
    if (value && *value) {
        if (!read_count(value, n_threads))
            return error_set(parser->err, ERROR_USAGE,
                             "COCKTAIL_THREADS must be a whole number of at least 1, not '"
                             ERROR_NAME "'", value);
        return 0;
    }
    *n_threads = threads_available();
    return 0;
}

static size_t count_rows(const struct option_row *rows)
{
    size_t n = 0;

    while (rows[n].type != OPTION_END)
        n++;
    return n;
}

int options_parse(const struct option_row *rows, int argc, char **argv, void *options,
                  struct error *err)
{
    struct parser parser = {.rows = rows, .options = options, .common = options, .argv = argv,
                            .argc = argc, .next = 1, .err = err};

    parser.common->operands = memory_zalloc((size_t)argc, sizeof *parser.common->operands);
    parser.common->n_operands = 0;
    parser.common->is_given = memory_zalloc(count_rows(rows), sizeof *parser.common->is_given);
    parser.common->argc = argc;
    parser.common->argv = argv;
    if (parse_arguments(&parser))
        return -1;
    return parser.common->help ? 0 : choose_threads(&parser);
}

void options_release(struct common_options *common)
{
    free(common->operands);
    free(common->paths.items);
    free(common->is_given);
    common->operands = NULL;
    common->n_operands = 0;
    common->paths = (struct option_texts){0};
    common->is_given = NULL;
}
