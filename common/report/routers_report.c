#include "routers_report.h"

#include "report/router_report.h"
#include "report/table.h"

static void print_name(const char *what, const char *name, FILE *out)
{
    struct table table = TABLE(table_facts);

    table_add(&table, what);
    table_add(&table, name);
    table_print(&table, out);
    table_release(&table);
}

void routers_report_print(const struct routers_report *report, FILE *out)
{
    const struct router_models *models = report->models;

    for (size_t i = 0; i < models->n; i++) {
        if (i)
            fputc('\n', out);
        print_name(models->n == 1 ? "model" : i ? "B" : "A", models->watches[i]->name, out);
        router_report_print(models->watches[i], false, out);
    }
    if (models->n > 1) {
        fputs("\nagreement of B with A\n", out);
        router_report_print_agreement(models->watches[1], out);
    }
    if (report->plots) {
        fputc('\n', out);
        print_name("plots", report->plots, out);
    }
}

void routers_report_add_json(struct json_writer *json, const struct routers_report *report)
{
    const struct router_models *models = report->models;

    json_writer_object(json, NULL);
    json_writer_size(json, "n_examples", report->n_examples);
    json_writer_array(json, "models");
    for (size_t i = 0; i < models->n; i++) {
        json_writer_object(json, NULL);
        json_writer_string(json, "model", models->watches[i]->name);
        router_report_add_json(json, "routers", models->watches[i], false);
        json_writer_end(json);
    }
    json_writer_end(json);
    if (models->n > 1)
        router_report_add_json(json, "agreement", models->watches[1], true);
    if (report->plots)
        json_writer_string(json, "svg", report->plots);
    json_writer_end(json);
}
