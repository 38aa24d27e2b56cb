/* Weights with an adapter on them: any range against sums made by hand, and what is written. */
#include "adapter/lora_tensor.h"

#include <math.h>

#include "adapter/adapter_path.h"
#include "scratch.h"
#include "tensor/tensor_source.h"

#define Q "base_model.model.q"

enum { ROWS = 37, COLUMNS = 45, RANK = 3 };

struct case_ {
    struct lora_folder lora;
    struct lora_store *store;
    struct checkpoint *base;
    struct arena arena;
    struct tensor made;
};

static void open_case(struct case_ *c, const char *config, bool is_turned, enum dtype dtype)
{
    char *text = memory_format("{\"peft_type\": \"LORA\", \"r\": 3, \"lora_alpha\": 6%s}", config);
    struct lora_change change = {.is_turned = is_turned};
    struct notices notices = {0};
    struct error err = {0};

    *c = (struct case_){0};
    scratch_text("lora/adapter_config.json", text);
    SAFETENSORS("lora/adapter_model.safetensors",
                TENSOR(Q ".lora_A.weight", DTYPE_F32, -7, RANK, is_turned ? ROWS : COLUMNS),
                TENSOR(Q ".lora_B.weight", DTYPE_BF16, 1, is_turned ? COLUMNS : ROWS, RANK));
    SAFETENSORS("base/model.safetensors", TENSOR("q.weight", dtype, -800, ROWS, COLUMNS));
    scratch_must(lora_folder_open(&c->lora, scratch_path("lora"), NULL, false, &notices, &err) == 0,
                 "open", err.text);
    c->base = scratch_open("base", NULL, &notices, &err);
    scratch_must(c->base != NULL, "open", err.text);
    c->store = lora_store_new(&c->lora);
    change.lora = &c->lora;
    change.store = c->store;
    CHECK(lora_tensor_make(&c->made, &c->base->tensors[0], &c->base->tensors[0], &change, &c->arena,
                           &err) == 0);
    notices_release(&notices);
    free(text);
}

static void close_case(struct case_ *c)
{
    lora_store_free(c->store);
    lora_folder_release(&c->lora);
    checkpoint_close(c->base);
    arena_release(&c->arena);
}

/* All numbers are whole and small: sums are exact, in any order. */
static double expected(const struct case_ *c, size_t row, size_t column, bool is_turned)
{
    float a[RANK * 64], b[RANK * 64], w[ROWS * COLUMNS];
    size_t n_in = is_turned ? ROWS : COLUMNS;
    struct error err = {0};
    double sum = 0;

    CHECK(tensor_read_floats(c->lora.modules[0].a, a, &err) == 0);
    CHECK(tensor_read_floats(c->lora.modules[0].b, b, &err) == 0);
    CHECK(tensor_read_floats(&c->base->tensors[0], w, &err) == 0);
    for (size_t k = 0; k < RANK; k++)
        sum += (double)b[(is_turned ? column : row) * RANK + k] *
               (double)a[k * n_in + (is_turned ? row : column)];
    return (double)w[row * COLUMNS + column] + c->lora.modules[0].scale * sum;
}

static void check_ranges(bool is_turned)
{
    static const size_t firsts[] = {0, 1, 44, 45, 46, 1000, 1664}, lengths[] = {1, 2, 44, 45, 46, 700};
    struct case_ c;
    struct error err = {0};
    float *values = memory_zalloc(ROWS * COLUMNS, sizeof *values);
    size_t n_wrong = 0;

    open_case(&c, "", is_turned, DTYPE_BF16);
    CHECK(c.made.dtype == DTYPE_F32 && tensor_written(&c.made) == DTYPE_BF16);
    CHECK(!tensor_is_quantised(&c.made));
    CHECK(strcmp(tensor_stored(&c.made).format, "BF16") == 0 &&
          tensor_stored(&c.made).n_bytes == ROWS * COLUMNS * 2);
    CHECK(tensor_read(&c.made, 0, ROWS * COLUMNS, values, &err) == 0);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        n_wrong += (double)values[i] != expected(&c, i / COLUMNS, i % COLUMNS, is_turned);
    CHECK(n_wrong == 0);
    for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            size_t left = ROWS * COLUMNS - firsts[f], n = lengths[l] < left ? lengths[l] : left;
            char part[700 * sizeof(float) + 1]; /* not aligned, either */

            CHECK(tensor_read(&c.made, firsts[f], n, part + 1, &err) == 0);
            n_wrong += memcmp(part + 1, values + firsts[f], n * sizeof *values) != 0;
        }
    CHECK(n_wrong == 0);
    close_case(&c);
    free(values);
}

static void any_range_of_a_linear_layer(void)
{
    check_ranges(false);
}

static void any_range_where_rows_are_inputs(void)
{
    check_ranges(true);
}

static void doubles_stay_doubles(void)
{
    struct case_ c;
    struct error err = {0};
    double value;

    open_case(&c, ", \"use_rslora\": true", false, DTYPE_F64);
    CHECK(c.made.dtype == DTYPE_F64 && tensor_written(&c.made) == DTYPE_F64);
    CHECK(tensor_read(&c.made, 100, 1, &value, &err) == 0);
    CHECK(fabs(value - expected(&c, 100 / COLUMNS, 100 % COLUMNS, false)) < 1e-3);
    close_case(&c);
}

static void items_are_added_one_by_one(void)
{
    struct case_ c;
    struct tensor sum;
    struct error err = {0};
    float values[3];

    open_case(&c, "", false, DTYPE_F16);
    CHECK(lora_tensor_add(&sum, &c.base->tensors[0], &c.base->tensors[0], &c.base->tensors[0], -0.5,
                          &c.arena, &err) == 0);
    CHECK(tensor_read(&sum, 600, 3, values, &err) == 0);
    CHECK(values[0] == -100 && values[1] == -99.5f && values[2] == -99);
    CHECK(tensor_written(&sum) == DTYPE_F16 && sum.dtype == DTYPE_F32);
    close_case(&c);
}

static void check_split(const char *text, const char *base, const char *adapter)
{
    char *parts[2];
    bool is = adapter_path_split(text, &parts[0], &parts[1]);

    CHECK(is == (base != NULL));
    if (!is)
        return;
    CHECK(base && strcmp(parts[0], base) == 0 && strcmp(parts[1], adapter) == 0);
    free(parts[0]);
    free(parts[1]);
}

static void paths_are_split_where_there_are_some(void)
{
    scratch_folder("a+b");
    scratch_folder("a");
    scratch_folder("c");
    CHECK(chdir(scratch_path("")) == 0);
    check_split("a+b", NULL, NULL);
    check_split("a", NULL, NULL);
    check_split("org/x", NULL, NULL);
    check_split("a+c", "a", "c");
    check_split("a+b+c", "a+b", "c");
    check_split("a+org/x", "a", "org/x");
    check_split("org/x+org/y", "org/x", "org/y");
    check_split("a+", NULL, NULL);
    check_split("+a", NULL, NULL);
}

TESTS(TEST(any_range_of_a_linear_layer), TEST(any_range_where_rows_are_inputs),
      TEST(doubles_stay_doubles), TEST(items_are_added_one_by_one),
      TEST(paths_are_split_where_there_are_some))
