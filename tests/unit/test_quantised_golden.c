/* Quantised checkpoints decoded to the bits that the originals give: fixtures/quantised/, and all of
 * $COCKTAIL_TEST_DATA/golden/quantised/ where that is there. expected.json holds the SHA-256 of the float32
 * bytes of every logical tensor. */
#include <dirent.h>

#include "arch/model_folder.h"
#include "base/digest.h"
#include "base/json.h"
#include "math/gemm_matrix.h"
#include "scratch.h"

/* A number of items that is no multiple of anything: reads begin and end anywhere. */
enum { PIECE = 997 };

static cJSON *read_json(const struct folder *folder, const char *name)
{
    struct error err = {0};
    size_t size;
    char *text = folder_read_text(folder, name, 1 << 24, &size, &err);
    cJSON *json = text ? json_parse(text, size, &err) : NULL;

    scratch_must(json != NULL, "read", name);
    free(text);
    return json;
}

/* All items as floats, in pieces of so many. */
static float *read_all(const struct tensor *tensor, size_t piece)
{
    float *values = memory_alloc((tensor->n_items + 1) * sizeof *values);
    double *exact = memory_alloc((piece + 1) * sizeof *exact);
    char *items = memory_alloc((piece + 1) * sizeof *exact);
    struct error err = {0};

    for (size_t i = 0; i < tensor->n_items; i += piece) {
        size_t n = tensor->n_items - i < piece ? tensor->n_items - i : piece;

        CHECK(tensor_read(tensor, i, n, items, &err) == 0);
        dtype_to_double(tensor->dtype, items, exact, n);
        for (size_t k = 0; k < n; k++)
            values[i + k] = (float)exact[k];
    }
    free(exact);
    free(items);
    return values;
}

static bool has_shape(const struct tensor *tensor, const cJSON *shape)
{
    bool has = (size_t)cJSON_GetArraySize(shape) == tensor->n_dims;

    for (size_t i = 0; has && i < tensor->n_dims; i++)
        has = (double)tensor->shape[i] == cJSON_GetArrayItem(shape, (int)i)->valuedouble;
    return has;
}

static size_t n_with_blocks;

/* Blocks that are multiplied where they lie stand for the same values; so do those of the lower half. */
static void check_blocks(const struct tensor *tensor, const float *values)
{
    struct error err = {0};
    struct tensor_blocks blocks;

    for (size_t first = 0; tensor->n_dims == 2 && first <= tensor->shape[0] / 2;
         first += tensor->shape[0] / 2 + 1) {
        size_t shape[2] = {tensor->shape[0] - first, tensor->shape[1]};
        size_t n_in = shape[1], n_same = 0;
        float *row = memory_alloc(n_in * sizeof *row);
        struct arena arena = {0};
        struct tensor part;

        scratch_must(tensor_part(&part, tensor, first * n_in, 2, shape, NULL, &arena, &err) == 0,
                     "cut", tensor->name);
        if (tensor_blocks(&part, &blocks, &err) == 1) {
            struct gemm_matrix w = {
                .format = matrix_format_find(blocks.format), .data = blocks.data,
                .scales = blocks.scales, .zeros = blocks.zeros, .index = blocks.index,
                .settings = blocks.settings, .stride = blocks.stride, .n_out = shape[0],
                .n_in = n_in, .first_out = blocks.first_row,
            };

            for (size_t out = 0; out < shape[0]; out++) {
                gemm_matrix_row(&w, out, row);
                n_same += memcmp(row, values + (first + out) * n_in, n_in * sizeof *row) == 0;
            }
            CHECK(n_same == shape[0]);
            n_with_blocks++;
        }
        CHECK(err.code == ERROR_NONE);
        arena_release(&arena);
        free(row);
    }
}

static void check_tensor(const struct tensor *tensor, const cJSON *expected)
{
    float *whole = read_all(tensor, tensor->n_items), *pieces = read_all(tensor, PIECE);
    char hex[DIGEST_HEX_MAX];
    struct digest digest;
    bool is_right;

    digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, whole, tensor->n_items * sizeof *whole);
    digest_hex(&digest, hex);
    is_right = has_shape(tensor, json_find(expected, "shape")) &&
               strcmp(hex, json_find_string(expected, "sha256")) == 0 &&
               memcmp(whole, pieces, tensor->n_items * sizeof *whole) == 0;
    if (!is_right)
        printf("# tensor '%s'\n", tensor->name);
    CHECK(is_right);
    check_blocks(tensor, whole);
    free(whole);
    free(pieces);
}

static void check_model(const char *path)
{
    struct model_folder model;
    struct notices notices = {0};
    struct error err = {0};
    const struct checkpoint *checkpoint;
    const cJSON *expected;
    cJSON *json;
    size_t n = 0;

    scratch_must(model_folder_open(&model, path, NULL, false, &err) == 0, "open", path);
    checkpoint = model_folder_weights(&model, &notices, &err);
    if (err.code)
        printf("# %s\n", err.text);
    scratch_must(checkpoint && !model.opened[0].refusal.code, "open the weights of", path);
    json = read_json(model.folder, "expected.json");
    cJSON_ArrayForEach(expected, json_find(json, "tensors")) {
        const struct tensor *tensor = checkpoint_find(checkpoint, expected->string);

        CHECK(tensor != NULL);
        if (tensor)
            check_tensor(tensor, expected);
        n++;
    }
    if (n != checkpoint->n_tensors)
        printf("# %s: %zu tensors, not %zu\n", path, checkpoint->n_tensors, n);
    CHECK(n > 0 && n == checkpoint->n_tensors);
    cJSON_Delete(json);
    notices_release(&notices);
    model_folder_release(&model);
}

static size_t check_folder(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    size_t n = 0;

    scratch_must(directory != NULL, "open", path);
    while ((entry = readdir(directory))) {
        char *model = memory_format("%s/%s", path, entry->d_name);
        char *expected = memory_format("%s/expected.json", model);

        if (access(expected, R_OK) == 0) {
            check_model(model);
            n++;
        }
        free(expected);
        free(model);
    }
    closedir(directory);
    return n;
}

static void all_that_is_in_the_fixtures_decodes_bit_for_bit(void)
{
    CHECK(check_folder("fixtures/quantised") == 3);
    CHECK(n_with_blocks > 0);
}

static void all_ways_decode_bit_for_bit(void)
{
    const char *data = getenv("COCKTAIL_TEST_DATA");
    char *path;

    if (!data) {
        printf("# skipped: COCKTAIL_TEST_DATA does not name the golden files\n");
        return;
    }
    path = memory_format("%s/golden/quantised", data);
    CHECK(check_folder(path) == 22);
    free(path);
}

TESTS(TEST(all_that_is_in_the_fixtures_decodes_bit_for_bit), TEST(all_ways_decode_bit_for_bit))
