#include "format/gguf_metadata.h"

#include "format/checkpoint_writer.h"
#include "scratch.h"

static bool no(const char *path)
{
    (void)path;
    return false;
}

/* fixtures/make_gguf.py, in the order of the file. */
static const struct output_tensor layouts[] = {
    {.name = "blk.2.norm.weight", .dtype = DTYPE_F32, .n_dims = 1, .shape = (const size_t[]){3}},
    {.name = "blk.10.a.weight", .dtype = DTYPE_F16, .n_dims = 2, .shape = (const size_t[]){5, 2}},
    {.name = "blk.10.b.weight", .dtype = DTYPE_BF16, .n_dims = 3,
     .shape = (const size_t[]){2, 3, 4}},
    {.name = "output.weight", .dtype = DTYPE_F32, .n_dims = 2, .shape = (const size_t[]){4, 64},
     .packing = OUTPUT_Q8_0},
    {.name = "position", .dtype = DTYPE_I32, .n_dims = 1, .shape = (const size_t[]){1}},
};
enum { N = sizeof layouts / sizeof *layouts, PACKED = 3 };

static void make(struct output_tensor *tensors, const struct output_tensor **pointers)
{
    struct error err = {0};

    for (size_t i = 0; i < N; i++) {
        tensors[i] = layouts[i];
        CHECK(output_tensor_measure(&tensors[i], &err) == 0);
        pointers[i] = &tensors[i];
    }
}

static void put(struct gguf_metadata *metadata)
{
    const struct gguf_text tokens[] = {{"a", 1}, {"", 0}, {"\xC3\xA9", 2}};

    gguf_put_text(metadata, "general.architecture", "llama", 5);
    gguf_put_u32(metadata, "llama.block_count", 11);
    gguf_put_f32(metadata, "llama.rope.freq_base", 10000);
    gguf_put_bool(metadata, "tokenizer.ggml.add_bos_token", true);
    gguf_put_texts(metadata, "tokenizer.ggml.tokens", tokens, 3);
    gguf_put_i32s(metadata, "tokenizer.ggml.token_type", (int32_t[]){1, 3, 6}, 3);
}

static size_t fill(size_t index, char *bytes)
{
    const struct output_tensor *tensor = &layouts[index];
    size_t n = 1;

    for (size_t i = 0; i < tensor->n_dims; i++)
        n *= tensor->shape[i];
    for (size_t i = 0; i < n; i++) {
        double value = (3 * (double)i - 4) / 2;
        int32_t whole = (int32_t)value;

        if (tensor->dtype == DTYPE_I32)
            memcpy(bytes + 4 * i, &whole, 4);
        else
            dtype_from_double(tensor->dtype, &value, bytes + i * dtype_info(tensor->dtype)->n_bits / 8,
                              1);
    }
    if (index == PACKED) {
        FILE *file = fopen("fixtures/gguf/q8_0.bin", "rb");

        scratch_must(file && fread(bytes, 4, n, file) == n, "read", "q8_0.bin");
        fclose(file);
    }
    return n * dtype_info(tensor->dtype)->n_bits / 8;
}

/* Last tensors first, each in pieces of 128 bytes, from behind. */
static void write_tensors(struct checkpoint_writer *writer)
{
    struct error err = {0};

    for (size_t i = N; i > 0; i--) {
        char bytes[1024];
        size_t size = fill(i - 1, bytes);

        for (size_t end = size; end > 0;) {
            size_t begin = (end - 1) / 128 * 128;

            CHECK(checkpoint_writer_write(writer, i - 1, begin, bytes + begin, end - begin, &err) == 0);
            end = begin;
        }
    }
}

static void the_file_is_the_one_that_the_original_writes(void)
{
    struct output_tensor tensors[N];
    const struct output_tensor *pointers[N];
    struct gguf_metadata metadata = {0};
    struct error err = {0};
    struct outdir *outdir = outdir_open_file(scratch_path("out.gguf"), false, no, &err);
    struct checkpoint_writer *writer;
    FILE *file = fopen("fixtures/gguf/written.gguf", "rb");
    static char expected[4096];
    size_t n_expected = file ? fread(expected, 1, sizeof expected, file) : 0, n;
    char *found;

    make(tensors, pointers);
    CHECK(tensors[PACKED].size_bytes == 4 * 2 * 34);
    put(&metadata);
    writer = outdir ? checkpoint_writer_open(&gguf_writer, outdir, outdir_file(outdir),
                                             &(struct checkpoint_output){.tensors = pointers,
                                                                         .n_tensors = N,
                                                                         .metadata = &metadata},
                                             &err)
                    : NULL;
    scratch_must(writer != NULL, "open", "out.gguf");
    write_tensors(writer);
    CHECK(checkpoint_writer_n_files(writer) == 1);
    CHECK(strcmp(checkpoint_writer_file(writer, 0), "out.gguf") == 0);
    CHECK(checkpoint_writer_finish(writer, &err) == 0);
    CHECK(checkpoint_writer_close(writer, &err) == 0);
    CHECK(outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    found = scratch_read("out.gguf", &n);
    CHECK(n_expected > 0 && n == n_expected && found && memcmp(found, expected, n) == 0);
    free(found);
    fclose(file);
    gguf_metadata_release(&metadata);
}

static void layers_stand_in_the_order_of_their_numbers(void)
{
    static const char *const names[] = {"blk.2.a", "blk.10.a", "blk.10.b", "output", "token_embd"};

    for (size_t i = 0; i + 1 < sizeof names / sizeof *names; i++) {
        struct output_tensor a = {.name = names[i]}, b = {.name = names[i + 1]};

        CHECK(gguf_writer.compare(&a, &b) < 0 && gguf_writer.compare(&b, &a) > 0);
    }
}

static void check_refused(struct output_tensor tensor, const char *part)
{
    const struct output_tensor *pointer = &tensor;
    struct error err = {0};

    CHECK(output_tensor_measure(&tensor, &err) == 0);
    CHECK(checkpoint_writer_check(&gguf_writer, &(struct checkpoint_output){.tensors = &pointer,
                                                                            .n_tensors = 1}, &err));
    CHECK(err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, part);
}

static void what_gguf_cannot_hold_is_refused(void)
{
    static const size_t shape[] = {1, 1, 1, 1, 1};
    char name[65];

    memset(name, 'n', 64);
    name[64] = '\0';
    check_refused((struct output_tensor){.name = "a", .dtype = DTYPE_U8, .n_dims = 1, .shape = shape},
                  "U8");
    check_refused((struct output_tensor){.name = "a", .dtype = DTYPE_F32, .n_dims = 5, .shape = shape},
                  "5 dimensions");
    check_refused((struct output_tensor){.name = "a", .dtype = DTYPE_F32, .n_dims = 0}, "0 dimensions");
    check_refused((struct output_tensor){.name = name, .dtype = DTYPE_F32, .n_dims = 1, .shape = shape},
                  "63 bytes");
}

TESTS(TEST(the_file_is_the_one_that_the_original_writes),
      TEST(layers_stand_in_the_order_of_their_numbers), TEST(what_gguf_cannot_hold_is_refused))
