#include "recipe_report.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "mix/combine_settings.h"
#include "mix/recipe_apply.h"

/* What is shown of a tensor, one call after another. */
struct shower {
    void (*begin)(struct shower *shower, const char *tensor, const char *method);
    void (*source)(struct shower *shower, const char *model, const char *tensor);
    void (*value)(struct shower *shower, const struct combine_parameter *row,
                  const struct recipe_value *value);
    void (*end_source)(struct shower *shower);
    void (*end_sources)(struct shower *shower);
    void (*end)(struct shower *shower);
    struct buffer text;
    struct json_writer json;
    bool is_in_source;
    FILE *out;
};

/* ---- text ---- */

static void text_begin(struct shower *shower, const char *tensor, const char *method)
{
    fprintf(shower->out, "%s: %s\n", tensor, method);
}

static void text_source(struct shower *shower, const char *model, const char *tensor)
{
    fprintf(shower->out, "  %s: %s\n", model, tensor);
}

static void text_value(struct shower *shower, const struct combine_parameter *row,
                       const struct recipe_value *value)
{
    char text[64];

    fprintf(shower->out, "%s  %s = %s (%s", shower->is_in_source ? "  " : "", row->name,
            combine_parameter_text(row, value->value, text, sizeof text), value->place);
    if (value->line)
        fprintf(shower->out, ", line %zu", value->line);
    if (value->filter)
        fprintf(shower->out, ", filter '%s'", value->filter);
    fputs(")\n", shower->out);
}

static void text_nothing(struct shower *shower)
{
    (void)shower;
}

/* ---- JSON ---- */

static void json_begin(struct shower *shower, const char *tensor, const char *method)
{
    (void)method;
    buffer_clear(&shower->text);
    shower->json = (struct json_writer){.out = &shower->text};
    json_writer_object(&shower->json, NULL);
    json_writer_string(&shower->json, "tensor", tensor);
    json_writer_array(&shower->json, "sources");
}

static void json_source(struct shower *shower, const char *model, const char *tensor)
{
    json_writer_object(&shower->json, NULL);
    json_writer_string(&shower->json, "model", model);
    json_writer_string(&shower->json, "tensor", tensor);
    json_writer_object(&shower->json, "parameters");
}

static void json_value(struct shower *shower, const struct combine_parameter *row,
                       const struct recipe_value *value)
{
    if (row->kind == COMBINE_BOOLEAN)
        json_writer_bool(&shower->json, row->name, value->value != 0);
    else
        json_writer_double(&shower->json, row->name, value->value);
}

static void json_end_source(struct shower *shower)
{
    json_writer_end(&shower->json);
    json_writer_end(&shower->json);
}

static void json_end_sources(struct shower *shower)
{
    json_writer_end(&shower->json);
    json_writer_object(&shower->json, "parameters");
}

static void json_end(struct shower *shower)
{
    json_writer_end(&shower->json);
    json_writer_end(&shower->json);
    fprintf(shower->out, "%s\n", shower->text.data);
}

/* ---- both ---- */

static int show_values(struct shower *shower, const struct recipe_merge *made,
                       const struct plan_item *item, const struct plan_source *source,
                       struct error *err)
{
    const struct combine_method *method = made->scope.method;

    for (size_t i = 0; item->method && i < method->n_parameters; i++) {
        struct recipe_value value;

        if ((method->parameters[i].scope == COMBINE_ALL) == (source != NULL))
            continue;
        if (recipe_apply_value(made, item, source, &method->parameters[i], &value, err))
            return -1;
        shower->value(shower, &method->parameters[i], &value);
    }
    return 0;
}

static void show_source(struct shower *shower, const struct recipe_merge *made,
                        const struct plan_source *source)
{
    char *name = recipe_apply_own_name(made, source);

    shower->is_in_source = true;
    shower->source(shower, made->merge.models[source->input].name, name);
    free(name);
}

static int show_item(struct shower *shower, const struct recipe_merge *made,
                     const struct plan_item *item, struct error *err)
{
    char *name = recipe_apply_name(made, item);

    shower->begin(shower, name, item->method ? item->method->name : "copied");
    free(name);
    if (item->base.tensor) {
        show_source(shower, made, &item->base);
        shower->end_source(shower);
    }
    for (size_t i = 0; i < item->n_sources; i++) {
        show_source(shower, made, &item->sources[i]);
        if (show_values(shower, made, item, &item->sources[i], err))
            return -1;
        shower->end_source(shower);
    }
    shower->is_in_source = false;
    shower->end_sources(shower);
    if (show_values(shower, made, item, NULL, err))
        return -1;
    shower->end(shower);
    return 0;
}

static int show_all(struct shower *shower, const struct recipe_run *run, struct error *err)
{
    const struct recipe_stage *stage = run->last;

    for (size_t m = 0; m < stage->n_merges; m++) {
        struct merge *merge = &stage->merges[m].merge;

        for (size_t c = 0; c < merge->n_components; c++) {
            const struct plan *plan = merge_plan(merge, c);

            for (size_t i = 0; i < plan->n_items; i++)
                if (recipe_run_writes(run, m, &plan->items[i]) &&
                    show_item(shower, &stage->merges[m], &plan->items[i], err))
                    return -1;
        }
    }
    return 0;
}

int recipe_report_print(const struct recipe_run *run, FILE *out, struct error *err)
{
    struct shower shower = {text_begin, text_source, text_value, text_nothing, text_nothing,
                            text_nothing,
                            .out = out};

    return show_all(&shower, run, err);
}

int recipe_report_print_json(const struct recipe_run *run, FILE *out, struct error *err)
{
    struct shower shower = {json_begin, json_source, json_value, json_end_source,
                            json_end_sources, json_end,
                            .out = out};
    int rc = show_all(&shower, run, err);
    buffer_release(&shower.text);
    return rc;
}
