/* test_workspace.c - memory that passes take one after the other. */
#include "model/workspace.h"

#include <stdint.h>

#include "test.h"

/* The sanitizer asks: a size that there is not is an error of ours, not the end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void the_next_pass_gets_the_same_memory(void)
{
    struct workspace workspace = {0};
    struct error err = {0};
    void *first, *second;

    first = workspace_take(&workspace, 10, 4, "rows", &err);
    second = workspace_take(&workspace, 0, 4, "rows", &err);
    CHECK(first && second && first != second);
    memset(first, 1, 40);
    workspace_return(&workspace, 0);
    CHECK(workspace_take(&workspace, 9, 4, "rows", &err) == first);
    CHECK(workspace_take(&workspace, 0, 4, "rows", &err) == second);
    workspace_return(&workspace, 0);
    workspace_release(&workspace);
}

/* As when a part of a pass takes its own, before the pass is done. */
static void what_was_taken_before_a_mark_stays(void)
{
    struct workspace workspace = {0};
    struct error err = {0};
    char *outer = workspace_take(&workspace, 8, 1, "rows", &err);

    memcpy(outer, "outside", 8);
    for (size_t n = 1; n < 5000; n *= 3) {
        size_t mark = workspace_mark(&workspace);
        char *inner = workspace_take(&workspace, n, 1, "rows", &err);

        memset(inner, 'x', n);
        workspace_return(&workspace, mark);
    }
    CHECK(strcmp(outer, "outside") == 0);
    workspace_release(&workspace);
}

static void a_size_that_there_is_not_is_named(void)
{
    struct workspace workspace = {0};
    struct error err = {0};

    CHECK(!workspace_take(&workspace, SIZE_MAX / 2, 4, "activations", &err));
    CHECK(err.code == ERROR_RESOURCES);
    CHECK_CONTAINS(err.text, "not enough memory for activations: 9223372036854775807 times 4");
    workspace_return(&workspace, 0);
    err = (struct error){0};
    CHECK(workspace_take(&workspace, 4, 4, "activations", &err) && !err.code);
    workspace_release(&workspace);
}

TESTS(TEST(the_next_pass_gets_the_same_memory), TEST(what_was_taken_before_a_mark_stays),
      TEST(a_size_that_there_is_not_is_named))
