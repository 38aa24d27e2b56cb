/* Formats of matrices: the plain ones against items counted by hand, and one that only this file
 * knows, as quantised ones are, against the floats that it stands for. */
#include "math/gemm_matrix.h"

#include <math.h>
#include <stdint.h>

#include "math/gemm.h"
#include "math/gemm_kernels.h"
#include "math/random.h"
#include "tensor/packed_nibbles.h"
#include "test.h"

/* ---- plain numbers ---- */

static void plain_formats_are_found(void)
{
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};

    for (size_t i = 0; i < 6; i++) {
        const struct matrix_format *format = matrix_format_plain(dtypes[i / 2], i % 2);

        CHECK(format && format->dtype == dtypes[i / 2] && format->is_transposed == i % 2);
        CHECK(format && matrix_format_find(format->name) == format);
    }
    CHECK(!matrix_format_plain(DTYPE_F64, false) && !matrix_format_find("F64"));
}

/* Item i is i; what is stored has 4 rows of 5, of which 3 are used. */
static void parts_of_plain_matrices_are_widened(void)
{
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    double values[20];
    char bytes[20 * sizeof(float) + 1];

    for (size_t i = 0; i < 20; i++)
        values[i] = (double)i;
    for (size_t k = 0; k < 6; k++) {
        bool turned = k % 2;
        struct gemm_matrix w = {.format = matrix_format_plain(dtypes[k / 2], turned),
                                .data = bytes + 1, .n_out = turned ? 3 : 4,
                                .n_in = turned ? 4 : 3, .stride = 5};
        struct gemm_matrix part = gemm_matrix_part(&w, 1, 2), last = gemm_matrix_part(&part, 1, 1);
        float block[4] = {0}, row[4] = {0};

        dtype_from_double(dtypes[k / 2], values, bytes + 1, 20);
        gemm_matrix_widen(&part, 0, 2, 1, 2, block);
        CHECK(block[0] == 6 && block[1] == 7 && block[2] == 11 && block[3] == 12);
        gemm_matrix_row(&last, 0, row);
        for (size_t i = 0; i < w.n_in; i++)
            CHECK(row[i] == (turned ? 5 * i + 2 : 10 + i));
        gemm_matrix_prefetch(&part);
    }
}

/* ---- a quantised format ---- */

enum { NIBBLES = 8 };

struct nibble_settings {
    size_t group_in; /* inputs that share a scale */
};

/* Laid out like GPTQ: eight inputs of an output in 32 bits, outputs side by side; for each group of
 * inputs and each output a scale and a zero point. Groups lie one behind the other, unless an index
 * says for each input which is its own. */
static float nibble_at(const struct gemm_matrix *w, size_t out, size_t in)
{
    const uint32_t *items = w->data, *index = w->index;
    const float *scales = w->scales;
    const uint8_t *zeros = w->zeros;
    const struct nibble_settings *settings = w->settings;
    size_t place = (index ? index[in] : in / settings->group_in) * w->stride + out;
    uint32_t item = items[in / NIBBLES * w->stride + out] >> in % NIBBLES * 4 & 15;

    return scales[place] * (float)((int)item - (int)zeros[place]);
}

static void widen_nibbles(const struct gemm_matrix *w, size_t out, size_t n_out, size_t in,
                          size_t n_in, float *block)
{
    bool turned = w->format->is_transposed;

    for (size_t o = 0; o < n_out; o++)
        for (size_t i = 0; i < n_in; i++)
            block[turned ? i * n_out + o : o * n_in + i] = nibble_at(w, out + o, in + i);
}

/* It may give its blocks either way. */
static const struct matrix_format nibbles[] = {
    {.name = "nibbles", .dtype = DTYPE_U32, .widen = widen_nibbles},
    {.name = "nibbles transposed", .dtype = DTYPE_U32, .is_transposed = true,
     .widen = widen_nibbles},
};

struct quantised {
    struct gemm_matrix w;
    uint32_t *items, *index;
    float *scales;
    uint8_t *zeros;
    char *memory; /* its floats, at an odd address: many rows are given blocks of them, too */
    struct gemm_matrix floats;
};

static struct quantised quantised_new(size_t n_out, size_t n_in, bool turned)
{
    size_t n_items = (n_in + NIBBLES - 1) / NIBBLES * n_out;
    static const struct nibble_settings settings = {32};
    size_t n_groups = (n_in + settings.group_in - 1) / settings.group_in;
    struct quantised q = {
        .items = malloc((n_items + 1) * sizeof *q.items),
        .index = malloc((n_in + 1) * sizeof *q.index),
        .scales = malloc((n_groups * n_out + 1) * sizeof *q.scales),
        .zeros = malloc(n_groups * n_out + 1),
        .memory = malloc(n_out * n_in * sizeof(float) + 1),
    };
    struct random random;

    random_init(&random, n_out * 1000 + n_in);
    for (size_t i = 0; i < n_items; i++)
        q.items[i] = (uint32_t)random_next(&random);
    for (size_t i = 0; i < n_in; i++)
        q.index[i] = (uint32_t)random_below(&random, n_groups);
    for (size_t i = 0; i < n_groups * n_out; i++) {
        q.scales[i] = (float)random_uniform(&random) / 16;
        q.zeros[i] = (uint8_t)random_below(&random, 16);
    }
    q.w = (struct gemm_matrix){.format = &nibbles[turned], .data = q.items, .scales = q.scales,
                               .zeros = q.zeros, .index = turned ? q.index : NULL,
                               .settings = &settings, .n_out = n_out, .n_in = n_in,
                               .stride = n_out};
    for (size_t i = 0; i < n_out * n_in; i++) {
        float value = turned ? nibble_at(&q.w, i % n_out, i / n_out)
                             : nibble_at(&q.w, i / n_in, i % n_in);

        memcpy(q.memory + 1 + i * sizeof value, &value, sizeof value);
    }
    q.floats = (struct gemm_matrix){.format = matrix_format_plain(DTYPE_F32, turned),
                                    .data = q.memory + 1, .n_out = n_out, .n_in = n_in,
                                    .stride = turned ? n_out : n_in};
    return q;
}

static void quantised_release(struct quantised *q)
{
    free(q->items);
    free(q->index);
    free(q->scales);
    free(q->zeros);
    free(q->memory);
}

static void check_products(struct gemm *gemm, const struct quantised *q, size_t n_rows)
{
    size_t n_out = q->w.n_out, n_in = q->w.n_in, n = n_rows * n_out;
    float *x = malloc((n_rows * n_in + 1) * sizeof *x), *bias = malloc(n_out * sizeof *bias);
    float *found = malloc(n * sizeof *found), *expected = malloc(n * sizeof *expected);
    struct random random;

    random_init(&random, n_rows);
    for (size_t i = 0; i < n_rows * n_in; i++)
        x[i] = (float)random_uniform(&random) - 0.5f;
    for (size_t i = 0; i < n_out; i++)
        bias[i] = (float)i;
    gemm_multiply(gemm, n_rows, x, n_in, &q->w, bias, found, n_out);
    gemm_multiply(gemm, n_rows, x, n_in, &q->floats, bias, expected, n_out);
    CHECK(memcmp(found, expected, n * sizeof *found) == 0);
    gemm_block(gemm, 1, n_rows, x, n_in, &q->w, -0.5f, true, NULL, found,
               n_out);
    gemm_block(gemm, 0, n_rows, x, n_in, &q->floats, -0.5f, true, NULL, expected,
               n_out);
    CHECK(memcmp(found, expected, n * sizeof *found) == 0);
    free(x);
    free(bias);
    free(found);
    free(expected);
}

static void a_new_format_gives_the_products_of_its_floats(void)
{
    static const size_t rows[] = {1, 2, 5, 8, 33, 128, 129, 300};
    static const size_t shapes[][2] = {{1, 1},     {5, 70},   {130, 64},
                                       {300, 515}, {700, 96}, {9, 5000}};
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct gemm *gemm = gemm_new(threads, &err);

    CHECK(gemm);
    for (size_t s = 0; gemm && s < 2 * sizeof shapes / sizeof *shapes; s++) {
        struct quantised q = quantised_new(shapes[s / 2][0], shapes[s / 2][1], s % 2);

        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            check_products(gemm, &q, rows[r]);
        quantised_release(&q);
    }
    gemm_free(gemm);
    threads_free(threads);
}

/* Rows of it, as of a table of embeddings, and outputs of a fused matrix that begin anywhere. */
static void a_new_format_has_rows_and_parts(void)
{
    for (size_t turned = 0; turned < 2; turned++) {
        struct quantised q = quantised_new(37, 70, turned);
        struct gemm_matrix part = gemm_matrix_part(&q.w, 11, 13);
        float found[70], expected[70];

        for (size_t out = 0; out < part.n_out; out++) {
            gemm_matrix_row(&part, out, found);
            gemm_matrix_row(&q.floats, 11 + out, expected);
            CHECK(memcmp(found, expected, sizeof found) == 0);
        }
        gemm_matrix_prefetch(&part);
        quantised_release(&q);
    }
}

/* ---- blocks of ggml ---- */

/* Outputs 2 and 3 of four rows of three blocks; 5 items of the first block are left out, 7 of the
 * last. With an index, rows are taken from where it says. */
static void blocks_of_ggml_are_widened(void)
{
    static const uint32_t index[] = {0, 0, 3, 1};
    static const float scale = 0.3f;
    unsigned char blocks[4 * 3 * GGML_BLOCK_BYTES_MAX];
    float rows[4 * 3 * GGML_BLOCK_ITEMS_MAX], block[2 * 3 * GGML_BLOCK_ITEMS_MAX];
    struct random random;

    random_init(&random, 1);
    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = (unsigned char)random_below(&random, 64); /* no infinities */
    for (size_t k = 0; k < 4 * N_GGML_BLOCKS; k++) {
        enum ggml_format format = (enum ggml_format)(k / 4);
        const struct ggml_type *type = ggml_type(format);
        size_t n_in = 3 * type->block_items, n = n_in - 12;
        const uint32_t *rows_of = k % 2 ? index : NULL;
        const float *factor = k % 4 > 1 ? &scale : NULL;
        struct gemm_matrix w = {.format = matrix_format_find(type->name), .data = blocks,
                                .scales = factor, .index = rows_of, .n_out = 4, .n_in = n_in,
                                .stride = n_in};
        struct gemm_matrix part = gemm_matrix_part(&w, 2, 2);

        CHECK(w.format == &matrix_ggml[format]);
        ggml_decode(format, blocks, 12, rows);
        gemm_matrix_widen(&part, 0, 2, 5, n, block);
        for (size_t i = 0; i < 2 * n; i++) {
            size_t row = rows_of ? index[2 + i / n] : 2 + i / n;
            float expected = rows[row * n_in + 5 + i % n] * (factor ? scale : 1);

            CHECK(memcmp(&block[i], &expected, sizeof expected) == 0);
        }
        gemm_matrix_prefetch(&part);
    }
}

/* ---- each version of the kernels ---- */

static const char *const isa_names[N_ISAS] = {"plain", "avx2", "avx512"};

/* Rows that are streamed and rows that are packed. */
static void check_all_rows(struct threads *threads, enum isa isa, const struct quantised *q)
{
    static const size_t rows[] = {1, 2, 3, 4, 9, 70};
    struct error err = {0};
    struct gemm *gemm;

    CHECK(isa_choose(isa_names[isa], &err) == 0);
    gemm = gemm_new(threads, &err);
    for (size_t r = 0; gemm && r < sizeof rows / sizeof *rows; r++)
        check_products(gemm, q, rows[r]);
    gemm_free(gemm);
    isa_choose(NULL, &err);
}

static void blocks_of_ggml_give_the_products_of_their_floats(void)
{
    enum { N_OUT = 37, N_IN = 768, N_BYTES = N_OUT * N_IN * 2 };
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    unsigned char *blocks = malloc(N_BYTES);
    float *floats = malloc(N_OUT * N_IN * sizeof *floats);
    uint32_t index[N_OUT];
    struct random random;

    random_init(&random, 2);
    for (size_t i = 0; i < N_BYTES; i++)
        blocks[i] = (unsigned char)random_below(&random, 256) & 0xBF; /* no scale is infinite */
    for (size_t i = 0; i < N_OUT; i++)
        index[i] = (uint32_t)i;
    for (size_t i = 0; i < N_ISAS * N_GGML_BLOCKS && isa_has(i / N_GGML_BLOCKS); i++) {
        enum ggml_format format = i % N_GGML_BLOCKS;
        struct quantised q = {
            .w = {.format = &matrix_ggml[format], .data = blocks, .index = i % 2 ? index : NULL,
                  .n_out = N_OUT, .n_in = N_IN, .stride = N_IN},
            .floats = {.format = &matrix_f32, .data = floats, .n_out = N_OUT, .n_in = N_IN,
                       .stride = N_IN},
        };

        ggml_decode(format, blocks, N_OUT * N_IN / ggml_type(format)->block_items, floats);
        check_all_rows(threads, i / N_GGML_BLOCKS, &q);
    }
    threads_free(threads);
    free(blocks);
    free(floats);
}

/* ---- nibbles in columns of words ---- */

struct nibbles_case {
    enum dtype dtype; /* of the scales */
    size_t n_out, n_in, group_size;
    bool has_index;
};

/* Outputs 3 and on of a matrix with three more. */
static void check_nibbles(struct threads *threads, const struct nibbles_case *c)
{
    size_t stride = c->n_out + 3, n_words = c->n_in / 8 * stride;
    size_t n_groups = (c->n_in - 1) / c->group_size + 1, n_scales = n_groups * stride;
    size_t item_bytes = dtype_info(c->dtype)->n_bits / 8;
    uint32_t *words = malloc(n_words * sizeof *words), *index = malloc(c->n_in * sizeof *index);
    unsigned char *scales = malloc(n_scales * item_bytes + 1), *zeros = malloc(n_scales);
    float *floats = malloc(c->n_out * c->n_in * sizeof *floats);
    struct packed_nibbles settings = {c->dtype, c->group_size};
    struct quantised q = {
        .w = {.format = matrix_format_find(PACKED_NIBBLES), .data = words, .scales = scales + 1,
              .zeros = zeros, .index = c->has_index ? index : NULL, .settings = &settings,
              .n_out = c->n_out, .n_in = c->n_in, .stride = stride, .first_out = 3},
        .floats = {.format = &matrix_f32, .data = floats, .n_out = c->n_out, .n_in = c->n_in,
                   .stride = c->n_in},
    };
    struct random random;

    random_init(&random, 3);
    for (size_t i = 0; i < n_words; i++)
        words[i] = (uint32_t)random_next(&random);
    for (size_t i = 0; i < c->n_in; i++)
        index[i] = (uint32_t)random_below(&random, n_groups);
    for (size_t i = 0; i < n_scales; i++) {
        double scale = (random_uniform(&random) - 0.4) / 3;

        zeros[i] = (unsigned char)random_below(&random, 17);
        dtype_from_double(c->dtype, &scale, scales + 1 + i * item_bytes, 1);
    }
    for (size_t i = 0; i < c->n_out * c->n_in; i++) {
        size_t out = 3 + i / c->n_in, in = i % c->n_in;
        size_t place = (c->has_index ? index[in] : in / c->group_size) * stride + out;
        double scale;

        dtype_to_double(c->dtype, scales + 1 + place * item_bytes, &scale, 1);
        floats[i] = (float)((int)(words[in / 8 * stride + out] >> in % 8 * 4 & 15) - zeros[place]) *
                    (float)scale;
    }
    for (enum isa isa = 0; isa < N_ISAS && isa_has(isa); isa++)
        check_all_rows(threads, isa, &q);
    gemm_matrix_prefetch(&q.w);
    free(words);
    free(index);
    free(scales);
    free(zeros);
    free(floats);
}

static void nibbles_in_words_give_the_products_of_their_floats(void)
{
    static const struct nibbles_case cases[] = {
        {DTYPE_F16, 64, 1536, 128, false}, {DTYPE_F32, 37, 520, 32, false},
        {DTYPE_BF16, 5, 8, 8, false},      {DTYPE_F16, 48, 264, 264, false},
        {DTYPE_F32, 40, 600, 40, true},    {DTYPE_F16, 130, 1032, 64, true},
    };
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_nibbles(threads, &cases[i]);
    threads_free(threads);
}

/* Products that are too small for a float add up to -0, unless zeros fill up the inputs. */
static void nibbles_whose_products_vanish_are_as_their_floats(void)
{
    enum { N_OUT = 37, N_IN = 24, N_ROWS = 9 };
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    uint32_t words[N_IN / 8 * N_OUT];
    uint8_t zeros[N_OUT] = {0};
    float scales[N_OUT], floats[N_OUT * N_IN], x[N_ROWS * N_IN], y[2][N_ROWS * N_OUT];
    struct packed_nibbles settings = {DTYPE_F32, N_IN};
    struct gemm_matrix w[] = {
        {.format = &matrix_nibbles, .data = words, .scales = scales, .zeros = zeros,
         .settings = &settings, .n_out = N_OUT, .stride = N_OUT},
        {.format = &matrix_f32, .data = floats, .n_out = N_OUT, .stride = N_IN},
    };

    for (size_t i = 0; i < N_IN / 8 * N_OUT; i++)
        words[i] = 0x11111111;
    for (size_t i = 0; i < N_OUT; i++)
        scales[i] = 1e-26f;
    for (size_t i = 0; i < N_OUT * N_IN; i++)
        floats[i] = 1e-26f;
    for (size_t i = 0; i < N_ROWS * N_IN; i++)
        x[i] = -1e-30f;
    for (enum isa isa = 0; isa < N_ISAS && isa_has(isa); isa++) {
        struct gemm *gemm;

        CHECK(isa_choose(isa_names[isa], &err) == 0);
        gemm = gemm_new(threads, &err);
        for (size_t n_in = 8; n_in <= N_IN; n_in += 8)
            for (size_t n_rows = 1; n_rows <= N_ROWS; n_rows += 2) {
                for (size_t k = 0; k < 2; k++) {
                    w[k].n_in = n_in;
                    gemm_multiply(gemm, n_rows, x, N_IN, &w[k], NULL, y[k], N_OUT);
                }
                CHECK(!signbit(y[0][0]) == (n_in % GEMM_LANES != 0));
                CHECK(memcmp(y[0], y[1], n_rows * N_OUT * sizeof *y[0]) == 0);
            }
        gemm_free(gemm);
    }
    isa_choose(NULL, &err);
    threads_free(threads);
}

/* ---- loaders ---- */

static size_t n_streams;

static void count_stream(const struct gemm_matrix *matrix, size_t n_rows, const float *x,
                         size_t x_stride, float factor, bool adds, float *y, size_t y_stride)
{
    (void)matrix, (void)n_rows, (void)x, (void)x_stride, (void)factor, (void)adds, (void)y;
    (void)y_stride;
    n_streams++;
}

/* A matrix with scales is left to its loader only where that reads them, as that of nibbles does; which gets
 * its rows some at a time where weights are dear to pack. */
static void scales_are_for_loaders_that_read_them(void)
{
    struct error err = {0};
    struct threads *threads = threads_new(1, &err);
    struct gemm *gemm = gemm_new(threads, &err);
    struct quantised q = quantised_new(5, 70, false);
    float x[8 * 70] = {0}, y[8 * 5];

    for (int reads = 0; reads < 2; reads++) {
        struct gemm_loader loader = {NULL, count_stream, reads, 8};
        struct matrix_format format = nibbles[0];

        for (enum isa isa = 0; isa < N_ISAS; isa++)
            format.loaders[isa] = &loader;
        q.w.format = &format;
        n_streams = 0;
        gemm_multiply(gemm, 1, x, 70, &q.w, NULL, y, 5);
        CHECK(n_streams == (size_t)reads);
        gemm_multiply(gemm, 8, x, 70, &q.w, NULL, y, 5);
        CHECK(n_streams == 3 * (size_t)reads);
    }
    for (enum isa isa = 0; isa < N_ISAS; isa++)
        CHECK(!matrix_nibbles.loaders[isa] || matrix_nibbles.loaders[isa]->reads_scales);
    CHECK(matrix_nibbles.loaders[ISA_PLAIN]->most_streamed > GEMM_STREAM_ROWS);
    quantised_release(&q);
    gemm_free(gemm);
    threads_free(threads);
}

TESTS(TEST(nibbles_in_words_give_the_products_of_their_floats),
      TEST(nibbles_whose_products_vanish_are_as_their_floats),
      TEST(scales_are_for_loaders_that_read_them),
      TEST(blocks_of_ggml_give_the_products_of_their_floats), TEST(blocks_of_ggml_are_widened),
      TEST(plain_formats_are_found), TEST(parts_of_plain_matrices_are_widened),
      TEST(a_new_format_gives_the_products_of_its_floats), TEST(a_new_format_has_rows_and_parts))
