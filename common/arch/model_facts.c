#include "model_facts.h"

#include <stdlib.h>
#include <string.h>

#include "arch/architecture.h"
#include "arch/checkpoint_names.h"
#include "arch/config_keys.h"
#include "arch/layout_check.h"
#include "arch/quantized.h"
#include "base/memory.h"

bool model_facts_experts(const struct model_facts *facts, enum expert_kind kind,
                         size_t *n_experts, size_t *n_chosen)
{
    return (kind == EXPERTS ? architecture_has_experts : architecture_has_attention_experts)(
        &facts->model.config, n_experts, n_chosen);
}

static void count_expert(struct model_facts *facts, const char *plain, size_t n_items)
{
    bool is_apart = model_facts_experts(facts, ATTENTION_EXPERTS, NULL, NULL) &&
                    tensor_names_is_attention_expert(plain);

    if (tensor_names_is_expert(plain))
        facts->n_in_experts[is_apart ? ATTENTION_EXPERTS : EXPERTS] += n_items;
}

static void count_format(struct model_facts *facts, const struct tensor *tensor)
{
    const char *name = tensor_stored(tensor).format;
    size_t i = 0;

    if (!tensor_is_quantised(tensor)) {
        facts->n_by_dtype[tensor->dtype]++;
        return;
    }
    while (i < facts->n_formats && strcmp(facts->formats[i].name, name) != 0)
        i++;
    if (i == facts->n_formats) {
        facts->formats = memory_resize(facts->formats, i + 1, sizeof *facts->formats);
        facts->formats[facts->n_formats++] = (struct model_format){name, 0};
    }
    facts->formats[i].n_tensors++;
}

/* Counts what is a parameter and not another one once more. */
static int count_tensors(struct model_facts *facts, const struct checkpoint *checkpoint,
                         struct error *err)
{
    bool ties = model_folder_is_tied(&facts->model);
    struct checkpoint_names names;
    int rc = 0;

    checkpoint_names_init(&names, checkpoint);
    for (size_t i = 0; rc >= 0 && i < checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &checkpoint->tensors[i];
        const struct tied_name *tied = tensor_names_find_tied(names.plain[i]);

        count_format(facts, tensor);
        facts->size_bytes += tensor_stored(tensor).n_bytes;
        rc = tied && (ties || !tied->is_head) ? checkpoint_names_is_copy(&names, i, err) : 0;
        if (rc == 0 && tied && tied->is_head && checkpoint_names_find_owner(&names, tied))
            facts->is_tied = false; /* a head of its own, whatever config.json says */
        if (rc == 0 && tensor_names_is_parameter(tensor)) {
            facts->n_parameters += tensor->n_items;
            count_expert(facts, names.plain[i], tensor->n_items);
        }
    }
    checkpoint_names_release(&names);
    return rc < 0 ? -1 : 0;
}

static int count_all(struct model_facts *facts, struct error *err)
{
    facts->is_tied = model_folder_is_tied(&facts->model);
    for (size_t i = 0; i < facts->weights.n_items; i++)
        if (count_tensors(facts, facts->weights.items[i].checkpoint, err))
            return -1;
    return 0;
}

/* Whether the weights are what config.json says, where we know what that means. */
static void compare_with_config(struct model_facts *facts, enum model_type type)
{
    const struct config *config = &facts->model.config;
    struct checkpoint_names names;
    struct model_layout layout;
    struct model_spec spec;
    struct error failure = {0};

    if (quantized_check(&facts->model, &failure) || !architecture_family(config) ||
        config_number(config, config_hidden_size) < 0)
        return;
    if (model_spec_load(&spec, config, type, facts->model.name, &failure)) {
        if (failure.code == ERROR_FORMAT)
            notices_add(&facts->notices, "%s", failure.text);
        return;
    }
    checkpoint_names_init(&names, facts->weights.items[0].checkpoint);
    layout_make(&layout, &spec, type, &names);
    if (layout_check(&layout, &failure))
        notices_add(&facts->notices, "the weights are not what %s says: %s", config_name(config),
                    failure.text);
    layout_release(&layout);
    checkpoint_names_release(&names);
    model_spec_release(&spec);
}

int model_facts_find(struct model_facts *facts, struct model_folder *model, struct error *err)
{
    struct error ignored = {0};
    enum model_type type;

    *facts = (struct model_facts){.model = *model};
    *model = (struct model_folder){0};
    config_keys_tell(&facts->model.config, facts->model.name, &facts->notices);
    if (model_components_open(&facts->weights, &facts->model, &facts->notices, err) ||
        count_all(facts, err) ||
        model_folder_vocabulary(&facts->model, &facts->vocabulary, err))
        return -1;
    facts->quantization = quantized_method(&facts->model, facts->weights.items[0].checkpoint);
    if (facts->vocabulary.problem)
        notices_add(&facts->notices, "the tokenizer cannot be run: %s", facts->vocabulary.problem);
    if (facts->model.has_config &&
        model_folder_type(&facts->model, NULL, &type, &ignored) == 0) {
        facts->type = model_type_name(type);
        compare_with_config(facts, type);
    }
    return 0;
}

void model_facts_release(struct model_facts *facts)
{
    free(facts->quantization);
    free(facts->formats);
    model_components_release(&facts->weights);
    vocabulary_release(&facts->vocabulary);
    model_folder_release(&facts->model);
    notices_release(&facts->notices);
}

bool model_facts_active(const struct model_facts *facts, size_t *n_active)
{
    *n_active = facts->n_parameters;
    for (enum expert_kind kind = 0; kind < N_EXPERT_KINDS; kind++) {
        size_t n_experts, n_chosen, n = facts->n_in_experts[kind];

        if (!model_facts_experts(facts, kind, &n_experts, &n_chosen))
            continue;
        if (n_chosen == 0 || n_chosen > n_experts || n % n_experts || n == 0)
            return false;
        *n_active -= n / n_experts * (n_experts - n_chosen);
    }
    return true;
}
