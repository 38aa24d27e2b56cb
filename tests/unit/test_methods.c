/* test_methods.c - what the methods of mixing make of small tensors, and what they must have in
 * common. */
#include <math.h>
#include <stdint.h>

#include "base/memory.h"
#include "made_tensors.h"
#include "mix/coin.h"
#include "mix/combine.h"
#include "mix/combine_settings.h"
#include "mix/item_source.h"
#include "mix/plan_settings.h"

/* ---- one merge ---- */

static const struct combine_method *find(const char *name)
{
    const struct combine_method *method = combine_method_find(name);

    scratch_must(method != NULL, "find", name);
    return method;
}

/* Sets one value, or one for each input, "name=1,0.5". */
static void set(struct plan_item *item, const char *name, char *values)
{
    size_t place;
    const struct combine_parameter *parameter =
        combine_parameter_find(item->method, name, &place);
    struct error err = {0};

    scratch_must(parameter != NULL, "find", name);
    for (size_t i = 0; values; i++) {
        char *comma = strchr(values, ',');
        double value;

        if (comma)
            *comma++ = '\0';
        CHECK(combine_parameter_parse(parameter, values, &value, &err) == 0);
        if (parameter->scope == COMBINE_ALL)
            ((double *)item->settings)[place] = value;
        else if (parameter->scope == COMBINE_WEIGHT)
            item->sources[i].weight = value;
        else
            ((double *)item->sources[i].settings)[place] = value;
        values = comma;
    }
}

/* The usual settings, then those of "name=value name=value,value". */
static void set_all(struct plan *plan, struct plan_item *item, const char *parameters)
{
    char *text = memory_copy(parameters), *rest = text, *word;
    double *all;

    item->settings = all = arena_alloc(&plan->arena, 8 * sizeof(double));
    combine_standard_settings(item->method, COMBINE_ALL, all);
    for (size_t i = 0; i < item->n_sources; i++) {
        double *each = arena_alloc(&plan->arena, 8 * sizeof(double));

        combine_standard_settings(item->method, COMBINE_EACH, each);
        item->sources[i].settings = each;
        item->sources[i].weight = 1;
    }
    while ((word = strsep(&rest, " ")))
        if (*word) {
            char *values = strchr(word, '=');

            *values++ = '\0';
            set(item, word, values);
        }
    free(text);
}

/* A plan of one tensor, made of these; base NULL: none. */
static struct plan_item *plan_one(struct plan *plan, const char *method, const struct tensor *base,
                                  const struct tensor *const *inputs, size_t n_inputs,
                                  const char *parameters)
{
    struct error err = {0};
    struct output_tensor out = output_tensor_like(inputs[0]);
    struct plan_item *item = plan_add_item(plan, &out, n_inputs, &err);

    CHECK(item != NULL);
    item->out.name = "made";
    item->method = find(method);
    item->base.tensor = base;
    for (size_t i = 0; i < n_inputs; i++) {
        item->sources[i].tensor = inputs[i];
        item->sources[i].input = i;
    }
    set_all(plan, item, parameters);
    return item;
}

/* Its values, to be freed. */
static double *make_values(struct plan *plan, const struct plan_item *item)
{
    struct tensor tensor;

    item_source_make(&tensor, item, &plan->arena);
    return tensor_doubles(&tensor);
}

static void put_values(const struct tensor *tensor, const double *values)
{
    struct made_tensor *made = (struct made_tensor *)tensor->source;

    dtype_from_double(tensor->dtype, values, made->bytes, tensor->n_items);
}

/* ---- numbers that mergekit has given ---- */

enum { N_GOLDEN = 12 };
static const size_t golden_shape[] = {3, 4};
static const double golden_tolerance = 5e-7; /* of mergekit's floats, and ours */
static const double golden_values[3][N_GOLDEN] = { /* times 128: base, A - base, B - base */
    {16, -24, 40, 56, 64, -72, 88, -104, 8, 20, -32, 48},
    {3, -7, 0, 12, -13, 1, 6, 14, -2, 11, 26, -5},
    {-2, 13, 8, 5, 7, -10, 1, -20, 38, -6, -9, -3},
};

static const struct golden {
    const char *method, *base, *inputs; /* b, A, B */
    const char *parameters;
    double expected[N_GOLDEN];
} goldens[] = {
    {"linear", "", "AB", "weight=.6,.4",
     {0.1328125, -0.1796875, 0.3375, 0.50937504, 0.4609375, -0.58906251,
      0.71875, -0.80937505, 0.171875, 0.18906251, -0.15625, 0.34218752}},
    {"linear", "", "AB", "weight=1,.3 normalize=false",
     {0.18125001, -0.26796874, 0.425, 0.67421877, 0.56484377, -0.74687499,
      0.94296873, -0.99375, 0.15468749, 0.275, -0.14296874, 0.44140625}},
    {"slerp", "A", "B", "t=.35",
     {0.13641255, -0.18966258, 0.33866274, 0.51848614, 0.45902595, -0.59223461,
      0.72972524, -0.80644989, 0.15861166, 0.19799858, -0.14471832, 0.34572327}},
    {"nuslerp", "", "AB", "weight=.6,.4",
     {0.13454154, -0.18193488, 0.34203762, 0.51609093, 0.46719775, -0.59696174,
      0.72826034, -0.82035977, 0.17443533, 0.19145522, -0.1585681, 0.3467457}},
    {"nuslerp", "b", "AB", "weight=.6,.4",
     {0.1367152, -0.16334516, 0.3619307, 0.5646857, 0.43893608, -0.6162641,
      0.74182457, -0.82373667, 0.28124726, 0.20744418, -0.096977964, 0.31634203}},
    {"nuslerp", "", "AB", "weight=.6,.4 nuslerp_flatten=false",
     {0.13392408, -0.18113241, 0.34041706, 0.51369256, 0.46243489, -0.59095198,
      0.72102499, -0.81200254, 0.18791351, 0.20400298, -0.17077006, 0.37067994}},
    {"nuslerp", "", "AB", "weight=.6,.4 nuslerp_flatten=false nuslerp_row_wise=true",
     {0.13651097, -0.182088, 0.34225726, 0.51147455, 0.47433084, -0.59750015,
      0.72872072, -0.81280875, 0.17735481, 0.19161826, -0.15868035, 0.34361246}},
    {"multislerp", "", "AB", "weight=.6,.4",
     {0.13674594, -0.18878253, 0.34159246, 0.52098948, 0.46393979, -0.59705007,
      0.73374808, -0.81496572, 0.16371687, 0.19747929, -0.14922228, 0.34807906}},
    {"multislerp", "b", "AB", "weight=.6,.4",
     {0.14322306, -0.19014001, 0.35078526, 0.57260585, 0.41305727, -0.6010918,
      0.74787444, -0.77850604, 0.22582541, 0.2294488, -0.052186295, 0.31431907}},
    {"karcher", "", "AB", "",
     {0.13295233, -0.17332628, 0.34810314, 0.51593769, 0.47990954, -0.60610241,
      0.73042417, -0.84213501, 0.1950552, 0.18437058, -0.17664802, 0.34991336}},
    {"karcher", "", "ABb", "",
     {0.13046993, -0.17860605, 0.33647713, 0.48979115, 0.48789698, -0.59224242,
      0.71705699, -0.83362508, 0.14945905, 0.17499213, -0.20249107, 0.35935774}},
    {"task_arithmetic", "b", "AB", "weight=1,1 normalize=true lambda=.5",
     {0.12695312, -0.17578125, 0.328125, 0.47070312, 0.48828125, -0.58007812,
      0.70117188, -0.82421875, 0.1328125, 0.16601562, -0.21679688, 0.359375}},
    {"ties", "b", "AB", "weight=.6,.4 density=.5,.5",
     {0.125, -0.085937493, 0.375, 0.53125, 0.3984375, -0.640625,
      0.6875, -0.703125, 0.359375, 0.2421875, -0.046875, 0.375}},
    {"ties", "b", "AB", "weight=.6,.4 density=.5,.5 rescale=true",
     {0.125, -0.061065048, 0.39030612, 0.55045182, 0.37763554, -0.65975767,
      0.6875, -0.68072289, 0.43207908, 0.25978917, -0.0052710921, 0.375}},
    {"ties", "b", "AB", "weight=.6,.4 density=.5,.5 normalize=false",
     {0.125, -0.14687499, 0.33750001, 0.49375001, 0.43906251, -0.59375,
      0.6875, -0.74687499, 0.18125001, 0.2078125, -0.128125, 0.375}},
    {"breadcrumbs", "b", "AB", "weight=.6,.4 density=.5,.5 gamma=.2,.2",
     {0.125, -0.1796875, 0.33750001, 0.49375001, 0.4609375, -0.59375,
      0.71562499, -0.8125, 0.0625, 0.18906251, -0.27812499, 0.3515625}},
    {"breadcrumbs_ties", "b", "AB", "weight=.6,.4 density=.5,.5 gamma=.2,.2",
     {0.125, -0.14687499, 0.33750001, 0.49375001, 0.43906251, -0.59375,
      0.71562499, -0.8125, 0.0625, 0.2078125, -0.27812499, 0.3515625}},
    {"sce", "b", "AB", "",
     {0.1484375, -0.085937507, 0.375, 0.49707749, 0.3984375, -0.640625,
      0.70996606, -0.96875, 0.359375, 0.2421875, -0.046875, 0.34570107}},
    {"sce", "b", "AB", "select_topk=.5",
     {0.125, -0.085937507, 0.3125, 0.4375, 0.3984375, -0.5625,
      0.6875, -0.96875, 0.359375, 0.2421875, -0.046875, 0.375}},
    {"ram", "b", "AB", "epsilon=.045",
     {0.125, -0.1640625, 0.375, 0.53125, 0.4765625, -0.640625,
      0.734375, -0.8359375, 0.359375, 0.17578125, -0.18359375, 0.375}},
    {"ramplus_tl", "b", "AB", "epsilon=.045",
     {0.125, -0.1640625, 0.37625, 0.53312498, 0.4765625, -0.64218748,
      0.73531252, -0.8359375, 0.36531249, 0.17578125, -0.18359375, 0.375}},
    {"model_stock", "b", "AB", "",
     {0.11936973, -0.22128165, 0.26745781, 0.34178543, 0.53378165, -0.51182747,
      0.6480881, -0.77871835, -0.14018983, 0.12809864, -0.34571466, 0.42004219}},
    {"model_stock", "b", "AB", "filter_wise=true",
     {0.12350266, -0.19648397, 0.30052137, 0.41204539, 0.68461943, -0.28557062,
      0.47211027, -0.62788057, -0.06803979, 0.13811946, -0.31164378, 0.40400887}},
    {"nearswap", "b", "A", "t=.05",
     {0.1484375, -0.23750001, 0.3125, 0.48750001, 0.45, -0.5546875,
      0.734375, -0.7625, 0.046875, 0.20625001, -0.2, 0.3359375}},
    {"arcee_fusion", "b", "A", "",
     {0.125, -0.1875, 0.3125, 0.4375, 0.5, -0.5625,
      0.6875, -0.8125, 0.0625, 0.15625, -0.046875, 0.375}},
};

static const struct tensor *pick(const struct tensor *const *tensors, char name)
{
    return tensors[name == 'b' ? 0 : name == 'A' ? 1 : 2];
}

static void check_golden(const struct golden *golden, const struct tensor *const *tensors)
{
    const struct tensor *inputs[3];
    size_t n = strlen(golden->inputs);
    struct plan plan = {0};
    double *found, worst = 0;

    for (size_t i = 0; i < n; i++)
        inputs[i] = pick(tensors, golden->inputs[i]);
    found = make_values(&plan, plan_one(&plan, golden->method,
                                        *golden->base ? pick(tensors, *golden->base) : NULL, inputs,
                                        n, golden->parameters));
    for (size_t i = 0; i < N_GOLDEN; i++)
        worst = fmax(worst, fabs(found[i] - golden->expected[i]));
    if (!(worst <= golden_tolerance)) {
        printf("# %s, %s: off by %g\n#", golden->method, golden->parameters, worst);
        for (size_t i = 0; i < N_GOLDEN; i++)
            printf(" %.8g", found[i]);
        puts("");
    }
    CHECK(worst <= golden_tolerance);
    free(found);
    plan_release(&plan);
}

static void every_method_gives_what_mergekit_gives(void)
{
    static struct made_tensors made;
    const struct tensor *tensors[3];

    for (size_t t = 0; t < 3; t++) {
        double values[N_GOLDEN];

        for (size_t i = 0; i < N_GOLDEN; i++)
            values[i] = (golden_values[0][i] + (t ? golden_values[t][i] : 0)) / 128;
        tensors[t] = make_tensor(&made, "t", DTYPE_F32, 2, golden_shape);
        put_values(tensors[t], values);
    }
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
        check_golden(&goldens[i], tensors);
    free_tensors(&made);
}

/* ---- every method, with settings that make it do something ---- */

static const struct use {
    const char *method, *parameters; /* for two inputs, or one */
    size_t n_inputs;
    bool has_base;
    bool keeps_copies; /* copies of one model give that model, whatever the base */
} uses[] = {
    {"linear", "weight=.6,.4", 2, false, true},
    {"lm-cocktail", "weight=.5,.5", 2, false, true},
    {"slerp", "t=.35", 1, true, false},
    {"nuslerp", "weight=.6,.4", 2, false, true},
    {"nuslerp", "weight=.6,.4", 2, true, true},
    {"nuslerp", "weight=.6,.4 nuslerp_flatten=false", 2, true, true},
    {"nuslerp", "weight=.6,.4 nuslerp_flatten=false nuslerp_row_wise=true", 2, true, true},
    {"multislerp", "weight=.6,.4", 2, false, true},
    {"multislerp", "weight=.6,.4", 2, true, true},
    {"karcher", "", 2, false, true},
    {"task_arithmetic", "weight=.6,.4", 2, true, true},
    {"ties", "weight=.6,.4", 2, true, true},
    {"ties", "weight=.6,.4 density=.5,.7 rescale=true", 2, true, false},
    {"dare_linear", "weight=.6,.4 density=.5,.7", 2, true, false},
    {"dare_ties", "weight=.6,.4 density=.5,.7 rescale=false normalize=true", 2, true, false},
    {"della", "weight=.6,.4 density=.5,.7", 2, true, false},
    {"della_linear", "weight=.6,.4 density=.5,.7 epsilon=.1,0", 2, true, false},
    {"breadcrumbs", "weight=.6,.4 density=.5,.7 gamma=.1,.2 rescale=true", 2, true, false},
    {"breadcrumbs_ties", "weight=.6,.4 density=.9,.7 gamma=.2,.01", 2, true, false},
    {"model_stock", "", 2, true, true},
    {"model_stock", "filter_wise=true", 2, true, true},
    {"sce", "", 2, true, true},
    {"sce", "select_topk=.4", 2, true, false},
    {"ram", "", 2, true, true},
    {"ramplus_tl", "epsilon=.5", 2, true, false},
    {"nearswap", "t=.5", 1, true, false},
    {"arcee_fusion", "", 1, true, false},
    {"passthrough", "scale=.5", 1, false, false},
};
enum { N_USES = sizeof uses / sizeof *uses };

static void all_methods_are_used(void)
{
    size_t n;
    const struct combine_method *const *methods = combine_methods(&n);

    CHECK(n == 21);
    for (size_t m = 0; m < n; m++) {
        bool is_used = false;

        for (size_t u = 0; u < N_USES; u++)
            is_used |= strcmp(uses[u].method, methods[m]->name) == 0;
        CHECK(is_used);
        CHECK(methods[m]->summary && combine_method_find(methods[m]->name) == methods[m]);
    }
}

/* Shapes around the size of blocks and grains; long and short rows. */
static const struct shape {
    size_t n_dims, sizes[MADE_DIMS];
} shapes[] = {
    {0, {0}}, {1, {1}}, {1, {7}}, {1, {8193}}, {2, {300, 77}}, {2, {3, 20000}}, {3, {5, 9, 1000}},
    {2, {9000, 1}}, {2, {0, 5}}, {2, {2, 50000}}, {2, {2, 140000}}, {1, {140003}},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static const struct tensor *make(struct made_tensors *tensors, const struct shape *shape,
                                 enum dtype dtype)
{
    return make_tensor(tensors, "made", dtype, shape->n_dims, shape->sizes);
}

static void add_use(struct plan *plan, struct made_tensors *tensors, size_t use, size_t shape)
{
    static const enum dtype dtypes[] = {DTYPE_BF16, DTYPE_F32, DTYPE_F16};
    const struct tensor *inputs[2], *base = NULL;
    struct plan_item *item;
    char name[32];

    for (size_t i = 0; i < uses[use].n_inputs; i++)
        inputs[i] = make(tensors, &shapes[shape], dtypes[(use + shape + i) % 3]);
    if (uses[use].has_base)
        base = make(tensors, &shapes[shape], dtypes[(use + shape) % 3]);
    item = plan_one(plan, uses[use].method, base, inputs, uses[use].n_inputs,
                    uses[use].parameters);
    snprintf(name, sizeof name, "%zu.%zu", use, shape);
    item->out.name = arena_copy(&plan->arena, name, strlen(name));
    item->seed = 11;
}

/* `crowd` sources of an item of its own make chunks smaller. */
static void make_uses(struct plan *plan, struct made_tensors *tensors, size_t crowd)
{
    static const size_t one[] = {10};
    struct error err = {0};
    struct plan_item *item;
    struct output_tensor out;

    for (size_t u = 0; u < N_USES; u++)
        for (size_t s = u % 2; s < N_SHAPES; s += 2) /* there is room for so many tensors */
            add_use(plan, tensors, u, s);
    out = output_tensor_like(make_tensor(tensors, "crowd", DTYPE_F32, 1, one));
    item = plan_add_item(plan, &out, crowd, &err);
    item->method = &combine_linear;
    for (size_t i = 0; i < crowd; i++)
        item->sources[i].tensor = &tensors->list[tensors->n - 1].tensor;
    CHECK(plan_finish(plan, &safetensors_writer, &err) == 0);
}

static void neither_threads_nor_chunks_change_a_byte(void)
{
    static const size_t n_threads[] = {1, 2, 3, 8, 16}, crowds[] = {2, 60};
    static struct made_tensors tensors;
    char *first = NULL;
    size_t n_first = 0, n;

    for (size_t c = 0; c < 2; c++) {
        struct plan plan = {0};

        make_uses(&plan, &tensors, crowds[c]);
        for (size_t t = c; t < 5; t += 1 + c) {
            char *bytes = run_plan(&plan, n_threads[t], &n);

            if (!first) {
                first = bytes;
                n_first = n;
                continue;
            }
            CHECK(n == n_first && memcmp(bytes, first, n) == 0);
            free(bytes);
        }
        plan_release(&plan);
        free_tensors(&tensors);
    }
    free(first);
}

/* A tensor read piece by piece is the tensor that is written. */
static void what_is_read_is_what_is_written(void)
{
    static struct made_tensors tensors;
    struct plan plan = {0};
    size_t n, place = 0;
    char *bytes;

    make_uses(&plan, &tensors, 2);
    bytes = run_plan(&plan, 2, &n);
    for (size_t i = 0; i < plan.n_items; i++) {
        struct tensor tensor;
        struct error err = {0};
        size_t item_bytes = dtype_info(plan.items[i].out.dtype)->n_bits / 8;
        char *piece = malloc(plan.items[i].out.size_bytes + 1);

        item_source_make(&tensor, &plan.items[i], &plan.arena);
        for (size_t k = 0, step = 1; k < tensor.n_items; k += step, step = 7001) {
            if (step > tensor.n_items - k)
                step = tensor.n_items - k;
            CHECK(tensor_read(&tensor, k, step, piece + k * item_bytes, &err) == 0);
        }
        CHECK(memcmp(piece, bytes + place, tensor.size_bytes) == 0);
        place += tensor.size_bytes;
        free(piece);
    }
    free(bytes);
    plan_release(&plan);
    free_tensors(&tensors);
}

/* ---- what holds for all ---- */

static double worst_difference(const double *a, const double *b, size_t n)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++)
        worst = fabs(a[i] - b[i]) > worst || isnan(a[i]) ? fabs(a[i] - b[i]) : worst;
    return worst;
}

static void copies_of_a_model_give_that_model(void)
{
    static struct made_tensors made;
    static const struct shape shape = {2, {40, 300}};
    const struct tensor *x = make(&made, &shape, DTYPE_F32), *base = make(&made, &shape, DTYPE_F32);
    const struct tensor *inputs[] = {x, x};
    double *expected = tensor_doubles(x);

    for (size_t u = 0; u < N_USES; u++) {
        struct plan plan = {0};
        double *found, worst;

        if (!uses[u].keeps_copies)
            continue;
        found = make_values(&plan, plan_one(&plan, uses[u].method, uses[u].has_base ? base : NULL,
                                            inputs, uses[u].n_inputs, uses[u].parameters));
        worst = worst_difference(expected, found, x->n_items);
        if (!(worst <= 5e-7)) /* values up to 2: two roundings of a float */
            printf("# %s, %s: off by %g\n", uses[u].method, uses[u].parameters, worst);
        CHECK(worst <= 5e-7);
        free(found);
        plan_release(&plan);
    }
    free(expected);
    free_tensors(&made);
}

/* Of models that are the base, all make the base, bit for bit; but for slerp's kin, by rounding. */
static void models_that_are_the_base_give_the_base(void)
{
    static struct made_tensors made;
    static const struct shape shape = {2, {40, 300}};
    const struct tensor *base = make(&made, &shape, DTYPE_BF16);
    const struct tensor *inputs[] = {base, base};
    double *expected = tensor_doubles(base);

    for (size_t u = 0; u < N_USES; u++) {
        struct plan plan = {0};
        double *found;

        if (!uses[u].has_base)
            continue;
        found = make_values(&plan, plan_one(&plan, uses[u].method, base, inputs, uses[u].n_inputs,
                                            uses[u].parameters));
        CHECK(memcmp(expected, found, base->n_items * sizeof *found) == 0);
        free(found);
        plan_release(&plan);
    }
    free(expected);
    free_tensors(&made);
}

static void the_order_of_models_is_one_of_rounding(void)
{
    static struct made_tensors made;
    static const struct shape shape = {2, {40, 300}};
    const struct tensor *a = make(&made, &shape, DTYPE_F32), *b = make(&made, &shape, DTYPE_F32);
    const struct tensor *base = make(&made, &shape, DTYPE_F32);
    static const char *const each[][3] = {
        {"linear", "weight=.6,.3", "weight=.3,.6"},
        {"multislerp", "weight=.6,.3", "weight=.3,.6"},
        {"karcher", "", ""},
        {"task_arithmetic", "weight=.6,.3", "weight=.3,.6"},
        {"ties", "weight=.6,.3 density=.5,.2", "weight=.3,.6 density=.2,.5"},
        {"breadcrumbs_ties", "weight=.6,.3 density=.5,.2", "weight=.3,.6 density=.2,.5"},
        {"model_stock", "", ""},
        {"sce", "select_topk=.5", "select_topk=.5"},
        {"ramplus_tl", "epsilon=.5", "epsilon=.5"},
    };

    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        struct plan plan = {0};
        bool has_base = find(each[i][0])->base == COMBINE_BASE_REQUIRED;
        double *one = make_values(&plan, plan_one(&plan, each[i][0], has_base ? base : NULL,
                                                  (const struct tensor *[]){a, b}, 2, each[i][1]));
        double *other = make_values(&plan, plan_one(&plan, each[i][0], has_base ? base : NULL,
                                                    (const struct tensor *[]){b, a}, 2, each[i][2]));

        CHECK(worst_difference(one, other, a->n_items) <= 1e-6);
        free(one);
        free(other);
        plan_release(&plan);
    }
    free_tensors(&made);
}

static void slerp_is_exact_at_its_ends(void)
{
    static struct made_tensors made;
    static const struct shape shape = {2, {40, 300}};
    const struct tensor *base = make(&made, &shape, DTYPE_F32);
    const struct tensor *other = make(&made, &shape, DTYPE_F32);
    const struct tensor *const ends[] = {base, other};

    for (size_t t = 0; t < 2; t++) {
        struct plan plan = {0};
        double *found = make_values(&plan, plan_one(&plan, "slerp", base, &other, 1,
                                                    t ? "t=1" : "t=0"));
        double *expected = tensor_doubles(ends[t]);

        CHECK(memcmp(found, expected, base->n_items * sizeof *found) == 0);
        free(found);
        free(expected);
        plan_release(&plan);
    }
    free_tensors(&made);
}

/* Zero vectors, and vectors that point opposite ways. */
static void nothing_that_is_finite_becomes_nan(void)
{
    static struct made_tensors made;
    static const struct shape shape = {2, {6, 50}};
    const struct tensor *x = make(&made, &shape, DTYPE_F32), *minus = make(&made, &shape, DTYPE_F32);
    const struct tensor *zero = make(&made, &shape, DTYPE_F32);
    const struct tensor *near_minus = make(&made, &shape, DTYPE_F32);
    double *values = tensor_doubles(x), *others = tensor_doubles(x);
    const struct tensor *const pairs[][3] = { /* base, inputs */
        {zero, x, minus}, {zero, zero, zero}, {x, x, minus}, {zero, zero, x}, {x, zero, zero},
        {zero, x, near_minus}, {minus, near_minus, zero}, {zero, x, x},
    };

    for (size_t i = 0; i < x->n_items; i++)
        others[i] = -values[i];
    put_values(minus, others);
    for (size_t i = 0; i < x->n_items; i++)
        others[i] = -0.7 * values[i]; /* but for rounding */
    put_values(near_minus, others);
    memset(others, 0, x->n_items * sizeof *others);
    put_values(zero, others);
    for (size_t u = 0; u < N_USES; u++)
        for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
            struct plan plan = {0};
            double *found = make_values(&plan, plan_one(&plan, uses[u].method,
                                                        uses[u].has_base ? pairs[p][0] : NULL,
                                                        pairs[p] + 1, uses[u].n_inputs,
                                                        uses[u].parameters));
            bool is_finite = true;

            for (size_t i = 0; i < x->n_items; i++)
                is_finite &= isfinite(found[i]) && fabs(found[i]) < 20;
            if (!is_finite)
                printf("# %s, %s, pair %zu\n", uses[u].method, uses[u].parameters, p);
            CHECK(is_finite);
            free(found);
            plan_release(&plan);
        }
    free(values);
    free(others);
    free_tensors(&made);
}

/* What is left of rounding when directions cancel out is none. */
static void karcher_of_opposite_models_points_as_the_first(void)
{
    static struct made_tensors made;
    static const struct shape shape = {2, {6, 50}};
    const struct tensor *x = make(&made, &shape, DTYPE_F32), *minus = make(&made, &shape, DTYPE_F32);
    double *values = tensor_doubles(x), *others = tensor_doubles(x), *found;
    struct plan plan = {0};

    for (size_t i = 0; i < x->n_items; i++)
        others[i] = -0.7 * values[i];
    put_values(minus, others);
    found = make_values(&plan, plan_one(&plan, "karcher", NULL,
                                        (const struct tensor *[]){x, minus}, 2, ""));
    for (size_t i = 0; i < x->n_items; i++)
        values[i] *= 0.85;
    CHECK(worst_difference(values, found, x->n_items) < 1e-6);
    free(values);
    free(others);
    free(found);
    plan_release(&plan);
    free_tensors(&made);
}

static void nan_comes_through(void)
{
    static struct made_tensors made;
    static const struct shape shape = {2, {6, 50}};
    const struct tensor *x = make(&made, &shape, DTYPE_F32), *y = make(&made, &shape, DTYPE_F32);
    const struct tensor *base = make(&made, &shape, DTYPE_F32);
    double *values = tensor_doubles(x);

    values[77] = NAN;
    put_values(x, values);
    for (size_t u = 0; u < N_USES; u++) {
        struct plan plan = {0};
        double *found;

        if (find(uses[u].method)->is_random)
            continue; /* it may be dropped */
        found = make_values(&plan, plan_one(&plan, uses[u].method, uses[u].has_base ? base : NULL,
                                            (const struct tensor *[]){x, y}, uses[u].n_inputs,
                                            uses[u].parameters));
        if (!isnan(found[77]) && strcmp(uses[u].method, "breadcrumbs") != 0 &&
            strcmp(uses[u].method, "breadcrumbs_ties") != 0) { /* an outlier there */
            printf("# %s, %s: %g\n", uses[u].method, uses[u].parameters, found[77]);
            CHECK(isnan(found[77]));
        }
        free(found);
        plan_release(&plan);
    }
    free(values);
    free_tensors(&made);
}

/* ---- what is kept ---- */

struct ranked {
    double size;
    size_t place;
};

/* The largest first; of equal ones that which comes first. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

static struct ranked *rank(const double *difference, size_t n)
{
    struct ranked *ranked = malloc((n + 1) * sizeof *ranked);

    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){fabs(difference[i]), i};
    qsort(ranked, n, sizeof *ranked, compare_ranked);
    return ranked;
}

static double *difference_of(const struct tensor *x, const struct tensor *base)
{
    double *values = tensor_doubles(x), *start = tensor_doubles(base);

    for (size_t i = 0; i < x->n_items; i++)
        values[i] = (float)values[i] - (float)start[i];
    free(start);
    return values;
}

/* Whether out is base + factor * difference for kept items, else the base. */
static size_t count_wrong(const double *found, const struct tensor *base, const double *difference,
                          const bool *kept, double factor)
{
    double *start = tensor_doubles(base);
    size_t n_wrong = 0;

    for (size_t i = 0; i < base->n_items; i++)
        n_wrong += fabs(found[i] - start[i] - (kept[i] ? factor * difference[i] : 0)) >
                   1e-6 * fabs(found[i]) + 1e-6;
    free(start);
    return n_wrong;
}

static double rescaled(const double *difference, const bool *kept, size_t n)
{
    double all = 0, left = 0;

    for (size_t i = 0; i < n; i++) {
        all += fabs(difference[i]);
        left += kept[i] ? fabs(difference[i]) : 0;
    }
    return all < 1e-7 || left < 1e-7 ? 1 : all / left;
}

/* `coarse`: values in few steps, so that most have others equal to them. */
static void coarsen(const struct tensor *tensor)
{
    double *values = tensor_doubles(tensor);

    for (size_t i = 0; i < tensor->n_items; i++)
        values[i] = floor(values[i] * 4) / 4;
    put_values(tensor, values);
    free(values);
}

/* One model of weight 1: keeps ranks first … end - 1, counted from the largest. */
static void check_window(const struct tensor *x, const struct tensor *base, const char *method,
                         const char *parameters, size_t first, size_t end)
{
    struct plan plan = {0};
    size_t n = x->n_items;
    double *difference = difference_of(x, base), *found;
    struct ranked *ranked = rank(difference, n);
    bool *kept = calloc(n + 1, sizeof *kept), rescales = strstr(parameters, "rescale=true");

    for (size_t i = first; i < end && i < n; i++)
        kept[ranked[i].place] = true;
    /* Of equal ones at the upper end, too, those stay that come first. */
    for (size_t i = first, from = first; first > 0 && i < end && i < n; i++) {
        size_t last = first;

        if (ranked[first - 1].size != ranked[first].size)
            break;
        while (from > 0 && ranked[from - 1].size == ranked[first].size)
            from--;
        while (last < end && ranked[last].size == ranked[first].size)
            last++;
        for (size_t k = from; k < last; k++)
            kept[ranked[k].place] = k - from < last - first;
        break;
    }
    found = make_values(&plan, plan_one(&plan, method, base, &x, 1, parameters));
    if (count_wrong(found, base, difference, kept, rescales ? rescaled(difference, kept, n) : 1)) {
        printf("# %s %s, %zu items: %zu wrong\n", method, parameters, n,
               count_wrong(found, base, difference, kept,
                           rescales ? rescaled(difference, kept, n) : 1));
        CHECK(false);
    }
    free(found);
    free(kept);
    free(ranked);
    free(difference);
    plan_release(&plan);
}

static size_t keeps_largest(double density, size_t n)
{
    return density * (double)n < 1 ? 1 : (size_t)(density * (double)n);
}

static void check_windows(const struct tensor *x, const struct tensor *base)
{
    static const double densities[] = {0.01, 0.3, 0.5, 0.97}, gammas[] = {0, 0.01, 0.2, 0.6};
    size_t n = x->n_items;

    for (size_t d = 0; d < 4; d++) {
        char text[96];

        snprintf(text, sizeof text, "normalize=false density=%g", densities[d]);
        check_window(x, base, "ties", text, 0, keeps_largest(densities[d], n));
        snprintf(text, sizeof text, "rescale=true density=%g", densities[d]);
        check_window(x, base, "ties", text, 0, keeps_largest(densities[d], n));
        for (size_t g = 0; g < 4; g++) {
            size_t target = (size_t)(densities[d] * (double)n);
            size_t top = (size_t)(gammas[g] * (double)n);
            size_t first = top < n - target ? top : n - target;

            snprintf(text, sizeof text, "density=%g gamma=%g", densities[d], gammas[g]);
            check_window(x, base, "breadcrumbs", text, first, first + target);
            snprintf(text, sizeof text, "rescale=true density=%g gamma=%g", densities[d],
                     gammas[g]);
            check_window(x, base, "breadcrumbs_ties", text, first, first + target);
        }
    }
}

static void exactly_the_largest_are_kept(void)
{
    static const struct shape sizes[] = {{1, {1}}, {1, {2}}, {1, {511}}, {2, {300, 77}},
                                         {1, {20001}}};
    static struct made_tensors made;

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int is_coarse = 0; is_coarse < 2; is_coarse++) {
            const struct tensor *x = make(&made, &sizes[s], DTYPE_F32);
            const struct tensor *base = make(&made, &sizes[s], DTYPE_F32);

            if (is_coarse) {
                coarsen(x);
                coarsen(base);
            }
            check_windows(x, base);
        }
    free_tensors(&made);
}

/* SCE of two models, by sorting. */
static void sce_selects_exactly_the_most_various(void)
{
    static const struct shape shape = {2, {41, 500}};
    static struct made_tensors made;
    const struct tensor *inputs[] = {make(&made, &shape, DTYPE_F32), make(&made, &shape, DTYPE_F32)};
    const struct tensor *base = make(&made, &shape, DTYPE_F32);
    size_t n = base->n_items, n_varying = 0, n_wrong = 0;
    double *x[2], *variances = calloc(n, sizeof *variances), *start, *found, squares[2] = {0};
    struct ranked *ranked;
    struct plan plan = {0};

    coarsen(base);
    for (size_t i = 0; i < 2; i++) {
        coarsen(inputs[i]);
        x[i] = difference_of(inputs[i], base);
    }
    for (size_t i = 0; i < n; i++) {
        variances[i] = (x[0][i] - x[1][i]) * (x[0][i] - x[1][i]) / 4;
        n_varying += variances[i] != 0;
    }
    ranked = rank(variances, n);
    for (size_t i = (size_t)((float)n_varying * 0.3f); i < n; i++)
        x[0][ranked[i].place] = x[1][ranked[i].place] = 0;
    for (size_t i = 0; i < 2 * n; i++)
        squares[i / n] += x[i / n][i % n] * x[i / n][i % n];
    found = make_values(&plan, plan_one(&plan, "sce", base, inputs, 2, "select_topk=.3"));
    start = tensor_doubles(base);
    for (size_t i = 0; i < n; i++) {
        double sign = x[0][i] + x[1][i] >= 0 ? 1 : -1, sum = 0, weights = 0;

        for (size_t k = 0; k < 2; k++) {
            double weight = squares[k] / (squares[0] + squares[1]);

            sum += x[k][i] * sign > 0 ? x[k][i] * weight : 0;
            weights += x[k][i] * sign > 0 ? weight : 0;
        }
        n_wrong += fabs(found[i] - start[i] - (weights > 0 ? sum / weights : 0)) > 2e-6;
    }
    CHECK(n_wrong == 0);
    free(x[0]);
    free(x[1]);
    free(variances);
    free(ranked);
    free(start);
    free(found);
    plan_release(&plan);
    free_tensors(&made);
}

/* ---- in which arithmetic ---- */

/* A tensor of these floats. */
static const struct tensor *tensor_of(struct made_tensors *made, const double *values, size_t n)
{
    struct shape shape = {1, {n}};
    const struct tensor *tensor = make(made, &shape, DTYPE_F32);

    put_values(tensor, values);
    return tensor;
}

/* Of n differences, all of another size, how many stay. */
static size_t count_kept(const char *method, const char *parameters, size_t n, size_t n_inputs)
{
    static struct made_tensors made;
    double *values = calloc(3 * n, sizeof *values), *found; /* of the base, which is 0, and two models */
    const struct tensor *base, *inputs[2];
    struct plan plan = {0};
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++)
        values[n + i] = 2 * (values[2 * n + i] = (double)(i + 1));
    base = tensor_of(&made, values, n);
    inputs[0] = tensor_of(&made, values + n, n);
    inputs[1] = tensor_of(&made, values + 2 * n, n);
    found = make_values(&plan, plan_one(&plan, method, base, inputs, n_inputs, parameters));
    for (size_t i = 0; i < n; i++)
        n_kept += found[i] != 0;
    free(found);
    free(values);
    plan_release(&plan);
    free_tensors(&made);
    return n_kept;
}

/* 0.29 * 100 is 28.999999999999996 in double and 29 in float, 660 * 0.7 is 462 in float, and in double
 * 461.99999999999994. */
static void how_many_stay_is_a_product_as_mergekit_has_it(void)
{
    CHECK(count_kept("sce", "select_topk=0.7", 660, 2) == 462);
    CHECK(count_kept("ties", "density=0.29", 100, 1) == 28);
    CHECK(count_kept("ties", "density=0.001", 100, 1) == 1);
    CHECK(count_kept("breadcrumbs", "density=0.29 gamma=0", 100, 1) == 28);
    CHECK(count_kept("breadcrumbs", "density=0.001 gamma=0", 100, 1) == 0);
}

/* On both sides of the numbers at which a formula gives way to another; by mergekit's formulas
 * (docs/models.md, "Recipes"), computed by hand. */
static void formulas_change_where_those_of_mergekit_do(void)
{
    static const struct {
        const char *method, *inputs, *parameters; /* inputs: with a base of 0 or not */
        double a[2], b[2], expected[2];
    } rows[] = {
        {"slerp", "AB", "t=.5", {1, 0}, {0.9996, 0.02828144}, {0.9998, 0.01414072}},
        {"slerp", "AB", "t=.5", {1, 0}, {0.9994, 0.03463582}, {0.99984999, 0.01732051}},
        {"nuslerp", "AB", "weight=.5,-.4999995", {1, 0}, {0, 1}, {0.70710678, 0.70710678}},
        {"sce", "bAB", "", {1e-4, 1e-4}, {3e-4, 3e-4}, {2e-4, 2e-4}},
        {"sce", "bAB", "", {1e-3, 1e-3}, {3e-3, 3e-3}, {2.8e-3, 2.8e-3}},
        {"ram", "bA", "epsilon=.25", {0.5, 0.25}, {0, 0}, {0.5, 0}},
        {"ram", "bA", "epsilon=.25", {0.5, 0.2500001}, {0, 0}, {0.5, 0.2500001}},
        {"model_stock", "bAB", "", {1e-4, 0}, {1e-4, 0}, {1.980198e-6, 0}},
        {"model_stock", "bAB", "", {1e-2, 0}, {1e-2, 0}, {1e-2, 0}},
        {"ties", "bA", "density=.5 rescale=true", {5e-8, 1e-8}, {0, 0}, {5e-8, 0}},
        {"ties", "bA", "density=.5 rescale=true", {2e-7, 1e-7}, {0, 0}, {3e-7, 0}},
    };
    static const double zeros[2];
    static struct made_tensors made;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool has_base = rows[i].inputs[0] == 'b', is_slerp = strcmp(rows[i].method, "slerp") == 0;
        const struct tensor *a = tensor_of(&made, rows[i].a, 2), *b = tensor_of(&made, rows[i].b, 2);
        const struct tensor *base = is_slerp   ? a
                                    : has_base ? tensor_of(&made, zeros, 2)
                                               : NULL;
        const struct tensor *inputs[] = {is_slerp ? b : a, b};
        size_t n_inputs = strlen(rows[i].inputs) - has_base - is_slerp;
        struct plan plan = {0};
        double *found = make_values(&plan, plan_one(&plan, rows[i].method, base, inputs, n_inputs,
                                                    rows[i].parameters));

        for (size_t k = 0; k < 2; k++)
            if (fabs(found[k] - rows[i].expected[k]) > 1e-6 * fabs(rows[i].expected[0])) {
                printf("# row %zu, %s: %.9g, not %.9g\n", i, rows[i].method, found[k],
                       rows[i].expected[k]);
                CHECK(false);
            }
        free(found);
        plan_release(&plan);
    }
    free_tensors(&made);
}

/* What DELLA keeps, by sorting each row. */
static void keep_by_rank(const struct tensor *x, const double *difference, double density,
                         double epsilon, uint64_t seed, bool *kept)
{
    size_t row = x->n_dims ? x->shape[x->n_dims - 1] : 1;
    struct coin coin = coin_of(seed, "made", 0);

    for (size_t first = 0; first < x->n_items; first += row) {
        struct ranked *ranked = rank(difference + first, row);

        for (size_t i = 0; i < row; i++) {
            double share = row > 1 ? (double)(row - 1 - i) / (double)(row - 1) : 0.5;
            int32_t draw;

            coin_toss(&coin, first + ranked[i].place, 1, &draw);
            kept[first + ranked[i].place] = draw * 0x1p-31 < density - epsilon +
                                                                 2 * epsilon * share;
        }
        free(ranked);
    }
}

static void ranks_decide_as_if_rows_were_sorted(void)
{
    static const struct shape sizes[] = {{1, {1}}, {2, {7, 2}}, {2, {30, 255}}, {2, {9, 2047}},
                                         {2, {4, 2048}}, {1, {30000}}, {2, {3000, 1}},
                                         {2, {2, 80001}}};
    static struct made_tensors made;

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int is_coarse = 0; is_coarse < 2; is_coarse++) {
            struct plan plan = {0};
            const struct tensor *x = make(&made, &sizes[s], DTYPE_F32);
            const struct tensor *base = make(&made, &sizes[s], DTYPE_F32);
            struct plan_item *item;
            double *difference, *found;
            bool *kept = calloc(x->n_items, sizeof *kept);

            if (is_coarse) {
                coarsen(x);
                coarsen(base);
            }
            difference = difference_of(x, base);
            keep_by_rank(x, difference, 0.5, 0.4, 99, kept);
            item = plan_one(&plan, "della_linear", base, &x, 1, "density=.5 epsilon=.4");
            item->seed = 99;
            found = make_values(&plan, item);
            CHECK(count_wrong(found, base, difference, kept,
                              rescaled(difference, kept, x->n_items)) == 0);
            free(found);
            free(difference);
            free(kept);
            plan_release(&plan);
        }
    free_tensors(&made);
}

/* ---- vectors of any length ---- */

enum { LONG_ITEMS = 150000 };

/* Whether a method gives the same with other settings, but for rounding to float. */
static void check_same(const char *method, const struct shape *shape, const char *parameters,
                       const char *others)
{
    static struct made_tensors made;
    struct plan plan = {0};
    const struct tensor *inputs[2], *base;
    double *found, *expected;

    for (size_t i = 0; i < 2; i++)
        inputs[i] = make(&made, shape, DTYPE_F32);
    base = make(&made, shape, DTYPE_F32);
    found = make_values(&plan, plan_one(&plan, method, base, inputs, 2, parameters));
    expected = make_values(&plan, plan_one(&plan, method, base, inputs, 2, others));
    CHECK(worst_difference(found, expected, inputs[0]->n_items) < 1e-6);
    free(found);
    free(expected);
    plan_release(&plan);
    free_tensors(&made);
}

static void a_row_or_column_alone_is_the_whole_tensor(void)
{
    static const struct shape row = {2, {1, LONG_ITEMS}}, column = {2, {LONG_ITEMS, 1}};

    check_same("nuslerp", &row, "weight=.6,.4 nuslerp_flatten=false", "weight=.6,.4");
    check_same("nuslerp", &column, "weight=.6,.4 nuslerp_flatten=false nuslerp_row_wise=true",
               "weight=.6,.4");
    check_same("model_stock", &row, "filter_wise=true", "filter_wise=false");
}

static void transpose(const struct tensor *from, const struct tensor *to)
{
    size_t n_rows = from->shape[0], n_columns = from->n_items / n_rows;
    double *x = tensor_doubles(from), *y = calloc(from->n_items, sizeof *y);

    for (size_t i = 0; i < from->n_items; i++)
        y[i % n_columns * n_rows + i / n_columns] = x[i];
    put_values(to, y);
    free(x);
    free(y);
}

static void columns_are_the_rows_of_the_transposed(void)
{
    static const struct shape sizes[] = {{2, {50, 3000}}, {2, {3000, 50}}, {2, {9, 1024}},
                                         {2, {9, 1025}}};
    static struct made_tensors made;

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct shape turned = {2, {sizes[s].sizes[1], sizes[s].sizes[0]}};
        const struct tensor *inputs[3], *others[3]; /* the base last */
        struct plan plan = {0};
        size_t n_rows = sizes[s].sizes[0], n_columns = turned.sizes[0], n_wrong = 0;
        double *found, *expected;

        for (size_t i = 0; i < 3; i++) {
            inputs[i] = make(&made, &sizes[s], DTYPE_F32);
            others[i] = make(&made, &turned, DTYPE_F32);
            transpose(inputs[i], others[i]);
        }
        found = make_values(&plan, plan_one(&plan, "nuslerp", inputs[2], inputs, 2,
                                            "weight=.6,.4 nuslerp_flatten=false "
                                            "nuslerp_row_wise=true"));
        expected = make_values(&plan, plan_one(&plan, "nuslerp", others[2], others, 2,
                                               "weight=.6,.4 nuslerp_flatten=false"));
        for (size_t i = 0; i < n_rows * n_columns; i++)
            n_wrong += !(fabs(found[i] - expected[i % n_columns * n_rows + i / n_columns]) < 1e-6);
        CHECK(n_wrong == 0);
        free(found);
        free(expected);
        plan_release(&plan);
    }
    free_tensors(&made);
}

static int compare_values(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* sum p ln(p / q) of the softmax of two rows. */
static double divergence_of(const double *x, const double *y, size_t n)
{
    double sums[2] = {0}, sum = 0;

    for (size_t i = 0; i < n; i++) {
        sums[0] += exp(x[i]);
        sums[1] += exp(y[i]);
    }
    for (size_t i = 0; i < n; i++) {
        double p = exp(x[i]) / sums[0] + 1e-8, q = exp(y[i]) / sums[1] + 1e-8;

        sum += p * log(p / q);
    }
    return sum;
}

/* Rows of which one differs less from the base than the other: so its divergence counts. */
static void importance_of_long_rows_is_that_of_short_ones(void)
{
    static const struct shape sizes[] = {{2, {2, 3000}}, {2, {2, 3000}}, {2, {2, LONG_ITEMS}}};
    static const double parts[][2] = {{1.0 / 8, 1}, {1.0 / 256, 1.0 / 64}, {1.0 / 8, 1}};
    static struct made_tensors made;

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t row = sizes[s].sizes[1], n = 2 * row, n_wrong = 0, n_kept = 0;
        const struct tensor *x = make(&made, &sizes[s], DTYPE_F32);
        const struct tensor *base = make(&made, &sizes[s], DTYPE_F32);
        double *a = tensor_doubles(x), *b = tensor_doubles(base);
        double *importance = calloc(n, sizeof *importance), *sorted = calloc(n, sizeof *sorted);
        double threshold, *found;
        struct plan plan = {0};

        for (size_t i = 0; i < n; i++)
            a[i] = b[i] + (double)(float)(a[i] - b[i]) * parts[s][i / row];
        put_values(x, a);
        free(a);
        a = tensor_doubles(x);
        for (size_t r = 0; r < 2; r++) {
            double divergence = divergence_of(a + r * row, b + r * row, row);

            for (size_t i = r * row; i < (r + 1) * row; i++)
                importance[i] = sorted[i] = fabs(a[i] - b[i]) * divergence;
        }
        qsort(sorted, n, sizeof *sorted, compare_values);
        threshold = sorted[(n - 1) / 2] + 1.5 * (sorted[3 * (n - 1) / 4] - sorted[(n - 1) / 4]);
        found = make_values(&plan, plan_one(&plan, "arcee_fusion", base, &x, 1, ""));
        for (size_t i = 0; i < n; i++) {
            bool stays = importance[i] >= threshold;

            n_kept += stays;
            n_wrong += fabs(importance[i] / threshold - 1) > 1e-5 &&
                       (stays ? fabs(found[i] - a[i]) > 1e-6 : found[i] != b[i]);
        }
        CHECK(n_wrong == 0 && n_kept > n / 100 && n_kept < n / 3);
        free(a);
        free(b);
        free(importance);
        free(sorted);
        free(found);
        plan_release(&plan);
    }
    free_tensors(&made);
}

/* These have no divergence at all: so every item is as important as the threshold demands. */
static void rows_of_one_item_are_taken_whole(void)
{
    static const struct shape shape = {2, {300, 1}};
    static struct made_tensors made;
    const struct tensor *x = make(&made, &shape, DTYPE_F32);
    const struct tensor *base = make(&made, &shape, DTYPE_F32);
    double *values = tensor_doubles(x), *found;
    struct plan plan = {0};
    size_t n_wrong = 0;

    for (size_t i = 0; i < 300; i++) /* e^base (e^difference - 1) is rounded more than its factors */
        values[i] = (double)(float)(0.1 + (double)i * 2e-5);
    put_values(base, values);
    for (size_t i = 0; i < 300; i++)
        values[i] = (double)(float)(values[i] + 0.0292 + (double)i * 1e-6);
    put_values(x, values);
    found = make_values(&plan, plan_one(&plan, "arcee_fusion", base, &x, 1, ""));
    for (size_t i = 0; i < 300; i++)
        n_wrong += fabs(found[i] - values[i]) > 1e-6;
    CHECK(n_wrong == 0);
    free(values);
    free(found);
    plan_release(&plan);
    free_tensors(&made);
}

/* ---- chance ---- */

static const struct shape chance_shape = {2, {200, 500}};

static double *make_dare(const struct tensor *const *inputs, size_t n_inputs,
                         const struct tensor *base, const char *parameters, uint64_t seed)
{
    struct plan plan = {0};
    struct plan_item *item = plan_one(&plan, "dare_linear", base, inputs, n_inputs, parameters);
    double *found;

    item->seed = seed;
    found = make_values(&plan, item);
    plan_release(&plan);
    return found;
}

static void dare_keeps_as_many_as_density_says(void)
{
    static struct made_tensors made;
    const struct tensor *x = make(&made, &chance_shape, DTYPE_F32);
    const struct tensor *base = make(&made, &chance_shape, DTYPE_F32);
    double *difference = difference_of(x, base), *start = tensor_doubles(base);

    for (int d = 1; d < 10; d++) {
        double density = d / 10.0, n = (double)x->n_items, n_kept = 0;
        bool *kept = calloc(x->n_items, sizeof *kept);
        char text[64];
        double *found;

        snprintf(text, sizeof text, "density=%g", density);
        found = make_dare(&x, 1, base, text, 5);
        for (size_t i = 0; i < x->n_items; i++) {
            kept[i] = difference[i] != 0 && found[i] != start[i];
            n_kept += kept[i];
            n -= difference[i] == 0;
        }
        CHECK(fabs(n_kept - n * density) < 5 * sqrt(n * density * (1 - density)));
        CHECK(count_wrong(found, base, difference, kept,
                          rescaled(difference, kept, x->n_items)) == 0);
        free(found);
        free(kept);
    }
    free(difference);
    free(start);
    free_tensors(&made);
}

/* As many are kept of both as when two coins are thrown; and so with neighbours and with seeds. */
static void draws_have_nothing_to_do_with_one_another(void)
{
    static const struct { const char *name; uint64_t seed; size_t input, shift; } others[] = {
        {"made", 5, 1, 0}, {"made", 6, 0, 0}, {"made", 5, 0, 1},
        {"made", 5, 0, 500}, {"", 0, 0, 0}, {"made", 4, 1, 0},
    };
    enum { N = 100000 };
    static int32_t one[N + 500], other[N + 500];
    struct coin coin = coin_of(5, "made", 0);
    int32_t limit = coin_limit(0.3);

    coin_toss(&coin, 0, N, one);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct coin own = coin_of(others[i].seed, others[i].name, others[i].input);
        double n_both = 0;

        coin_toss(&own, others[i].shift, N, other);
        for (size_t k = 0; k < N; k++)
            n_both += one[k] < limit && other[k] < limit;
        CHECK(fabs(n_both - N * 0.09) < 5 * sqrt(N * 0.09 * 0.91));
    }
}

/* Also across 2^32, where the key changes. */
static void draws_depend_on_the_place_alone(void)
{
    enum { N = 1000 };
    static int32_t all[N], some[N];
    struct coin coin = coin_of(1, "w", 0);
    size_t first = ((size_t)1 << 32) - 300;

    coin_toss(&coin, first, N, all);
    for (size_t i = 0, step = 1; i < N; i += step, step = step * 3 % 100 + 1) {
        step = step < N - i ? step : N - i;
        coin_toss(&coin, first + i, step, some + i);
    }
    CHECK(memcmp(all, some, sizeof all) == 0);
    coin_toss(&coin, 0, N, some);
    CHECK(memcmp(all, some, sizeof all) != 0 && memcmp(all + 300, some, 100) != 0);
}

/* ---- parameters ---- */

static void values_are_checked(void)
{
    static const struct { const char *method, *name, *text; double value; const char *says; } tries[] = {
        {"ties", "density", "0.5", 0.5, NULL},
        {"ties", "density", "1e-4", 1e-4, NULL},
        {"ties", "density", "1.5", 0, "'density' must be from 0 to 1, not 1.5"},
        {"ties", "density", "-1", 0, "from 0 to 1"},
        {"ties", "density", "", 0, "must be a number, not ''"},
        {"ties", "density", "0x1", 0, "must be a number"},
        {"ties", "density", "inf", 0, "must be a finite number"},
        {"ties", "normalize", "Yes", 1, NULL},
        {"ties", "normalize", "off", 0, NULL},
        {"ties", "normalize", "2", 0, "must be true or false, not '2'"},
        {"ties", "lambda", "-3", -3, NULL},
        {"della", "epsilon", "1", 0, "'epsilon' must be at least 0, and below 1, not 1"},
        {"karcher", "tol", "0", 0, "'tol' must be above 0, not 0"},
        {"karcher", "max_iter", "2.5", 0, "must be a whole number"},
        {"karcher", "max_iter", "2.0", 2, NULL},
        {"nearswap", "t", "-1", 0, "'t' must be at least 0, not -1"},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        const struct combine_parameter *parameter =
            combine_parameter_find(find(tries[i].method), tries[i].name, NULL);
        struct error err = {0};
        double value = NAN;
        int rc = combine_parameter_parse(parameter, tries[i].text, &value, &err);

        CHECK(tries[i].says ? rc == -1 && err.code == ERROR_USAGE
                            : rc == 0 && value == tries[i].value);
        if (tries[i].says)
            CHECK_CONTAINS(err.text, tries[i].says);
    }
}

static void places_of_settings_are_those_of_the_rows(void)
{
    const struct combine_method *method = find("della");
    double all[4], each[2];
    size_t place;

    CHECK(combine_n_settings(method, COMBINE_EACH) == 2);
    CHECK(combine_n_settings(method, COMBINE_ALL) == 4);
    CHECK(combine_takes_weights(method) && !combine_takes_weights(find("karcher")));
    combine_standard_settings(method, COMBINE_ALL, all);
    combine_standard_settings(method, COMBINE_EACH, each);
    CHECK(combine_parameter_find(method, "epsilon", &place) && place == 1 && each[1] == 0.15);
    CHECK(combine_parameter_find(method, "lambda", &place) && place == 2 && all[2] == 1);
    CHECK(!combine_parameter_find(method, "gamma", NULL));
    CHECK(combine_parameter_is_known("gamma") && !combine_parameter_is_known("dencity"));
    CHECK(strcmp(combine_parameter_nearest(method, "dencity"), "density") == 0);
    CHECK(strcmp(combine_parameter_nearest(method, "select_topq"), "select_topk") == 0);
    CHECK(strcmp(combine_method_nearest("task_arithmatic"), "task_arithmetic") == 0);
    combine_standard_settings(find("slerp"), COMBINE_ALL, all);
    CHECK(isnan(all[0]));
}

static void models_are_counted(void)
{
    static const struct { const char *method; size_t n; bool has_base; const char *says; } tries[] = {
        {"linear", 1, false, NULL}, {"linear", 0, false, "takes at least 1 model, not 0"},
        {"ties", 3, true, NULL}, {"ties", 3, false, "'ties' needs a base"},
        {"slerp", 1, true, NULL}, {"slerp", 2, true, "takes 1 model besides the base, not 2"},
        {"passthrough", 1, true, "takes no base"}, {"passthrough", 2, false, "takes 1 model, not 2"},
        {"della", 65, true, "takes at most 64 models besides the base, not 65"},
        {"nuslerp", 2, true, NULL}, {"nuslerp", 2, false, NULL}, {"nuslerp", 1, true, "takes 2 models"},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct error err = {0};
        int rc = combine_check_models(find(tries[i].method), tries[i].n, tries[i].has_base, &err);

        CHECK(rc == (tries[i].says ? -1 : 0));
        if (tries[i].says)
            CHECK_CONTAINS(err.text, tries[i].says);
    }
}

static void what_cannot_be_divided_by_is_refused(void)
{
    static struct made_tensors made;
    static const struct shape shape = {1, {5}};
    const struct tensor *x = make(&made, &shape, DTYPE_F32);
    static const struct { const char *method, *parameters, *says; } tries[] = {
        {"linear", "weight=1,-1", "the weights sum to 0"},
        {"linear", "weight=1,-1 normalize=false", NULL},
        {"multislerp", "weight=.3,-.3", "the weights sum to 0"},
        {"multislerp", "weight=.3,-.3 normalize_weights=false", NULL},
        {"nuslerp", "weight=.3,-.3", NULL},
        {"della", "density=.9,.5", "'density' 0.9 with 'epsilon' 0.15"},
        {"della", "density=.8,.5", NULL},
        {"della", "density=1,0", NULL},
        {"della_linear", "density=.1,.5", "'density' 0.1 with 'epsilon' 0.15"},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct plan plan = {0};
        struct error err = {0};

        plan_one(&plan, tries[i].method, x, (const struct tensor *[]){x, x}, 2,
                 tries[i].parameters);
        CHECK(plan_check_settings(&plan, &err) == (tries[i].says ? -1 : 0));
        if (tries[i].says) {
            CHECK(err.code == ERROR_USAGE);
            CHECK_CONTAINS(err.text, "tensor 'made': ");
            CHECK_CONTAINS(err.text, tries[i].says);
        }
        plan_release(&plan);
    }
    free_tensors(&made);
}

TESTS(TEST(every_method_gives_what_mergekit_gives), TEST(all_methods_are_used),
      TEST(neither_threads_nor_chunks_change_a_byte), TEST(what_is_read_is_what_is_written),
      TEST(copies_of_a_model_give_that_model), TEST(models_that_are_the_base_give_the_base),
      TEST(the_order_of_models_is_one_of_rounding), TEST(slerp_is_exact_at_its_ends),
      TEST(nothing_that_is_finite_becomes_nan), TEST(karcher_of_opposite_models_points_as_the_first), TEST(nan_comes_through),
      TEST(exactly_the_largest_are_kept), TEST(sce_selects_exactly_the_most_various),
      TEST(how_many_stay_is_a_product_as_mergekit_has_it),
      TEST(formulas_change_where_those_of_mergekit_do),
      TEST(ranks_decide_as_if_rows_were_sorted), TEST(a_row_or_column_alone_is_the_whole_tensor),
      TEST(columns_are_the_rows_of_the_transposed),
      TEST(importance_of_long_rows_is_that_of_short_ones), TEST(rows_of_one_item_are_taken_whole),
      TEST(dare_keeps_as_many_as_density_says), TEST(draws_have_nothing_to_do_with_one_another),
      TEST(draws_depend_on_the_place_alone), TEST(values_are_checked),
      TEST(places_of_settings_are_those_of_the_rows), TEST(models_are_counted),
      TEST(what_cannot_be_divided_by_is_refused))
