#include "mix_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/isa.h"
#include "base/memory.h"
#include "mix/combine_settings.h"
#include "report/size_text.h"
#include "report/table.h"

static const struct plan *plan_of(const struct mix_report *report)
{
    return &report->merge->components[0].plan;
}

/* Whether it is more than a plain mix. Then "parameters" are those of the method. */
static bool tells_settings(const struct mix_report *report)
{
    return plan_of(report)->settings && plan_of(report)->settings->is_told;
}

/* ---- for people ---- */

/* Those that are mixed: the base of a method is told of on its own. */
static size_t first_model(const struct plan *plan)
{
    return plan->has_base ? 1 : 0;
}

void mix_report_print_models(const struct mix_report *report, FILE *out)
{
    static const struct table_column columns[] = {
        {.label = "model", .side = TABLE_LEFT},
        {.label = "weight", .side = TABLE_RIGHT, .format = "%#.8g"},
    };
    static const struct table_column columns_with_loss[] = {
        {.label = "model", .side = TABLE_LEFT},
        {.label = "loss", .side = TABLE_RIGHT, .format = "%.6f"},
        {.label = "weight", .side = TABLE_RIGHT, .format = "%#.8g"},
    };
    const struct plan *plan = plan_of(report);
    bool has_weights = combine_takes_weights(plan->method) && plan_has_weights(plan);
    struct table table = {
        .columns = report->losses ? columns_with_loss : columns,
        .n_columns = report->losses ? 3 : has_weights ? 2 : 1,
    };

    for (size_t i = first_model(plan); i < plan->n_inputs; i++) {
        table_add(&table, plan->inputs[i].name);
        if (report->losses && isnan(report->losses[i]))
            table_add_missing(&table);
        else if (report->losses)
            table_add_real(&table, report->losses[i]);
        if (has_weights && isnan(plan->inputs[i].weight))
            table_add_missing(&table);
        else if (has_weights)
            table_add_real(&table, plan->inputs[i].weight);
    }
    table_print(&table, out);
    table_release(&table);
}

/* "0.5" or, where models have different ones, "0.5,0.7"; to be freed. */
static char *parameter_text(const struct plan *plan, const struct combine_parameter *parameter,
                            size_t place)
{
    const struct plan_settings *settings = plan->settings;
    char value[32];
    struct buffer out = {0};

    if (parameter->scope == COMBINE_ALL)
        return memory_copy(combine_parameter_text(parameter, settings->all[place], value,
                                                  sizeof value));
    for (size_t i = first_model(plan); i < plan->n_inputs; i++) {
        double own = settings->each[i * settings->n_each + place];

        if (i > first_model(plan))
            buffer_add_char(&out, ',');
        buffer_add_text(&out, combine_parameter_text(parameter, own, value, sizeof value));
    }
    return out.data;
}

static void print_method(const struct plan *plan, FILE *out)
{
    size_t place;

    fprintf(out, "method: %s\n", plan->method->name);
    if (plan->has_base)
        fprintf(out, "base: %s\n", plan->inputs[0].name);
    for (size_t i = 0; i < plan->method->n_parameters; i++) {
        const struct combine_parameter *parameter = &plan->method->parameters[i];
        char *text;

        combine_parameter_find(plan->method, parameter->name, &place);
        if (parameter->scope == COMBINE_WEIGHT ||
            (parameter->scope == COMBINE_ALL && !plan->settings->all))
            continue;
        text = parameter_text(plan, parameter, place);
        fprintf(out, "%s: %s\n", parameter->name, text);
        free(text);
    }
    if (plan->method->is_random)
        fprintf(out, "seed: %" PRIu64 "\n", plan->settings->seed);
    fputc('\n', out);
}

static void print_size(const struct merge *merge, FILE *out)
{
    char size[SIZE_TEXT_MAX];

    fprintf(out, "%zu tensors, %zu parameters, %s", merge->n_tensors, merge->n_parameters,
            size_text(size, merge->weights_bytes));
}

static void print_plan(const struct mix_report *report, bool verbose, FILE *out)
{
    const struct merge *merge = report->merge;
    char size[SIZE_TEXT_MAX];

    fprintf(out, "would write '%s': ", merge->options.output);
    print_size(merge, out);
    fprintf(out, "\ndisk: %s\n", size_text(size, merge->disk_bytes));
    fprintf(out, "memory for buffers: %s\n", size_text(size, report->memory_bytes));
    for (size_t i = 0; verbose && i < merge->base_files.n_kept; i++)
        fprintf(out, "copies: %s\n", merge->base_files.kept[i]);
}

static void print_result(const struct mix_report *report, bool verbose, FILE *out)
{
    const struct mixer_stats *stats = &report->result->stats;

    fprintf(out, "wrote '%s': ", report->merge->options.output);
    print_size(report->merge, out);
    fprintf(out, " in %.2f s\n", report->seconds);
    if (verbose)
        fprintf(out, "time, all threads together: read %.2f s, combine %.2f s, write %.2f s; "
                "flush %.2f s\n", stats->read_s, stats->combine_s, stats->write_s,
                report->result->flush_s);
}

void mix_report_print(const struct mix_report *report, bool verbose, FILE *out)
{
    if (!report->merge->options.converts) {
        mix_report_print_models(report, out);
        fputc('\n', out);
        if (tells_settings(report))
            print_method(plan_of(report), out);
    }
    if (report->print_more)
        report->print_more(report->context, out);
    if (report->is_dry_run)
        print_plan(report, verbose, out);
    else
        print_result(report, verbose, out);
}

/* ---- for programs ---- */

static void add_models(struct json_writer *json, const struct mix_report *report)
{
    const struct plan *plan = plan_of(report);

    json_writer_array(json, "models");
    for (size_t i = first_model(plan); i < plan->n_inputs; i++) {
        json_writer_object(json, NULL);
        json_writer_string(json, "path", plan->inputs[i].name);
        if (!report->merge->options.converts &&
            (combine_takes_weights(plan->method) || report->merge->origins))
            json_writer_double(json, "weight", plan->inputs[i].weight);
        if (report->losses)
            json_writer_double(json, "loss", report->losses[i]);
        json_writer_end(json);
    }
    json_writer_end(json);
}

static void add_value(struct json_writer *json, const char *key,
                      const struct combine_parameter *parameter, double value)
{
    if (parameter->kind == COMBINE_BOOLEAN)
        json_writer_bool(json, key, value != 0);
    else
        json_writer_double(json, key, value);
}

/* One value, or, where models can have different ones, a list. */
static void add_parameter(struct json_writer *json, const struct plan *plan,
                          const struct combine_parameter *parameter)
{
    const struct plan_settings *settings = plan->settings;
    size_t place;

    combine_parameter_find(plan->method, parameter->name, &place);
    if (parameter->scope == COMBINE_ALL && settings->all)
        add_value(json, parameter->name, parameter, settings->all[place]);
    if (parameter->scope != COMBINE_EACH)
        return;
    json_writer_array(json, parameter->name);
    for (size_t i = first_model(plan); i < plan->n_inputs; i++)
        add_value(json, NULL, parameter, settings->each[i * settings->n_each + place]);
    json_writer_end(json);
}

static void add_settings(struct json_writer *json, const struct plan *plan)
{
    const struct plan_settings *settings = plan->settings;

    json_writer_string(json, "base", plan->has_base ? plan->inputs[0].name : NULL);
    json_writer_object(json, "parameters");
    for (size_t i = 0; i < plan->method->n_parameters; i++)
        add_parameter(json, plan, &plan->method->parameters[i]);
    json_writer_end(json);
    if (plan->method->is_random)
        json_writer_size(json, "seed", settings->seed);
    if (!settings->n_parts)
        return;
    json_writer_array(json, "weights_of");
    for (size_t i = 0; i < settings->n_parts; i++) {
        json_writer_object(json, NULL);
        json_writer_string(json, "part", settings->parts[i].part);
        json_writer_array(json, "weights");
        for (size_t k = first_model(plan); k < plan->n_inputs; k++)
            json_writer_double(json, NULL, settings->parts[i].weights[k]);
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
}

static void add_files(struct json_writer *json, const struct merge_result *result)
{
    json_writer_array(json, "files");
    for (size_t i = 0; result && i < result->n_files; i++)
        json_writer_string(json, NULL, result->files[i]);
    json_writer_end(json);
}

void mix_report_add_json(struct json_writer *json, const struct mix_report *report)
{
    const struct merge *merge = report->merge;

    json_writer_object(json, NULL);
    json_writer_string(json, "output", merge->options.output);
    json_writer_string(json, "type", merge->has_type ? model_type_name(merge->type) : NULL);
    json_writer_string(json, "method", plan_of(report)->method->name);
    add_models(json, report);
    if (tells_settings(report))
        add_settings(json, plan_of(report));
    json_writer_size(json, "tensors", merge->n_tensors);
    json_writer_size(json, tells_settings(report) ? "n_parameters" : "parameters",
                     merge->n_parameters);
    json_writer_size(json, "bytes", merge->weights_bytes);
    add_files(json, report->result);
    json_writer_double(json, "seconds", report->seconds);
    if (report->losses && isa_products_in_use() == ISA_PRODUCTS_FAST)
        json_writer_string(json, "compute", "fast");
    if (report->add_members)
        report->add_members(report->context, json);
    if (report->is_dry_run) {
        json_writer_bool(json, "dry_run", true);
        json_writer_size(json, "disk_bytes", merge->disk_bytes);
        json_writer_size(json, "memory_bytes", report->memory_bytes);
    }
    json_writer_end(json);
}
