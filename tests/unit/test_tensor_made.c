/* Tensors in another order, or changed: every range against items counted by hand. */
#include "tensor/tensor_made.h"

#include <stdint.h>
#include <string.h>

#include "tensor/tensor_source.h"

#include "test.h"

struct memory_source {
    struct tensor_source source;
    const unsigned char *bytes;
};

static int memory_source_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                              void *out, struct error *err)
{
    (void)err;
    memcpy(out, ((const struct memory_source *)source)->bytes + offset, n_bytes);
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

static unsigned char counted[256]; /* counted[i] = i */
static const struct memory_source memory = {{&memory_kind}, counted};

static struct tensor make(size_t n_dims, const size_t *shape, enum dtype dtype)
{
    struct tensor tensor = {.name = "counted", .dtype = dtype, .n_dims = n_dims, .shape = shape,
                            .source = &memory.source};
    struct error err = {0};

    for (size_t i = 0; i < sizeof counted; i++)
        counted[i] = (unsigned char)i;
    CHECK(tensor_measure(&tensor, &err) == 0);
    return tensor;
}

static void check_bytes(const struct tensor *tensor, const unsigned char *expected, size_t n)
{
    struct error err = {0};
    unsigned char found[256];
    size_t n_wrong = 0;

    CHECK(tensor->n_items == n);
    for (size_t first = 0; first <= n; first++)
        for (size_t count = 0; count <= n - first; count++)
            n_wrong += tensor_read(tensor, first, count, found, &err) != 0 ||
                       (count && memcmp(found, expected + first, count) != 0);
    CHECK(n_wrong == 0);
}

static void rows_of_heads_lie_in_pairs_or_halves(void)
{
    static const unsigned char pairs[] = {0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15};
    static const unsigned char of_eight[] = {0, 4, 1, 5, 2, 6, 3, 7};
    const size_t shape[] = {8, 2}, flat[] = {8};
    struct tensor a = make(2, shape, DTYPE_U8), b = make(1, flat, DTYPE_U8), made, back;
    struct arena arena = {0};
    struct error err = {0};
    struct buffer text = {0};

    CHECK(tensor_to_pairs(&made, &a, 2, &arena, &err) == 0);
    check_bytes(&made, pairs, 16);
    CHECK(tensor_to_halves(&back, &made, 2, &arena, &err) == 0);
    check_bytes(&back, counted, 16);
    CHECK(tensor_to_pairs(&made, &b, 1, &arena, &err) == 0);
    check_bytes(&made, of_eight, 8);
    CHECK(tensor_to_halves(&back, &made, 1, &arena, &err) == 0);
    check_bytes(&back, counted, 8);
    made.source->kind->describe(made.source, &text);
    CHECK(strcmp(text.data, "memory") == 0 && strcmp(made.name, "counted") == 0);
    buffer_release(&text);
    arena_release(&arena);
}

static void heads_must_divide_the_rows(void)
{
    const size_t shape[] = {6, 2};
    struct tensor a = make(2, shape, DTYPE_U8), made;
    struct arena arena = {0};

    for (size_t n_heads = 0; n_heads < 8; n_heads++) {
        struct error err = {0};
        bool fits = n_heads == 1 || n_heads == 3;

        CHECK((tensor_to_halves(&made, &a, n_heads, &arena, &err) == 0) == fits);
        CHECK(fits || err.code == ERROR_FORMAT);
    }
    arena_release(&arena);
}

static void knows_the_same_order_of_the_same_bytes(void)
{
    const size_t shape[] = {8, 2};
    struct tensor a = make(2, shape, DTYPE_U8), b = a, x, y, z;
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_to_halves(&x, &a, 2, &arena, &err) == 0);
    CHECK(tensor_to_halves(&y, &b, 2, &arena, &err) == 0);
    CHECK(tensor_same_bytes(&x, &y) && !tensor_same_bytes(&x, &a));
    CHECK(tensor_to_pairs(&z, &a, 2, &arena, &err) == 0 && !tensor_same_bytes(&x, &z));
    CHECK(tensor_to_halves(&z, &a, 1, &arena, &err) == 0 && !tensor_same_bytes(&x, &z));
    arena_release(&arena);
}

static int memory_source_blocks(const struct tensor *tensor, struct tensor_blocks *out,
                                struct error *err)
{
    (void)err;
    *out = (struct tensor_blocks){.format = tensor->name, .data = counted, .stride = 32};
    return 1;
}

/* Products find the rows of ggml's formats, where they lie, by an index; other formats have other
 * indices. */
static void quantised_rows_stay_where_they_are(void)
{
    static const struct tensor_source_kind kind = {.read = memory_source_read,
                                                   .describe = memory_source_describe,
                                                   .blocks = memory_source_blocks};
    static const struct tensor_source source = {&kind};
    static const uint32_t expected[] = {0, 2, 1, 3, 4, 6, 5, 7};
    const size_t shape[] = {8, 32}, half[] = {4, 32};
    struct tensor a = make(2, shape, DTYPE_F32), made, part;
    struct tensor_blocks blocks;
    struct arena arena = {0};
    struct error err = {0};

    a.source = &source;
    a.name = "Q8_0";
    CHECK(tensor_to_halves(&made, &a, 2, &arena, &err) == 0);
    for (int again = 0; again < 2; again++) {
        CHECK(tensor_blocks(&made, &blocks, &err) == 1 && blocks.data == counted);
        CHECK(blocks.index && memcmp(blocks.index, expected, sizeof expected) == 0);
    }
    CHECK(tensor_part(&part, &made, 0, 2, half, NULL, &arena, &err) == 0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 0);
    a.name = "GPTQ";
    CHECK(tensor_to_halves(&made, &a, 2, &arena, &err) == 0);
    CHECK(tensor_blocks(&made, &blocks, &err) == 0);
    arena_release(&arena);
}

/* Wider than what is turned at once. */
static void turns_a_matrix(void)
{
    const size_t shape[] = {3, 70}, deep[] = {1, 2, 3};
    struct tensor a = make(2, shape, DTYPE_U8), b = make(3, deep, DTYPE_U8), made;
    unsigned char expected[210];
    struct arena arena = {0};
    struct error err = {0};

    for (size_t i = 0; i < 70; i++)
        for (size_t j = 0; j < 3; j++)
            expected[3 * i + j] = (unsigned char)(70 * j + i);
    CHECK(tensor_turn(&made, &a, &arena, &err) == 0);
    CHECK(made.shape[0] == 70 && made.shape[1] == 3);
    check_bytes(&made, expected, 210);
    CHECK(tensor_chunk(&made, 1000) == 960); /* 10 times 32 rows of 3 */
    CHECK(tensor_turn(&made, &b, &arena, &err) && err.code == ERROR_FORMAT);
    arena_release(&arena);
}

static void adds_in_float(void)
{
    const size_t shape[] = {2, 150};
    struct tensor a = make(2, shape, DTYPE_U8), made;
    struct arena arena = {0};
    struct error err = {0};
    float found[300];

    CHECK(tensor_add(&made, &a, -1, &arena, &err) == 0 && made.dtype == DTYPE_F32);
    CHECK(made.size_bytes == 1200 && tensor_stored(&made).n_bytes == 300);
    CHECK(tensor_read(&made, 3, 200, found, &err) == 0 && found[0] == 2 && found[199] == 201);
    arena_release(&arena);
}

TESTS(TEST(rows_of_heads_lie_in_pairs_or_halves), TEST(heads_must_divide_the_rows),
      TEST(knows_the_same_order_of_the_same_bytes), TEST(quantised_rows_stay_where_they_are),
      TEST(turns_a_matrix),
      TEST(adds_in_float))
