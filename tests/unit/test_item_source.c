/* test_item_source.c - a merge that is an input of another, in one pass. */
#include "mix/item_source.h"

#include "base/memory.h"
#include "made_tensors.h"

enum { N_ITEMS = 3 };
static const size_t shapes[N_ITEMS][2] = {{300, 301}, {7, 1}, {64, 4096}};
static const double inner_weights[] = {0.3, 0.7}, outer_weights[] = {0.6, 0.4};

/* Of items with two sources each; stored in `dtype`. */
static void add_items(struct plan *plan, const struct tensor *const *first,
                      const struct tensor *const *second, enum dtype dtype)
{
    struct error err = {0};

    for (size_t i = 0; i < N_ITEMS; i++) {
        struct output_tensor out = output_tensor_like(first[i]);
        struct plan_item *item;

        out.dtype = dtype;
        item = plan_add_item(plan, &out, 2, &err);
        CHECK(item);
        item->method = &combine_linear;
        item->sources[0] = (struct plan_source){.tensor = first[i], .input = 0};
        item->sources[1] = (struct plan_source){.tensor = second[i], .input = 1};
    }
    CHECK(plan_finish(plan, &safetensors_writer, &err) == 0);
}

static void make_inputs(struct made_tensors *all, const struct tensor **out, enum dtype dtype)
{
    static const char *const names[] = {"a", "b", "c"};

    for (size_t i = 0; i < N_ITEMS; i++)
        out[i] = make_tensor(all, names[i], dtype, 2, shapes[i]);
}

/* The tensors as they were written, as tensors in memory. */
static void take_written(struct made_tensors *all, const struct plan *plan, const char *bytes,
                         const struct tensor **out)
{
    for (size_t i = 0; i < N_ITEMS; i++) {
        const struct output_tensor *item = &plan->items[i].out;

        out[i] = make_tensor(all, item->name, item->dtype, item->n_dims, item->shape);
        memcpy(all->list[all->n - 1].bytes, bytes, item->size_bytes);
        bytes += item->size_bytes;
    }
}

static void check_one_pass(enum dtype between)
{
    static struct made_tensors tensors;
    const struct tensor *a[N_ITEMS], *b[N_ITEMS], *c[N_ITEMS], *written[N_ITEMS], *read[N_ITEMS];
    struct tensor made[N_ITEMS];
    struct plan inner = {0}, two_steps = {0}, one_pass = {0};
    struct arena arena = {0};
    char *stage, *expected, *found;
    size_t n_stage, n_expected, n;

    make_inputs(&tensors, a, DTYPE_F32);
    make_inputs(&tensors, b, DTYPE_BF16);
    make_inputs(&tensors, c, DTYPE_F16);
    add_items(&inner, a, b, between);
    for (size_t i = 0; i < N_ITEMS; i++) {
        item_source_make(&made[i], &inner.items[i], &arena);
        read[i] = &made[i];
    }
    add_items(&one_pass, read, c, DTYPE_F32);
    plan_set_weights(&inner, inner_weights); /* late, as weights may be */
    plan_set_weights(&one_pass, outer_weights);
    stage = run_plan(&inner, 2, &n_stage);
    take_written(&tensors, &inner, stage, written);
    add_items(&two_steps, written, c, DTYPE_F32);
    plan_set_weights(&two_steps, outer_weights);
    expected = run_plan(&two_steps, 2, &n_expected);
    for (size_t n_threads = 1; n_threads <= 8; n_threads *= 2) {
        found = run_plan(&one_pass, n_threads, &n);
        CHECK(n == n_expected && memcmp(found, expected, n) == 0);
        free(found);
    }
    free(stage);
    free(expected);
    plan_release(&inner);
    plan_release(&two_steps);
    plan_release(&one_pass);
    arena_release(&arena);
    free_tensors(&tensors);
}

static void a_merge_of_a_merge_in_one_pass_is_that_of_two_steps(void)
{
    check_one_pass(DTYPE_F64);
    check_one_pass(DTYPE_F32);
    check_one_pass(DTYPE_BF16);
}

static void what_is_copied_stays_what_it_is(void)
{
    static struct made_tensors tensors;
    const struct tensor *tensor = make_tensor(&tensors, "x", DTYPE_F32, 2, shapes[0]);
    struct output_tensor out = output_tensor_like(tensor);
    struct plan plan = {0};
    struct arena arena = {0};
    struct error err = {0};
    struct tensor made;

    out.name = "y";
    plan_add_item(&plan, &out, 1, &err)->sources[0].tensor = tensor;
    item_source_make(&made, &plan.items[0], &arena);
    CHECK(strcmp(made.name, "y") == 0 && tensor_same_bytes(&made, tensor));
    arena_release(&arena);
    plan_release(&plan);
    free_tensors(&tensors);
}

static void it_says_what_it_is_made_of(void)
{
    static struct made_tensors tensors;
    const struct tensor *a[N_ITEMS], *b[N_ITEMS];
    struct plan plan = {0};
    struct arena arena = {0};
    struct buffer text = {0};
    struct tensor made;

    make_inputs(&tensors, a, DTYPE_F32);
    make_inputs(&tensors, b, DTYPE_F32);
    snprintf(tensors.list[N_ITEMS].name, sizeof tensors.list[N_ITEMS].name, "other");
    add_items(&plan, a, b, DTYPE_F32);
    item_source_make(&made, &plan.items[0], &arena);
    made.source->kind->describe(made.source, &text);
    CHECK_CONTAINS(text.data, "a, other");
    buffer_release(&text);
    arena_release(&arena);
    plan_release(&plan);
    free_tensors(&tensors);
}

static int fail(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                struct error *err)
{
    (void)source;
    (void)offset;
    (void)n_bytes;
    (void)out;
    return error_set(err, ERROR_IO, "gone");
}

static void what_cannot_be_read_is_named_with_whose_it_is(void)
{
    static const struct tensor_source_kind broken = {.read = fail,
                                                    .describe = made_describe};
    static struct made_tensors tensors;
    const struct tensor *a[N_ITEMS], *b[N_ITEMS];
    struct plan plan = {0};
    struct arena arena = {0};
    struct error err = {0};
    struct tensor made;
    double value;

    make_inputs(&tensors, a, DTYPE_F64);
    make_inputs(&tensors, b, DTYPE_F64);
    add_items(&plan, a, b, DTYPE_F64);
    plan_set_weights(&plan, inner_weights);
    plan.items[0].sources[1].owner = "the second";
    tensors.list[N_ITEMS].source.kind = &broken;
    item_source_make(&made, &plan.items[0], &arena);
    CHECK(tensor_read(&made, 0, 1, &value, &err) == -1 && err.code == ERROR_IO);
    CHECK_CONTAINS(err.text, "'the second'");
    CHECK_CONTAINS(err.text, "gone");
    arena_release(&arena);
    plan_release(&plan);
    free_tensors(&tensors);
}

TESTS(TEST(a_merge_of_a_merge_in_one_pass_is_that_of_two_steps),
      TEST(what_is_copied_stays_what_it_is), TEST(it_says_what_it_is_made_of),
      TEST(what_cannot_be_read_is_named_with_whose_it_is))
