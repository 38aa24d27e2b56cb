#include "report/comparison_report.h"

#include "base/buffer.h"
#include "test.h"

/* Two tensors of layer 10 and one of layer 2, as comparison_make leaves them. */
static const size_t shape[] = {2};
static const struct tensor item = {.dtype = DTYPE_F32, .shape = shape, .n_dims = 1, .n_items = 2};
static struct comparison_row rows[] = {
    {"h.10.a", &item, &item, {false, 0.5, 1, 4, 4, 4}},
    {"h.10.b", &item, &item, {false, 0.25, 0, 0, 0, 0}},
    {"h.2.a", &item, &item, {true, 0, 0, 4, 4, 4}},
};
static char *only_a[] = {"lm_head.weight"};
static const struct comparison comparison = {
    .rows = rows, .n_rows = 3, .only_a = only_a, .n_only_a = 1,
    .total = {false, 0.5, 1, 8, 8, 8},
};

static char *printed(bool by_tensor)
{
    static const char *const names[2] = {"a", "b"};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    comparison_report_print(&comparison, names, by_tensor, out);
    fclose(out);
    return text;
}

static void sums_up_layers_in_the_order_of_their_numbers(void)
{
    char *text = printed(false);

    CHECK(strcmp(text, "layer  max abs  relative L2  cosine\n"
                       "h.2          =\n"
                       "h.10       0.5          0.5       1\n"
                       "all        0.5     0.353553       1\n"
                       "only in 'a':  lm_head.weight\n") == 0);
    free(text);
}

static void shows_each_tensor_when_asked(void)
{
    char *text = printed(true);

    CHECK_CONTAINS(text, "tensor  max abs");
    CHECK_CONTAINS(text, "h.10.a      0.5");
    CHECK_CONTAINS(text, "h.10.b     0.25            0       -");
    free(text);
}

static void writes_layers_as_json(void)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    comparison_report_add_json(&json, &comparison, false);
    CHECK_CONTAINS(out.data, "{\"identical\":false,\"max_abs\":0.5,");
    CHECK_CONTAINS(out.data, "\"only_in_a\":[\"lm_head.weight\"],\"only_in_b\":[],\"layers\":[");
    CHECK_CONTAINS(out.data, "{\"name\":\"h.10\",\"identical\":false,\"max_abs\":0.5,"
                             "\"relative_l2\":0.5,\"cosine\":1}]}");
    buffer_release(&out);
}

TESTS(TEST(sums_up_layers_in_the_order_of_their_numbers), TEST(shows_each_tensor_when_asked),
      TEST(writes_layers_as_json))
