#include "recipe_origins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mix/card_terms.h"
#include "mix/combine.h"

static void add_origin(struct recipe_run *run, const char *text, struct model_folder *folder)
{
    for (size_t i = 0; i < run->n_origins; i++)
        if (strcmp(run->origins[i].text, text) == 0)
            return;
    run->origins = memory_resize(run->origins, run->n_origins + 1, sizeof *run->origins);
    run->origins[run->n_origins++] = (struct recipe_origin){
        text, model_folder_label(folder), model_folder_hub_id(folder), folder};
}

/* In the order in which they go in, what stages are made of in their place: the first is the donor of
 * config.json. */
static void list_origins(struct recipe_run *run, struct recipe_stage *stage)
{
    for (size_t m = 0; m < stage->n_merges; m++) {
        struct recipe_merge *made = &stage->merges[m];

        for (size_t i = 0; i < made->merge.n_models; i++) {
            const struct recipe_reference *reference =
                made->sources[i] ? &made->sources[i]->model : recipe_stages_base(made);
            struct recipe_stage *other = recipe_stages_find(run, reference->path);

            if (other)
                list_origins(run, other);
            else
                add_origin(run, reference->text, &made->merge.models[i]);
        }
    }
}

/* The weight that the model has in all tensors; NAN: it has none, or several. */
static double weight_of(const struct recipe_run *run, const char *text)
{
    struct recipe_merge *made = &run->last->merges[0];
    const struct plan *plan = merge_plan(&made->merge, 0);
    const struct combine_method *method = made->scope.method;
    double weight = NAN;
    bool has_weight = false;

    for (size_t i = 0; i < method->n_parameters; i++)
        has_weight = has_weight || method->parameters[i].scope == COMBINE_WEIGHT;
    if (!has_weight || run->last->n_merges > 1)
        return NAN;
    for (size_t i = 0; i < plan->n_items; i++)
        for (size_t k = 0; plan->items[i].method && k < plan->items[i].n_sources; k++) {
            const struct plan_source *source = &plan->items[i].sources[k];

            if (strcmp(made->merge.models[source->input].name, text) != 0)
                continue;
            if (!isnan(weight) && weight != source->weight)
                return NAN;
            weight = source->weight;
        }
    return weight;
}

/* Card and report tell of the models that the recipe names. */
static void tell_origins(struct recipe_run *run)
{
    struct merge *merge = run->last->result;
    struct plan *plan = &merge->components[0].plan;

    plan->has_base = false; /* it is one of them */
    plan->n_inputs = run->n_origins;
    plan->inputs = arena_alloc(&plan->arena, plan->n_inputs * sizeof *plan->inputs);
    merge->origins = memory_zalloc(run->n_origins, sizeof *merge->origins);
    for (size_t i = 0; i < run->n_origins; i++) {
        const struct recipe_origin *origin = &run->origins[i];

        plan->inputs[i] = (struct plan_input){.name = origin->text,
                                              .weight = weight_of(run, origin->text)};
        merge->origins[i] = (struct merge_origin){
            memory_copy(origin->label), origin->hub_id ? memory_copy(origin->hub_id) : NULL};
    }
}

/* Licence and languages follow from all of them. */
static void add_terms(struct recipe_run *run)
{
    struct merge *merge = run->last->result;
    struct model_folder *folders;

    if (run->n_stages == 1 && !run->last->stacked)
        return; /* the merge has done so */
    folders = memory_zalloc(run->n_origins, sizeof *folders);
    for (size_t i = 0; i < run->n_origins; i++)
        folders[i] = *run->origins[i].folder; /* looked at, not owned */
    buffer_clear(&merge->card_terms);
    card_terms_add(&merge->card_terms, folders, run->n_origins, &run->notices);
    free(folders);
}

void recipe_origins_tell(struct recipe_run *run)
{
    list_origins(run, run->last);
    tell_origins(run);
    if (run->options.merge.output)
        add_terms(run);
}
