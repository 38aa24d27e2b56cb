#include "option_rules.h"

#include <assert.h>
#include <string.h>

#include "base/buffer.h"

enum { NAMED_MAX = 4 };

struct named { /* an option of a rule */
    const struct option_row *row;
    const char *value; /* the only one that counts; NULL: any */
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
    const char *value;

    if (!reader->options->is_given[named->row - reader->rows])
        return false;
    if (!named->value)
        return true;
    value = *(const char *const *)field_of(reader, named->row);
    return strlen(value) == named->n_value && memcmp(value, named->value, named->n_value) == 0;
}

/* Returns how many there are. */
static size_t read_names(const struct reader *reader, const char *names,
                         struct named found[NAMED_MAX])
{
    size_t count = 0;

    for (const char *at = names; *at; at += *at == '|') {
        struct named *named = &found[count++];
        size_t n_name = strcspn(at, "=|"), n = strcspn(at, "|");

        assert(count <= NAMED_MAX);
        named->row = options_find(reader->rows, at, n_name);
        assert(named->row);
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
    size_t n_given = 0;
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
        number = *(const double *)field_of(reader, named[0].row);
        return number < rule->least || number > rule->most;
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

static int tell(const struct option_rule *rule, const struct named *named, size_t n,
                const char *command, struct error *err)
{
    if (rule->message)
        return error_set(err, ERROR_USAGE, "%s", rule->message);
    if (rule->type == RULE_NEEDED)
        return error_set(err, ERROR_USAGE, "'%s' needs --%s %s", command, named->row->long_name,
                         named->row->argument);
    if (rule->type == RULE_WITH) {
        assert(n == 2);
        return error_set(err, ERROR_USAGE, "--%s goes with --%s", named[0].row->long_name,
                         named[1].row->long_name);
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
            return tell(rules, named, n, command, err);
    }
    return 0;
}
