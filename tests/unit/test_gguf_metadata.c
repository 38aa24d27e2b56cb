#include "format/gguf_metadata.h"

#include "test.h"

/* Key "k", then the type and the value, of which the bytes are given. */
static bool is(struct gguf_metadata *metadata, const char *bytes, size_t n)
{
    static const char key[] = "\1\0\0\0\0\0\0\0k";
    size_t head = sizeof key - 1;
    bool same = metadata->n_values == 1 && metadata->bytes.size == head + n &&
                memcmp(metadata->bytes.data, key, head) == 0 &&
                memcmp(metadata->bytes.data + head, bytes, n) == 0;

    gguf_metadata_release(metadata);
    return same && metadata->n_values == 0 && !metadata->bytes.data;
}

#define IS(metadata, literal) is(metadata, literal, sizeof literal - 1)

static void puts_single_values(void)
{
    struct gguf_metadata metadata = {0};

    gguf_put_u32(&metadata, "k", 0x01020304);
    CHECK(IS(&metadata, "\4\0\0\0\4\3\2\1"));
    gguf_put_f32(&metadata, "k", 1.5f);
    CHECK(IS(&metadata, "\6\0\0\0\0\0\xC0\x3F"));
    gguf_put_bool(&metadata, "k", true);
    CHECK(IS(&metadata, "\7\0\0\0\1"));
    gguf_put_text(&metadata, "k", "a\0b", 3);
    CHECK(IS(&metadata, "\10\0\0\0\3\0\0\0\0\0\0\0a\0b"));
    gguf_put_text(&metadata, "k", "", 0);
    CHECK(IS(&metadata, "\10\0\0\0\0\0\0\0\0\0\0\0"));
}

static void puts_arrays(void)
{
    struct gguf_metadata metadata = {0};

    gguf_put_u32s(&metadata, "k", (uint32_t[]){7, 0xFFFFFFFF}, 2);
    CHECK(IS(&metadata, "\11\0\0\0\4\0\0\0\2\0\0\0\0\0\0\0\7\0\0\0\xFF\xFF\xFF\xFF"));
    gguf_put_i32s(&metadata, "k", (int32_t[]){-2}, 1);
    CHECK(IS(&metadata, "\11\0\0\0\5\0\0\0\1\0\0\0\0\0\0\0\xFE\xFF\xFF\xFF"));
    gguf_put_f32s(&metadata, "k", (float[]){-1}, 1);
    CHECK(IS(&metadata, "\11\0\0\0\6\0\0\0\1\0\0\0\0\0\0\0\0\0\x80\xBF"));
    gguf_put_bools(&metadata, "k", (bool[]){false, true}, 2);
    CHECK(IS(&metadata, "\11\0\0\0\7\0\0\0\2\0\0\0\0\0\0\0\0\1"));
    gguf_put_u32s(&metadata, "k", NULL, 0);
    CHECK(IS(&metadata, "\11\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0"));
}

static void puts_texts_with_any_bytes(void)
{
    struct gguf_metadata metadata = {0};
    const struct gguf_text texts[] = {{"x", 1}, {"", 0}, {"\0\xFF", 2}};

    gguf_put_texts(&metadata, "k", texts, 3);
    CHECK(IS(&metadata, "\11\0\0\0\10\0\0\0\3\0\0\0\0\0\0\0"
                        "\1\0\0\0\0\0\0\0x" "\0\0\0\0\0\0\0\0" "\2\0\0\0\0\0\0\0\0\xFF"));
}

static void keeps_the_order_of_the_values(void)
{
    struct gguf_metadata metadata = {0};

    gguf_put_bool(&metadata, "b", false);
    gguf_put_bool(&metadata, "a", true);
    CHECK(metadata.n_values == 2);
    CHECK(metadata.bytes.size == 28 && metadata.bytes.data[8] == 'b' &&
          metadata.bytes.data[22] == 'a' && metadata.bytes.data[27] == 1);
    gguf_metadata_release(&metadata);
}

TESTS(TEST(puts_single_values), TEST(puts_arrays), TEST(puts_texts_with_any_bytes),
      TEST(keeps_the_order_of_the_values))
