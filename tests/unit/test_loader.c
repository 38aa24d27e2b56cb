/* Matrices of a model from tensors of all kinds: where they lie, copied, or in blocks. */
#include "model/loader.h"

#include "model/parameters.h"
#include "test.h"

/* A matrix [4, 3] that is stored as its transpose, of BF16, and reads as floats. */
struct turned_source {
    struct tensor_source source;
    const char *format;
};

static const unsigned short items[3][4] = { /* of input in and output out: out + 4 * in + 1 */
    {0x3F80, 0x4000, 0x4040, 0x4080}, {0x40A0, 0x40C0, 0x40E0, 0x4100},
    {0x4110, 0x4120, 0x4130, 0x4140}};

static float value_at(size_t out, size_t in)
{
    return (float)(out + 4 * in + 1);
}

static int turned_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                       void *out, struct error *err)
{
    (void)source;
    (void)err;
    for (size_t i = 0; i < n_bytes / sizeof(float); i++) {
        size_t item = offset / sizeof(float) + i;
        float value = value_at(item / 3, item % 3);

        memcpy((char *)out + i * sizeof value, &value, sizeof value);
    }
    return 0;
}

static void turned_describe(const struct tensor_source *source, struct buffer *out)
{
    (void)source;
    buffer_add_text(out, "memory");
}

static int turned_blocks(const struct tensor *tensor, struct tensor_blocks *out,
                         struct error *err)
{
    const struct turned_source *source = (const struct turned_source *)tensor->source;

    if (!source->format)
        return error_set(err, ERROR_IO, "cannot map");
    *out = (struct tensor_blocks){.format = source->format, .data = items, .stride = 4,
                                  .first_row = tensor->offset / sizeof(float) / 3};
    return 1;
}

static const struct tensor_source_kind turned_kind = {
    .read = turned_read, .describe = turned_describe, .blocks = turned_blocks,
};

static struct tensor make(const struct turned_source *source)
{
    static const size_t shape[] = {4, 3};
    struct tensor tensor = {.name = "w", .dtype = DTYPE_F32, .n_dims = 2, .shape = shape,
                            .source = &source->source};
    struct error err = {0};

    CHECK(tensor_measure(&tensor, &err) == 0);
    return tensor;
}

static void check_row(const struct gemm_matrix *matrix, size_t row, size_t out)
{
    float values[3];

    gemm_matrix_row(matrix, row, values);
    for (size_t in = 0; in < 3; in++)
        CHECK(values[in] == value_at(out, in));
}

static void blocks_are_used_where_they_lie(void)
{
    static const struct turned_source source = {{&turned_kind}, "BF16 transposed"};
    struct tensor tensor = make(&source), part;
    struct parameters parameters = {0};
    struct error err = {0};
    struct loader loader = {.parameters = &parameters, .err = &err};
    struct gemm_matrix matrix;
    struct linear fused = {0}, half;

    CHECK(loader_use(&loader, &tensor, 4, 3, false, &matrix) == 0);
    CHECK(matrix.format == &matrix_bf16_transposed && matrix.data == items);
    for (size_t out = 0; out < 4; out++)
        check_row(&matrix, out, out);
    fused.matrix = matrix;
    half = loader_part(&fused, 2, 2);
    check_row(&half.matrix, 1, 3);
    CHECK(tensor_part(&part, &tensor, 3, 2, (const size_t[]){2, 3}, NULL, &parameters.arena,
                      &err) == 0);
    CHECK(loader_use(&loader, &part, 2, 3, false, &matrix) == 0 && matrix.data == items);
    check_row(&matrix, 1, 2);
    CHECK(parameters.n_copies == 0);
    parameters_release(&parameters);
}

/* Of a format that products do not know, and where inputs and outputs change places. */
static void other_blocks_are_read_as_floats(void)
{
    static const struct turned_source source = {{&turned_kind}, "unheard of"};
    static const struct turned_source known = {{&turned_kind}, "BF16 transposed"};
    struct tensor tensor = make(&source), other = make(&known);
    struct parameters parameters = {0};
    struct error err = {0};
    struct loader loader = {.parameters = &parameters, .err = &err};
    struct gemm_matrix matrix;

    CHECK(loader_use(&loader, &tensor, 4, 3, false, &matrix) == 0);
    CHECK(matrix.format == &matrix_f32 && parameters.n_copies == 1);
    for (size_t out = 0; out < 4; out++)
        check_row(&matrix, out, out);
    CHECK(loader_use(&loader, &other, 3, 4, true, &matrix) == 0);
    CHECK(matrix.format == &matrix_f32_transposed && parameters.n_copies == 2);
    parameters_release(&parameters);
}

static void a_map_that_fails_is_an_error(void)
{
    static const struct turned_source source = {{&turned_kind}, NULL};
    struct tensor tensor = make(&source);
    struct parameters parameters = {0};
    struct error err = {0};
    struct loader loader = {.parameters = &parameters, .err = &err};
    struct gemm_matrix matrix;

    CHECK(loader_use(&loader, &tensor, 4, 3, false, &matrix) == -1 && err.code == ERROR_IO);
    parameters_release(&parameters);
}

TESTS(TEST(blocks_are_used_where_they_lie), TEST(other_blocks_are_read_as_floats),
      TEST(a_map_that_fails_is_an_error))
