/* test_gguf.c - GGUF files: what they say of themselves, where tensors lie, what blocks stand for,
 * and files with one defect each.
 *
 * fixtures/gguf/blocks.gguf has two blocks of each format, and their values. With
 * COCKTAIL_TEST_DATA naming a folder that holds golden/gguf, its files are read, too. */
#include "format/gguf.h"

#include <math.h>

#include "base/digest.h"
#include "base/json.h"
#include "format/gguf_parts.h"
#include "made_gguf.h"
#include "scratch.h"
#include "tensor/ggml_blocks.h"
#include "tensor/tensor_source.h"

/* ---- reading files ---- */

static struct checkpoint *open_file(const char *path, const char *name, struct error *err)
{
    struct notices notices = {0};
    struct folder *folder = folder_open(path, false, err);
    struct checkpoint *checkpoint = NULL;

    if (folder)
        checkpoint = checkpoint_open(folder, "", name, &notices, err);
    CHECK(notices.n_texts == 0);
    folder_close(folder);
    return checkpoint;
}

static struct checkpoint *open_valid(const char *path, const char *name)
{
    struct error err = {0};
    struct checkpoint *checkpoint = open_file(path, name, &err);

    if (!checkpoint)
        printf("# %s\n", err.text);
    CHECK(checkpoint != NULL);
    return checkpoint;
}

static float *read_floats(const struct tensor *tensor)
{
    float *values = memory_alloc((tensor->n_items + 1) * sizeof *values);
    struct error err = {0};

    CHECK(tensor_read_floats(tensor, values, &err) == 0);
    return values;
}

/* Bit for bit; a NaN is one, whatever its bits. */
static bool is_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static void check_values(const struct tensor *blocks, const struct tensor *values)
{
    float *found, *expected;

    if (!blocks || !values || blocks->n_items != values->n_items) {
        CHECK(false);
        return;
    }
    found = read_floats(blocks);
    expected = read_floats(values);
    if (!is_same(found, expected, values->n_items)) {
        printf("# '%s' has other values\n", blocks->name);
        CHECK(false);
    }
    free(found);
    free(expected);
}

static void check_floats(const struct tensor *tensor, size_t n_dims, const size_t *shape,
                         const float *expected)
{
    float *values;

    if (!tensor || tensor->n_dims != n_dims ||
        (n_dims && memcmp(tensor->shape, shape, n_dims * sizeof *shape) != 0)) {
        CHECK(false);
        return;
    }
    values = read_floats(tensor);
    CHECK(is_same(values, expected, tensor->n_items));
    free(values);
}

/* ---- blocks ---- */

static void all_formats_give_the_values_of_ggml(void)
{
    struct checkpoint *checkpoint = open_valid("fixtures/gguf", "blocks.gguf");

    for (size_t f = 0; checkpoint && f < N_GGML_BLOCKS; f++) {
        const struct ggml_type *type = ggml_type((enum ggml_format)f);
        const struct tensor *blocks = checkpoint_find(checkpoint, type->name);
        char *name = memory_format("%s.values", type->name);
        struct tensor_stored stored;

        CHECK(blocks && blocks->dtype == DTYPE_F32);
        if (!blocks)
            continue;
        stored = tensor_stored(blocks);
        CHECK(strcmp(stored.format, type->name) == 0 && stored.n_bytes == 2 * type->block_bytes);
        check_values(blocks, checkpoint_find(checkpoint, name));
        free(name);
    }
    checkpoint_close(checkpoint);
}

/* ---- golden files ---- */

static const char *golden_folder(const char *name)
{
    static char path[4096];
    const char *data = getenv("COCKTAIL_TEST_DATA");

    if (!data) {
        printf("# skipped: COCKTAIL_TEST_DATA does not name the golden files\n");
        return NULL;
    }
    snprintf(path, sizeof path, "%s/golden/gguf%s", data, name);
    return path;
}

static cJSON *read_json(const char *path, const char *name)
{
    struct error err = {0};
    struct folder *folder = folder_open(path, false, &err);
    size_t n;
    char *text = folder ? folder_read_text(folder, name, 1 << 20, &n, &err) : NULL;
    cJSON *json = text ? json_parse(text, n, &err) : NULL;

    scratch_must(json != NULL, "read", name);
    free(text);
    folder_close(folder);
    return json;
}

static bool has_sum(const struct tensor *tensor, const char *expected)
{
    float *values = read_floats(tensor);
    struct digest digest;
    char hex[DIGEST_HEX_MAX];

    digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, values, tensor->n_items * sizeof *values);
    digest_hex(&digest, hex);
    free(values);
    return strcmp(hex, expected) == 0;
}

static void golden_types_have_the_values_of_ggml(void)
{
    const char *path = golden_folder("/types");
    cJSON *sums;

    if (!path)
        return;
    sums = read_json(path, "sha256.json");
    for (const cJSON *sum = sums->child; sum; sum = sum->next) {
        char *name = memory_format("%s.gguf", sum->string);
        struct checkpoint *checkpoint = open_valid(path, name);

        if (checkpoint) {
            const struct tensor *values = checkpoint_find(checkpoint, "values.weight");

            if (!values || !has_sum(values, sum->valuestring)) {
                printf("# %s: other values than expected\n", name);
                CHECK(false);
            }
            check_values(checkpoint_find(checkpoint, "blocks.weight"), values);
        }
        checkpoint_close(checkpoint);
        free(name);
    }
    cJSON_Delete(sums);
}

/* ---- values ---- */

static bool is_number_like(const struct gguf_value *value, size_t i, const cJSON *expected)
{
    double found = gguf_number(value, i), number = expected->valuedouble;

    if (cJSON_IsBool(expected))
        return value->type == GGUF_BOOL && found == cJSON_IsTrue(expected);
    return cJSON_IsNumber(expected) &&
           (value->type == GGUF_F32 ? found == (double)(float)number : found == number);
}

static bool is_item_like(const struct gguf_value *value, size_t i, const cJSON *expected)
{
    struct gguf_text text;

    if (gguf_is_number(value))
        return is_number_like(value, i, expected);
    text = gguf_text(value, i);
    return cJSON_IsString(expected) && text.length == strlen(expected->valuestring) &&
           memcmp(text.bytes, expected->valuestring, text.length + 1) == 0;
}

static bool is_like(const struct gguf_value *value, const cJSON *expected)
{
    bool same;

    if (!value || value->is_array != cJSON_IsArray(expected))
        return false;
    if (!value->is_array)
        return value->n_items == 1 && is_item_like(value, 0, expected);
    same = value->n_items == (size_t)cJSON_GetArraySize(expected);
    expected = expected->child;
    for (size_t i = 0; same && i < value->n_items; i++, expected = expected->next)
        same = is_item_like(value, i, expected);
    return same;
}

static void golden_metadata_are_read(void)
{
    const char *path = golden_folder("");
    struct checkpoint *checkpoint;
    const cJSON *values;
    cJSON *json;

    if (!path)
        return;
    checkpoint = open_valid(path, "metadata.gguf");
    json = read_json(path, "metadata.json");
    values = json_find(json, "kv");
    CHECK(checkpoint->gguf->n_values == 1 + (size_t)cJSON_GetArraySize(values));
    for (const cJSON *value = values->child; value; value = value->next) {
        if (!is_like(gguf_find(checkpoint->gguf, value->string), value)) {
            printf("# '%s' has another value\n", value->string);
            CHECK(false);
        }
    }
    CHECK(checkpoint->n_tensors == 3);
    check_floats(checkpoint_find(checkpoint, "a.weight"), 2, (size_t[]){2, 3},
                 (float[]){0, 1, 2, 3, 4, 5});
    checkpoint_close(checkpoint);
    cJSON_Delete(json);
}

static void golden_models_are_opened(void)
{
    static const char *const names[] = {
        "bert-f16",    "gemma-bf16",   "gpt2-q8_0", "llama-bpe-q4_k_m", "llama-fused-f16",
        "llama-spm-q8_0", "mixtral-q4_0", "phi3-f16",  "qwen2-f16",        "qwen3-q5_1",
    };
    const char *path = golden_folder("");

    for (size_t i = 0; path && i < sizeof names / sizeof *names; i++) {
        char *name = memory_format("%s.gguf", names[i]);
        struct checkpoint *checkpoint = open_valid(path, name);
        const struct gguf_value *arch;

        if (checkpoint) {
            arch = gguf_find(checkpoint->gguf, "general.architecture");
            CHECK(arch && arch->type == GGUF_STRING && !arch->is_array);
            CHECK(checkpoint_find(checkpoint, "token_embd.weight"));
        }
        checkpoint_close(checkpoint);
        free(name);
    }
}

/* ---- made files ---- */

static const float one_to_six[] = {1, 2, 3, 4, 5, 6};

static void add_plain(struct made_gguf *made, const char *name)
{
    made_tensor_of(made, name, 0, MADE_DIMS(3, 2), one_to_six, sizeof one_to_six);
}

/* 64 items of Q8_0: scale 2 and 0 … 31, scale 1 and -1 … -32. */
static void add_blocks(struct made_gguf *made, const char *name)
{
    unsigned char blocks[2][34] = {{0x00, 0x40}, {0x00, 0x3C}};

    for (size_t i = 0; i < 32; i++) {
        blocks[0][2 + i] = (unsigned char)i;
        blocks[1][2 + i] = (unsigned char)~i;
    }
    made_tensor_of(made, name, 8, MADE_DIMS(32, 2), blocks, sizeof blocks);
}

static struct checkpoint *open_made(struct made_gguf *made)
{
    made_write(made, "made/made.gguf");
    return open_valid(scratch_path("made"), "made.gguf");
}

static void tensors_have_names_shapes_and_values(void)
{
    struct made_gguf made = {0};
    const struct tensor *blocks;
    struct checkpoint *checkpoint;
    struct tensor_stored stored;
    float *values;

    add_plain(&made, "plain");
    add_blocks(&made, "blocks");
    made_tensor_of(&made, "single", 0, 0, NULL, one_to_six, 4);
    made_tensor_of(&made, "four", 24, MADE_DIMS(1, 2, 1, 3), "\1\2\3\375\376\377", 6);
    checkpoint = open_made(&made);
    if (!checkpoint)
        return;
    CHECK(checkpoint->n_tensors == 4 && checkpoint->gguf->n_values == 0);
    check_floats(checkpoint_find(checkpoint, "plain"), 2, (size_t[]){2, 3}, one_to_six);
    check_floats(checkpoint_find(checkpoint, "single"), 0, NULL, one_to_six);
    check_floats(checkpoint_find(checkpoint, "four"), 4, (size_t[]){3, 1, 2, 1},
                 (float[]){1, 2, 3, -3, -2, -1});
    CHECK(checkpoint_find(checkpoint, "four")->dtype == DTYPE_I8);
    blocks = checkpoint_find(checkpoint, "blocks");
    values = read_floats(blocks);
    CHECK(blocks->shape[0] == 2 && blocks->shape[1] == 32 && values[31] == 62 && values[32] == -1 &&
          values[63] == -32);
    free(values);
    stored = tensor_stored(blocks);
    CHECK(strcmp(stored.format, "Q8_0") == 0 && stored.n_bytes == 68);
    checkpoint_close(checkpoint);
}

/* Steps of a read end inside of a row, at blocks that are no power of two. */
static void ranges_of_blocks_are_read(void)
{
    enum { N_BLOCKS = 300, N = N_BLOCKS * 256 };
    struct made_gguf made = {0};
    unsigned char *blocks = memory_alloc(N_BLOCKS * 210);
    float *all = memory_alloc(N * sizeof *all), *part = memory_alloc(N * sizeof *part);
    static const size_t ranges[][2] = {{0, N},     {1, N - 1}, {255, 2},   {77 * 256, 20000},
                                       {19967, 3}, {N - 1, 1}, {N, 0},     {300, 12},
                                       {0, 19968}, {1, 19968}, {128, 40000}};
    struct checkpoint *checkpoint;
    struct error err = {0};

    for (size_t i = 0; i < N_BLOCKS * 210; i++)
        blocks[i] = (unsigned char)(i * i >> 3 & 63);
    made_tensor_of(&made, "q6", 14, MADE_DIMS(3 * 256, N_BLOCKS / 3), blocks, N_BLOCKS * 210);
    checkpoint = open_made(&made);
    ggml_decode(GGML_Q6_K, blocks, N_BLOCKS, all);
    for (size_t i = 0; checkpoint && i < sizeof ranges / sizeof *ranges; i++) {
        CHECK(tensor_read(&checkpoint->tensors[0], ranges[i][0], ranges[i][1], part, &err) == 0);
        CHECK(is_same(part, all + ranges[i][0], ranges[i][1]));
    }
    checkpoint_close(checkpoint);
    free(blocks);
    free(all);
    free(part);
}

static void whole_rows_are_used_where_they_lie(void)
{
    struct made_gguf made = {0};
    struct arena arena = {0};
    struct tensor_blocks blocks;
    struct error err = {0};
    struct tensor part;
    struct checkpoint *checkpoint;
    const struct tensor *tensor;
    const char *first;

    made_tensor_of(&made, "experts", 8, MADE_DIMS(64, 3, 2), NULL, 12 * 34);
    checkpoint = open_made(&made);
    if (!checkpoint)
        return;
    tensor = checkpoint_find(checkpoint, "experts");
    CHECK(tensor_blocks(tensor, &blocks, &err) == 0); /* no matrix */
    CHECK(tensor_part(&part, tensor, 0, 2, (size_t[]){6, 64}, NULL, &arena, &err) == 0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 1);
    CHECK(strcmp(blocks.format, "Q8_0") == 0 && blocks.stride == 64 && blocks.first_row == 0);
    CHECK(!blocks.scales && !blocks.index && memcmp(blocks.data, "\0\0\0", 3) == 0);
    first = blocks.data;
    CHECK(tensor_part(&part, tensor, 4 * 64, 2, (size_t[]){2, 64}, NULL, &arena, &err) == 0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 1);
    CHECK(blocks.data == first + 8 * 34);
    /* Rows of half a block; the second half of each row; and rows that begin inside of a block. */
    CHECK(tensor_part(&part, tensor, 0, 2, (size_t[]){4, 16}, NULL, &arena, &err) == 0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 0);
    CHECK(tensor_part(&part, tensor, 32, 2, (size_t[]){2, 32}, (size_t[]){64, 1}, &arena, &err) ==
          0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 0);
    CHECK(tensor_part(&part, tensor, 16, 2, (size_t[]){2, 32}, NULL, &arena, &err) == 0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 0);
    checkpoint_close(checkpoint);
    arena_release(&arena);
}

/* ---- NVFP4 ---- */

enum { NVFP4_BYTES = 36 };

/* Each block: four scales of 1 (0x38), then 0.5 (code 1) in all places. */
static void add_nvfp4(struct made_gguf *made, const char *name, size_t n_experts)
{
    unsigned char blocks[4 * NVFP4_BYTES];

    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = i % NVFP4_BYTES < 4 ? 0x38 : 0x11;
    made_tensor_of(made, name, 40, n_experts > 1 ? 3 : 2,
                   (const uint64_t[]){64, n_experts > 1 ? 1 : 2, n_experts}, blocks,
                   (n_experts > 1 ? n_experts : 2) * NVFP4_BYTES);
}

static void nvfp4_is_multiplied_by_its_scale(void)
{
    static const float three = 3, scales[] = {2, 4, 8};
    struct made_gguf made = {0};
    struct arena arena = {0};
    struct tensor_blocks blocks;
    struct error err = {0};
    struct tensor part;
    struct checkpoint *checkpoint;
    float *values, some[2];

    made_tensor_of(&made, "a.scale", 0, MADE_DIMS(1), &three, 4);
    made_tensor_of(&made, "a.input_scale", 0, MADE_DIMS(1), &three, 4);
    add_nvfp4(&made, "a.weight", 1);
    add_nvfp4(&made, "b.weight", 3);
    made_tensor_of(&made, "b.scale", 0, MADE_DIMS(3), scales, sizeof scales);
    add_nvfp4(&made, "c.weight", 1);
    add_blocks(&made, "d.weight");
    made_tensor_of(&made, "d.scale", 0, MADE_DIMS(1), &three, 4);
    checkpoint = open_made(&made);
    if (!checkpoint)
        return;
    CHECK(checkpoint->n_tensors == 5 && !checkpoint_find(checkpoint, "a.scale"));
    CHECK(checkpoint_find(checkpoint, "d.scale")); /* of another format: not ours to use up */
    values = read_floats(checkpoint_find(checkpoint, "a.weight"));
    CHECK(values[0] == 1.5f && values[127] == 1.5f);
    free(values);
    values = read_floats(checkpoint_find(checkpoint, "b.weight"));
    CHECK(values[63] == 1 && values[64] == 2 && values[127] == 2 && values[128] == 4);
    free(values);
    CHECK(tensor_read(checkpoint_find(checkpoint, "b.weight"), 63, 2, some, &err) == 0);
    CHECK(some[0] == 1 && some[1] == 2);
    values = read_floats(checkpoint_find(checkpoint, "c.weight"));
    CHECK(values[0] == 0.5f);
    free(values);
    CHECK(tensor_blocks(checkpoint_find(checkpoint, "a.weight"), &blocks, &err) == 1);
    CHECK(*(const float *)blocks.scales == 3);
    CHECK(tensor_part(&part, checkpoint_find(checkpoint, "b.weight"), 64, 2, (size_t[]){1, 64},
                      NULL, &arena, &err) == 0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 1 && *(const float *)blocks.scales == 4);
    CHECK(tensor_part(&part, checkpoint_find(checkpoint, "b.weight"), 0, 2, (size_t[]){2, 64},
                      NULL, &arena, &err) == 0);
    CHECK(tensor_blocks(&part, &blocks, &err) == 0); /* of two experts */
    checkpoint_close(checkpoint);
    arena_release(&arena);
}

/* ---- parts ---- */

static void put_number(struct made_gguf *made, const char *key, enum gguf_type type, int64_t value)
{
    static const unsigned char sizes[] = {[GGUF_U16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,
                                          [GGUF_U64] = 8};

    made_text(&made->metadata.bytes, key);
    made_add(&made->metadata.bytes, type, 4);
    made_add(&made->metadata.bytes, (uint64_t)value, sizes[type]);
    made->metadata.n_values++;
}

static void put_split(struct made_gguf *made, int64_t number, int64_t n_parts, int64_t n_tensors)
{
    put_number(made, "split.no", GGUF_U16, number);
    put_number(made, "split.count", GGUF_U16, n_parts);
    put_number(made, "split.tensors.count", GGUF_I32, n_tensors);
}

/* Two parts in the folder "parts": values and a tensor in the first, a tensor in the second. */
static void write_parts(void)
{
    struct made_gguf made = {0};

    gguf_put_text(&made.metadata, "general.name", "both", 4);
    put_split(&made, 0, 2, 2);
    add_plain(&made, "a");
    made_write(&made, "parts/m-00001-of-00002.gguf");
    put_split(&made, 1, 2, 2);
    add_blocks(&made, "b");
    made_write(&made, "parts/m-00002-of-00002.gguf");
}

static void any_part_stands_for_all(void)
{
    static const char *const names[] = {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"};

    write_parts();
    for (size_t i = 0; i < 2; i++) {
        struct checkpoint *checkpoint = open_valid(scratch_path("parts"), names[i]);
        float *values;

        if (!checkpoint)
            continue;
        CHECK(checkpoint->n_files == 2 && checkpoint->n_tensors == 2);
        CHECK(gguf_find(checkpoint->gguf, "general.name"));
        check_floats(checkpoint_find(checkpoint, "a"), 2, (size_t[]){2, 3}, one_to_six);
        values = read_floats(checkpoint_find(checkpoint, "b"));
        CHECK(values[31] == 62 && values[63] == -32);
        free(values);
        checkpoint_close(checkpoint);
    }
}

static void names_of_parts_are_recognised(void)
{
    static const char *const others[] = {
        "-00001-of-00002.gguf",    "m-0001-of-00002.gguf", "m-00001-of-0002.gguf", "m.gguf",
        "m-00001-of-00002.GGUF",   "m-00001-0f-00002.gguf", "m_00001-of-00002.gguf", "",
        "m-00001-of-00002.gguf.x", "m-0000x-of-00002.gguf",
    };
    unsigned number, n_parts;
    char *path;

    CHECK(gguf_parts_name("a/b-00012-of-00345.gguf", &number, &n_parts) && number == 12 &&
          n_parts == 345);
    path = gguf_parts_path("a/b-00012-of-00345.gguf", 345);
    CHECK(strcmp(path, "a/b-00345-of-00345.gguf") == 0);
    free(path);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(!gguf_parts_name(others[i], &number, &n_parts));
}

/* ---- one defect each ---- */

static void check_refused(const char *folder, const char *file, enum error_code code,
                          const char *part)
{
    struct error err = {0};
    struct checkpoint *checkpoint = open_file(scratch_path(folder), file, &err);

    if (checkpoint || err.code != code || strchr(err.text, '\n') || !strstr(err.text, part)) {
        printf("# expected %d and '%s', not %d and '%s'\n", code, part, err.code, err.text);
        CHECK(false);
    }
    checkpoint_close(checkpoint);
}

static void refuse_bytes(const struct buffer *bytes, size_t n, enum error_code code,
                         const char *part)
{
    scratch_write("bad/bad.gguf", bytes->data, n);
    check_refused("bad", "bad.gguf", code, part);
}

static void refuse_made(struct made_gguf *made, const char *part)
{
    struct buffer bytes = made_file(made);

    refuse_bytes(&bytes, bytes.size, ERROR_FORMAT, part);
    buffer_release(&bytes);
}

/* A value of each kind, two tensors. */
static struct buffer ordinary_file(void)
{
    struct made_gguf made = {0};

    gguf_put_text(&made.metadata, "general.architecture", "llama", 5);
    gguf_put_u32(&made.metadata, "number", 7);
    gguf_put_texts(&made.metadata, "texts", (struct gguf_text[]){{"a", 1}, {"bc", 2}}, 2);
    gguf_put_bools(&made.metadata, "bools", (bool[]){true, false}, 2);
    gguf_put_f32s(&made.metadata, "floats", one_to_six, 6);
    add_plain(&made, "plain");
    made_tensor_of(&made, "last", 0, MADE_DIMS(8), NULL, 32);
    return made_file(&made);
}

static void files_that_end_anywhere_are_refused(void)
{
    struct buffer bytes = ordinary_file();

    scratch_write("bad/bad.gguf", bytes.data, bytes.size);
    checkpoint_close(open_valid(scratch_path("bad"), "bad.gguf"));
    for (size_t n = 0; n < bytes.size; n++)
        refuse_bytes(&bytes, n, ERROR_FORMAT, n < 4 ? "not a GGUF file" : "");
    buffer_release(&bytes);
}

static void heads_are_checked(void)
{
    static const struct {
        size_t place, n_bytes;
        uint64_t value;
        enum error_code code;
        const char *part;
    } rows[] = {
        {0, 4, 0x46475547, ERROR_FORMAT, "not a GGUF file"}, /* GUGF */
        {0, 4, 0x67676a74, ERROR_FORMAT, "not a GGUF file"}, /* ggjt, from before GGUF */
        {4, 4, 0, ERROR_FORMAT, "version 0"},
        {4, 4, 1, ERROR_UNSUPPORTED, "version 1"},
        {4, 4, 4, ERROR_UNSUPPORTED, "version 4"},
        {4, 4, 0x03000000, ERROR_UNSUPPORTED, "big-endian"},
        {8, 8, 3, ERROR_FORMAT, ""},
        {8, 8, 1000001, ERROR_FORMAT, "more than the limit of 1000000"},
        {8, 8, 1000000, ERROR_FORMAT, "1000000 tensors do not fit"},
        {8, 8, (uint64_t)1 << 63, ERROR_FORMAT, "limit"},
        {8, 8, UINT64_MAX, ERROR_FORMAT, "limit"},
        {16, 8, 4, ERROR_FORMAT, ""},
        {16, 8, 6, ERROR_FORMAT, ""},
        {16, 8, 1 << 20, ERROR_FORMAT, "1048576 values do not fit"},
        {16, 8, (uint64_t)1 << 63, ERROR_FORMAT, "values do not fit"},
        {16, 8, UINT64_MAX, ERROR_FORMAT, "values do not fit"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer bytes = ordinary_file();

        memcpy(bytes.data + rows[i].place, &rows[i].value, rows[i].n_bytes);
        refuse_bytes(&bytes, bytes.size, rows[i].code, rows[i].part);
        buffer_release(&bytes);
    }
}

/* Version 2 has the same layout. */
static void version_2_is_read(void)
{
    struct made_gguf made = {.version = 2};
    struct checkpoint *checkpoint;

    add_plain(&made, "a");
    checkpoint = open_made(&made);
    if (checkpoint)
        check_floats(checkpoint_find(checkpoint, "a"), 2, (size_t[]){2, 3}, one_to_six);
    checkpoint_close(checkpoint);
}

#define N8 "\0\0\0\0\0\0\0" /* behind a byte: a number of eight bytes */
#define K "\1" N8 "k"
#define RAW(literal) literal, sizeof literal - 1
#define ALL_ONES "\377\377\377\377\377\377\377\377"

static void values_are_checked(void)
{
    static const struct {
        const char *bytes;
        size_t n_bytes;
        const char *part;
    } rows[] = {
        {RAW("\0" N8 "\4\0\0\0\1\0\0\0"), "a key of 0 bytes"},
        {RAW("\0\0\1\0\0\0\0\0kkkkkkkk"), "a key of 65536 bytes"},
        {RAW("\0\0\0\0\0\1\0\0kkkkkkkk"), "a key of 1099511627776 bytes"},
        {RAW(ALL_ONES "kkkkkkkk"), "a key of 18446744073709551615 bytes"},
        {RAW("\377\377\0\0\0\0\0\0kkkkkkkk"), "65535 bytes wanted"},
        {RAW("\3" N8 "a\0b\4\0\0\0\1\0\0\0"), "a NUL in it"},
        {RAW(K "\15\0\0\0\1\0\0\0"), "metadata 'k': type 13"},
        {RAW(K "\377\377\377\377\1\0\0\0"), "type 4294967295"},
        {RAW(K "\11\0\0\0\15\0\0\0\1" N8 "\0"), "metadata 'k': type 13"},
        {RAW(K "\11\0\0\0\11\0\0\0\1" N8 "\4\0\0\0\0" N8), "an array of arrays"},
        {RAW(K "\11\0\0\0\11\0\0\0\0" N8), "an array of arrays"},
        {RAW(K "\11\0\0\0\0\0\0\0" ALL_ONES "\0"), "bytes wanted"},
        {RAW(K "\11\0\0\0\4\0\0\0\0\0\0\0\0\0\0\100\0\0\0\0"), "4611686018427387904 items do not"},
        {RAW(K "\11\0\0\0\12\0\0\0\1\0\0\0\0\0\0\40\0\0\0\0"), "2305843009213693953 items do not"},
        {RAW(K "\11\0\0\0\10\0\0\0\0\0\0\0\0\0\0\40\0\0\0\0"), "2305843009213693952 items do not"},
        {RAW(K "\11\0\0\0\10\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"), "bytes wanted"},
        {RAW(K "\11\0\0\0\10\0\0\0\2" N8 "\1" N8 "a" ALL_ONES), "bytes wanted"},
        {RAW(K "\10\0\0\0" ALL_ONES "text"), "18446744073709551615 bytes wanted"},
        {RAW(K "\10\0\0\0\0\0\0\0\0\1\0\0text"), "1099511627776 bytes wanted"},
        {RAW(K "\7\0\0\0\2"), "a boolean is 2"},
        {RAW(K "\11\0\0\0\7\0\0\0\2" N8 "\1\377"), "a boolean is 255"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made_gguf made = {.n_values = 1};

        buffer_add(&made.metadata.bytes, rows[i].bytes, rows[i].n_bytes);
        add_plain(&made, "a");
        refuse_made(&made, rows[i].part);
    }
}

/* Refused before memory is asked for: the file is long enough, but of holes. */
static void metadata_have_a_limit(void)
{
    static const struct {
        const char *bytes;
        size_t n_bytes;
        const char *part;
    } rows[] = {
        {RAW(K "\10\0\0\0\0\0\0\20\0\0\0\0"), "longer than the limit of 256000000 bytes"},
        {RAW(K "\11\0\0\0\0\0\0\0\0\0\0\20\0\0\0\0"), "longer than the limit"},
        {RAW(K "\11\0\0\0\10\0\0\0\0\0\0\2\0\0\0\0"), "longer than the limit"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made_gguf made = {.n_values = 1};
        struct buffer bytes;

        buffer_add(&made.metadata.bytes, rows[i].bytes, rows[i].n_bytes);
        bytes = made_file(&made);
        scratch_write("bad/bad.gguf", bytes.data, bytes.size);
        scratch_must(truncate(scratch_path("bad/bad.gguf"), 1 << 30) == 0, "make", "a hole");
        check_refused("bad", "bad.gguf", ERROR_FORMAT, rows[i].part);
        buffer_release(&bytes);
    }
    unlink(scratch_path("bad/bad.gguf"));
}

static void keys_have_a_limit(void)
{
    enum { KEY_BYTES = 65535 };
    struct made_gguf made = {0};
    char *key = memory_zalloc(KEY_BYTES + 1, 1);

    memset(key, 'k', KEY_BYTES);
    for (int i = 0; i < 980; i++) {
        snprintf(key, 8, "%07d", i);
        key[7] = 'k';
        gguf_put_u32(&made.metadata, key, 1);
    }
    refuse_made(&made, "the keys are longer than the limit of 64000000 bytes");
    unlink(scratch_path("bad/bad.gguf"));
    free(key);
}

static void a_key_occurs_once(void)
{
    struct made_gguf made = {0};

    gguf_put_u32(&made.metadata, "k", 1);
    gguf_put_bool(&made.metadata, "other", true);
    gguf_put_u32(&made.metadata, "k", 1);
    add_plain(&made, "a");
    refuse_made(&made, "duplicate key 'k'");
}

static void alignments_are_powers_of_two_from_8_on(void)
{
    static const uint32_t bad[] = {0, 1, 2, 3, 4, 12, 24, 33, 0xFFFFFFFF};
    struct made_gguf made = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gguf_put_u32(&made.metadata, "general.alignment", bad[i]);
        add_plain(&made, "a");
        refuse_made(&made, "general.alignment");
    }
    gguf_put_text(&made.metadata, "general.alignment", "32", 2);
    refuse_made(&made, "general.alignment");
    put_number(&made, "general.alignment", GGUF_U64, 32);
    refuse_made(&made, "general.alignment");
    gguf_put_u32s(&made.metadata, "general.alignment", (uint32_t[]){32}, 1);
    refuse_made(&made, "general.alignment");
    gguf_put_u32(&made.metadata, "general.alignment", 1u << 31);
    add_plain(&made, "a");
    refuse_made(&made, "end behind the file");
    for (uint32_t alignment = 8; alignment <= 512; alignment *= 2) {
        struct checkpoint *checkpoint;

        made.alignment = alignment;
        gguf_put_u32(&made.metadata, "general.alignment", alignment);
        add_plain(&made, "a");
        add_plain(&made, "b");
        checkpoint = open_made(&made);
        if (checkpoint)
            check_floats(checkpoint_find(checkpoint, "b"), 2, (size_t[]){2, 3}, one_to_six);
        checkpoint_close(checkpoint);
    }
}

static void tensors_are_checked(void)
{
    static const uint64_t big = (uint64_t)1 << 32, huge = (uint64_t)1 << 61;
    static const struct {
        const char *name;
        uint32_t type;
        size_t n_dims;
        uint64_t dims[5];
        uint64_t offset;
        const char *part;
    } rows[] = {
        {"", 0, 1, {8}, 0, "a tensor has 0 bytes"},
        {"0123456789012345678901234567890123456789012345678901234567890123", 0, 1, {8}, 0,
         "a tensor has 64 bytes"},
        {"t", 0, 5, {1, 1, 1, 1, 8}, 0, "tensor 't': 5 dimensions"},
        {"t", 0, 1, {0}, 0, "a dimension of 0"},
        {"t", 0, 2, {8, 0}, 0, "a dimension of 0"},
        {"t", 0, 1, {UINT64_MAX}, 0, "number of items overflows"},
        {"t", 0, 1, {(uint64_t)1 << 63}, 0, "number of items overflows"},
        {"t", 0, 2, {big, big}, 0, "number of items overflows"},
        {"t", 0, 4, {65536, 65536, 65536, 32768}, 0, "number of items overflows"},
        {"t", 28, 1, {huge}, 0, "its size overflows"},
        {"t", 28, 1, {huge - 1}, 0, "end behind the file"}, /* 8 bytes less than 2^64 */
        {"t", 0, 1, {huge}, 0, "end behind the file"},
        {"t", 24, 1, {4 * huge - 1}, 0, "end behind the file"},
        {"t", 0, 1, {9}, 0, "end behind the file"},
        {"t", 8, 1, {32}, 0, "end behind the file"},
        {"t", 8, 1, {33}, 0, "not whole blocks of 32, as Q8_0"},
        {"t", 8, 2, {16, 2}, 0, "not whole blocks of 32"},
        {"t", 12, 1, {128}, 0, "not whole blocks of 256, as Q4_K"},
        {"t", 8, 0, {0}, 0, "not whole blocks of 32"},
        {"t", 4, 1, {32}, 0, "Q4_2"},
        {"t", 5, 1, {32}, 0, "Q4_3"},
        {"t", 9, 1, {32}, 0, "Q8_1, which is for running"},
        {"t", 15, 1, {256}, 0, "Q8_K, which is for running"},
        {"t", 31, 1, {32}, 0, "Q4_0_4_4"},
        {"t", 33, 1, {32}, 0, "Q4_0_8_8"},
        {"t", 36, 1, {32}, 0, "no longer"},
        {"t", 38, 1, {32}, 0, "no longer"},
        {"t", 43, 1, {32}, 0, "type 43, which is not known"},
        {"t", UINT32_MAX, 1, {32}, 0, "type 4294967295"},
        {"t", 0, 1, {8}, 1, "begins at byte 1 of the data, not at 0"},
        {"t", 0, 1, {8}, 32, "begins at byte 32 of the data, not at 0"},
        {"t", 0, 1, {8}, UINT64_MAX, "begins at byte 18446744073709551615"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made_gguf made = {0};

        made_info(&made, rows[i].name, rows[i].type, rows[i].n_dims, rows[i].dims,
                  rows[i].offset);
        buffer_add(&made.data, "0123456789abcdef0123456789abcdef", 32);
        refuse_made(&made, rows[i].part);
    }
}

static void lengths_of_infos_are_checked(void)
{
    struct made_gguf made = {.n_tensors = 1};

    buffer_add(&made.infos, RAW(ALL_ONES "ttttttttttttttttttttttttt"));
    refuse_made(&made, "a tensor has 18446744073709551615 bytes");
    made.n_tensors = 1;
    buffer_add(&made.infos, RAW("\1" N8 "t\377\377\377\377\0\0\0\0\0\0\0\0\0\0\0\0"));
    refuse_made(&made, "4294967295 dimensions");
    made.n_tensors = 1;
    buffer_add(&made.infos, RAW("\3" N8 "a\0b\1\0\0\0\10" N8 "\0\0\0\0\0" N8));
    buffer_add(&made.data, "0123456789abcdef0123456789abcdef", 32);
    refuse_made(&made, "a NUL in its name");
    refuse_made(&made, "no tensors in it");
}

static void places_are_those_of_ggml(void)
{
    struct made_gguf made = {0};
    static const struct {
        uint64_t first, second;
        const char *part;
    } rows[] = {
        {0, 0, "tensor 'b': begins at byte 0 of the data, not at 32"},
        {0, 24, "tensor 'b': begins at byte 24"},
        {0, 64, "tensor 'b': begins at byte 64"},
        {32, 0, "tensor 'a': begins at byte 32"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        made_info(&made, "a", 0, 1, (uint64_t[]){6}, rows[i].first);
        made_info(&made, "b", 0, 1, (uint64_t[]){6}, rows[i].second);
        for (size_t k = 0; k < 96; k++)
            buffer_add_char(&made.data, 'x');
        refuse_made(&made, rows[i].part);
    }
    add_plain(&made, "same");
    add_plain(&made, "same");
    refuse_made(&made, "duplicate tensor 'same'");
}

static void scales_of_nvfp4_are_checked(void)
{
    struct made_gguf made = {0};

    add_nvfp4(&made, "a.weight", 1);
    made_tensor_of(&made, "a.scale", 0, MADE_DIMS(2), one_to_six, 8);
    refuse_made(&made, "tensor 'a.scale': 2 scales");
    add_nvfp4(&made, "a.weight", 3);
    made_tensor_of(&made, "a.scale", 0, MADE_DIMS(2), one_to_six, 8);
    refuse_made(&made, "tensor 'a.scale': 2 scales");
    add_nvfp4(&made, "a.weight", 1);
    made_tensor_of(&made, "a.scale", 1, MADE_DIMS(1), one_to_six, 2);
    refuse_made(&made, "scales as F16");
    add_nvfp4(&made, "a.weight", 1);
    add_blocks(&made, "a.scale");
    refuse_made(&made, "tensor 'a.scale': 64 scales");
}

/* ---- defects of parts ---- */

/* Part `number` of 2, which says this of itself, beside the others of write_parts(). */
static void write_part(unsigned number, int64_t no, int64_t count, int64_t n_tensors)
{
    struct made_gguf made = {0};

    write_parts();
    put_split(&made, no, count, n_tensors);
    add_plain(&made, number == 1 ? "a" : "b");
    made_write(&made, number == 1 ? "parts/m-00001-of-00002.gguf" : "parts/m-00002-of-00002.gguf");
}

static void parts_fit_together(void)
{
    static const struct {
        unsigned number;
        int64_t no, count, n_tensors;
        const char *part;
    } rows[] = {
        {2, 0, 2, 2, "m-00002-of-00002.gguf': metadata 'split.no' is 0, its name says 1"},
        {2, 2, 2, 2, "'split.no' is 2, its name says 1"},
        {2, 1, 3, 2, "'split.count' is 3, its name says 2"},
        {2, 1, 2, 3, "'split.tensors.count' is 3, in the first part 2"},
        {2, 1, 2, -1, "'split.tensors.count': not a whole number"},
        {1, 1, 2, 2, "m-00001-of-00002.gguf': metadata 'split.no' is 1, its name says 0"},
        {1, 0, 1, 2, "'split.count' is 1, its name says 2"},
        {1, 0, 0, 2, "'split.count' is 1, its name says 2"},
        {1, 0, 2, 3, "'split.tensors.count' is 2, in the first part 3"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_part(rows[i].number, rows[i].no, rows[i].count, rows[i].n_tensors);
        check_refused("parts", "m-00001-of-00002.gguf", ERROR_FORMAT, rows[i].part);
    }
}

static void parts_are_there_and_whole(void)
{
    struct made_gguf made = {0};

    write_parts();
    unlink(scratch_path("parts/m-00002-of-00002.gguf"));
    check_refused("parts", "m-00001-of-00002.gguf", ERROR_FORMAT,
                  "parts/m-00002-of-00002.gguf' is missing, one of 2 parts");
    write_parts();
    unlink(scratch_path("parts/m-00001-of-00002.gguf"));
    check_refused("parts", "m-00002-of-00002.gguf", ERROR_FORMAT, "m-00001-of-00002.gguf' is");
    write_parts();
    scratch_text("parts/m-00002-of-00002.gguf", "something else");
    check_refused("parts", "m-00001-of-00002.gguf", ERROR_FORMAT, "not a GGUF file");
    write_parts();
    put_split(&made, 1, 2, 2);
    add_plain(&made, "a");
    made_write(&made, "parts/m-00002-of-00002.gguf");
    check_refused("parts", "m-00001-of-00002.gguf", ERROR_FORMAT, "duplicate tensor 'a'");
    put_split(&made, 0, 2, 3);
    add_plain(&made, "a");
    made_write(&made, "parts/m-00001-of-00002.gguf");
    put_split(&made, 1, 2, 3);
    add_plain(&made, "b");
    made_write(&made, "parts/m-00002-of-00002.gguf");
    check_refused("parts", "m-00001-of-00002.gguf", ERROR_FORMAT,
                  "'split.tensors.count' is 3, there are 2 tensors");
}

static void names_of_parts_are_checked(void)
{
    static const char *const names[] = {"n-00000-of-00002.gguf", "n-00003-of-00002.gguf",
                                        "n-00001-of-00000.gguf"};
    struct made_gguf made = {0};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = memory_format("named/%s", names[i]);

        add_plain(&made, "a");
        made_write(&made, path);
        check_refused("named", names[i], ERROR_FORMAT, "its name says part");
        free(path);
    }
    put_split(&made, 0, 3, 5);
    add_plain(&made, "a");
    made_write(&made, "named/alone.gguf");
    check_refused("named", "alone.gguf", ERROR_FORMAT,
                  "'split.count' is 3, its name says 1; part 1 of 3 is called NAME-00001-of-00003");
    gguf_put_text(&made.metadata, "split.no", "0", 1);
    add_plain(&made, "a");
    made_write(&made, "named/alone.gguf");
    check_refused("named", "alone.gguf", ERROR_FORMAT, "'split.no': not a whole number");
    gguf_put_u32s(&made.metadata, "split.count", (uint32_t[]){1}, 1);
    add_plain(&made, "a");
    made_write(&made, "named/alone.gguf");
    check_refused("named", "alone.gguf", ERROR_FORMAT, "'split.count': not a whole number");
    /* One part of one; and a file that has no number of its own, as ollama keeps it. */
    put_split(&made, 0, 1, 1);
    add_plain(&made, "a");
    made_write(&made, "named/one-00001-of-00001.gguf");
    checkpoint_close(open_valid(scratch_path("named"), "one-00001-of-00001.gguf"));
    add_plain(&made, "a");
    made_write(&made, "named/sha256-0123");
    checkpoint_close(open_valid(scratch_path("named"), "sha256-0123"));
}

static void gguf_is_no_shard_of_an_index(void)
{
    struct made_gguf made = {0};

    add_plain(&made, "a");
    made_write(&made, "shards/m.gguf");
    scratch_text("shards/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"m.gguf\"}}");
    check_refused("shards", NULL, ERROR_FORMAT, "shard 'm.gguf' is not a weights file");
}

TESTS(TEST(all_formats_give_the_values_of_ggml), TEST(golden_types_have_the_values_of_ggml),
      TEST(golden_metadata_are_read), TEST(golden_models_are_opened),
      TEST(tensors_have_names_shapes_and_values), TEST(ranges_of_blocks_are_read),
      TEST(whole_rows_are_used_where_they_lie), TEST(nvfp4_is_multiplied_by_its_scale),
      TEST(any_part_stands_for_all), TEST(names_of_parts_are_recognised),
      TEST(files_that_end_anywhere_are_refused), TEST(heads_are_checked), TEST(version_2_is_read),
      TEST(values_are_checked), TEST(metadata_have_a_limit),
      TEST(keys_have_a_limit), TEST(a_key_occurs_once),
      TEST(alignments_are_powers_of_two_from_8_on), TEST(tensors_are_checked),
      TEST(lengths_of_infos_are_checked), TEST(places_are_those_of_ggml),
      TEST(scales_of_nvfp4_are_checked), TEST(parts_fit_together),
      TEST(parts_are_there_and_whole), TEST(names_of_parts_are_checked),
      TEST(gguf_is_no_shard_of_an_index))
