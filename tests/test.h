/* test.h - a unit test is a sentence with checks.
 *
 *     static void names_the_file_and_the_cause(void) { CHECK(err.code == ERROR_FORMAT); }
 *     TESTS(TEST(names_the_file_and_the_cause), TEST(...))
 *
 * CHECK reports and goes on. Each test prints "ok NAME" or "not ok NAME"; the exit status is that
 * of the program. Files that tests read lie in fixtures/ (they run from the root of the tree);
 * files that they write go to the scratch directory test_scratch. */
#ifndef COCKTAIL_TEST_H
#define COCKTAIL_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
    const char *name;
    void (*run)(void);
};

static bool test_has_failed;

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
            test_has_failed = true;                                                               \
        }                                                                                         \
    } while (0)

/* As CHECK for texts, showing what was there instead. */
#define CHECK_CONTAINS(text, part)                                                                \
    do {                                                                                          \
        if (!strstr((text), (part))) {                                                            \
            printf("# %s:%d: '%s' is not in '%s'\n", __FILE__, __LINE__, (part), (text));         \
            test_has_failed = true;                                                               \
        }                                                                                         \
    } while (0)

#define TEST(function) {#function, function}

#define TESTS(...)                                                                                \
    int main(void)                                                                                \
    {                                                                                             \
        static const struct test tests[] = {__VA_ARGS__};                                         \
        int n_failed = 0;                                                                         \
                                                                                                  \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {                               \
            test_has_failed = false;                                                              \
            tests[i].run();                                                                       \
            printf("%s %s\n", test_has_failed ? "not ok" : "ok", tests[i].name);                  \
            n_failed += test_has_failed;                                                          \
        }                                                                                         \
        return n_failed > 0;                                                                      \
    }

/* An empty directory of this program's own; TEST_SCRATCH names it (the runner sets it). */
static inline const char *test_scratch(void)
{
    const char *scratch = getenv("TEST_SCRATCH");

    return scratch ? scratch : "/tmp";
}

#endif
