/* options.h - option tables: parsing, --help, shell completion and the manual check read the
 * same rows.
 *
 * Options stand anywhere among the operands, "--" ends them. --name=value, --name value, -o value
 * and -ovalue are the same; short flags may be clustered (-qf). There are no abbreviations. A
 * separate value is taken as it is, negative numbers too; only when it is itself a known option,
 * the value counts as missing (--name=value takes anything). Given twice, the last one wins, except
 * for OPTION_TEXTS. */
#ifndef COCKTAIL_OPTIONS_H
#define COCKTAIL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum option_type { /* and the type of the field that `offset` leads to */
    OPTION_END = 0,
    OPTION_FLAG,   /* bool */
    OPTION_COUNT,  /* size_t, a whole number of at least 1 */
    OPTION_NUMBER, /* double, a finite decimal number */
    OPTION_SIZE,   /* size_t, bytes: 300MB, 5GB (decimal), 2GiB, plain bytes; at least 1 */
    OPTION_TEXT,   /* const char *, borrowed from argv */
    OPTION_TEXTS,  /* struct option_texts; each time it is given adds one */
    OPTION_PATH,   /* as text, not empty; the shell completes files */
    OPTION_CHOICE, /* as text, one of the words in `argument`, which are split at '|' */
};

struct option_row {
    char short_name;        /* 0: none */
    const char *long_name;
    enum option_type type;
    size_t offset;          /* of the field in the command's options struct */
    const char *argument;   /* what --help calls the value; NULL for a flag */
    const char *help;       /* one phrase, lower case, no full stop; the default in brackets */
};

struct option_texts {
    const char **items; /* texts borrowed from argv; the array is freed by the command */
    size_t n_items;
};

/* What all commands share; first member of every command's options struct. */
struct common_options {
    bool help, quiet, verbose, json;
    size_t n_threads;       /* --threads, else COCKTAIL_THREADS, else all cores */
    size_t expert_parallel; /* --expert-parallel, of commands that run a model; 0: 1 */
    const char *compute;    /* --compute, of commands that run a model; NULL: exact */
    const char **operands;  /* texts borrowed from argv, the array owned: options_release */
    size_t n_operands;
    struct option_texts paths; /* the values of all OPTION_PATH, likewise */
    bool *is_given;         /* for each row of the table: whether it was typed; owned likewise */
    int argc;               /* what was parsed, from the name of the command on */
    char **argv;
};

/* The end of every table: the shared rows and the end mark. */
#define OPTIONS_COMMON                                                                            \
    {'t', "threads", OPTION_COUNT, offsetof(struct common_options, n_threads), "N",               \
     "worker threads (all cores)"},                                  \
    {0, "json", OPTION_FLAG, offsetof(struct common_options, json), NULL,                         \
     "print results as JSON"},                                                                    \
    {'q', "quiet", OPTION_FLAG, offsetof(struct common_options, quiet), NULL,                     \
     "no notices and no progress"},                                                               \
    {'v', "verbose", OPTION_FLAG, offsetof(struct common_options, verbose), NULL,                 \
     "tell more"},                                                                                \
    OPTIONS_HELP

/* The end of the table of a command that only prints texts of ours. */
#define OPTIONS_HELP                                                                              \
    {'h', "help", OPTION_FLAG, offsetof(struct common_options, help), NULL, "show this help"},    \
    {0}

/* Fills the struct at `options`, which begins with a struct common_options and holds the defaults,
 * from argv[1] on. ERROR_USAGE with one sentence when something is wrong. At --help it stops and
 * leaves the rest of argv alone. options_release in every case. */
int options_parse(const struct option_row *rows, int argc, char **argv, void *options,
                  struct error *err);
void options_release(struct common_options *common);

/* The row of a long name of `length` bytes; NULL: there is none. */
const struct option_row *options_find(const struct option_row *rows, const char *name,
                                      size_t length);

#endif
