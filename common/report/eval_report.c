#include "eval_report.h"

#include <math.h>

#include "base/isa.h"
#include "report/router_report.h"
#include "report/table.h"

static bool has_perplexity(const struct eval_report *report)
{
    return losses_kind(report->type) == EXAMPLE_OUTPUT;
}

/* ---- for people ---- */

static void print_each(const struct eval_report *report, FILE *out)
{
    const struct table_column columns[] = {
        {.label = report->examples->is_list ? "example" : "line", .side = TABLE_RIGHT},
        {.label = "tokens", .side = TABLE_RIGHT},
        {.label = "loss", .side = TABLE_RIGHT, .format = "%.4f", .limit = 1e9,
         .far_format = "%.5g"},
    };
    struct table table = TABLE(columns);

    for (size_t i = 0; i < report->losses->n_items; i++) {
        const struct example_loss *item = &report->losses->items[i];

        table_add_count(&table, report->examples->items[i].number);
        table_add_count(&table, item->n_tokens);
        table_add_real(&table, item->loss);
    }
    table_print(&table, out);
    table_release(&table);
    fputc('\n', out);
}

static void print_facts(const struct eval_report *report, FILE *out)
{
    const struct losses *losses = report->losses;
    struct table table = TABLE(table_facts);

    table_add(&table, "model");
    table_add(&table, report->name);
    table_add(&table, "type");
    table_add(&table, model_type_name(report->type));
    table_add(&table, "examples");
    table_add_count(&table, losses->n_items);
    table_add(&table, "tokens");
    table_add_count(&table, losses->n_tokens);
    table_add(&table, "loss");
    table_add_real(&table, losses->loss);
    if (has_perplexity(report)) {
        table_add(&table, "perplexity");
        table_add_real(&table, exp(losses->loss));
    }
    table_add(&table, "accuracy");
    table_add_real(&table, losses->accuracy);
    if (!isnan(losses->mrr)) {
        table_add(&table, "MRR");
        table_add_real(&table, losses->mrr);
    }
    table_print(&table, out);
    table_release(&table);
}

void eval_report_print(const struct eval_report *report, FILE *out)
{
    if (report->with_each)
        print_each(report, out);
    print_facts(report, out);
    if (report->routers)
        router_report_print(report->routers, true, out);
}

/* ---- for programs ---- */

static void add_examples(struct json_writer *json, const struct eval_report *report)
{
    json_writer_array(json, "examples");
    for (size_t i = 0; i < report->losses->n_items; i++) {
        const struct example_loss *item = &report->losses->items[i];

        json_writer_object(json, NULL);
        json_writer_size(json, "line", report->examples->items[i].number);
        json_writer_double(json, "loss", item->loss);
        json_writer_size(json, "n_tokens", item->n_tokens);
        json_writer_end(json);
    }
    json_writer_end(json);
}

void eval_report_add_json(struct json_writer *json, const struct eval_report *report)
{
    const struct losses *losses = report->losses;

    json_writer_object(json, NULL);
    json_writer_string(json, "model", report->name);
    json_writer_string(json, "type", model_type_name(report->type));
    json_writer_double(json, "loss", losses->loss);
    json_writer_double(json, "perplexity", has_perplexity(report) ? exp(losses->loss) : NAN);
    json_writer_size(json, "n_examples", losses->n_items);
    json_writer_size(json, "n_tokens", losses->n_tokens);
    if (isa_products_in_use() == ISA_PRODUCTS_FAST)
        json_writer_string(json, "compute", "fast");
    json_writer_object(json, "metrics");
    json_writer_double(json, "accuracy", losses->accuracy);
    if (!isnan(losses->mrr))
        json_writer_double(json, "mrr", losses->mrr);
    json_writer_end(json);
    if (report->with_each)
        add_examples(json, report);
    if (report->routers)
        router_report_add_json(json, "routers", report->routers, false);
    json_writer_end(json);
}

void eval_report_add_losses(struct json_writer *json, const struct examples *examples,
                            const struct losses *losses, size_t n_models)
{
    json_writer_array(json, "examples");
    for (size_t e = 0; e < examples->n_items; e++) {
        json_writer_object(json, NULL);
        json_writer_size(json, "line", examples->items[e].number);
        json_writer_array(json, "losses");
        for (size_t i = 0; i < n_models; i++)
            json_writer_double(json, NULL, losses[i].items[e].loss);
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
}
