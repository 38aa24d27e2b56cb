/* Rows taken of other matrices, against rows written out by hand. */
#include "tensor/tensor_rows.h"

#include <stdint.h>
#include <string.h>

#include "tensor/tensor_source.h"

#include "test.h"

struct memory_source {
    struct tensor_source source;
    const void *bytes;
    size_t n_bytes;
};

static int memory_source_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                              void *out, struct error *err)
{
    const struct memory_source *memory = (const struct memory_source *)source;

    (void)err;
    CHECK(offset + n_bytes <= memory->n_bytes);
    memcpy(out, (const char *)memory->bytes + offset, n_bytes);
    return 0;
}

static void memory_source_describe(const struct tensor_source *source, struct buffer *out)
{
    (void)source;
    buffer_add_text(out, "memory");
}

static const struct tensor_source_kind memory_kind = {
    .read = memory_source_read, .describe = memory_source_describe,
};

static const float a_values[] = {1, 2, 3, 4, 5, 6, 7, 8};       /* [4, 2] */
static const float b_values[] = {10, 20, 30, 40, 50, 60};       /* [3, 2] */
static const uint16_t c_values[] = {0x3fc0, 0x4020, 0x3f81, 0}; /* BF16 1.5 2.5 1.0078125 0 */
static const struct memory_source a_source = {{&memory_kind}, a_values, sizeof a_values};
static const struct memory_source b_source = {{&memory_kind}, b_values, sizeof b_values};
static const struct memory_source c_source = {{&memory_kind}, c_values, sizeof c_values};
static const size_t a_shape[] = {4, 2}, b_shape[] = {3, 2}, c_shape[] = {2, 2};

static struct tensor make(const char *name, const struct memory_source *source, enum dtype dtype,
                          size_t n_dims, const size_t *shape)
{
    struct tensor tensor = {.name = name, .dtype = dtype, .n_dims = n_dims, .shape = shape,
                            .source = &source->source};
    struct error err = {0};

    CHECK(tensor_measure(&tensor, &err) == 0);
    return tensor;
}

static void check_floats(const struct tensor *tensor, const float *expected, size_t n)
{
    struct error err = {0};
    float found[64];
    size_t n_wrong = 0;

    CHECK(tensor->n_items == n && tensor->dtype == DTYPE_F32);
    for (size_t first = 0; first <= n; first++)
        for (size_t count = 0; count <= n - first; count++)
            n_wrong += tensor_read(tensor, first, count, found, &err) != 0 ||
                       (count && memcmp(found, expected + first, count * sizeof *found) != 0);
    CHECK(n_wrong == 0);
}

/* 0: of a, 1: of b; an average of three; nothing; the mean of all these twice. */
static void rows_come_from_where_the_map_says(void)
{
    static const struct tensor_pick picks[] = {{0, 3}, {0, 0}, {0, 1}, {1, 2}, {0, 2}, {1, 0}, {1, 1}};
    static const struct tensor_row rows[] = {{0, 1}, {0, TENSOR_ROW_MEAN}, {1, 1}, {2, 1}, {3, 1},
                                             {4, 3}, {0, TENSOR_ROW_ZERO}, {0, TENSOR_ROW_MEAN}};
    static const struct tensor_row_map map = {rows, 8, picks};
    struct tensor a = make("a", &a_source, DTYPE_F32, 2, a_shape);
    struct tensor b = make("b", &b_source, DTYPE_F32, 2, b_shape), made;
    const struct tensor *const tensors[] = {&a, &b};
    const float third = (5.f + 10 + 30) / 3, fourth = (6.f + 20 + 40) / 3;
    const float mean = (float)((7. + 1 + 3 + 50 + third + 0) / 6);
    const float other = (float)((8. + 2 + 4 + 60 + fourth + 0) / 6);
    const float expected[] = {7, 8, mean, other, 1, 2, 3, 4, 50, 60, third, fourth, 0, 0, mean, other};
    struct arena arena = {0};
    struct error err = {0};
    struct buffer text = {0};

    CHECK(tensor_rows(&made, &a, DTYPE_F32, DTYPE_BF16, tensors, 2, &map, &arena, &err) == 0);
    CHECK(strcmp(made.name, "a") == 0 && made.n_dims == 2 && made.shape[0] == 8 &&
          made.shape[1] == 2);
    CHECK(made.dtype == DTYPE_F32 && tensor_written(&made) == DTYPE_BF16);
    check_floats(&made, expected, 16);
    made.source->kind->describe(made.source, &text);
    CHECK(strcmp(text.data, "memory") == 0);
    buffer_release(&text);
    arena_release(&arena);
}

static void a_vector_has_rows_of_one_item(void)
{
    static const struct tensor_pick picks[] = {{0, 7}, {0, 1}, {0, 2}};
    static const struct tensor_row rows[] = {{0, 1}, {1, 1}, {2, 1}, {1, 2}, {0, TENSOR_ROW_ZERO}};
    static const struct tensor_row_map map = {rows, 5, picks};
    static const size_t shape[] = {8};
    static const float expected[] = {8, 2, 3, 2.5f, 0};
    struct tensor a = make("a", &a_source, DTYPE_F32, 1, shape), made;
    const struct tensor *const tensors[] = {&a};
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_rows(&made, &a, DTYPE_F32, DTYPE_F32, tensors, 1, &map, &arena, &err) == 0);
    check_floats(&made, expected, 5);
    arena_release(&arena);
}

/* A row of another dtype is rounded once, an average after it was taken in double. */
static void values_are_rounded_to_the_dtype(void)
{
    static const struct tensor_pick picks[] = {{1, 0}, {1, 1}, {1, 0}, {0, 1}};
    static const struct tensor_row rows[] = {{0, 1}, {1, 1}, {2, 2}};
    static const struct tensor_row_map map = {rows, 3, picks};
    static const float as_float[] = {1.5f, 2.5f, 1.0078125f, 0, 2.25f, 3.25f};
    struct tensor a = make("a", &a_source, DTYPE_F32, 2, a_shape);
    struct tensor c = make("c", &c_source, DTYPE_BF16, 2, c_shape), made;
    const struct tensor *const tensors[] = {&a, &c}, *const other[] = {&c, &a};
    static const struct tensor_pick last[] = {{1, 3}};
    static const struct tensor_row_map narrow = {rows, 1, last};
    struct arena arena = {0};
    struct error err = {0};
    uint16_t found[2];

    CHECK(tensor_rows(&made, &c, DTYPE_F32, DTYPE_F32, tensors, 2, &map, &arena, &err) == 0);
    CHECK(strcmp(made.name, "c") == 0);
    check_floats(&made, as_float, 6);
    CHECK(tensor_rows(&made, &c, DTYPE_BF16, DTYPE_BF16, other, 2, &narrow, &arena, &err) == 0);
    CHECK(made.dtype == DTYPE_BF16 && tensor_read(&made, 0, 2, found, &err) == 0);
    CHECK(found[0] == 0x40e0 && found[1] == 0x4100); /* 7 and 8 */
    arena_release(&arena);
}

static void rows_that_do_not_fit_are_refused(void)
{
    static const struct tensor_pick picks[] = {{1, 2}, {1, 3}, {0, 0}};
    static const struct tensor_row last[] = {{0, 1}}, behind[] = {{1, 1}}, two[] = {{0, 1}, {1, 2}};
    static const struct tensor_row_map good = {last, 1, picks}, bad = {behind, 1, picks};
    static const struct tensor_row_map average = {&two[1], 1, picks};
    static const size_t wide[] = {2, 4};
    struct tensor a = make("a", &a_source, DTYPE_F32, 2, a_shape);
    struct tensor b = make("b", &b_source, DTYPE_F32, 2, b_shape);
    struct tensor other = make("wide", &a_source, DTYPE_F32, 2, wide), made;
    struct tensor whole = make("whole", &a_source, DTYPE_I32, 2, a_shape);
    const struct tensor *tensors[] = {&a, &b};
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_rows(&made, &a, DTYPE_F32, DTYPE_F32, tensors, 2, &good, &arena, &err) == 0);
    CHECK(tensor_rows(&made, &a, DTYPE_F32, DTYPE_F32, tensors, 2, &bad, &arena, &err) == -1);
    CHECK(err.code == ERROR_INCOMPATIBLE && strstr(err.text, "has fewer rows"));
    err = (struct error){0};
    CHECK(tensor_rows(&made, &a, DTYPE_F32, DTYPE_F32, tensors, 1, &good, &arena, &err) == -1);
    CHECK(err.code == ERROR_INCOMPATIBLE && strstr(err.text, "has no such tensor"));
    err = (struct error){0};
    tensors[1] = NULL;
    CHECK(tensor_rows(&made, &a, DTYPE_F32, DTYPE_F32, tensors, 2, &good, &arena, &err) == -1);
    CHECK(err.code == ERROR_INCOMPATIBLE && strstr(err.text, "has no such tensor"));
    err = (struct error){0};
    tensors[1] = &other;
    CHECK(tensor_rows(&made, &a, DTYPE_F32, DTYPE_F32, tensors, 2, &good, &arena, &err) == -1);
    CHECK(err.code == ERROR_INCOMPATIBLE && strstr(err.text, "'wide'") && strstr(err.text, "'a'"));
    err = (struct error){0};
    tensors[0] = tensors[1] = &whole;
    CHECK(tensor_rows(&made, &whole, DTYPE_I32, DTYPE_I32, tensors, 2, &good, &arena, &err) == 0);
    CHECK(tensor_rows(&made, &whole, DTYPE_I32, DTYPE_I32, tensors, 2, &average, &arena, &err) ==
          -1);
    CHECK(err.code == ERROR_UNSUPPORTED && strstr(err.text, "'whole'"));
    arena_release(&arena);
}

static void tied_matrices_stay_tied(void)
{
    static const struct tensor_pick picks[] = {{0, 1}};
    static const struct tensor_row rows[] = {{0, 1}};
    static const struct tensor_row_map map = {rows, 1, picks}, like_it = {rows, 1, picks};
    struct tensor a = make("a", &a_source, DTYPE_F32, 2, a_shape), tied = a, x, y, z;
    struct tensor b = make("b", &b_source, DTYPE_F32, 2, b_shape);
    const struct tensor *const of_a[] = {&a}, *const of_tied[] = {&tied}, *const of_b[] = {&b};
    struct arena arena = {0};
    struct error err = {0};

    tied.name = "tied";
    CHECK(tensor_rows(&x, &a, DTYPE_F32, DTYPE_F32, of_a, 1, &map, &arena, &err) == 0);
    CHECK(tensor_rows(&y, &tied, DTYPE_F32, DTYPE_F32, of_tied, 1, &map, &arena, &err) == 0);
    CHECK(tensor_same_bytes(&x, &y));
    CHECK(tensor_rows(&z, &a, DTYPE_F32, DTYPE_F16, of_a, 1, &map, &arena, &err) == 0 &&
          !tensor_same_bytes(&x, &z)); /* written otherwise */
    CHECK(tensor_rows(&z, &b, DTYPE_F32, DTYPE_F32, of_b, 1, &map, &arena, &err) == 0 &&
          !tensor_same_bytes(&x, &z));
    CHECK(tensor_rows(&z, &a, DTYPE_F32, DTYPE_F32, of_a, 1, &like_it, &arena, &err) == 0 &&
          !tensor_same_bytes(&x, &z));
    arena_release(&arena);
}

/* Longer than what is read at once for a mean, and than what is converted at once. */
static void many_rows_have_a_mean(void)
{
    enum { ROWS = 3000, WIDTH = 300 };
    static float values[ROWS * WIDTH], found[WIDTH];
    static struct tensor_pick picks[ROWS];
    static struct tensor_row rows[ROWS + 1];
    static const size_t shape[] = {ROWS, WIDTH};
    const struct memory_source source = {{&memory_kind}, values, sizeof values};
    const struct tensor_row_map map = {rows, ROWS + 1, picks};
    struct tensor whole = make("many", &source, DTYPE_F32, 2, shape), made;
    const struct tensor *const tensors[] = {&whole};
    struct arena arena = {0};
    struct error err = {0};
    size_t n_wrong = 0;

    for (size_t i = 0; i < ROWS * WIDTH; i++)
        values[i] = (float)(i % WIDTH + i / WIDTH);
    for (uint32_t r = 0; r < ROWS; r++) {
        picks[r] = (struct tensor_pick){0, ROWS - 1 - r};
        rows[r] = (struct tensor_row){r, 1};
    }
    for (uint32_t r = ROWS / 2; r < ROWS; r++)
        picks[r].row = r; /* some of it one behind the other */
    rows[ROWS] = (struct tensor_row){0, TENSOR_ROW_MEAN};
    CHECK(tensor_rows(&made, &whole, DTYPE_F32, DTYPE_F32, tensors, 1, &map, &arena, &err) == 0);
    CHECK(tensor_read(&made, (size_t)ROWS * WIDTH, WIDTH, found, &err) == 0);
    for (size_t i = 0; i < WIDTH; i++) /* rows 1500 … 2999 twice */
        n_wrong += found[i] != (float)(2249.5 + (double)i);
    CHECK(n_wrong == 0);
    arena_release(&arena);
}

TESTS(TEST(rows_come_from_where_the_map_says), TEST(a_vector_has_rows_of_one_item),
      TEST(values_are_rounded_to_the_dtype), TEST(rows_that_do_not_fit_are_refused),
      TEST(tied_matrices_stay_tied), TEST(many_rows_have_a_mean))
