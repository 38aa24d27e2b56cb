/* test_torchbin.c - files that torch wrote, read without it.
 *
 * fixtures/make_torchbin.py says what is in them: item i of a tensor is (3 i - 4) / 2 where
 * fractions can be stored, 3 i for integers and i odd for booleans. All comparisons are exact. */
#include "format/checkpoint.h"

#include <unistd.h>

#include "format/pickle.h"
#include "format/zip.h"
#include "test.h"

static struct checkpoint *open_fixture(const char *name, struct error *err)
{
    struct notices notices = {0};
    struct folder *folder = folder_open("fixtures/torchbin", false, err);
    struct checkpoint *checkpoint = NULL;

    if (folder)
        checkpoint = checkpoint_open(folder, "", name, &notices, err);
    folder_close(folder);
    notices_release(&notices);
    return checkpoint;
}

static struct checkpoint *open_valid(const char *name)
{
    struct error err = {0};
    struct checkpoint *checkpoint = open_fixture(name, &err);

    if (!checkpoint)
        printf("# %s\n", err.text);
    CHECK(checkpoint);
    return checkpoint;
}

static void check_refused(const char *name, enum error_code code, const char *part)
{
    struct error err = {0};
    struct checkpoint *checkpoint = open_fixture(name, &err);

    CHECK(!checkpoint);
    CHECK(err.code == code);
    CHECK_CONTAINS(err.text, part);
    CHECK_CONTAINS(err.text, name);
    checkpoint_close(checkpoint);
}

/* Whether the tensor has these values (two for a complex item), read at once and item by item. */
static bool has_values(const struct tensor *tensor,
                       const double *values, size_t n_values)
{
    struct error err = {0};
    unsigned char bytes[1024];
    double found[128];
    size_t n = tensor->n_items, width = n ? n_values / n : 1;

    if (n * width != n_values || n_values > 128 || tensor->size_bytes > sizeof bytes ||
        tensor_read(tensor, 0, n, bytes, &err))
        return false;
    dtype_to_double(tensor->dtype, bytes, found, n);
    if (n && memcmp(found, values, n_values * sizeof *found) != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (tensor_read(tensor, i, 1, bytes, &err))
            return false;
        dtype_to_double(tensor->dtype, bytes, found, 1);
        if (memcmp(found, values + i * width, width * sizeof *found) != 0)
            return false;
    }
    return true;
}

static double rule(enum dtype dtype, size_t i)
{
    enum dtype_kind kind = dtype_info(dtype)->kind;

    return kind == DTYPE_BOOLEAN   ? (double)(i % 2)
           : kind == DTYPE_INTEGER ? 3.0 * (double)i
                                   : (3.0 * (double)i - 4) / 2;
}

/* The tensor holds the items of the rule with these numbers. */
static void check_items(const struct checkpoint *checkpoint, const char *name, const char *dtype,
                        const char *shape, const size_t *items, size_t n)
{
    const struct tensor *tensor = checkpoint_find(checkpoint, name);
    struct buffer found = {0};
    double values[128];

    if (!tensor) {
        printf("# no tensor '%s'\n", name);
        CHECK(tensor);
        return;
    }
    for (size_t i = 0; i < n; i++)
        values[i] = rule(tensor->dtype, items[i]);
    tensor_add_shape(&found, tensor);
    CHECK_CONTAINS(dtype_info(tensor->dtype)->name, dtype);
    CHECK(strlen(dtype_info(tensor->dtype)->name) == strlen(dtype));
    CHECK_CONTAINS(found.data, shape);
    if (!has_values(tensor, values, n)) {
        printf("# values of '%s'\n", name);
        CHECK(!"the values");
    }
    buffer_release(&found);
}

#define ITEMS(...) \
    (const size_t[]){__VA_ARGS__}, sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t)

/* ---- what torch writes ---- */

static void check_plain(const char *file)
{
    static const struct {
        const char *name, *dtype;
    } of_six[] = {
        {"float64", "F64"}, {"float32", "F32"}, {"float16", "F16"}, {"bfloat16", "BF16"},
        {"int64", "I64"},   {"int32", "I32"},   {"int16", "I16"},   {"int8", "I8"},
        {"uint8", "U8"},    {"bool", "BOOL"},
    };
    struct checkpoint *checkpoint = open_valid(file);
    const struct tensor *scalar;

    if (!checkpoint)
        return;
    CHECK(checkpoint->n_tensors == 16);
    for (size_t i = 0; i < sizeof of_six / sizeof *of_six; i++)
        check_items(checkpoint, of_six[i].name, of_six[i].dtype, "[2, 3]", ITEMS(0, 1, 2, 3, 4, 5));
    check_items(checkpoint, "complex64", "C64", "[2]", ITEMS(0, 1, 2, 3));
    check_items(checkpoint, "complex128", "C128", "[2]", ITEMS(0, 1, 2, 3));
    check_items(checkpoint, "empty", "F32", "[0, 3]", NULL, 0);
    check_items(checkpoint, "empty.middle", "F16", "[2, 0, 4]", NULL, 0);
    check_items(checkpoint, "nicht.ascii.\xc3\xbc", "F32", "[1]", ITEMS(0));
    scalar = checkpoint_find(checkpoint, "scalar");
    CHECK(scalar && scalar->n_dims == 0 && scalar->n_items == 1 && !scalar->strides);
    CHECK(scalar && has_values(scalar, (const double[]){0.5}, 1));
    checkpoint_close(checkpoint);
}

static void reads_every_dtype_from_a_zip(void)
{
    check_plain("plain.bin");
}

static void reads_the_protocols_3_to_5(void)
{
    check_plain("plain-protocol-3.bin");
    check_plain("plain-protocol-4.bin");
    check_plain("plain-protocol-5.bin");
}

static void reads_the_old_stream(void)
{
    check_plain("legacy.bin");
    check_plain("legacy-protocol-4.bin");
}

static void reads_zip64_entries(void)
{
    check_plain("zip64.bin");
}

static void keeps_the_order_of_the_state_dict(void)
{
    struct checkpoint *checkpoint = open_valid("plain.bin");

    if (!checkpoint)
        return;
    CHECK(strcmp(checkpoint->tensors[0].name, "float64") == 0);
    CHECK(strcmp(checkpoint->tensors[1].name, "float32") == 0);
    CHECK(strcmp(checkpoint->tensors[15].name, "nicht.ascii.\xc3\xbc") == 0);
    checkpoint_close(checkpoint);
}

static void reads_dtypes_of_untyped_storages(void)
{
    struct checkpoint *checkpoint = open_valid("new-dtypes.bin");

    if (!checkpoint)
        return;
    CHECK(checkpoint->n_tensors == 5);
    check_items(checkpoint, "float8_e4m3fn", "F8_E4M3", "[2, 2]", ITEMS(0, 1, 2, 3));
    check_items(checkpoint, "float8_e5m2", "F8_E5M2", "[2, 2]", ITEMS(0, 1, 2, 3));
    check_items(checkpoint, "uint16", "U16", "[2, 2]", ITEMS(0, 1, 2, 3));
    check_items(checkpoint, "uint32", "U32", "[2, 2]", ITEMS(0, 1, 2, 3));
    check_items(checkpoint, "uint64", "U64", "[2, 2]", ITEMS(0, 1, 2, 3));
    checkpoint_close(checkpoint);
}

static void check_views(const char *file)
{
    struct checkpoint *checkpoint = open_valid(file);

    if (!checkpoint)
        return;
    CHECK(checkpoint->n_tensors == 12);
    check_items(checkpoint, "transposed", "F32", "[6, 4]",
                ITEMS(0, 6, 12, 18, 1, 7, 13, 19, 2, 8, 14, 20, 3, 9, 15, 21, 4, 10, 16, 22, 5, 11,
                      17, 23));
    check_items(checkpoint, "rows", "F32", "[2, 6]",
                ITEMS(6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17));
    check_items(checkpoint, "columns", "F32", "[4, 2]", ITEMS(1, 3, 7, 9, 13, 15, 19, 21));
    check_items(checkpoint, "last", "F32", "[6]", ITEMS(18, 19, 20, 21, 22, 23));
    check_items(checkpoint, "expanded", "F32", "[3, 2]", ITEMS(13, 13, 13, 13, 13, 13));
    check_items(checkpoint, "column.of.one", "F32", "[4, 1]", ITEMS(5, 11, 17, 23));
    check_items(checkpoint, "cube", "F32", "[4, 2, 3]",
                ITEMS(0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22, 3, 7, 11, 15,
                      19, 23));
    check_items(checkpoint, "scalar", "F32", "[]", ITEMS(7));
    check_items(checkpoint, "nothing", "F32", "[0, 6]", NULL, 0);
    check_items(checkpoint, "other.storage", "F16", "[2]", ITEMS(0, 1));
    checkpoint_close(checkpoint);
}

static void gathers_strided_views(void)
{
    check_views("views.bin");
    check_views("legacy-views.bin");
}

static void shows_which_tensors_are_tied(void)
{
    struct checkpoint *checkpoint = open_valid("views.bin");
    const struct tensor *matrix, *tied, *rows, *transposed;

    if (!checkpoint)
        return;
    matrix = checkpoint_find(checkpoint, "matrix");
    tied = checkpoint_find(checkpoint, "tied");
    rows = checkpoint_find(checkpoint, "rows");
    transposed = checkpoint_find(checkpoint, "transposed");
    CHECK(matrix && tied && tensor_same_bytes(matrix, tied));
    CHECK(matrix && !matrix->strides);
    CHECK(rows && !rows->strides && rows->offset == matrix->offset + 24);
    CHECK(transposed && transposed->strides && transposed->offset == matrix->offset);
    checkpoint_close(checkpoint);
}

static void reads_parameters(void)
{
    struct checkpoint *checkpoint = open_valid("parameters.bin");
    const struct tensor *steps;

    if (!checkpoint)
        return;
    CHECK(checkpoint->n_tensors == 4);
    check_items(checkpoint, "inner.weight", "F32", "[2, 3]", ITEMS(0, 1, 2, 3, 4, 5));
    check_items(checkpoint, "inner.bias", "F32", "[2]", ITEMS(0, 1));
    check_items(checkpoint, "marked", "F32", "[2]", ITEMS(0, 1));
    steps = checkpoint_find(checkpoint, "steps");
    CHECK(steps && has_values(steps, (const double[]){7}, 1));
    checkpoint_close(checkpoint);
}

static void finds_the_weights_in_a_training_file(void)
{
    static const char *const files[] = {"training.bin", "training-protocol-4.bin"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct checkpoint *checkpoint = open_valid(files[i]);

        if (!checkpoint)
            continue;
        CHECK(checkpoint->n_tensors == 3);
        check_items(checkpoint, "inner.weight", "F32", "[2, 3]", ITEMS(0, 1, 2, 3, 4, 5));
        checkpoint_close(checkpoint);
    }
}

static void refuses_what_it_cannot_read_and_says_what(void)
{
    check_refused("conj.bin", ERROR_UNSUPPORTED, "tensor 'x': its conj bit is set");
    check_refused("neg.bin", ERROR_UNSUPPORTED, "tensor 'x': its neg bit is set");
    check_refused("sparse.bin", ERROR_UNSUPPORTED, "sparse tensors");
    check_refused("quantised.bin", ERROR_UNSUPPORTED, "quantised tensors");
    check_refused("attribute.bin", ERROR_UNSUPPORTED, "tensors with attributes");
    check_refused("script.bin", ERROR_UNSUPPORTED, "TorchScript");
    check_refused("module.bin", ERROR_FORMAT, "'__main__.Layer'");
}

static void refuses_to_guess_between_two_state_dicts(void)
{
    check_refused("two-dicts.bin", ERROR_FORMAT, "both in 'state_dict' and in 'model'");
    check_refused("list-inside.bin", ERROR_FORMAT, "'more' holds tensors");
}

/* ---- the pickle machine ---- */

#define TEXT(literal) literal, sizeof literal - 1

static const struct pickle_global globals[] = {
    {"a", "dict", PICKLE_GIVES_DICT, NULL, 0, 0},
    {"a", "call", PICKLE_GIVES_OBJECT, NULL, 7, 0},
    {"a", "thing", PICKLE_NOT_CALLABLE, NULL, 0, 0},
    {"a", "later", PICKLE_GIVES_OBJECT, "this is", 0, 0},
};

static int load(struct pickle *pickle, const char *bytes, size_t size, struct error *err)
{
    static const struct pickle_rules rules = {globals, 4, NULL, NULL};

    return pickle_load(pickle, &rules, bytes, size, 100, err);
}

static void check_fails(const char *bytes, size_t size, enum error_code code, const char *part)
{
    struct pickle pickle;
    struct error err = {0};

    CHECK(load(&pickle, bytes, size, &err) == -1);
    CHECK(err.code == code);
    CHECK_CONTAINS(err.text, part);
    pickle_release(&pickle);
}

static void reads_integers_of_any_length(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        int64_t value;
    } cases[] = {
        {TEXT("K\xff."), 255},
        {TEXT("M\xff\xff."), 65535},
        {TEXT("J\xff\xff\xff\xff."), -1},
        {TEXT("\x8a\0."), 0},
        {TEXT("\x8a\1\xff."), -1},
        {TEXT("\x8a\2\xff\0."), 255},
        {TEXT("\x8a\3\xff\xff\xff."), -1},
        {TEXT("\x8a\x8\0\0\0\0\0\0\0\x80."), INT64_MIN},
        {TEXT("\x8a\x9\xff\xff\xff\xff\xff\xff\xff\x7f\0."), INT64_MAX},
        {TEXT("\x8b\2\0\0\0\0\x80."), -32768},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pickle pickle;
        struct error err = {0};

        CHECK(load(&pickle, cases[i].bytes, cases[i].size, &err) == 0);
        CHECK(pickle.result.kind == PICKLE_INTEGER && pickle.result.integer == cases[i].value);
        pickle_release(&pickle);
    }
}

static void keeps_longer_integers_as_bytes(void)
{
    struct pickle pickle;
    struct error err = {0};

    CHECK(load(&pickle, TEXT("\x8a\x9\0\0\0\0\0\0\0\x80\0."), &err) == 0);
    CHECK(pickle.result.kind == PICKLE_BIG && pickle.result.length == 9);
    pickle_release(&pickle);
}

static void reports_where_a_pickle_ends(void)
{
    struct pickle pickle;
    struct error err = {0};

    CHECK(load(&pickle, TEXT("K\1.rest"), &err) == 0);
    CHECK(pickle.n_bytes == 3 && !pickle.is_cut);
    pickle_release(&pickle);
    CHECK(load(&pickle, TEXT("X\5\0\0\0ab"), &err) == -1);
    CHECK(pickle.is_cut);
    pickle_release(&pickle);
}

static void writes_calls_down(void)
{
    struct pickle pickle;
    struct error err = {0};
    const struct pickle_node *node;

    CHECK(load(&pickle, TEXT("ca\ncall\nK\1K\2\x86R."), &err) == 0);
    CHECK(pickle.result.kind == PICKLE_OBJECT);
    node = pickle.result.node;
    CHECK(node->maker == &globals[1] && node->n_items == 2 && node->items[1].integer == 2);
    pickle_release(&pickle);
}

static void makes_dictionaries_and_finds_the_last_value(void)
{
    struct pickle pickle;
    struct error err = {0};
    const struct pickle_value *value;

    /* dict([["k", 1]]), then {"k": 2, "l": 3} on top of it, then a state */
    CHECK(load(&pickle, TEXT("ca\ndict\n](](X\1\0\0\0kK\1ee\x85R(X\1\0\0\0kK\2U\1lK\3u}b."),
               &err) == 0);
    CHECK(pickle.result.kind == PICKLE_DICT && pickle.result.node->n_items == 6);
    value = pickle_find(pickle.result.node, "k");
    CHECK(value && value->integer == 2);
    value = pickle_find(pickle.result.node, "l");
    CHECK(value && value->integer == 3);
    CHECK(!pickle_find(pickle.result.node, "m"));
    pickle_release(&pickle);
}

static void survives_a_list_that_holds_itself(void)
{
    struct pickle pickle;
    struct error err = {0};

    CHECK(load(&pickle, TEXT("]\x94h\0a."), &err) == 0);
    CHECK(pickle.result.node->items[0].node == pickle.result.node);
    pickle_release(&pickle);
}

static void says_which_opcode_failed_and_where(void)
{
    check_fails(TEXT("K\1}Ra."), ERROR_FORMAT, "pickle opcode REDUCE at byte 103");
    check_fails(TEXT("ca\nthing\n)R."), ERROR_FORMAT, "not callable");
    check_fails(TEXT("ca\ncall\n)}\x92K\1}b."), ERROR_FORMAT, "BUILD at byte 114");
    check_fails(TEXT("ca\nlater\n."), ERROR_UNSUPPORTED, "a.later: this is not supported");
    check_fails(TEXT("ca\nlate\n."), ERROR_FORMAT, "'a.late'");
    check_fails(TEXT("C\1aQ."), ERROR_FORMAT, "a persistent id where none may be");
    check_fails(TEXT("(0."), ERROR_FORMAT, "stack underflow");
    check_fails(TEXT("(1t."), ERROR_FORMAT, "without MARK");
    check_fails(TEXT(""), ERROR_FORMAT, "ends at byte 100 without STOP");
}

static void bounds_the_stack(void)
{
    size_t n = PICKLE_STACK_MAX + 2;
    char *bytes = malloc(n);

    CHECK(bytes);
    if (!bytes)
        return;
    memset(bytes, 'N', n);
    check_fails(bytes, n, ERROR_FORMAT, "more than 4000000 values on the stack");
    memset(bytes, '(', n);
    check_fails(bytes, n, ERROR_FORMAT, "more than 4000000 marks");
    free(bytes);
}

/* ---- long pickles ---- */

#define PUT(file, literal) fwrite(literal, 1, sizeof literal - 1, file)

/* The old stream does not say how long its pickles are. This one has {"pad": text, "x": tensor}
 * with a text longer than what is read at first. */
static void write_long_stream(FILE *file)
{
    static const char pad[3000000] = {'a', 'b'};

    PUT(file, "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.");
    PUT(file, "\x80\2}X\r\0\0\0little_endian\x88s.\x80\2}(U\3padX");
    fwrite((const uint32_t[]){sizeof pad}, 1, 4, file);
    fwrite(pad, 1, sizeof pad, file);
    PUT(file, "U\1xctorch._utils\n_rebuild_tensor\n((U\7storagectorch\nDoubleStorage\nU\1k");
    PUT(file, "U\3cpuK\2NtQK\0K\2\x85K\1\x85tRu.\x80\2]U\1ka.");
    fwrite((const int64_t[]){2}, 1, 8, file);
    fwrite((const double[]){1.25, -3}, 1, 16, file);
}

static void reads_old_streams_with_long_pickles(void)
{
    struct error err = {0};
    struct notices notices = {0};
    struct folder *folder = folder_open(test_scratch(), false, &err);
    struct checkpoint *checkpoint = NULL;
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/long.bin", test_scratch());
    file = fopen(path, "wb");
    CHECK(folder && file);
    if (file) {
        write_long_stream(file);
        fclose(file);
    }
    if (folder)
        checkpoint = checkpoint_open(folder, "", "long.bin", &notices, &err);
    CHECK(checkpoint && checkpoint->n_tensors == 1);
    if (checkpoint)
        CHECK(has_values(checkpoint->tensors, (const double[]){1.25, -3}, 2));
    checkpoint_close(checkpoint);
    folder_close(folder);
    notices_release(&notices);
    unlink(path);
}

/* ---- the zip ---- */

static void lists_the_entries_of_a_zip(void)
{
    struct error err = {0};
    struct file *file = file_open("fixtures/torchbin/plain.bin", "plain.bin", &err);
    struct zip *zip = file ? zip_open(file, &err) : NULL;
    const struct zip_entry *entry;
    char *text;

    CHECK(zip);
    if (zip) {
        CHECK(!zip_find(zip, TEXT("plain/absent")));
        entry = zip_find(zip, TEXT("plain/byteorder"));
        CHECK(entry && entry->size_bytes == 6 && entry->offset % 64 == 0);
        text = entry ? zip_read(zip, entry, 6, &err) : NULL;
        CHECK(text && memcmp(text, "little", 6) == 0);
        free(text);
        CHECK(entry && !zip_read(zip, entry, 5, &err));
        CHECK_CONTAINS(err.text, "6 bytes long, more than the limit of 5");
    }
    zip_close(zip);
    file_close(file);
}

/* One bit of the pickle is flipped, everything else stays in order. */
static void checks_the_crc_of_the_pickle(void)
{
    struct error err = {0};
    struct file *file = file_open("fixtures/torchbin/two-dicts.bin", "two-dicts.bin", &err);
    struct zip *zip = file ? zip_open(file, &err) : NULL;
    const struct zip_entry *entry = zip ? zip_find(zip, TEXT("two-dicts/data.pkl")) : NULL;
    char path[4096], *bytes = file ? file_read_text(file, 1 << 20, NULL, &err) : NULL;
    FILE *copy;

    CHECK(entry && bytes);
    snprintf(path, sizeof path, "%s/flipped.bin", test_scratch());
    copy = fopen(path, "wb");
    if (entry && bytes && copy) {
        struct folder *folder = folder_open(test_scratch(), false, &err);
        struct notices notices = {0};

        bytes[entry->offset + entry->size_bytes - 1] ^= 1;
        CHECK(fwrite(bytes, 1, file->size_bytes, copy) == file->size_bytes);
        fclose(copy);
        CHECK(folder && !checkpoint_open(folder, "", "flipped.bin", &notices, &err));
        CHECK_CONTAINS(err.text, "entry 'two-dicts/data.pkl' is damaged");
        folder_close(folder);
        notices_release(&notices);
        unlink(path);
    }
    free(bytes);
    zip_close(zip);
    file_close(file);
}

/* Opens a copy of plain.bin whose directory says that the payload of the first entry ends at the
 * local header of the second, or `n_more` bytes behind that. */
static void check_first_end(size_t n_more, bool is_taken)
{
    enum { COMPRESSED_AT = 20, SIZE_AT = 24 }; /* in an entry of the directory */
    struct error err = {0};
    struct file *file = file_open("fixtures/torchbin/plain.bin", "plain.bin", &err), *changed;
    struct zip *zip = zip_open(file, &err);
    char *bytes = file_read_text(file, 1 << 20, NULL, &err), path[4096];
    char *entry = memmem(bytes, file->size_bytes, "PK\1\2", 4);
    uint32_t size = (uint32_t)(zip->entries[1].header - zip->entries[0].offset + n_more);
    FILE *copy;

    CHECK(zip->entries[0].header < zip->entries[1].header);
    memcpy(entry + COMPRESSED_AT, &size, sizeof size);
    memcpy(entry + SIZE_AT, &size, sizeof size);
    snprintf(path, sizeof path, "%s/longer.bin", test_scratch());
    copy = fopen(path, "wb");
    CHECK(copy && fwrite(bytes, 1, file->size_bytes, copy) == file->size_bytes);
    fclose(copy);
    zip_close(zip);
    file_close(file);
    changed = file_open(path, "longer.bin", &err);
    zip = zip_open(changed, &err);
    CHECK(!zip == !is_taken);
    if (!is_taken)
        CHECK_CONTAINS(err.text, "overlaps entry");
    zip_close(zip);
    file_close(changed);
    free(bytes);
}

static void entries_may_touch_and_not_overlap(void)
{
    check_first_end(0, true);
    check_first_end(1, false);
}

TESTS(TEST(reads_every_dtype_from_a_zip), TEST(reads_the_protocols_3_to_5),
      TEST(reads_zip64_entries), TEST(reads_the_old_stream),
      TEST(keeps_the_order_of_the_state_dict),
      TEST(reads_dtypes_of_untyped_storages), TEST(gathers_strided_views),
      TEST(shows_which_tensors_are_tied), TEST(reads_parameters),
      TEST(finds_the_weights_in_a_training_file), TEST(refuses_what_it_cannot_read_and_says_what),
      TEST(refuses_to_guess_between_two_state_dicts), TEST(reads_integers_of_any_length),
      TEST(keeps_longer_integers_as_bytes), TEST(reports_where_a_pickle_ends),
      TEST(writes_calls_down), TEST(makes_dictionaries_and_finds_the_last_value),
      TEST(survives_a_list_that_holds_itself), TEST(says_which_opcode_failed_and_where),
      TEST(bounds_the_stack), TEST(reads_old_streams_with_long_pickles),
      TEST(lists_the_entries_of_a_zip), TEST(checks_the_crc_of_the_pickle),
      TEST(entries_may_touch_and_not_overlap))
