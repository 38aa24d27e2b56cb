/* test_gguf.c - GGUF files: what they say of themselves, where tensors lie, what blocks stand for, and
 * files with one defect each.
 *
 * fixtures/gguf/blocks.gguf has two blocks of each format, and their values. With COCKTAIL_TEST_DATA
 * naming a folder that holds golden/gguf, its files are read, too. */
#include "format/gguf.h"

#include <math.h>

#include "base/digest.h"
#include "base/json.h"
#include "format/gguf_parts.h"
#include "made_gguf.h"
#include "scratch.h"
#include "tensor/ggml_blocks.h"

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

TESTS(TEST(all_formats_give_the_values_of_ggml), TEST(golden_types_have_the_values_of_ggml),
      TEST(golden_metadata_are_read), TEST(golden_models_are_opened))
