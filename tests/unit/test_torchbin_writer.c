/* test_torchbin_writer.c - PyTorch files as we write them, byte for byte.
 *
 * fixtures/make_heads.py lays fixtures/heads/written.pt out by other means and reads it back with
 * torch: item i of a tensor is (3 i - 4) / 2 where fractions can be stored, 3 i for integers and i
 * odd for booleans. */
#include "format/checkpoint_writer.h"

#include "scratch.h"

static const struct layout {
    const char *name;
    enum dtype dtype;
    size_t n_dims, shape[2];
} layouts[] = {
    {"matrix", DTYPE_F32, 2, {3, 2}},
    {"scalar", DTYPE_F64, 0, {0}},
    {"long", DTYPE_F16, 1, {300}},
    {"longer", DTYPE_U8, 2, {0, 70000}},
    {"empty", DTYPE_F32, 2, {0, 3000000000}},
    {"\xc3\xbc.bias", DTYPE_BF16, 1, {5}},
    {"of.float64", DTYPE_F64, 2, {2, 2}},
    {"of.float32", DTYPE_F32, 2, {2, 2}},
    {"of.float16", DTYPE_F16, 2, {2, 2}},
    {"of.bfloat16", DTYPE_BF16, 2, {2, 2}},
    {"of.int64", DTYPE_I64, 2, {2, 2}},
    {"of.int32", DTYPE_I32, 2, {2, 2}},
    {"of.int16", DTYPE_I16, 2, {2, 2}},
    {"of.int8", DTYPE_I8, 2, {2, 2}},
    {"of.uint8", DTYPE_U8, 2, {2, 2}},
    {"of.bool", DTYPE_BOOL, 2, {2, 2}},
    {"of.uint16", DTYPE_U16, 2, {2, 2}},
    {"of.uint32", DTYPE_U32, 2, {2, 2}},
    {"of.uint64", DTYPE_U64, 2, {2, 2}},
    {"of.float8_e4m3fn", DTYPE_F8_E4M3, 2, {2, 2}},
    {"of.float8_e5m2", DTYPE_F8_E5M2, 2, {2, 2}},
    {"of.float8_e4m3fnuz", DTYPE_F8_E4M3FNUZ, 2, {2, 2}},
    {"of.float8_e5m2fnuz", DTYPE_F8_E5M2FNUZ, 2, {2, 2}},
    {"of.float8_e8m0fnu", DTYPE_F8_E8M0, 2, {2, 2}},
};
enum { N = sizeof layouts / sizeof *layouts };

static bool no(const char *path)
{
    (void)path;
    return false;
}

/* The items of the rule above. FNUZ and E8M0 are not mixable: their bytes by hand. */
static void fill(const struct output_tensor *tensor, unsigned char *out)
{
    static const unsigned char e4m3fnuz[] = {0xc8, 0xb8, 0x40, 0x4a}, /* -2 -0.5 1 2.5 */
        e5m2fnuz[] = {0xc4, 0xbc, 0x40, 0x45};
    const struct dtype_info *info = dtype_info(tensor->dtype);

    for (size_t i = 0; i < tensor->n_items; i++) {
        double value = (3 * (double)i - 4) / 2;
        unsigned long long whole = 3 * i;
        unsigned char *place = out + i * info->n_bits / 8;

        if (tensor->dtype == DTYPE_F8_E4M3FNUZ)
            *place = e4m3fnuz[i];
        else if (tensor->dtype == DTYPE_F8_E5M2FNUZ)
            *place = e5m2fnuz[i];
        else if (tensor->dtype == DTYPE_F8_E8M0)
            *place = 0;
        else if (info->kind == DTYPE_FLOAT)
            dtype_from_double(tensor->dtype, &value, place, 1);
        else if (info->kind == DTYPE_BOOLEAN)
            *place = i % 2;
        else
            memcpy(place, &whole, info->n_bits / 8);
    }
}

static void make(struct output_tensor *tensors, const struct output_tensor **pointers)
{
    struct error err = {0};

    for (size_t i = 0; i < N; i++) {
        tensors[i] = (struct output_tensor){.name = layouts[i].name, .dtype = layouts[i].dtype,
                                            .n_dims = layouts[i].n_dims, .shape = layouts[i].shape};
        CHECK(output_tensor_measure(&tensors[i], &err) == 0);
        pointers[i] = &tensors[i];
    }
}

/* Last tensors first, each in two pieces. */
static void write_file(const char *folder, const char *path,
                       const struct output_tensor *const *tensors, size_t n)
{
    struct error err = {0};
    struct outdir *outdir = outdir_open(scratch_path(folder), false, no, &err);
    struct checkpoint_writer *writer =
        outdir ? checkpoint_writer_open(&torchbin_writer, outdir, path,
                                        &(struct checkpoint_output){tensors, n, 0, 0, NULL}, &err)
               : NULL;

    scratch_must(writer != NULL, "open", path);
    for (size_t i = n; i > 0; i--) {
        unsigned char bytes[1024];
        size_t size = tensors[i - 1]->size_bytes, half = size / 2;

        fill(tensors[i - 1], bytes);
        CHECK(checkpoint_writer_write(writer, i - 1, half, bytes + half, size - half, &err) == 0);
        CHECK(checkpoint_writer_write(writer, i - 1, 0, bytes, half, &err) == 0);
    }
    CHECK(checkpoint_writer_n_files(writer) == 1);
    CHECK(strcmp(checkpoint_writer_file(writer, 0), path) == 0);
    CHECK(checkpoint_writer_finish(writer, &err) == 0);
    CHECK(checkpoint_writer_close(writer, &err) == 0);
    CHECK(outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
}

static void the_file_is_the_one_that_torch_reads(void)
{
    struct output_tensor tensors[N];
    const struct output_tensor *pointers[N];
    FILE *file = fopen("fixtures/heads/written.pt", "rb");
    static char expected[65536];
    size_t n_expected = file ? fread(expected, 1, sizeof expected, file) : 0, n;
    char *found;

    make(tensors, pointers);
    write_file("out", "sub/head.pt", pointers, N);
    found = scratch_read("out/sub/head.pt", &n);
    CHECK(n_expected && n == n_expected);
    for (size_t i = 0; found && i < n && i < n_expected; i++)
        if (found[i] != expected[i]) {
            printf("# byte %zu differs\n", i);
            CHECK(found[i] == expected[i]);
            break;
        }
    free(found);
    if (file)
        fclose(file);
}

static void our_reader_finds_the_same(void)
{
    struct error err = {0};
    struct notices notices = {0};
    struct output_tensor tensors[N];
    const struct output_tensor *pointers[N];
    struct checkpoint *checkpoint;

    make(tensors, pointers);
    write_file("read", "head.pt", pointers, N);
    checkpoint = scratch_open("read", "head.pt", &notices, &err);
    CHECK(checkpoint && checkpoint->n_tensors == N);
    for (size_t i = 0; checkpoint && i < N; i++) {
        const struct tensor *found = checkpoint_find(checkpoint, layouts[i].name);
        unsigned char bytes[1024], expected[1024];

        CHECK(found && found->dtype == layouts[i].dtype && found->n_dims == layouts[i].n_dims &&
              (found->n_dims == 0 || memcmp(found->shape, layouts[i].shape,
                                        found->n_dims * sizeof *found->shape) == 0));
        if (!found)
            continue;
        CHECK(found->offset % 64 == 0 && !found->strides);
        fill(&tensors[i], expected);
        CHECK(tensor_read(found, 0, found->n_items, bytes, &err) == 0);
        CHECK(memcmp(bytes, expected, found->size_bytes) == 0);
    }
    checkpoint_close(checkpoint);
    notices_release(&notices);
}

static void what_no_such_file_can_hold_is_refused(void)
{
    static const size_t shape[] = {4, 1 << 30};
    struct output_tensor packed = {.name = "packed", .dtype = DTYPE_F4, .n_dims = 1, .shape = shape};
    struct output_tensor huge = {.name = "huge", .dtype = DTYPE_U8, .n_dims = 2, .shape = shape};
    const struct output_tensor *pointer = &packed;
    struct checkpoint_output output = {&pointer, 1, 0, 0, NULL};
    struct error err = {0};

    CHECK(output_tensor_measure(&packed, &err) == 0 && output_tensor_measure(&huge, &err) == 0);
    CHECK(checkpoint_writer_check(&torchbin_writer, &output, &err) &&
           err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "tensor 'packed': PyTorch files have no numbers of type F4");
    pointer = &huge;
    err = (struct error){0};
    CHECK(checkpoint_writer_check(&torchbin_writer, &output, &err) &&
           err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "more than the 4 GB");
}

/* A file that is cut while it is written is an error, and not a checksum of what is left. */
static void what_cannot_be_read_back_is_an_error(void)
{
    struct error err = {0};
    struct output_tensor tensors[N];
    const struct output_tensor *pointers[N];
    struct outdir *outdir = outdir_open(scratch_path("cut"), false, no, &err);
    struct checkpoint_writer *writer;

    make(tensors, pointers);
    writer = outdir ? checkpoint_writer_open(&torchbin_writer, outdir, "head.pt",
                                             &(struct checkpoint_output){pointers, 1, 0, 0, NULL}, &err)
                    : NULL;
    CHECK(writer && checkpoint_writer_finish(writer, &err) == -1 && err.code == ERROR_IO);
    CHECK_CONTAINS(err.text, "'head.pt' ends at byte");
    checkpoint_writer_close(writer, &err);
    outdir_close(outdir);
}

TESTS(TEST(the_file_is_the_one_that_torch_reads), TEST(our_reader_finds_the_same),
      TEST(what_no_such_file_can_hold_is_refused), TEST(what_cannot_be_read_back_is_an_error))
