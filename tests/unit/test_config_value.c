#include "arch/config_value.h"

#include <string.h>

#include "base/json.h"
#include "test.h"

static const char text[] = "{\"half\":0.5,\"two\":2,\"big\":1e300,\"none\":null,\"word\":\"2\"}";

static void an_absent_number_and_null_are_the_fallback(void)
{
    struct error err = {0};
    cJSON *json = json_parse(text, sizeof text - 1, &err);
    double number;
    size_t count;

    CHECK(config_value_number(json, "half", 7, 0, &number, &err) == 0 && number == 0.5);
    CHECK(config_value_number(json, "absent", 7, 8, &number, &err) == 0 && number == 7);
    CHECK(config_value_number(json, "none", -1, 0, &number, &err) == 0 && number == -1);
    CHECK(config_value_count(json, "two", 7, 2, &count, &err) == 0 && count == 2);
    CHECK(config_value_count(json, "absent", 0, 5, &count, &err) == 0 && count == 0);
    CHECK(config_value_count(json, "none", 9, 5, &count, &err) == 0 && count == 9);
    cJSON_Delete(json);
}

static void what_cannot_be_is_refused_by_its_name(void)
{
    static const struct {
        const char *name, *message;
        bool is_count;
    } table[] = {
        {"half", "half is 0.5", false}, /* the least is 1 */
        {"big", "big is 1e+300", false},
        {"word", "word is not a number", false},
        {"half", "half must be a whole number from 1 to 5", true},
        {"big", "big must be a whole number from 1 to 5", true},
        {"word", "word must be a whole number from 1 to 5", true},
    };
    struct error ignored = {0};
    cJSON *json = json_parse(text, sizeof text - 1, &ignored);

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = {0};
        double number;
        size_t count;

        CHECK((table[i].is_count ? config_value_count(json, table[i].name, 1, 5, &count, &err)
                                 : config_value_number(json, table[i].name, 1, 1, &number, &err)) ==
              -1);
        CHECK(err.code == ERROR_FORMAT && strcmp(err.text, table[i].message) == 0);
    }
    cJSON_Delete(json);
}

TESTS(TEST(an_absent_number_and_null_are_the_fallback),
      TEST(what_cannot_be_is_refused_by_its_name))
