/* test_generation.c - by steps, in any company, the texts that transformers generates. */
#include "model/generation.h"

#include <dirent.h>

#include "golden.h"
#include "model/generation_config.h"
#include "text/tokenizer.h"

/* What continues the first text of golden.safetensors (MoLM: its own prompt). */
static struct ids find_prompt(const struct golden *golden)
{
    bool has_own = golden_find(golden, "greedy_prompt") != NULL;
    const char *name = has_own ? "greedy_prompt" : "ids";
    int32_t *values = golden_values(golden, name);
    struct ids prompt = {0};
    size_t n = golden_find(golden, name)->n_items;

    if (!has_own) {
        size_t n_texts, *ends = golden_ends(golden, "ends", &n_texts);

        n = ends[0];
        free(ends);
    }
    for (size_t i = 0; i < n; i++)
        ids_add(&prompt, (uint32_t)values[i]);
    free(values);
    return prompt;
}

struct stage { /* a model of fixtures/models/ with its greedy text */
    const char *name;
    struct fixture fixture;
    struct ids prompt, eos;
    int32_t *greedy;
    size_t n_greedy;
};

static void stage_init(struct stage *stage, const char *name, const struct golden *golden)
{
    char *path = memory_format("models/%s", name);
    struct tokenizer *tokenizer;
    struct error err = {0};

    *stage = (struct stage){.name = name, .prompt = find_prompt(golden),
                            .greedy = golden_values(golden, "greedy"),
                            .n_greedy = golden_find(golden, "greedy")->n_items};
    fixture_load(&stage->fixture, path, 2);
    tokenizer = tokenizer_load(stage->fixture.folder.folder, "", &(struct error){0});
    if (tokenizer) /* not every fixture has one: then its text is not one that ends */
        CHECK(generation_config_eos(&stage->fixture.folder, tokenizer, &stage->eos, &err) == 0);
    tokenizer_free(tokenizer);
    free(path);
}

static void stage_release(struct stage *stage)
{
    fixture_release(&stage->fixture);
    ids_release(&stage->prompt);
    ids_release(&stage->eos);
    free(stage->greedy);
}

static struct generation_settings settings_of(const struct stage *stage)
{
    return (struct generation_settings){.name = stage->name, .max_tokens = stage->n_greedy,
                                        .eos = &stage->eos};
}

static void check_greedy(const struct stage *stage, const struct generation *generation,
                         const char *how)
{
    const struct ids *ids = &generation->ids;
    bool is_same = ids->n_items - generation->n_given == stage->n_greedy &&
                   memcmp(ids->items + generation->n_given, stage->greedy,
                          stage->n_greedy * sizeof *stage->greedy) == 0;

    CHECK(generation->state == GENERATION_EOS || generation->state == GENERATION_LENGTH);
    CHECK(is_same);
    if (!is_same)
        printf("# %s, %s: another text, %s\n", stage->name, how, generation->error.text);
}

static void check_alone(const struct stage *stage)
{
    struct generation_settings settings = settings_of(stage);
    struct generation generation, *only = &generation;
    struct error err = {0};

    CHECK(generation_init(&generation, stage->fixture.model, &stage->prompt, &settings, &err) == 0);
    while (generation.state == GENERATION_RUNS && !err.code)
        CHECK(generation_step(stage->fixture.model, &only, 1, &err) == 0);
    check_greedy(stage, &generation, "alone");
    generation_release(&generation);
}

/* In more or fewer steps. */
static void check_with_guesses(const struct stage *stage)
{
    struct generation_settings settings = settings_of(stage);
    struct generation generation, *only = &generation;
    struct error err = {0};

    settings.n_drafts = DRAFTS_MAX;
    CHECK(generation_init(&generation, stage->fixture.model, &stage->prompt, &settings, &err) == 0);
    while (generation.state == GENERATION_RUNS && !err.code)
        CHECK(generation_step(stage->fixture.model, &only, 1, &err) == 0);
    check_greedy(stage, &generation, "with guesses");
    CHECK(generation.cache->n_tokens == generation.ids.n_items - 1);
    generation_release(&generation);
}

static size_t run_all(struct model *model, struct generation *const *generations, size_t n)
{
    struct error err = {0};
    size_t n_steps = 0;

    for (bool is_running = true; is_running && !err.code; n_steps++) {
        CHECK(generation_step(model, generations, n, &err) == 0);
        is_running = false;
        for (size_t i = 0; i < n; i++)
            is_running |= generations[i]->state == GENERATION_RUNS;
    }
    return n_steps;
}

/* Neighbours: the same text, its prompt in pieces; one that comes late, whose prompt is shorter; one
 * that fails at once; one that is drawn. */
static void check_in_company(const struct stage *stage)
{
    enum { N = 5 };
    struct model *model = stage->fixture.model;
    struct generation_settings settings[N];
    struct generation generations[N], *members[N];
    struct ids shorter = stage->prompt, wrong = {0};
    const struct ids *prompts[N] = {&stage->prompt, &stage->prompt, &stage->prompt, &wrong,
                                    &shorter};
    struct error err = {0};

    ids_add(&wrong, (uint32_t)model->spec.vocab_size);
    shorter.n_items = shorter.n_items / 2 + 1;
    for (size_t i = 0; i < N; i++) {
        settings[i] = settings_of(stage);
        members[i] = &generations[N - 1 - i];
        CHECK(generation_init(&generations[i], model, prompts[i], &settings[i], &err) == 0);
    }
    generations[1].settings.chunk = 3;
    generations[2].settings.n_drafts = 1;
    generations[4].settings.n_drafts = 2;
    generations[4].sampler.sampling.temperature = 1;
    for (size_t step = 0; step < 2; step++)
        CHECK(generation_step(model, members + 1, N - 2, &err) == 0);
    CHECK(generation_step(model, members, N - 1, &err) == 0);
    run_all(model, members, N);
    for (size_t i = 0; i < 3; i++)
        check_greedy(stage, &generations[i], i == 0 ? "late" : i == 1 ? "chunks" : "in company");
    CHECK(generations[3].state == GENERATION_FAILED &&
          generations[3].error.code == ERROR_FORMAT && generations[3].ids.n_items <= 1);
    CHECK(generations[4].state == GENERATION_LENGTH || generations[4].state == GENERATION_EOS);
    for (size_t i = 0; i < N; i++)
        generation_release(&generations[i]);
    ids_release(&wrong);
}

/* Among them texts that grow beyond the length where longrope takes other frequencies, and where a
 * window begins to slide. */
static void each_golden_text(void check(const struct stage *stage))
{
    DIR *directory = opendir("fixtures/models");
    struct dirent *entry;
    size_t n = 0;

    CHECK(directory != NULL);
    while (directory && (entry = readdir(directory))) {
        char *path = memory_format("fixtures/models/%s", entry->d_name);
        struct notices notices = {0};
        struct error err = {0};
        struct golden golden = {0};
        struct stage stage;

        if (entry->d_name[0] != '.')
            golden.folder = folder_open(path, false, &err);
        if (golden.folder)
            golden.checkpoint =
                checkpoint_open(golden.folder, "", "golden.safetensors", &notices, &err);
        if (golden.checkpoint && golden_find(&golden, "greedy")) {
            stage_init(&stage, entry->d_name, &golden);
            check(&stage);
            stage_release(&stage);
            n++;
        }
        checkpoint_close(golden.checkpoint);
        folder_close(golden.folder);
        notices_release(&notices);
        free(path);
    }
    CHECK(n >= 60);
    if (directory)
        closedir(directory);
}

static bool are_same(const struct ids *a, const struct ids *b)
{
    return a->n_items == b->n_items &&
           memcmp(a->items, b->items, a->n_items * sizeof *a->items) == 0;
}

/* What each seed draws alone it draws among others. */
static void a_seed_is_a_text_in_any_company(void)
{
    enum { N = 6 };
    struct generation alone[N], together[N], *members[N], *only;
    struct ids prompt = {0}, eos = {0};
    struct fixture fixture;
    struct error err = {0};

    fixture_load(&fixture, "moe-base", 2);
    for (uint32_t id = 5; id < 12; id++)
        ids_add(&prompt, id);
    for (size_t i = 0; i < N; i++) {
        struct generation_settings settings = {
            .name = "moe-base", .max_tokens = 12 + i, .eos = &eos,
            .sampling = {.temperature = 1, .top_k = 50, .top_p = 0.9, .seed = i / 2}};

        CHECK(generation_init(&alone[i], fixture.model, &prompt, &settings, &err) == 0);
        CHECK(generation_init(&together[i], fixture.model, &prompt, &settings, &err) == 0);
        only = &alone[i];
        members[i] = &together[i];
        CHECK(run_all(fixture.model, &only, 1) == 12 + i);
    }
    CHECK(run_all(fixture.model, members, N) == 12 + N - 1);
    for (size_t i = 0; i < N; i++) {
        CHECK(are_same(&alone[i].ids, &together[i].ids));
        CHECK(alone[i].state == GENERATION_LENGTH && together[i].state == GENERATION_LENGTH);
        CHECK(!are_same(&alone[i].ids, &alone[(i + 2) % N].ids));
    }
    for (size_t i = 0; i < N; i++) {
        generation_release(&alone[i]);
        generation_release(&together[i]);
    }
    ids_release(&prompt);
    fixture_release(&fixture);
}

/* As of texts that begin alike: the beginning is run once. */
static void a_cache_may_hold_the_beginning_already(void)
{
    struct generation first, second, *only = &first;
    struct ids prompt = {0}, eos = {0};
    struct generation_settings settings = {.name = "decoder-base", .max_tokens = 10, .eos = &eos};
    struct fixture fixture;
    struct error err = {0};

    fixture_load(&fixture, "decoder-base", 1);
    for (uint32_t id = 20; id < 40; id++)
        ids_add(&prompt, id);
    CHECK(generation_init(&first, fixture.model, &prompt, &settings, &err) == 0);
    CHECK(generation_init(&second, fixture.model, &prompt, &settings, &err) == 0);
    run_all(fixture.model, &only, 1);
    cache_free(second.cache);
    second.cache = cache_fork(first.cache, &err);
    cache_truncate(second.cache, prompt.n_items - 1);
    only = &second;
    run_all(fixture.model, &only, 1);
    CHECK(are_same(&first.ids, &second.ids));
    generation_release(&first);
    generation_release(&second);
    ids_release(&prompt);
    fixture_release(&fixture);
}

/* The log probabilities of a text are those that its logits have, and what ends it can be put off. */
static void likelihoods_come_with_the_tokens(void)
{
    struct generation generation, *only = &generation;
    struct ids prompt = {0}, eos = {0};
    struct generation_settings settings = {.name = "decoder-base", .max_tokens = 8, .eos = &eos,
                                           .has_logprobs = true, .n_top_logprobs = 3};
    struct fixture fixture;
    struct error err = {0};
    uint32_t first;

    fixture_load(&fixture, "decoder-base", 2);
    for (uint32_t id = 20; id < 40; id++)
        ids_add(&prompt, id);
    CHECK(generation_init(&generation, fixture.model, &prompt, &settings, &err) == 0);
    run_all(fixture.model, &only, 1);
    for (size_t i = 0; i < 8; i++) {
        const struct token_logprob *tokens = generation.logprobs + 4 * i;

        CHECK(tokens[0].id == generation.ids.items[20 + i]);
        CHECK(tokens[1].id == tokens[0].id && tokens[1].logprob == tokens[0].logprob);
        CHECK(tokens[1].logprob >= tokens[2].logprob && tokens[2].logprob >= tokens[3].logprob);
        CHECK(tokens[1].logprob <= 0);
    }
    first = generation.ids.items[20];
    generation_release(&generation);

    ids_add(&eos, first);
    CHECK(generation_init(&generation, fixture.model, &prompt, &settings, &err) == 0);
    run_all(fixture.model, &only, 1);
    CHECK(generation.state == GENERATION_EOS && generation.ids.n_items == 21);
    generation_release(&generation);
    settings.min_tokens = 5;
    CHECK(generation_init(&generation, fixture.model, &prompt, &settings, &err) == 0);
    run_all(fixture.model, &only, 1);
    for (size_t i = 20; i < 25; i++)
        CHECK(generation.ids.items[i] != first);
    CHECK(generation.ids.n_items >= 25);
    generation_release(&generation);
    ids_release(&prompt);
    ids_release(&eos);
    fixture_release(&fixture);
}

/* A text of three words: it repeats itself, some of the time in another order. */
static struct generation_settings settings_of_few(size_t i, const struct ids *eos)
{
    static const struct logit_bias three[] = {{30, 100}, {31, 100}, {32, 100}};

    return (struct generation_settings){
        .name = "decoder-base", .max_tokens = 40 + i, .eos = eos, .has_logprobs = true,
        .n_top_logprobs = 2,
        .sampling = {.temperature = (double)(i % 4) / 2, .top_p = 1, .seed = i, .biases = three,
                     .n_biases = 3, .repetition_penalty = i == 5 ? 1.1 : 0}};
}

static void check_same(const struct generation *a, const struct generation *b)
{
    size_t n_new = a->ids.n_items - a->n_given;

    CHECK(are_same(&a->ids, &b->ids) && a->state == b->state);
    CHECK(memcmp(a->logprobs, b->logprobs, n_new * 3 * sizeof *a->logprobs) == 0);
    CHECK(b->cache->n_tokens == b->ids.n_items - 1);
}

/* Right ones spare steps, wrong ones are forgotten. */
static void guesses_change_no_text(void)
{
    enum { N = 8 };
    size_t n_steps = 0, n_without = 0;
    struct ids prompt = {0}, eos = {0};
    struct fixture fixture;

    fixture_load(&fixture, "decoder-base", 2);
    for (uint32_t i = 0; i < 24; i++)
        ids_add(&prompt, 20 + i % 8);
    for (size_t i = 0; i < N; i++) {
        struct generation_settings settings = settings_of_few(i, &eos);
        struct generation without, with, *only = &without;
        struct error err = {0};

        CHECK(generation_init(&without, fixture.model, &prompt, &settings, &err) == 0);
        settings.n_drafts = 1 + i % DRAFTS_MAX;
        CHECK(generation_init(&with, fixture.model, &prompt, &settings, &err) == 0);
        n_without += run_all(fixture.model, &only, 1);
        only = &with;
        n_steps += run_all(fixture.model, &only, 1);
        check_same(&without, &with);
        generation_release(&without);
        generation_release(&with);
    }
    CHECK(n_without == N * 40 + N * (N - 1) / 2);
printf("# STEPS %zu %zu\n", n_steps, n_without);
    CHECK(n_steps < n_without * 9 / 10);
    ids_release(&prompt);
    fixture_release(&fixture);
}

static void guess(struct drafts *drafts, const uint32_t *ids, size_t n, size_t n_most)
{
    struct ids text = {0};

    for (size_t i = 0; i < n; i++)
        ids_add(&text, ids[i]);
    drafts_guess(drafts, &text, n_most);
    ids_release(&text);
}

static void guesses_are_what_came_before(void)
{
    static const uint32_t text[] = {1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 8, 9, 1, 2, 3}, round[] = {4, 4, 4, 4};
    struct drafts drafts = {0};

    guess(&drafts, text, 15, 3); /* the last place counts */
    CHECK(drafts.n_ids == 3 && drafts.ids[0] == 8 && drafts.ids[1] == 9 && drafts.ids[2] == 1);
    guess(&drafts, text, 15, 2);
    CHECK(drafts.n_ids == 2);
    guess(&drafts, text, 14, 3);
    CHECK(drafts.n_ids == 0);
    guess(&drafts, text, 2, 3);
    CHECK(drafts.n_ids == 0);
    guess(&drafts, round, 4, 3); /* and so on */
    CHECK(drafts.n_ids == 3 && drafts.ids[0] == 4 && drafts.ids[2] == 4);
    drafts_learn(&drafts, 0); /* one miss: a step without a guess */
    guess(&drafts, round, 4, 3);
    CHECK(drafts.n_ids == 0);
    guess(&drafts, round, 4, 3);
    CHECK(drafts.n_ids == 3);
    drafts_learn(&drafts, 0);
    for (size_t i = 0; i < 3; i++, guess(&drafts, round, 4, 3))
        CHECK(i == 0 || drafts.n_ids == 0);
    guess(&drafts, round, 4, 3);
    CHECK(drafts.n_ids == 3);
    drafts_learn(&drafts, 1);
    guess(&drafts, round, 4, 3);
    CHECK(drafts.n_ids == 3);
}

static void greedy_texts_are_those_of_transformers(void)
{
    each_golden_text(check_alone);
    each_golden_text(check_with_guesses);
}

static void neighbours_change_no_text(void)
{
    each_golden_text(check_in_company);
}

TESTS(TEST(greedy_texts_are_those_of_transformers), TEST(neighbours_change_no_text),
      TEST(a_seed_is_a_text_in_any_company), TEST(a_cache_may_hold_the_beginning_already),
      TEST(likelihoods_come_with_the_tokens), TEST(guesses_change_no_text),
      TEST(guesses_are_what_came_before))
