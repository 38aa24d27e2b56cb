/* option_rules.h - what options have to do with one another, as rows beside those of the options.
 *
 * Options are named as they are typed, without the dashes and split at '|'; "format=npy" is
 * --format with that value only, and "top-p<1" the OPTION_NUMBER where it is below that, typed or
 * not; '>' likewise. */
#ifndef COCKTAIL_OPTION_RULES_H
#define COCKTAIL_OPTION_RULES_H

#include <float.h>
#include <stdbool.h>

#include "base/error.h"

#include "options.h"

enum option_rule_type {
    RULE_END = 0,
    RULE_NEEDED,  /* at least one of them */
    RULE_EXCLUDE, /* at most one of them */
    RULE_WITH,    /* the first only together with the second */
    RULE_RANGE,   /* the OPTION_NUMBER is from `least` to `most` */
    RULE_FILLED,  /* the OPTION_TEXT is not empty */
};

struct option_rule {
    enum option_rule_type type;
    const char *options;
    const char *message; /* NULL: the usual one */
    double least, most;
    bool is_above;       /* not `least` itself */
};

/* The rules of more than one command. */
#define RULE_EXAMPLES                                                                             \
    {.type = RULE_NEEDED, .options = "examples", .message = "say on what: --examples FILE"}
#define RULE_SIMILARITY_TEMPERATURE                                                               \
    {.type = RULE_RANGE, .options = "similarity-temperature", .least = 1e-9, .most = DBL_MAX,     \
     .message = "--similarity-temperature must be at least 1e-9"}
#define RULE_CSV                                                                                  \
    {.type = RULE_EXCLUDE, .options = "csv|json", .message = "--csv and --json: one of them"}
#define RULE_TEXT_FORM {.type = RULE_EXCLUDE, .options = "lines|whole|jsonl"}
#define RULE_FORMAT {.type = RULE_EXCLUDE, .options = "json|format=npy"}

/* After options_parse: looks at one rule after the other, NULL being none. ERROR_USAGE with the
 * message of the first that is broken. */
int option_rules_check(const struct option_rule *rules, const struct option_row *rows,
                       const char *command, const struct common_options *options,
                       struct error *err);

#endif
