/* The statistics of models in fixtures/models/ on the texts of fixtures/routers/ are those that
 * tests/parity/routers.py has computed with numpy from transformers' routers. */
#include "eval/router_watch.h"

#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "eval/losses.h"
#include "scratch.h"

/* Of 1, or of the value where that is larger: our logits are sums in float. */
static const double tolerance = 2e-5;

struct loaded {
    struct model_folder folder;
    struct threads *threads;
    struct tokenizer *tokenizer;
    struct model *model;
};

static bool load(struct loaded *loaded, const char *path, size_t n_threads)
{
    struct notices notices = {0};
    struct error err = {0};
    enum model_type type;

    *loaded = (struct loaded){.threads = threads_new(n_threads, &err)};
    if (loaded->threads && model_folder_open(&loaded->folder, path, NULL, false, &err) == 0 &&
        architecture_type(&loaded->folder.config, NULL, path, &type, &err) == 0) {
        loaded->tokenizer = tokenizer_load(loaded->folder.folder, "", &err);
        loaded->model = model_load(&loaded->folder, type, loaded->threads, &notices, &err);
    }
    if (err.code)
        printf("# %s: %s\n", path, err.text);
    notices_release(&notices);
    return loaded->model && loaded->tokenizer;
}

static void unload(struct loaded *loaded)
{
    model_free(loaded->model);
    tokenizer_free(loaded->tokenizer);
    threads_free(loaded->threads);
    model_folder_release(&loaded->folder);
}

/* Runs a model on the texts, and a second one beside it; second NULL: none. */
static bool run(struct loaded *loaded, struct router_watch *last, struct notices *notices,
                size_t batch_size)
{
    const struct losses_model model = {
        .name = "model",
        .type = loaded->model->spec.is_encoder_decoder ? MODEL_ENCODER_DECODER : MODEL_DECODER,
        .model = loaded->model,
        .tokenizer = loaded->tokenizer,
    };
    const struct losses_options options = {
        .batch_size = batch_size,
        .max_length = 2048,
        .follower = router_watch_follower(last),
    };
    struct examples examples = {0};
    struct losses losses = {0};
    struct error err = {0};
    bool is_done = examples_load(&examples, "fixtures/routers/examples.jsonl", EXAMPLE_OUTPUT,
                                 NULL, &err) == 0 &&
                   losses_compute(&losses, &model, &examples, &options, notices, &err) == 0;

    if (!is_done)
        printf("# %s\n", err.text);
    losses_release(&losses);
    examples_release(&examples);
    return is_done;
}

/* ---- what is expected ---- */

static cJSON *read_golden(void)
{
    static const char path[] = "fixtures/routers/golden.json";
    struct error err = {0};
    struct file *file = file_open(path, path, &err);
    size_t n;
    char *text = file ? file_read_text(file, 1 << 20, &n, &err) : NULL;
    cJSON *golden = text ? json_parse(text, n, &err) : NULL;

    CHECK(golden);
    free(text);
    file_close(file);
    return golden;
}

static bool is_near(double got, const cJSON *expected, const char *what, size_t layer)
{
    if (!cJSON_IsNumber(expected) ? isnan(got)
                                  : fabs(got - expected->valuedouble) <=
                                        tolerance * fmax(1, fabs(expected->valuedouble)))
        return true;
    printf("# layer %zu: %s is %.9g, expected %.9g\n", layer, what, got,
           expected ? expected->valuedouble : NAN);
    return false;
}

static void check_stats(const struct router_stats *stats, const cJSON *expected, size_t layer,
                        bool is_agreement)
{
    for (const struct router_stat *row = router_stat_rows; row->name; row++)
        if ((row->view == ROUTER_VIEW_AGREEMENT) == is_agreement)
            CHECK(is_near(router_stat_of(stats, row),
                          cJSON_GetObjectItemCaseSensitive(expected, row->name), row->name,
                          layer));
}

static void check_lists(const struct watched_router *router, const cJSON *expected)
{
    const cJSON *load = json_find(expected, "load"), *norms = json_find(expected, "row_norms");
    const cJSON *mean_p = json_find(expected, "mean_p");
    const cJSON *together = json_find(expected, "coactivation");
    const struct router_tally *tally = &router->tally;
    size_t n = tally->n_experts;

    CHECK((size_t)cJSON_GetArraySize(load) == n && router->row_norms);
    for (int e = 0; e < (int)n && router->row_norms; e++) {
        CHECK(is_near(router_load(tally, (size_t)e), cJSON_GetArrayItem(load, e), "load",
                      router->layer));
        CHECK(is_near(tally->mass[e] / (double)tally->n_tokens, cJSON_GetArrayItem(mean_p, e),
                      "mean p", router->layer));
        CHECK(is_near(router->row_norms[e], cJSON_GetArrayItem(norms, e), "norm", router->layer));
        for (int other = 0; other < (int)n; other++)
            CHECK((double)tally->together[(size_t)e * n + (size_t)other] ==
                  cJSON_GetArrayItem(cJSON_GetArrayItem(together, e), other)->valuedouble);
    }
}

static void check_group(const struct router_group *group, const cJSON *groups, bool is_agreement)
{
    char *key = memory_format("%s_%s", router_stack_name(group->is_encoder),
                              router_part_name(group->is_attention));
    const cJSON *expected = json_find(groups, key), *layers = json_find(expected, "layers");

    CHECK(expected && (size_t)cJSON_GetArraySize(layers) == group->n_routers);
    for (size_t i = 0; expected && i < group->n_routers; i++) {
        const struct watched_router *router = group->routers[i];
        const cJSON *layer = cJSON_GetArrayItem(layers, (int)i);

        CHECK((double)router->layer == json_find(layer, "layer")->valuedouble);
        CHECK((double)router->tally.n_tokens == json_find(expected, "n_tokens")->valuedouble);
        check_stats(&router->stats, layer, router->layer, is_agreement);
        if (!is_agreement)
            check_lists(router, layer);
    }
    check_stats(&group->overall, json_find(expected, "overall"), 999, is_agreement);
    free(key);
}

static void check_groups(const struct router_watch *watch, const cJSON *groups, bool is_agreement)
{
    CHECK((size_t)cJSON_GetArraySize(groups) == watch->n_groups);
    for (size_t g = 0; g < watch->n_groups; g++)
        check_group(&watch->groups[g], groups, is_agreement);
}

/* ---- tests ---- */

static void check_model(const cJSON *expected, size_t n_threads, size_t batch_size)
{
    char *path = memory_format("fixtures/models/%s", expected->string);
    struct router_watch watch = {0};
    struct notices notices = {0};
    struct error err = {0};
    struct loaded loaded;

    if (load(&loaded, path, n_threads) &&
        router_watch_start(&watch, loaded.model, path, NULL, &err) == 0 &&
        run(&loaded, &watch, &notices, batch_size)) {
        CHECK(router_watch_end(&watch, &notices, &err) == 0);
        check_groups(&watch, expected, false);
    } else {
        CHECK(!"the model runs");
    }
    router_watch_release(&watch);
    CHECK(!loaded.model || !loaded.model->watcher.see);
    unload(&loaded);
    notices_release(&notices);
    free(path);
}

static void statistics_are_those_of_numpy(void)
{
    cJSON *golden = read_golden();
    const cJSON *model;

    CHECK(cJSON_GetArraySize(json_find(golden, "models")) == 7);
    cJSON_ArrayForEach(model, json_find(golden, "models"))
    {
        check_model(model, 2, 5);
        if (test_has_failed)
            printf("# in %s\n", model->string);
    }
    cJSON_Delete(golden);
}

static void two_models_read_the_same(void)
{
    cJSON *golden = read_golden();
    struct router_watch watches[2] = {0};
    struct notices notices = {0};
    struct error err = {0};
    struct loaded a, b;
    bool are_loaded = load(&a, "fixtures/models/mixtral", 2);

    are_loaded = load(&b, "fixtures/routers/mixtral-noisy", 1) && are_loaded;
    CHECK(are_loaded);
    if (are_loaded && router_watch_start(&watches[0], a.model, "a", NULL, &err) == 0 &&
        router_watch_start(&watches[1], b.model, "b", &watches[0], &err) == 0 &&
        run(&a, &watches[1], &notices, 3)) {
        CHECK(router_watch_end(&watches[0], &notices, &err) == 0);
        CHECK(router_watch_end(&watches[1], &notices, &err) == 0);
        check_groups(&watches[0], json_find(json_find(golden, "models"), "mixtral"), false);
        check_groups(&watches[1], json_find(golden, "agreement"), true);
    } else {
        CHECK(!"the models run");
    }
    router_watch_release(&watches[0]);
    router_watch_release(&watches[1]);
    unload(&a);
    unload(&b);
    notices_release(&notices);
    cJSON_Delete(golden);
}

static void sums_depend_neither_on_threads_nor_on_batches(void)
{
    static const size_t n_threads[] = {1, 4, 3};
    struct router_stats first = {0};

    for (size_t i = 0; i < 3; i++) {
        struct router_watch watch = {0};
        struct notices notices = {0};
        struct error err = {0};
        struct loaded loaded;

        if (load(&loaded, "fixtures/models/jetmoe-bf16", n_threads[i]) &&
            router_watch_start(&watch, loaded.model, "model", NULL, &err) == 0 &&
            run(&loaded, &watch, &notices, 8)) {
            CHECK(router_watch_end(&watch, &notices, &err) == 0);
            if (i == 0)
                first = watch.groups[0].overall;
            CHECK(watch.n_groups == 2);
            CHECK(memcmp(&watch.groups[0].overall.load_min, &first.load_min,
                         offsetof(struct router_stats, jaccard)) == 0);
        } else {
            CHECK(!"the model runs");
        }
        router_watch_release(&watch);
        unload(&loaded);
        notices_release(&notices);
    }
}

static void check_misfit(const char *first, const char *second, const char *part)
{
    struct router_watch watches[2] = {0};
    struct error err = {0};
    struct loaded a, b;
    bool are_loaded = load(&a, first, 1);

    are_loaded = load(&b, second, 1) && are_loaded;
    CHECK(are_loaded);
    if (are_loaded && router_watch_start(&watches[0], a.model, "a", NULL, &err) == 0)
        CHECK(router_watch_start(&watches[1], b.model, "b", &watches[0], &err) == -1);
    CHECK(err.code == ERROR_INCOMPATIBLE);
    CHECK_CONTAINS(err.text, part);
    router_watch_release(&watches[0]);
    router_watch_release(&watches[1]);
    unload(&a);
    unload(&b);
}

static void models_must_have_the_same_routers(void)
{
    check_misfit("fixtures/models/mixtral", "fixtures/models/mixtral-k1-bf16",
                 "'a' has 5 experts, 'b' has 6");
    check_misfit("fixtures/models/granitemoe-bf16", "fixtures/models/granitemoe-bias-f16",
                 "'a' has 2 layers, 'b' has 1");
    check_misfit("fixtures/models/switch-transformers-bf16",
                 "fixtures/models/switch-transformers-bias-f16", "'a' has");
    check_misfit("fixtures/models/mixtral", "fixtures/models/llama-gqa", "'b': has no experts");
    check_misfit("fixtures/models/jetmoe-bf16", "fixtures/models/mixtral",
                 "have their experts in different places");
}

TESTS(TEST(statistics_are_those_of_numpy), TEST(two_models_read_the_same),
      TEST(sums_depend_neither_on_threads_nor_on_batches),
      TEST(models_must_have_the_same_routers))
