/* Matrices as experts have them, and tensors that stand in memory. */
#include "arch/expert_tensor.h"

#include <math.h>
#include <string.h>

#include "math/random.h"
#include "tensor/tensor_floats.h"
#include "tensor/tensor_source.h"

#include "test.h"

enum { N = 700 };

static void a_tensor_in_memory_is_read_when_it_is_asked_for(void)
{
    const size_t shape[] = {2, 3};
    float items[6] = {0}, out[4];
    struct arena arena = {0};
    struct tensor made;
    struct error err = {0};

    CHECK(tensor_floats(&made, "rows", 2, shape, items, "memory", &arena, &err) == 0);
    CHECK(made.n_items == 6 && made.size_bytes == 24 && made.dtype == DTYPE_F32);
    for (size_t i = 0; i < 6; i++)
        items[i] = (float)i + 0.5f;
    CHECK(tensor_read(&made, 1, 4, out, &err) == 0);
    CHECK(out[0] == 1.5f && out[3] == 4.5f);
    arena_release(&arena);
}

static void values_are_changed_wherever_reading_begins(void)
{
    const size_t n = N;
    struct expert_change changes[] = {
        {.noise = 0, .scale = 0.3, .seed = 1, .stream = 7},
        {.noise = 0.25, .scale = 1, .seed = 1, .stream = 7},
        {.noise = 0.25, .scale = -2, .seed = 5, .stream = 8},
    };
    float items[N], all[N], part[300];
    struct arena arena = {0};
    struct tensor plain, made;
    struct error err = {0};

    for (size_t i = 0; i < N; i++)
        items[i] = (float)i / 3 - 100;
    CHECK(tensor_floats(&plain, "x", 1, &n, items, "memory", &arena, &err) == 0);
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        const struct expert_change *change = &changes[c];
        size_t n_wrong = 0;

        CHECK(expert_tensor(&made, &plain, change, &arena, &err) == 0);
        CHECK(tensor_read(&made, 0, N, all, &err) == 0);
        CHECK(tensor_read(&made, 255, 300, part, &err) == 0);
        CHECK(memcmp(part, all + 255, sizeof part) == 0);
        for (size_t i = 0; i < N; i++) {
            float noise = (float)(change->noise * random_normal_at(change->seed, change->stream, i));
            float x = change->noise != 0 ? items[i] + noise : items[i];

            n_wrong += all[i] != (change->scale == 1 ? x : x * (float)change->scale);
        }
        CHECK(n_wrong == 0);
    }
    arena_release(&arena);
}

TESTS(TEST(a_tensor_in_memory_is_read_when_it_is_asked_for),
      TEST(values_are_changed_wherever_reading_begins))
