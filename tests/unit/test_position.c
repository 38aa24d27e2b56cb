/* test_position.c - rotation angles, and what a longer text does to them. */
#include "model/position.h"

#include <math.h>

#include "base/memory.h"
#include "test.h"

enum { N_PAIRS = 3 };

static double short_factors[N_PAIRS] = {1, 1.5, 2};
static double long_factors[N_PAIRS] = {3, 5, 8};

/* Texts of up to 20 tokens are short. */
static const struct rope_spec plain = {
    .kind = ROPE_DEFAULT, .n_dims = 2 * N_PAIRS, .theta = 100, .factor = 1,
    .max_positions = 20, .attention_factor = 1,
};
static const struct rope_spec dynamic = {
    .kind = ROPE_DYNAMIC, .n_dims = 2 * N_PAIRS, .theta = 100, .factor = 2.5,
    .max_positions = 20, .original_positions = 20, .attention_factor = 1,
};
static const struct rope_spec longrope = {
    .kind = ROPE_LONGROPE, .n_dims = 2 * N_PAIRS, .theta = 100, .factor = 4,
    .max_positions = 80, .original_positions = 20, .attention_factor = 1.2,
    .short_factors = short_factors, .long_factors = long_factors,
};
static const struct rope_spec phimoe = {
    .kind = ROPE_LONGROPE, .n_dims = 2 * N_PAIRS, .theta = 100, .factor = 4,
    .max_positions = 80, .original_positions = 20, .attention_factor = 1.2,
    .short_factors = short_factors, .long_factors = long_factors,
    .short_mscale = 1.1, .long_mscale = 1.7,
};

/* The definitions of transformers' modeling_rope_utils.py, for a text of n_tokens. */
static double frequency_of(const struct rope_spec *rope, size_t pair, size_t n_tokens)
{
    double theta = rope->theta, n = (double)n_tokens, d = 2 * N_PAIRS, factor = 1;

    if (rope->kind == ROPE_DYNAMIC && n_tokens > 20)
        theta *= pow(rope->factor * n / 20 - (rope->factor - 1), d / (d - 2));
    if (rope->kind == ROPE_LONGROPE)
        factor = n_tokens > 20 ? long_factors[pair] : short_factors[pair];
    return 1 / (factor * pow(theta, 2 * (double)pair / d));
}

static double scale_of(const struct rope_spec *rope, size_t n_tokens)
{
    if (rope->short_mscale > 0)
        return n_tokens > 20 ? rope->long_mscale : rope->short_mscale;
    return rope->attention_factor;
}

/* Rows `token` … of the angles are positions `first` … of a text that has n_tokens by then. */
static void check_rows(const struct position_angles *angles, const struct rope_spec *rope,
                       size_t token, size_t first, size_t n_tokens)
{
    double scale = scale_of(rope, n_tokens);

    for (size_t position = first; position < n_tokens; position++, token++)
        for (size_t i = 0; i < N_PAIRS; i++) {
            double angle = (double)position * frequency_of(rope, i, n_tokens);
            size_t at = token * N_PAIRS + i;

            /* Angles are float: of 30, they are 2e-6 apart. */
            CHECK(fabs((double)angles->cosines[at] - cos(angle) * scale) < 5e-6);
            CHECK(fabs((double)angles->sines[at] - sin(angle) * scale) < 5e-6);
        }
}

static const struct rope_spec *const ropes[] = {&plain, &dynamic, &longrope, &phimoe};
enum { N_ROPES = sizeof ropes / sizeof *ropes };

/* Each text of a batch has angles of its own length. */
static void the_length_of_each_text_decides(void)
{
    static const size_t ends[] = {19, 39, 60, 60, 91};

    for (size_t r = 0; r < N_ROPES; r++) {
        struct batch batch = {.ends = ends, .n_sequences = 5};
        struct workspace workspace = {0};
        struct position_angles angles;
        struct error err = {0};
        size_t begin = 0;

        CHECK(position_angles_init(&angles, ropes[r], &batch, &workspace, &err) == 0);
        CHECK(angles.n_pairs == N_PAIRS);
        for (size_t s = 0; s < 5; s++) {
            check_rows(&angles, ropes[r], begin, 0, ends[s] - begin);
            begin = ends[s];
        }
        workspace_release(&workspace);
    }
}

/* What a cache holds counts: a text gets long by its 21st token, however few of them are new. */
static void tokens_in_the_cache_belong_to_the_length(void)
{
    static const size_t n_cached[] = {19, 20, 0, 25, 15, 14}, n_new[] = {1, 1, 20, 3, 6, 6};

    for (size_t r = 0; r < N_ROPES; r++) {
        struct cache held[6] = {{0}}, *caches[6];
        size_t ends[6], begin = 0;
        struct batch batch = {.ends = ends, .n_sequences = 6, .caches = caches};
        struct workspace workspace = {0};
        struct position_angles angles;
        struct error err = {0};

        for (size_t s = 0; s < 6; s++) {
            held[s].n_tokens = n_cached[s];
            caches[s] = &held[s];
            ends[s] = (s ? ends[s - 1] : 0) + n_new[s];
        }
        CHECK(position_angles_init(&angles, ropes[r], &batch, &workspace, &err) == 0);
        for (size_t s = 0; s < 6; s++) {
            check_rows(&angles, ropes[r], begin, n_cached[s], n_cached[s] + n_new[s]);
            begin = ends[s];
        }
        workspace_release(&workspace);
    }
}

static void halves_or_neighbours_are_turned(void)
{
    static const size_t ends[] = {3};
    struct batch batch = {.ends = ends, .n_sequences = 1};
    float halves[] = {1, 2, 3, 4, 5, 6, 7}, pairs[] = {1, 4, 2, 5, 3, 6, 7};
    struct workspace workspace = {0};
    struct position_angles angles;
    struct error err = {0};

    CHECK(position_angles_init(&angles, &plain, &batch, &workspace, &err) == 0);
    position_rotate(&angles, 2, halves);
    position_rotate_pairs(&angles, 2, pairs);
    for (size_t i = 0; i < N_PAIRS; i++) {
        double angle = 2 * frequency_of(&plain, i, 3), a = (double)i + 1, b = (double)i + 4;

        CHECK(fabs((double)halves[i] - (a * cos(angle) - b * sin(angle))) < 1e-5);
        CHECK(fabs((double)halves[i + 3] - (b * cos(angle) + a * sin(angle))) < 1e-5);
        CHECK(pairs[2 * i] == halves[i] && pairs[2 * i + 1] == halves[i + 3]);
    }
    CHECK(halves[6] == 7 && pairs[6] == 7); /* what is behind does not rotate */
    workspace_release(&workspace);
}

TESTS(TEST(the_length_of_each_text_decides), TEST(tokens_in_the_cache_belong_to_the_length),
      TEST(halves_or_neighbours_are_turned))
