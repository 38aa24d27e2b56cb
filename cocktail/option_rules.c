#include "option_rules.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

enum { NAMED_MAX = 4 };

struct named { /* an option of a rule */
    const struct option_row *row;
    char relation;     /* of what counts to `value`: '=', '<' or '>'; 0: anything counts */
    const char *value;
    size_t n_value;
    bool is_given;
};

struct reader {
    const struct option_row *rows;
    const struct common_options *options; /* the head of the command's struct */
};

static const void *field_of(const struct reader *reader, const struct option_row *row)
{
    return (const char *)reader->options + row->offset;
}

static bool is_given(const struct reader *reader, const struct named *named)
{
    const void *field = field_of(reader, named->row);
    const char *text;

    if (named->relation == '<')
        return *(const double *)field < strtod(named->value, NULL);
    if (named->relation == '>')
        return *(const double *)field > strtod(named->value, NULL);
    if (!reader->options->is_given[named->row - reader->rows])
        return false;
    if (!named->relation)
        return true;
    text = *(const char *const *)field;
    return strlen(text) == named->n_value && memcmp(text, named->value, named->n_value) == 0;
}

/* Returns how many there are. */
static size_t read_names(const struct reader *reader, const char *names,
                         struct named found[NAMED_MAX])
{
    size_t count = 0;

    for (const char *at = names; *at; at += *at == '|') {
        struct named *named = &found[count++];
        size_t n_name = strcspn(at, "=<>|"), n = strcspn(at, "|");

        assert(count <= NAMED_MAX);
        named->row = options_find(reader->rows, at, n_name);
        assert(named->row);
        named->relation = n_name < n ? at[n_name] : '\0';
        named->value = n_name < n ? at + n_name + 1 : NULL;
        named->n_value = n_name < n ? n - n_name - 1 : 0;
        named->is_given = is_given(reader, named);
        at += n;
    }
    assert(count);
    return count;
}

static bool is_broken(const struct reader *reader, const struct option_rule *rule,
                      const struct named *named, size_t n)
{
    const void *field = field_of(reader, named->row);
    size_t n_given = 0;
    const char *text;
    double number;

    for (size_t i = 0; i < n; i++)
        n_given += named[i].is_given;
    switch (rule->type) {
    case RULE_NEEDED:
        return n_given == 0;
    case RULE_EXCLUDE:
        return n_given > 1;
    case RULE_WITH:
        return named[0].is_given && n_given == 1;
    case RULE_RANGE:
        number = *(const double *)field;
        return number < rule->least || number > rule->most ||
               (rule->is_above && number <= rule->least);
    case RULE_FILLED:
        text = *(const char *const *)field;
        return text && !*text;
    case RULE_END:
        break;
    }
    return false;
}

/* "--lines, --whole and --format npy exclude each other" */
static int tell_excluding(const struct named *named, size_t n, struct error *err)
{
    struct buffer names = {0};

    for (size_t i = 0; i < n; i++) {
        buffer_add_text(&names, i == 0 ? "" : i + 1 < n ? ", " : " and ");
        buffer_format(&names, "--%s", named[i].row->long_name);
        if (named[i].value)
            buffer_format(&names, " %.*s", (int)named[i].n_value, named[i].value);
    }
    error_set(err, ERROR_USAGE, "%s exclude each other", names.data);
    buffer_release(&names);
    return -1;
}

/* "--top-p is above 0 and at most 1, not 2" */
static int tell_range(const struct option_rule *rule, const char *name, double number,
                      struct error *err)
{
    const char *from = rule->is_above ? "above" : "at least";

    if (rule->most == DBL_MAX)
        return error_set(err, ERROR_USAGE, "--%s is %s %g, not %g", name, from, rule->least,
                         number);
    return error_set(err, ERROR_USAGE, "--%s is %s %g and at most %g, not %g", name, from,
                     rule->least, rule->most, number);
}

static int tell(const struct reader *reader, const struct option_rule *rule,
                const struct named *named, size_t n, const char *command, struct error *err)
{
    const char *name = named->row->long_name;

    if (rule->message)
        return error_set(err, ERROR_USAGE, "%s", rule->message);
    switch (rule->type) {
    case RULE_NEEDED:
        return error_set(err, ERROR_USAGE, "'%s' needs --%s %s", command, name,
                         named->row->argument);
    case RULE_WITH:
        assert(n == 2);
        return error_set(err, ERROR_USAGE, "--%s goes with --%s", name, named[1].row->long_name);
    case RULE_RANGE:
        return tell_range(rule, name, *(const double *)field_of(reader, named->row), err);
    case RULE_FILLED:
        return error_set(err, ERROR_USAGE, "--%s is empty", name);
    case RULE_EXCLUDE:
    case RULE_END:
        break;
    }
    return tell_excluding(named, n, err);
}

int option_rules_check(const struct option_rule *rules, const struct option_row *rows,
                       const char *command, const struct common_options *options,
                       struct error *err)
{
    const struct reader reader = {rows, options};

    for (; rules && rules->type != RULE_END; rules++) {
        struct named named[NAMED_MAX];
        size_t n = read_names(&reader, rules->options, named);

        if (is_broken(&reader, rules, named, n))
            return tell(&reader, rules, named, n, command, err);
    }
    return 0;
}
