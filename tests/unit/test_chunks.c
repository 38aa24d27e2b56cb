#include "base/chunks.h"

#include "test.h"

static void each_item_is_in_one_task_and_no_task_is_empty(void)
{
    static const size_t lengths[] = {0, 1, 4, 5, 8, 0, 0, 9, 3, 0};
    enum { N = sizeof lengths / sizeof *lengths };
    size_t next[N] = {0}, n_tasks = 0;
    struct chunks chunks;

    chunks_init(&chunks, N, 4);
    for (size_t i = 0; i < N; i++) {
        chunks_set(&chunks, i, lengths[i]);
        n_tasks += (lengths[i] + 3) / 4;
    }
    CHECK(chunks_n_tasks(&chunks) == n_tasks);
    for (size_t task = 0; task < n_tasks; task++) {
        size_t first, n, list = chunks_find(&chunks, task, &first, &n);

        CHECK(list < N && n > 0 && n <= 4 && first == next[list]);
        next[list] += n;
    }
    for (size_t i = 0; i < N; i++)
        CHECK(next[i] == lengths[i]);
    chunks_release(&chunks);
}

TESTS(TEST(each_item_is_in_one_task_and_no_task_is_empty))
