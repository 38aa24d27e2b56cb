/* Latent attention with weights in blocks: what it is with the floats that these stand for. */
#include "model/mla.h"

#include <string.h>

#include "math/random.h"
#include "tensor/ggml_blocks.h"
#include "test.h"

enum { HIDDEN = 32, HEADS = 32, STILL = 128, ROTATING = 8, VALUE = 32, RANK = 256, N_TOKENS = 3,
       N_OUT = HEADS * (STILL + VALUE), BLOCK_BYTES = 34, N_TURNS = 100 };

static void fill(float *values, size_t n, struct random *random)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (float)random_uniform(random) - 0.5f;
}

static struct linear linear_of(const float *values, size_t n_out, size_t n_in)
{
    return (struct linear){.matrix = {.format = &matrix_f32, .data = values, .n_out = n_out,
                                      .n_in = n_in, .stride = n_in}};
}

/* Heads are turned at once by several threads, each with weights that it widens. */
static void weights_in_blocks_are_their_floats_in_all_threads(void)
{
    static float q_b[HEADS * (STILL + ROTATING) * HIDDEN], kv_a[(RANK + ROTATING) * HIDDEN];
    static float kv_b[N_OUT * RANK], norm[RANK], x[N_TOKENS * HIDDEN], angle[N_TOKENS * ROTATING];
    static unsigned char blocks[N_OUT * RANK / 32 * BLOCK_BYTES];
    struct stack_spec stack = {.hidden_size = HIDDEN, .n_heads = HEADS, .n_kv_heads = 1,
                               .head_dim = STILL + ROTATING, .v_head_dim = VALUE,
                               .mla = {.kv_lora_rank = RANK, .qk_nope_head_dim = STILL}};
    struct position_angles angles = {.n_pairs = ROTATING / 2, .cosines = angle,
                                     .sines = angle + N_TOKENS * ROTATING / 2};
    size_t n_bytes = N_TOKENS * mla_width(&stack) * sizeof(float);
    float *expected = malloc(n_bytes), *rows = malloc(n_bytes);
    struct mla_weights weights = {.q_b = linear_of(q_b, HEADS * (STILL + ROTATING), HIDDEN),
                                  .kv_a = linear_of(kv_a, RANK + ROTATING, HIDDEN),
                                  .kv_b = linear_of(kv_b, N_OUT, RANK),
                                  .kv_norm = {.weight = norm}};
    struct error err = {0};
    struct threads *threads = threads_new(4, &err);
    struct engine engine = {0};
    struct random random;
    struct mla mla;
    size_t n_other = 0;

    random_init(&random, 1);
    fill(q_b, sizeof q_b / sizeof *q_b, &random);
    fill(kv_a, sizeof kv_a / sizeof *kv_a, &random);
    fill(norm, RANK, &random);
    fill(x, sizeof x / sizeof *x, &random);
    fill(angle, sizeof angle / sizeof *angle, &random);
    for (size_t i = 0; i < sizeof blocks; i++) /* scales of about 1 */
        blocks[i] = i % BLOCK_BYTES == 1 ? 0x3C : (unsigned char)random_below(&random, 256);
    ggml_decode(GGML_Q8_0, blocks, N_OUT * RANK / 32, kv_b);
    CHECK(engine_init(&engine, threads, &err) == 0);
    CHECK(mla_init(&mla, &stack, N_TOKENS, &engine, &err) == 0);
    CHECK(mla_queries(&mla, &engine, &weights, &angles, x, expected, &err) == 0);
    weights.kv_b.matrix.format = &matrix_ggml[GGML_Q8_0];
    weights.kv_b.matrix.data = blocks;
    for (size_t turn = 0; turn < N_TURNS; turn++) {
        CHECK(mla_queries(&mla, &engine, &weights, &angles, x, rows, &err) == 0);
        n_other += memcmp(rows, expected, n_bytes) != 0;
    }
    CHECK(n_other == 0);
    engine_release(&engine);
    threads_free(threads);
    free(expected);
    free(rows);
}

TESTS(TEST(weights_in_blocks_are_their_floats_in_all_threads))
