/* test_plan.c - a plan built by hand: its order, its counts, its weights. */
#include "mix/plan.h"

#include <stdint.h>

#include "test.h"

static const size_t shape[] = {2, 3};

static struct plan_item *add(struct plan *plan, const char *name, enum dtype dtype,
                             size_t n_sources)
{
    struct output_tensor out = {.name = name, .dtype = dtype, .n_dims = 2, .shape = shape};
    struct error err = {0};
    struct plan_item *item = plan_add_item(plan, &out, n_sources, &err);

    CHECK(item && err.code == ERROR_NONE);
    return item;
}

static void items_are_measured_ordered_and_counted(void)
{
    static const char *const expected[] = {"c", "a", "b"};
    struct plan plan = {0};
    struct error err = {0};

    add(&plan, "b", DTYPE_BF16, 2)->is_parameter = true;
    add(&plan, "a", DTYPE_BF16, 1);
    add(&plan, "c", DTYPE_F32, 3)->is_parameter = true;
    CHECK(plan.items[0].out.n_items == 6 && plan.items[0].out.size_bytes == 12);
    CHECK(plan_finish(&plan, &safetensors_writer, &err) == 0);
    CHECK(plan.format == &safetensors_writer && plan.n_items == 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK(strcmp(plan.items[i].out.name, expected[i]) == 0);
        CHECK(plan.outputs[i] == &plan.items[i].out);
    }
    CHECK(plan.items[0].n_sources == 3);
    CHECK(plan.n_parameters == 12 && plan.size_bytes == 24 + 12 + 12);
    plan_release(&plan);
    CHECK(plan.n_items == 0 && !plan.items);
}

/* The order of a format that wants them as they come. */
static int as_they_come(const struct output_tensor *a, const struct output_tensor *b)
{
    return (a->name > b->name) - (a->name < b->name);
}

static void the_order_is_the_formats(void)
{
    static const struct checkpoint_writer_kind format = {.name = "other",
                                                         .compare = as_they_come};
    static const char names[] = "z\0y\0x";
    struct plan plan = {0};
    struct error err = {0};

    for (size_t i = 0; i < 3; i++)
        add(&plan, names + 4 - 2 * i, DTYPE_F32, 1);
    CHECK(plan_finish(&plan, &format, &err) == 0);
    CHECK(*plan.items[0].out.name == 'z' && *plan.items[2].out.name == 'x');
    plan_release(&plan);
}

static void every_source_gets_the_weight_of_its_input(void)
{
    static const double first[] = {1, 2, 3}, second[] = {4, 5, 6};
    struct plan_input inputs[] = {{"x", 0}, {"y", 0}, {"z", 0}};
    struct plan plan = {.inputs = inputs, .n_inputs = 3};
    struct plan_item *item = add(&plan, "a", DTYPE_F32, 2);

    item->sources[0].input = 2;
    item->sources[1].input = 0;
    CHECK(item->sources[0].weight == 0);
    plan_set_weights(&plan, first);
    CHECK(item->sources[0].weight == 3 && item->sources[1].weight == 1);
    plan_set_weights(&plan, second);
    CHECK(item->sources[0].weight == 6 && item->sources[1].weight == 4);
    CHECK(inputs[0].weight == 4 && inputs[1].weight == 5 && inputs[2].weight == 6);
    plan_release(&plan);
}

static void a_tensor_that_cannot_be_is_refused(void)
{
    static const size_t huge[] = {SIZE_MAX, 2}, large[] = {SIZE_MAX / 8};
    struct output_tensor out = {.name = "huge", .dtype = DTYPE_U8, .n_dims = 2, .shape = huge};
    struct plan plan = {0};
    struct error err = {0};

    CHECK(!plan_add_item(&plan, &out, 1, &err) && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "'huge'");
    CHECK(plan.n_items == 0);
    err = (struct error){0};
    out = (struct output_tensor){.name = "a", .dtype = DTYPE_U8, .n_dims = 1, .shape = large};
    for (size_t i = 0; i < 9; i++)
        CHECK(plan_add_item(&plan, &out, 1, &err));
    CHECK(plan_finish(&plan, &safetensors_writer, &err) == -1 && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "overflow");
    plan_release(&plan);
}

TESTS(TEST(items_are_measured_ordered_and_counted), TEST(the_order_is_the_formats),
      TEST(every_source_gets_the_weight_of_its_input), TEST(a_tensor_that_cannot_be_is_refused))
