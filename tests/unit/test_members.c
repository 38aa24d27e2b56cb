/* test_members.c - members of requests: types, ranges, null, numbers that look alike. */
#include "serve/members.h"

#include <math.h>

#include "test.h"

struct sample {
    double number, whole;
    struct member_seed seed;
    int flag;
    char *text, *list, *object, *value;
};

#define AT(member) offsetof(struct sample, member)

static const struct member_row rows[] = {
    {"number", MEMBER_NUMBER, AT(number), 0, 2},   {"whole", MEMBER_INTEGER, AT(whole), 1, 128},
    {"seed", MEMBER_SEED, AT(seed), 0, 0},         {"flag", MEMBER_BOOL, AT(flag), 0, 0},
    {"text", MEMBER_STRING, AT(text), 0, 0},       {"list", MEMBER_LIST, AT(list), 0, 0},
    {"object", MEMBER_OBJECT, AT(object), 0, 0},   {"value", MEMBER_VALUE, AT(value), 0, 0},
    {0},
};

static int read(const char *text, struct sample *sample, struct refusal *refusal)
{
    *refusal = (struct refusal){0};
    return members_read(rows, NULL, text, strlen(text), sample, refusal);
}

static void what_is_given_is_read(void)
{
    struct sample sample;
    struct refusal refusal;

    CHECK(read("{\"number\": 1.5, \"whole\": 2.0, \"seed\": 18446744073709551615, \"flag\": true, "
               "\"text\": \"a\\u00e9\", \"list\": [1, {}], \"object\": { \"b\": 2 }, \"value\": "
               "\"x\", \"other\": [[]]}", &sample, &refusal) == 0);
    CHECK(sample.number == 1.5 && sample.whole == 2 && sample.flag == 1);
    CHECK(sample.seed.is_given && sample.seed.value == 18446744073709551615ull);
    CHECK(strcmp(sample.text, "a\xc3\xa9") == 0 && strcmp(sample.list, "[1, {}]") == 0);
    CHECK(strcmp(sample.object, "{ \"b\": 2 }") == 0 && strcmp(sample.value, "\"x\"") == 0);
    members_release(rows, &sample);
    CHECK(!sample.text && sample.flag == -1);
}

static void null_and_nothing_are_the_same(void)
{
    static const char *const texts[] = {"{}", "{\"number\": null, \"whole\": null, \"seed\": null, "
                                        "\"flag\": null, \"text\": null, \"list\": null}"};

    for (size_t i = 0; i < 2; i++) {
        struct sample sample;
        struct refusal refusal;

        CHECK(read(texts[i], &sample, &refusal) == 0);
        CHECK(isnan(sample.number) && isnan(sample.whole) && !sample.seed.is_given);
        CHECK(sample.flag == -1 && !sample.text && !sample.list && !sample.object);
        members_release(rows, &sample);
    }
}

static void the_last_of_two_counts(void)
{
    struct sample sample;
    struct refusal refusal;

    CHECK(read("{\"text\": \"a\", \"text\": \"b\", \"seed\": -1, \"seed\": 2e3}", &sample,
               &refusal) == 0);
    CHECK(strcmp(sample.text, "b") == 0 && sample.seed.value == 2000);
    members_release(rows, &sample);
}

static void what_does_not_fit_is_named(void)
{
    static const struct {
        const char *text, *param;
    } table[] = {
        {"{\"number\": \"1\"}", "number"}, {"{\"number\": 2.1}", "number"},
        {"{\"number\": true}", "number"},  {"{\"whole\": 2.5}", "whole"},
        {"{\"whole\": 0}", "whole"},       {"{\"whole\": 129}", "whole"},
        {"{\"seed\": 18446744073709551616}", "seed"},
        {"{\"seed\": -9223372036854775809}", "seed"},
        {"{\"seed\": 1e20}", "seed"},      {"{\"seed\": 0.5}", "seed"},
        {"{\"flag\": 1}", "flag"},         {"{\"text\": 1}", "text"},
        {"{\"text\": \"\\u0000\"}", "text"}, {"{\"list\": {}}", "list"},
        {"{\"object\": []}", "object"},    {"[]", ""},
        {"", ""},                          {"{", ""},
        {"{} {}", ""},                     {"{\"other\": [}", ""},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sample sample;
        struct refusal refusal;

        CHECK(read(table[i].text, &sample, &refusal) == -1 && refusal.status == 400);
        CHECK(strcmp(refusal.param, table[i].param) == 0 && refusal.text[0]);
        if (strcmp(refusal.param, table[i].param) != 0)
            printf("# %s: '%s'\n", table[i].text, refusal.param);
        members_release(rows, &sample);
    }
}

static void what_would_change_the_answer_is_refused(void)
{
    static const struct refused_member refused[] = {
        {"rules", NULL, "say it in words"}, {"last", "0 or -1", NULL},
        {"words", "[\"text\"] or \"all\"", NULL}, {"never", "", NULL}, {0},
    };
    static const struct {
        const char *text, *told; /* NULL: it changes nothing */
    } table[] = {
        {"{\"rules\": \"x\"}", "'rules' is not supported; say it in words"},
        {"{\"rules\": 0}", "'rules' is not supported; say it in words"},
        {"{\"rules\": [0]}", "'rules' is not supported; say it in words"},
        {"{\"last\": 1}", "'last' other than 0 or -1 is not supported"},
        {"{\"last\": false}", "'last' other than 0 or -1 is not supported"},
        {"{\"last\": \"0\"}", "'last' other than 0 or -1 is not supported"},
        {"{\"words\": [\"text\", \"more\"]}",
         "'words' other than [\"text\"] or \"all\" is not supported"},
        {"{\"words\": \"al\"}", "'words' other than [\"text\"] or \"all\" is not supported"},
        {"{\"words\": \"a text that is much longer than all of them\"}",
         "'words' other than [\"text\"] or \"all\" is not supported"},
        {"{\"never\": false}", "'never' is not supported"},
        {"{\"never\": {}}", "'never' is not supported"},
        {"{\"rules\": null, \"last\": null, \"words\": null, \"never\": null}", NULL},
        {"{\"rules\": \"\"}", NULL}, {"{\"rules\": [ ]}", NULL}, {"{\"rules\": {\n}}", NULL},
        {"{\"rules\": false }", NULL}, {"{\"last\": 0.0}", NULL}, {"{\"last\": -1e0}", NULL},
        {"{\"words\": [ \"text\" ]}", NULL}, {"{\"words\": \"all\"}", NULL},
        {"{\"other\": 1}", NULL},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sample sample;
        struct refusal refusal = {0};
        int rc = members_read(rows, refused, table[i].text, strlen(table[i].text), &sample,
                              &refusal);

        CHECK(rc == (table[i].told ? -1 : 0) &&
              strcmp(refusal.text, table[i].told ? table[i].told : "") == 0);
        CHECK(refusal.status == (table[i].told ? 400 : 0));
        members_release(rows, &sample);
    }
}

TESTS(TEST(what_is_given_is_read), TEST(null_and_nothing_are_the_same),
      TEST(the_last_of_two_counts), TEST(what_does_not_fit_is_named),
      TEST(what_would_change_the_answer_is_refused))
