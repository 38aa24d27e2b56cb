#include "mix_report.h"

#include <math.h>

#include "report/size_text.h"
#include "report/table.h"

static const struct plan *plan_of(const struct mix_report *report)
{
    return &report->merge->components[0].plan;
}

/* ---- for people ---- */

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
    struct table table = {
        .columns = report->losses ? columns_with_loss : columns,
        .n_columns = report->losses ? 3 : 2,
    };

    for (size_t i = 0; i < plan->n_inputs; i++) {
        table_add(&table, plan->inputs[i].name);
        if (report->losses && isnan(report->losses[i]))
            table_add_missing(&table);
        else if (report->losses)
            table_add_real(&table, report->losses[i]);
        table_add_real(&table, plan->inputs[i].weight);
    }
    table_print(&table, out);
    table_release(&table);
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
    }
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
    for (size_t i = 0; i < plan->n_inputs; i++) {
        json_writer_object(json, NULL);
        json_writer_string(json, "path", plan->inputs[i].name);
        if (!report->merge->options.converts)
            json_writer_double(json, "weight", plan->inputs[i].weight);
        if (report->losses)
            json_writer_double(json, "loss", report->losses[i]);
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
    json_writer_size(json, "tensors", merge->n_tensors);
    json_writer_size(json, "parameters", merge->n_parameters);
    json_writer_size(json, "bytes", merge->weights_bytes);
    add_files(json, report->result);
    json_writer_double(json, "seconds", report->seconds);
    if (report->add_members)
        report->add_members(report->context, json);
    if (report->is_dry_run) {
        json_writer_bool(json, "dry_run", true);
        json_writer_size(json, "disk_bytes", merge->disk_bytes);
        json_writer_size(json, "memory_bytes", report->memory_bytes);
    }
    json_writer_end(json);
}
