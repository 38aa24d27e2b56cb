#include "jinja_tests.h"

#include "jinja/jinja_iterate.h"
#include "jinja/jinja_operators.h"
#include "jinja/jinja_strings.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_value.h"

struct jinja_test_row {
    const char *name;
    enum jinja_operator operator; /* of the comparisons */
    const char *names;            /* of the parameters behind the value */
    size_t n_required;
    int (*run)(struct jinja_heap *heap, const struct jinja_test_row *row, struct jinja_value value,
               const struct jinja_value *values);
};

#define TEST_OF(name)                                                                             \
    static int name(struct jinja_heap *heap, const struct jinja_test_row *row,                    \
                    struct jinja_value value, const struct jinja_value *values)
#define KIND_TEST(name, condition)                                                                \
    TEST_OF(name)                                                                                 \
    {                                                                                             \
        (void)heap;                                                                               \
        (void)row;                                                                                \
        (void)values;                                                                             \
        return condition;                                                                         \
    }

KIND_TEST(is_defined, value.kind != JINJA_UNDEFINED)
KIND_TEST(is_undefined, value.kind == JINJA_UNDEFINED)
KIND_TEST(is_none, value.kind == JINJA_NONE)
KIND_TEST(is_boolean, value.kind == JINJA_BOOL)
KIND_TEST(is_true, value.kind == JINJA_BOOL && value.boolean)
KIND_TEST(is_false, value.kind == JINJA_BOOL && !value.boolean)
KIND_TEST(is_integer, value.kind == JINJA_INT || value.kind == JINJA_BIG)
KIND_TEST(is_float, value.kind == JINJA_FLOAT)
KIND_TEST(is_number, jinja_is_number(value))
KIND_TEST(is_string, value.kind == JINJA_STRING)
KIND_TEST(is_mapping, value.kind == JINJA_DICT)
KIND_TEST(is_sequence, value.kind == JINJA_UNDEFINED || value.kind == JINJA_STRING ||
                           value.kind == JINJA_LIST || value.kind == JINJA_TUPLE ||
                           value.kind == JINJA_DICT || value.kind == JINJA_RANGE)
KIND_TEST(is_iterable, jinja_is_iterable(value) || value.kind == JINJA_LOOP)
KIND_TEST(is_callable, value.kind == JINJA_UNDEFINED || value.kind == JINJA_MACRO ||
                           value.kind == JINJA_METHOD || value.kind == JINJA_FUNCTION ||
                           value.kind == JINJA_JOINER || value.kind == JINJA_LOOP)
KIND_TEST(is_escaped, value.kind == JINJA_STRING && value.string->is_safe)

/* The same thing: for numbers and strings nobody can tell, so equal ones of one kind are. */
TEST_OF(is_same)
{
    struct jinja_value other = values[0];

    (void)row;
    if (value.kind != other.kind)
        return 0;
    if (value.kind == JINJA_LIST || value.kind == JINJA_TUPLE || value.kind == JINJA_DICT)
        return value.dict == other.dict;
    return jinja_equal(heap, value, other);
}

/* value % by, compared with a number. */
static int rest_is(struct jinja_heap *heap, struct jinja_value value, struct jinja_value by,
                   int64_t number)
{
    struct jinja_value rest;

    if (jinja_binary(heap, JINJA_MODULO, value, by, &rest))
        return -1;
    return jinja_equal(heap, rest, jinja_int(number));
}

TEST_OF(is_odd)
{
    (void)row;
    (void)values;
    return rest_is(heap, value, jinja_int(2), 1);
}

TEST_OF(is_even)
{
    (void)row;
    (void)values;
    return rest_is(heap, value, jinja_int(2), 0);
}

TEST_OF(is_divisible)
{
    (void)row;
    return rest_is(heap, value, values[0], 0);
}

static int has_case(struct jinja_heap *heap, struct jinja_value value, bool upper)
{
    struct jinja_value text;

    if (jinja_to_str(heap, value, &text) || jinja_spend(heap, text.string->size / 16))
        return -1;
    return jinja_is_in_case(text.string, upper);
}

TEST_OF(is_lower)
{
    (void)row;
    (void)values;
    return has_case(heap, value, false);
}

TEST_OF(is_upper)
{
    (void)row;
    (void)values;
    return has_case(heap, value, true);
}

TEST_OF(is_compared)
{
    return jinja_relation(heap, row->operator, value, values[0]);
}

static const struct jinja_test_row rows[] = {
    {"defined", 0, "", 0, is_defined},
    {"undefined", 0, "", 0, is_undefined},
    {"none", 0, "", 0, is_none},
    {"boolean", 0, "", 0, is_boolean},
    {"true", 0, "", 0, is_true},
    {"false", 0, "", 0, is_false},
    {"integer", 0, "", 0, is_integer},
    {"float", 0, "", 0, is_float},
    {"number", 0, "", 0, is_number},
    {"string", 0, "", 0, is_string},
    {"mapping", 0, "", 0, is_mapping},
    {"sequence", 0, "", 0, is_sequence},
    {"iterable", 0, "", 0, is_iterable},
    {"callable", 0, "", 0, is_callable},
    {"escaped", 0, "", 0, is_escaped},
    {"sameas", 0, "other", 1, is_same},
    {"odd", 0, "", 0, is_odd},
    {"even", 0, "", 0, is_even},
    {"divisibleby", 0, "num", 1, is_divisible},
    {"lower", 0, "", 0, is_lower},
    {"upper", 0, "", 0, is_upper},
    {"in", JINJA_IN, "seq", 1, is_compared},
    {"==", JINJA_EQ, "other", 1, is_compared},
    {"eq", JINJA_EQ, "other", 1, is_compared},
    {"equalto", JINJA_EQ, "other", 1, is_compared},
    {"!=", JINJA_NE, "other", 1, is_compared},
    {"ne", JINJA_NE, "other", 1, is_compared},
    {">", JINJA_GT, "other", 1, is_compared},
    {"gt", JINJA_GT, "other", 1, is_compared},
    {"greaterthan", JINJA_GT, "other", 1, is_compared},
    {">=", JINJA_GE, "other", 1, is_compared},
    {"ge", JINJA_GE, "other", 1, is_compared},
    {"<", JINJA_LT, "other", 1, is_compared},
    {"lt", JINJA_LT, "other", 1, is_compared},
    {"lessthan", JINJA_LT, "other", 1, is_compared},
    {"<=", JINJA_LE, "other", 1, is_compared},
    {"le", JINJA_LE, "other", 1, is_compared},
};

const struct jinja_test_row *jinja_find_test(const struct jinja_string *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (jinja_string_is(name, rows[i].name))
            return &rows[i];
    return NULL;
}

int jinja_run_test(struct jinja_heap *heap, const struct jinja_test_row *row,
                   struct jinja_value value, const struct jinja_arguments *arguments)
{
    struct jinja_value values[JINJA_PARAMETERS_MAX];

    if (jinja_bind(heap, row->name, row->names, row->n_required, arguments, values))
        return -1;
    return row->run(heap, row, value, values);
}
