/* test_safetensors.c - the header, byte for byte, and what is read back from files. */
#include "format/safetensors.h"

#include "scratch.h"

/* The worked example of the format: what save_file() of Python's safetensors writes for a: F16
 * [2, 1] and b: F32 [2] with metadata {"format": "pt"}. */
static void the_worked_example_is_byte_exact(void)
{
    static const char json[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                               "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                               "\"a\":{\"dtype\":\"F16\",\"shape\":[2,1],\"data_offsets\":[8,12]}}"
                               "   ";
    static const char prefix[8] = {(char)0x90};
    struct error err = {0};
    struct output_tensor a = {.name = "a", .dtype = DTYPE_F16, .n_dims = 2, .shape = (size_t[]){2, 1}};
    struct output_tensor b = {.name = "b", .dtype = DTYPE_F32, .n_dims = 1, .shape = (size_t[]){2}};
    const struct output_tensor *tensors[] = {&b, &a};
    struct buffer out = {0};

    CHECK(output_tensor_measure(&a, &err) == 0 && output_tensor_measure(&b, &err) == 0);
    CHECK(safetensors_compare(&b, &a) < 0);
    CHECK(sizeof json - 1 == 144);
    safetensors_add_header(&out, tensors, 2);
    CHECK(out.size == 8 + 144);
    CHECK(memcmp(out.data, prefix, 8) == 0);
    CHECK(memcmp(out.data + 8, json, 144) == 0);
    buffer_release(&out);
}

static void a_header_is_added_behind_what_is_there(void)
{
    struct buffer alone = {0}, behind = {0};

    safetensors_add_header(&alone, NULL, 0);
    buffer_add_text(&behind, "abc");
    safetensors_add_header(&behind, NULL, 0);
    CHECK(alone.size == 40);
    CHECK(memcmp(alone.data + 8, "{\"__metadata__\":{\"format\":\"pt\"}}", 32) == 0);
    CHECK(behind.size == alone.size + 3 && memcmp(behind.data + 3, alone.data, alone.size) == 0);
    buffer_release(&alone);
    buffer_release(&behind);
}

static void names_are_written_raw_but_for_what_json_escapes(void)
{
    struct error err = {0};
    struct output_tensor tensor = {.name = "\xc3\xa9\"\\\x01.w", .dtype = DTYPE_U8};
    const struct output_tensor *tensors[] = {&tensor};
    struct buffer out = {0};

    CHECK(output_tensor_measure(&tensor, &err) == 0);
    safetensors_add_header(&out, tensors, 1);
    CHECK_CONTAINS(out.data + 8, ",\"\xc3\xa9\\\"\\\\\\u0001.w\":{\"dtype\":\"U8\",\"shape\":[],"
                                 "\"data_offsets\":[0,1]}}");
    CHECK(out.size % 8 == 0);
    buffer_release(&out);
}

/* As in tensor.rs of the reference writer. */
static const char *const reference_order[] = {
    "U64", "I64", "F64", "C64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16", "F8_E5M2FNUZ",
    "F8_E4M3FNUZ", "F8_E8M0", "F8_E4M3", "F8_E5M2", "I8", "U8", "F6_E3M2", "F6_E2M3", "F4", "BOOL",
};
enum { N_ORDER = sizeof reference_order / sizeof *reference_order };

static enum dtype nth_dtype(size_t i)
{
    enum dtype dtype = N_DTYPES;

    CHECK(dtype_find(reference_order[i], strlen(reference_order[i]), &dtype) == 0);
    return dtype;
}

static void tensors_are_ordered_by_dtype_then_by_the_bytes_of_the_name(void)
{
    for (size_t i = 0; i < N_ORDER; i++)
        for (size_t k = 0; k < N_ORDER; k++) {
            struct output_tensor a = {.name = "a", .dtype = nth_dtype(i)};
            struct output_tensor z = {.name = "z", .dtype = nth_dtype(k)};
            int order = safetensors_compare(&a, &z);

            CHECK(i <= k ? order < 0 : order > 0);
        }
    CHECK(safetensors_compare(&(struct output_tensor){.name = "B"}, &(struct output_tensor){.name = "a"}) < 0);
    CHECK(safetensors_compare(&(struct output_tensor){.name = "a.10"},
                              &(struct output_tensor){.name = "a.2"}) < 0);
    CHECK(safetensors_compare(&(struct output_tensor){.name = "z"},
                              &(struct output_tensor){.name = "\xc3\xa9"}) < 0);
    CHECK(safetensors_compare(&(struct output_tensor){.name = "a"}, &(struct output_tensor){.name = "ab"}) < 0);
    CHECK(safetensors_compare(&(struct output_tensor){.name = "a"}, &(struct output_tensor){.name = "a"}) == 0);
}

static struct checkpoint *open_valid(const char *name)
{
    struct error err = {0};
    struct notices notices = {0};
    struct checkpoint *checkpoint = scratch_open(name, NULL, &notices, &err);

    if (!checkpoint)
        printf("# %s\n", err.text);
    CHECK(checkpoint && notices.n_texts == 0);
    notices_release(&notices);
    return checkpoint;
}

static void every_dtype_is_read_as_it_was_written(void)
{
    struct scratch_tensor tensors[N_ORDER];
    unsigned char bytes[N_ORDER][64];
    struct checkpoint *checkpoint;

    for (size_t i = 0; i < N_ORDER; i++) {
        for (size_t k = 0; k < 64; k++)
            bytes[i][k] = (unsigned char)(i * 11 + k * 7);
        tensors[i] = TENSOR_BYTES(reference_order[i], nth_dtype(i), bytes[i], 2, 4);
    }
    scratch_safetensors("dtypes/model.safetensors", tensors, N_ORDER);
    checkpoint = open_valid("dtypes");
    CHECK(checkpoint && checkpoint->n_tensors == N_ORDER);
    for (size_t i = 0; checkpoint && i < checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &checkpoint->tensors[i];
        unsigned n_bits = dtype_info(tensor->dtype)->n_bits;
        struct error err = {0};
        unsigned char read[64];

        CHECK(strcmp(tensor->name, reference_order[i]) == 0); /* in the order of the file */
        CHECK(tensor->n_items == 8 && tensor->size_bytes == n_bits);
        CHECK(tensor_read(tensor, 0, 8, read, &err) == 0);
        CHECK(memcmp(read, bytes[i], tensor->size_bytes) == 0);
        /* A range: the second half, which begins on a byte in every dtype. */
        CHECK(tensor_read(tensor, 4, 4, read, &err) == 0);
        CHECK(memcmp(read, bytes[i] + n_bits / 2, n_bits / 2) == 0);
    }
    checkpoint_close(checkpoint);
}

/* A file with this header, padded to a multiple of 8, and n_data_bytes of data 0, 1, 2 … */
static void write_raw(const char *name, const char *header, size_t n_data_bytes)
{
    struct buffer file = {0};
    size_t n = strlen(header);

    for (size_t i = 0; i < 8; i++)
        buffer_add_char(&file, (char)(n >> 8 * i & 0xff));
    buffer_add_text(&file, header);
    for (size_t i = 0; i < n_data_bytes; i++)
        buffer_add_char(&file, (char)i);
    scratch_write(name, file.data, file.size);
    buffer_release(&file);
}

static void the_header_may_name_tensors_in_any_order(void)
{
    struct checkpoint *checkpoint;
    struct error err = {0};
    unsigned char bytes[4];

    write_raw("any-order/model.safetensors",
              "{ \"last\" : {\"shape\":[2],\"extra\":{\"x\":[1]},\"data_offsets\":[6,8],"
              "\"dtype\":\"U8\"},\n \"first\":{\"dtype\":\"F16\",\"shape\":[1,2],"
              "\"data_offsets\":[0,4]},\"middle\":{\"dtype\":\"I16\",\"shape\":[],"
              "\"data_offsets\":[4,6]},\"\\u006eone\":{\"dtype\":\"F32\",\"shape\":[3,0],"
              "\"data_offsets\":[4,4]}}   ", 8);
    checkpoint = open_valid("any-order");
    if (!checkpoint)
        return;
    CHECK(checkpoint->n_tensors == 4);
    CHECK(strcmp(checkpoint->tensors[0].name, "first") == 0);
    CHECK(strcmp(checkpoint->tensors[1].name, "none") == 0);
    CHECK(checkpoint->tensors[1].n_items == 0 && checkpoint->tensors[1].n_dims == 2);
    CHECK(strcmp(checkpoint->tensors[3].name, "last") == 0);
    CHECK(tensor_read(checkpoint_find(checkpoint, "middle"), 0, 1, bytes, &err) ==
              0 && bytes[0] == 4 && bytes[1] == 5);
    CHECK(tensor_read(checkpoint_find(checkpoint, "last"), 1, 1, bytes, &err) ==
              0 && bytes[0] == 7);
    CHECK(tensor_read(checkpoint_find(checkpoint, "none"), 0, 0, bytes, &err) == 0);
    CHECK(!checkpoint_find(checkpoint, "First") && !checkpoint_find(checkpoint, "__metadata__"));
    checkpoint_close(checkpoint);
}

static void metadata_is_kept(void)
{
    struct checkpoint *checkpoint;

    write_raw("metadata/model.safetensors",
              "{\"__metadata__\":{\"format\":\"pt\",\"note\":\"\xc3\xa9 \\\"x\\\"\"},"
              "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
    checkpoint = open_valid("metadata");
    CHECK(checkpoint && checkpoint->n_metadata == 2);
    if (checkpoint && checkpoint->n_metadata == 2) {
        CHECK(strcmp(checkpoint->metadata[0].key, "format") == 0);
        CHECK(strcmp(checkpoint->metadata[1].value, "\xc3\xa9 \"x\"") == 0);
    }
    checkpoint_close(checkpoint);
}

static void a_read_that_fails_names_file_and_tensor(void)
{
    struct checkpoint *checkpoint;
    struct error err = {0};
    unsigned char bytes[100];

    SAFETENSORS("shrinks/model.safetensors", TENSOR("wte.weight", DTYPE_F32, 0, 10));
    checkpoint = open_valid("shrinks");
    CHECK(truncate(scratch_path("shrinks/model.safetensors"), 100) == 0);
    CHECK(checkpoint && tensor_read(&checkpoint->tensors[0], 0, 10, bytes, &err));
    CHECK(err.code == ERROR_IO);
    CHECK_CONTAINS(err.text, "wte.weight");
    CHECK_CONTAINS(err.text, "model.safetensors");
    checkpoint_close(checkpoint);
}

/* What the hostile fixtures leave out: limits that lie exactly on the border. */
static void limits_hold_exactly(void)
{
    static const struct {
        const char *header;
        size_t n_data_bytes;
        const char *part; /* of the complaint; NULL: it is taken */
    } cases[] = {
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, NULL},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1, "ends at byte 2"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 3, "1 bytes after"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}", 3, "a hole before it"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "overlaps"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "a hole before it"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, NULL},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "whole bytes"},
        {"{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, NULL},
        {"{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3, "whole bytes"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551615,0],\"data_offsets\":[0,0]}}", 0,
         NULL},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,0]}}",
         0, "overflows"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0,4294967296,4294967296],\"data_offsets\":[0,0]}}",
         0, "overflows"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, "needs 1 bytes"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, "needs 3 bytes"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "reversed"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
         "duplicate key 'shape'"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1,
         "duplicate key 'dtype'"},
        {"{\"a\":{\"data_offsets\":[0,1],\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1,
         "duplicate key 'data_offsets'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551616],\"data_offsets\":[0,0]}}", 0,
         "64 bits"},
        {"{\"a\":{\"dtype\":\"U16\",\"shape\":[9223372036854775808],\"data_offsets\":[0,0]}}", 0,
         "overflows"},
        {"{\"a\":{\"dtype\":\"C128\",\"shape\":[1],\"data_offsets\":[0,16]}}", 16,
         "unknown dtype"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1, "two numbers"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct notices notices = {0};
        struct checkpoint *checkpoint;

        write_raw("limit/model.safetensors", cases[i].header, cases[i].n_data_bytes);
        checkpoint = scratch_open("limit", NULL, &notices, &err);
        CHECK(!checkpoint == !!cases[i].part);
        CHECK(err.code == (cases[i].part ? ERROR_FORMAT : ERROR_NONE));
        if (cases[i].part)
            CHECK_CONTAINS(err.text, cases[i].part);
        checkpoint_close(checkpoint);
        notices_release(&notices);
    }
}

static void sixty_four_dimensions_are_the_most(void)
{
    for (size_t n = 64; n <= 65; n++) {
        struct error err = {0};
        struct notices notices = {0};
        struct buffer header = {0};
        struct checkpoint *checkpoint;

        buffer_add_text(&header, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1");
        for (size_t i = 1; i < n; i++)
            buffer_add_text(&header, ",1");
        buffer_add_text(&header, "],\"data_offsets\":[0,1]}}");
        write_raw("dims/model.safetensors", header.data, 1);
        checkpoint = scratch_open("dims", NULL, &notices, &err);
        CHECK(!checkpoint == (n == 65));
        checkpoint_close(checkpoint);
        buffer_release(&header);
    }
}

TESTS(TEST(the_worked_example_is_byte_exact), TEST(a_header_is_added_behind_what_is_there),
      TEST(names_are_written_raw_but_for_what_json_escapes),
      TEST(tensors_are_ordered_by_dtype_then_by_the_bytes_of_the_name),
      TEST(every_dtype_is_read_as_it_was_written), TEST(the_header_may_name_tensors_in_any_order),
      TEST(metadata_is_kept), TEST(a_read_that_fails_names_file_and_tensor),
      TEST(limits_hold_exactly), TEST(sixty_four_dimensions_are_the_most))
