#include "plan_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct part_weights *find_part(const struct plan_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->n_parts; i++)
        if (strstr(name, settings->parts[i].part))
            return &settings->parts[i];
    return NULL;
}

void plan_set_settings(struct plan *plan, const struct plan_settings *settings)
{
    plan->settings = settings;
    for (size_t i = 0; i < plan->n_items; i++) {
        struct plan_item *item = &plan->items[i];
        const struct part_weights *part = find_part(settings, item->out.name);

        item->settings = settings->all;
        item->seed = settings->seed;
        for (size_t k = 0; k < item->n_sources; k++) {
            struct plan_source *source = &item->sources[k];

            source->settings = settings->each ? settings->each + source->input * settings->n_each
                                              : NULL;
            if (part)
                source->weight = part->weights[source->input];
        }
    }
}

bool plan_settings_use_part(const struct plan *plan, size_t part)
{
    for (size_t i = 0; i < plan->n_items; i++)
        if (plan->items[i].method &&
            find_part(plan->settings, plan->items[i].out.name) == &plan->settings->parts[part])
            return true;
    return false;
}

static int check_item(const struct plan_item *item, struct combine_input *inputs,
                      struct error *err)
{
    struct combine_call call = {.out = &item->out, .inputs = inputs, .n_inputs = item->n_sources,
                                .settings = item->settings, .seed = item->seed};

    for (size_t k = 0; k < item->n_sources; k++)
        inputs[k] = (struct combine_input){NULL, item->sources[k].tensor->dtype,
                                           item->sources[k].weight, item->sources[k].settings};
    return item->method->check(&call, err)
               ? error_context(err, "tensor '" ERROR_NAME "'", item->out.name)
               : 0;
}

int plan_check_settings(const struct plan *plan, struct error *err)
{
    struct combine_input *inputs;
    size_t max = 0;
    int rc = 0;

    for (size_t i = 0; i < plan->n_items; i++)
        max = plan->items[i].n_sources > max ? plan->items[i].n_sources : max;
    inputs = memory_zalloc(max, sizeof *inputs);
    for (size_t i = 0; rc == 0 && i < plan->n_items; i++)
        if (plan->items[i].method && plan->items[i].method->check)
            rc = check_item(&plan->items[i], inputs, err);
    free(inputs);
    return rc;
}
