#include "arch/model_facts.h"

#include "test.h"

static struct model_facts find(const char *path)
{
    struct model_folder model;
    struct model_facts facts;
    struct error err = {0};

    CHECK(model_folder_open(&model, path, NULL, false, &err) == 0);
    CHECK(model_facts_find(&facts, &model, &err) == 0);
    CHECK(!model.name); /* taken over */
    return facts;
}

static void counts_all_parameters_of_a_dense_model(void)
{
    struct model_facts facts = find("fixtures/decoder-base");
    size_t n_active, n_tensors = 0;

    for (size_t d = 0; d < N_DTYPES; d++)
        n_tensors += facts.n_by_dtype[d];
    CHECK(n_tensors == model_components_n_tensors(&facts.weights));
    CHECK(facts.n_parameters > 0 && facts.size_bytes >= 2 * facts.n_parameters);
    CHECK(strcmp(facts.type, "decoder") == 0);
    CHECK(!facts.quantization && facts.notices.n_texts == 0);
    CHECK(!model_facts_experts(&facts, EXPERTS, NULL, NULL));
    CHECK(model_facts_active(&facts, &n_active) && n_active == facts.n_parameters);
    model_facts_release(&facts);
}

static void tells_which_parameters_a_token_meets(void)
{
    struct model_facts facts = find("fixtures/moe-base");
    size_t n_active, n_experts, n_chosen, n = facts.n_in_experts[EXPERTS];

    CHECK(model_facts_experts(&facts, EXPERTS, &n_experts, &n_chosen));
    CHECK(n > 0 && n < facts.n_parameters && n % n_experts == 0 && n_chosen < n_experts);
    CHECK(facts.n_in_experts[ATTENTION_EXPERTS] == 0);
    CHECK(model_facts_active(&facts, &n_active));
    CHECK(n_active == facts.n_parameters - n / n_experts * (n_experts - n_chosen));
    model_facts_release(&facts);
}

static void cannot_tell_where_the_numbers_do_not_fit(void)
{
    struct model_facts facts = find("fixtures/moe-base");
    size_t n_active;

    facts.n_in_experts[EXPERTS]++;
    CHECK(!model_facts_active(&facts, &n_active));
    model_facts_release(&facts);
}

static void says_what_is_missing(void)
{
    struct model_folder model;
    struct model_facts facts;
    struct error err = {0};

    CHECK(model_folder_open(&model, "fixtures/examples", NULL, false, &err) == 0);
    CHECK(model_facts_find(&facts, &model, &err) == -1);
    CHECK_CONTAINS(err.text, "fixtures/examples");
    model_facts_release(&facts);
}

TESTS(TEST(counts_all_parameters_of_a_dense_model), TEST(tells_which_parameters_a_token_meets),
      TEST(cannot_tell_where_the_numbers_do_not_fit), TEST(says_what_is_missing))
