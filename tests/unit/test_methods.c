/* test_methods.c - what the methods of mixing make of small tensors, and what they must have in
 * common. */
#include <math.h>
#include <stdint.h>

#include "base/memory.h"
#include "made_tensors.h"
#include "mix/combine.h"
#include "mix/combine_settings.h"
#include "mix/item_source.h"

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

TESTS(TEST(every_method_gives_what_mergekit_gives))
