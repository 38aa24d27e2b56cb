/* Parts of tensors and tensors put together: every range of every view against items counted by
 * hand. */
#include "tensor/tensor_source.h"

#include <string.h>

#include "test.h"

struct memory_source {
    struct tensor_source source;
    const unsigned char *bytes;
    size_t n_bytes;
};

static int memory_source_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                              void *out, struct error *err)
{
    const struct memory_source *memory = (const struct memory_source *)source;

    if (offset > memory->n_bytes || n_bytes > memory->n_bytes - offset)
        return error_set(err, ERROR_INTERNAL, "read outside");
    memcpy(out, memory->bytes + offset, n_bytes);
    return 0;
}

static const void *memory_source_view(const struct tensor_source *source, size_t offset,
                                      struct error *err)
{
    (void)err;
    return ((const struct memory_source *)source)->bytes + offset;
}

static void memory_source_describe(const struct tensor_source *source, struct buffer *out)
{
    (void)source;
    buffer_add_text(out, "memory");
}

static const struct tensor_source_kind memory_kind = {
    .read = memory_source_read, .view = memory_source_view, .describe = memory_source_describe,
};

static unsigned char counted[256]; /* counted[i] = i */
static const struct memory_source memory = {{&memory_kind}, counted, sizeof counted};

static struct tensor make(const char *name, size_t n_dims, const size_t *shape,
                          const size_t *strides, size_t offset)
{
    struct tensor tensor = {.name = name, .dtype = DTYPE_U8, .n_dims = n_dims, .shape = shape,
                            .strides = strides, .source = &memory.source, .offset = offset};
    struct error err = {0};

    for (size_t i = 0; i < sizeof counted; i++)
        counted[i] = (unsigned char)i;
    CHECK(tensor_measure(&tensor, &err) == 0);
    return tensor;
}

/* Every range of the tensor gives these bytes. */
static void check_bytes(const struct tensor *tensor, const unsigned char *expected, size_t n)
{
    struct error err = {0};
    unsigned char found[64];
    size_t n_wrong = 0;

    CHECK(tensor->n_items == n);
    for (size_t first = 0; first <= n; first++)
        for (size_t count = 0; count <= n - first; count++)
            n_wrong += tensor_read(tensor, first, count, found, &err) != 0 ||
                       (count && memcmp(found, expected + first, count) != 0);
    CHECK(n_wrong == 0);
}

static void joins_along_any_dimension(void)
{
    const size_t tall[] = {2, 3}, low[] = {1, 3}, thin[] = {2, 1}, none[] = {0, 3};
    const size_t turned[] = {1, 2}, deep[] = {2, 2, 2}, flat[] = {2, 1, 2};
    struct tensor a = make("a", 2, tall, NULL, 0), b = make("b", 2, low, NULL, 10);
    struct tensor c = make("c", 2, thin, NULL, 20), d = make("d", 2, none, NULL, 0);
    struct tensor e = make("e", 2, tall, turned, 30); /* columns of what lies there */
    struct tensor f = make("f", 3, deep, NULL, 40), g = make("g", 3, flat, NULL, 50);
    struct tensor joined;
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_join(&joined, "rows", (const struct tensor *const[]){&a, &d, &b, &e}, 4, 0,
                      &arena, &err) == 0);
    CHECK(joined.shape[0] == 5 && joined.shape[1] == 3 && joined.n_dims == 2);
    check_bytes(&joined, (const unsigned char[]){0, 1, 2, 3, 4, 5, 10, 11, 12, 30, 32, 34, 31, 33, 35},
                15);
    CHECK(tensor_join(&joined, "columns", (const struct tensor *const[]){&a, &c, &e}, 3, 1, &arena,
                      &err) == 0);
    CHECK(joined.shape[0] == 2 && joined.shape[1] == 7);
    check_bytes(&joined, (const unsigned char[]){0, 1, 2, 20, 30, 32, 34, 3, 4, 5, 21, 31, 33, 35},
                14);
    CHECK(tensor_join(&joined, "middle", (const struct tensor *const[]){&f, &g}, 2, 1, &arena,
                      &err) == 0);
    CHECK(joined.shape[0] == 2 && joined.shape[1] == 3 && joined.shape[2] == 2);
    check_bytes(&joined, (const unsigned char[]){40, 41, 42, 43, 50, 51, 44, 45, 46, 47, 52, 53}, 12);
    CHECK(tensor_view(&joined, &err) == NULL && err.code == ERROR_NONE);
    CHECK(tensor_join(&joined, "nothing", (const struct tensor *const[]){&d, &d}, 2, 0, &arena,
                      &err) == 0);
    check_bytes(&joined, NULL, 0);
    arena_release(&arena);
}

static void joins_dtypes_as_doubles(void)
{
    static const float ones[] = {1.5f, -2};
    static const unsigned char halves[] = {0x80, 0x3f, 0x00, 0xc0}; /* BF16 1, -2 */
    struct memory_source of_ones = {{&memory_kind}, (const unsigned char *)ones, sizeof ones};
    struct memory_source of_halves = {{&memory_kind}, halves, sizeof halves};
    const size_t shape[] = {2};
    struct tensor a = {.name = "a", .dtype = DTYPE_F32, .n_dims = 1, .shape = shape, .n_items = 2,
                       .source = &of_ones.source};
    struct tensor b = {.name = "b", .dtype = DTYPE_BF16, .n_dims = 1, .shape = shape, .n_items = 2,
                       .source = &of_halves.source};
    struct tensor joined;
    struct arena arena = {0};
    struct error err = {0};
    double values[4];

    CHECK(tensor_join(&joined, "both", (const struct tensor *const[]){&a, &b}, 2, 0, &arena,
                      &err) == 0);
    CHECK(joined.dtype == DTYPE_F64 && joined.size_bytes == 32);
    CHECK(tensor_read(&joined, 0, 4, values, &err) == 0);
    CHECK(values[0] == 1.5 && values[1] == -2 && values[2] == 1 && values[3] == -2);
    CHECK(tensor_read(&joined, 1, 2, values, &err) == 0 && values[0] == -2 && values[1] == 1);
    b.dtype = DTYPE_I16;
    CHECK(tensor_join(&joined, "both", (const struct tensor *const[]){&a, &b}, 2, 0, &arena, &err) &&
          err.code == ERROR_UNSUPPORTED);
    arena_release(&arena);
}

static void refuses_what_does_not_fit(void)
{
    const size_t tall[] = {2, 3}, wide[] = {2, 4}, one[] = {6};
    struct tensor a = make("a", 2, tall, NULL, 0), b = make("b", 2, wide, NULL, 0);
    struct tensor c = make("c", 1, one, NULL, 0), joined;
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_join(&joined, "x", (const struct tensor *const[]){&a, &b}, 2, 0, &arena, &err) &&
          err.code == ERROR_INCOMPATIBLE);
    CHECK(strcmp(err.text, "tensor 'x': the shape of 'b' does not fit that of 'a'") == 0);
    err = (struct error){0};
    CHECK(tensor_join(&joined, "x", (const struct tensor *const[]){&a, &c}, 2, 0, &arena, &err) &&
          err.code == ERROR_INCOMPATIBLE);
    err = (struct error){0};
    CHECK(tensor_part(&joined, &a, 4, 1, (const size_t[]){3}, NULL, &arena, &err) &&
          err.code == ERROR_FORMAT);
    err = (struct error){0};
    CHECK(tensor_part(&joined, &a, 0, 2, (const size_t[]){2, 2}, (const size_t[]){5, 1}, &arena,
                      &err) && err.code == ERROR_FORMAT);
    arena_release(&arena);
}

static void takes_parts_of_all_kinds(void)
{
    const size_t shape[] = {3, 4}, turned[] = {1, 3};
    struct tensor plain = make("plain", 2, shape, NULL, 100);
    struct tensor strided = make("strided", 2, shape, turned, 100);
    struct tensor part, joined;
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_part(&part, &plain, 4, 2, (const size_t[]){2, 4}, NULL, &arena, &err) == 0);
    CHECK(!part.strides && tensor_view(&part, &err) == counted + 104);
    check_bytes(&part, (const unsigned char[]){104, 105, 106, 107, 108, 109, 110, 111}, 8);
    /* A column, and the transposed matrix. */
    CHECK(tensor_part(&part, &plain, 1, 1, (const size_t[]){3}, (const size_t[]){4}, &arena,
                      &err) == 0);
    check_bytes(&part, (const unsigned char[]){101, 105, 109}, 3);
    CHECK(tensor_part(&part, &plain, 0, 2, (const size_t[]){4, 3}, (const size_t[]){1, 4}, &arena,
                      &err) == 0);
    check_bytes(&part,
                (const unsigned char[]){100, 104, 108, 101, 105, 109, 102, 106, 110, 103, 107, 111},
                12);
    /* Two columns: runs with gaps between them. */
    CHECK(tensor_part(&part, &plain, 1, 2, (const size_t[]){3, 2}, (const size_t[]){4, 1}, &arena,
                      &err) == 0);
    check_bytes(&part, (const unsigned char[]){101, 102, 105, 106, 109, 110}, 6);
    /* Of what has gaps itself: its second row. */
    CHECK(tensor_part(&part, &strided, 4, 1, (const size_t[]){4}, NULL, &arena, &err) == 0);
    check_bytes(&part, (const unsigned char[]){101, 104, 107, 110}, 4);
    /* Of what was put together: across the seam. */
    CHECK(tensor_join(&joined, "joined", (const struct tensor *const[]){&plain, &strided}, 2, 0,
                      &arena, &err) == 0);
    CHECK(tensor_part(&part, &joined, 10, 2, (const size_t[]){2, 2}, NULL, &arena, &err) == 0);
    check_bytes(&part, (const unsigned char[]){110, 111, 100, 103}, 4);
    CHECK(tensor_part(&part, &plain, 99, 2, (const size_t[]){0, 2}, NULL, &arena, &err) == 0);
    check_bytes(&part, NULL, 0);
    arena_release(&arena);
}

static void says_where_it_is_from(void)
{
    const size_t shape[] = {2};
    struct tensor a = make("a", 1, shape, NULL, 0), joined;
    struct buffer text = {0};
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_join(&joined, "x", (const struct tensor *const[]){&a, &a}, 2, 0, &arena, &err) ==
          0);
    joined.source->kind->describe(joined.source, &text);
    CHECK(strcmp(text.data, "memory") == 0);
    buffer_release(&text);
    arena_release(&arena);
}

/* ---- a quantised source ---- */

/* A matrix as quantised ones are: each float is 16 * (a nibble - 8), and two rows share bytes. */
struct nibble_source {
    struct tensor_source source;
    const unsigned char *bytes; /* [n_rows / 2, n]: the low half is of the even row */
    size_t n;
};

static int nibble_source_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                              void *out, struct error *err)
{
    const struct nibble_source *nibbles = (const struct nibble_source *)source;

    (void)err;
    for (size_t i = 0; i < n_bytes / sizeof(float); i++) {
        size_t item = offset / sizeof(float) + i, row = item / nibbles->n;
        int nibble = nibbles->bytes[row / 2 * nibbles->n + item % nibbles->n] >> row % 2 * 4 & 15;
        float value = (float)(16 * (nibble - 8));

        memcpy((char *)out + i * sizeof value, &value, sizeof value);
    }
    return 0;
}

static struct tensor_stored nibble_source_stored(const struct tensor *tensor)
{
    return (struct tensor_stored){"nibbles", tensor->n_items / 2};
}

static size_t nibble_source_rows_together(const struct tensor *tensor)
{
    (void)tensor;
    return 4;
}

static bool nibble_source_same(const struct tensor_source *a, const struct tensor_source *b)
{
    return ((const struct nibble_source *)a)->bytes == ((const struct nibble_source *)b)->bytes;
}

static int nibble_source_blocks(const struct tensor *tensor, struct tensor_blocks *out,
                                struct error *err)
{
    const struct nibble_source *nibbles = (const struct nibble_source *)tensor->source;

    (void)err;
    *out = (struct tensor_blocks){.format = "nibbles", .data = nibbles->bytes,
                                  .stride = nibbles->n,
                                  .first_row = tensor->offset / sizeof(float) / nibbles->n};
    return 1;
}

static const struct tensor_source_kind nibble_kind = {
    .read = nibble_source_read, .describe = memory_source_describe,
    .stored = nibble_source_stored, .rows_together = nibble_source_rows_together,
    .same = nibble_source_same, .blocks = nibble_source_blocks,
};

static const struct nibble_source nibbles = {{&nibble_kind}, counted, 6};
static const struct nibble_source nibbles_again = {{&nibble_kind}, counted, 6};

static struct tensor make_nibbles(const struct nibble_source *source, const size_t *shape)
{
    struct tensor tensor = make("nibbles", 2, shape, NULL, 0);
    struct error err = {0};

    tensor.dtype = DTYPE_F32;
    tensor.source = &source->source;
    CHECK(tensor_measure(&tensor, &err) == 0);
    return tensor;
}

static void a_quantised_source_reads_as_floats(void)
{
    const size_t shape[] = {8, 6};
    struct tensor whole = make_nibbles(&nibbles, shape), part;
    struct tensor_blocks blocks;
    struct arena arena = {0};
    struct error err = {0};
    float values[48];

    CHECK(tensor_read_floats(&whole, values, &err) == 0 && !tensor_view(&whole, &err));
    for (size_t i = 0; i < 48; i++)
        CHECK(values[i] == (float)(16 * ((counted[i / 12 * 6 + i % 6] >> i / 6 % 2 * 4 & 15) - 8)));
    CHECK(tensor_part(&part, &whole, 18, 2, (const size_t[]){2, 6}, NULL, &arena, &err) == 0);
    CHECK(tensor_read_floats(&part, values + 1, &err) == 0 && values[1] == 16.0f * (0 - 8));
    CHECK(tensor_blocks(&part, &blocks, &err) == 1 && blocks.first_row == 3);
    CHECK(blocks.data == counted && strcmp(blocks.format, "nibbles") == 0);
    CHECK(tensor_part(&part, &whole, 0, 2, (const size_t[]){6, 8}, (const size_t[]){1, 6}, &arena,
                      &err) == 0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 0);
    arena_release(&arena);
}

static void chunks_follow_rows_that_are_read_together(void)
{
    const size_t shape[] = {8, 6}, empty[] = {8, 0};
    struct tensor quantised = make_nibbles(&nibbles, shape), none = make_nibbles(&nibbles, empty);
    struct tensor plain = make("plain", 2, shape, NULL, 0), joined;
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_chunk(&quantised, 100) == 96 && tensor_chunk(&quantised, 24) == 24);
    CHECK(tensor_chunk(&quantised, 20) == 20 && tensor_chunk(&none, 20) == 20);
    CHECK(tensor_chunk(&plain, 100) == 100);
    CHECK(tensor_wants_rows(&quantised) && !tensor_wants_rows(&plain));
    CHECK(tensor_join(&joined, "x", (const struct tensor *const[]){&quantised, &quantised}, 2, 1,
                      &arena, &err) == 0);
    CHECK(tensor_chunk(&joined, 100) == 96 && tensor_chunk(&joined, 50) == 48);
    arena_release(&arena);
}

static void says_how_it_is_stored(void)
{
    const size_t shape[] = {8, 6};
    struct tensor quantised = make_nibbles(&nibbles, shape), joined, part;
    struct tensor plain = make("plain", 2, shape, NULL, 0);
    struct tensor_stored stored = tensor_stored(&plain);
    struct arena arena = {0};
    struct error err = {0};

    CHECK(strcmp(stored.format, "U8") == 0 && stored.n_bytes == 48);
    CHECK(tensor_join(&joined, "x", (const struct tensor *const[]){&quantised, &quantised}, 2, 0,
                      &arena, &err) == 0);
    stored = tensor_stored(&joined);
    CHECK(strcmp(stored.format, "nibbles") == 0 && stored.n_bytes == 48);
    CHECK(tensor_part(&part, &joined, 0, 1, (const size_t[]){6}, NULL, &arena, &err) == 0);
    stored = tensor_stored(&part);
    CHECK(strcmp(stored.format, "F32") == 0 && stored.n_bytes == 24);
    plain.dtype = DTYPE_F8_E4M3;
    CHECK(tensor_join(&joined, "x", (const struct tensor *const[]){&quantised, &plain}, 2, 0,
                      &arena, &err) == 0);
    stored = tensor_stored(&joined);
    CHECK(strcmp(stored.format, "F64") == 0 && stored.n_bytes == 768);
    arena_release(&arena);
}

/* Of one source, of two that know each other, and of what is put together of such. */
static void knows_tied_tensors(void)
{
    const size_t shape[] = {8, 6};
    struct memory_source other = memory;
    struct tensor a = make("a", 2, shape, NULL, 0), b = a, c = make_nibbles(&nibbles, shape);
    struct tensor d = make_nibbles(&nibbles_again, shape), x, y;
    struct arena arena = {0};
    struct error err = {0};

    CHECK(tensor_same_bytes(&a, &b) && tensor_same_bytes(&c, &d) && !tensor_same_bytes(&a, &c));
    b.offset = 1;
    CHECK(!tensor_same_bytes(&a, &b));
    b.offset = 0;
    b.source = &other.source;
    CHECK(!tensor_same_bytes(&a, &b) && tensor_equal(&a, &b, &err) == 1);
    CHECK(tensor_join(&x, "x", (const struct tensor *const[]){&c, &d}, 2, 0, &arena, &err) == 0);
    CHECK(tensor_join(&y, "y", (const struct tensor *const[]){&d, &c}, 2, 0, &arena, &err) == 0);
    CHECK(tensor_same_bytes(&x, &y));
    CHECK(tensor_join(&y, "y", (const struct tensor *const[]){&d, &c}, 2, 1, &arena, &err) == 0);
    y.shape = x.shape;
    CHECK(!tensor_same_bytes(&x, &y));
    arena_release(&arena);
}

TESTS(TEST(joins_along_any_dimension), TEST(joins_dtypes_as_doubles),
      TEST(refuses_what_does_not_fit), TEST(takes_parts_of_all_kinds), TEST(says_where_it_is_from),
      TEST(a_quantised_source_reads_as_floats), TEST(chunks_follow_rows_that_are_read_together),
      TEST(says_how_it_is_stored), TEST(knows_tied_tensors))
