#include "router_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#include "terminal.h"

/* ---- tables ---- */

typedef bool shows_stat(const struct router_stat *row, int view);

static bool is_brief(const struct router_stat *row, int view)
{
    (void)view;
    return row->is_brief;
}

static bool is_in_view(const struct router_stat *row, int view)
{
    return (int)row->view == view;
}

static void add_number(struct table *table, const struct router_stats *stats,
                       const struct router_stat *row)
{
    double value = router_stat_of(stats, row);
    char text[64];

    snprintf(text, sizeof text, fabs(value) < 1e5 ? "%.*f" : "%.*e", row->n_digits, value);
    table_add(table, isnan(value) ? "-" : text);
}

static void add_row(struct table *table, const char *name, const struct router_stats *stats,
                    shows_stat *shows, int view)
{
    table_add(table, name);
    for (const struct router_stat *row = router_stat_rows; row->name; row++)
        if (shows(row, view))
            add_number(table, stats, row);
}

static void print_table(const struct router_group *group, shows_stat *shows, int view)
{
    struct table table = {0};
    struct buffer columns = {0};
    char name[32];

    buffer_add_char(&columns, 'r');
    table_add(&table, "layer");
    for (const struct router_stat *row = router_stat_rows; row->name; row++) {
        if (!shows(row, view))
            continue;
        buffer_add_char(&columns, 'r');
        table_add(&table, row->label);
    }
    for (size_t i = 0; i < group->n_routers; i++) {
        snprintf(name, sizeof name, "%zu", group->routers[i]->layer);
        add_row(&table, name, &group->routers[i]->stats, shows, view);
    }
    if (group->n_routers > 1)
        add_row(&table, "all", &group->overall, shows, view);
    table.columns = columns.data;
    table_print(&table, stdout);
    table_release(&table);
    buffer_release(&columns);
}

static void print_heading(const struct router_group *group)
{
    const struct router_tally *tally = &group->routers[0]->tally;

    printf("\n%s %s: %zu of %zu experts, %zu tokens\n", router_stack_name(group->is_encoder),
           router_part_name(group->is_attention), tally->n_chosen, tally->n_experts,
           tally->n_tokens);
}

void router_report_print(const struct router_watch *watch, bool brief)
{
    for (size_t g = 0; g < watch->n_groups; g++) {
        print_heading(&watch->groups[g]);
        if (brief)
            print_table(&watch->groups[g], is_brief, 0);
        for (int view = 0; !brief && view < ROUTER_VIEW_AGREEMENT; view++) {
            if (view)
                putchar('\n');
            print_table(&watch->groups[g], is_in_view, view);
        }
    }
}

void router_report_print_agreement(const struct router_watch *second)
{
    for (size_t g = 0; g < second->n_groups; g++) {
        print_heading(&second->groups[g]);
        print_table(&second->groups[g], is_in_view, ROUTER_VIEW_AGREEMENT);
    }
}

/* ---- CSV ---- */

static void add_csv_text(struct buffer *out, const char *text)
{
    bool is_plain = !strpbrk(text, ",\"\r\n");

    if (is_plain) {
        buffer_add_text(out, text);
        return;
    }
    buffer_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            buffer_add_char(out, '"');
        buffer_add_char(out, *text);
    }
    buffer_add_char(out, '"');
}

static void add_csv_row(struct buffer *out, const struct router_watch *watch,
                        const struct watched_router *router)
{
    const struct router_tally *tally = &router->tally;

    add_csv_text(out, watch->name);
    buffer_format(out, ",%s,%s,%zu,%zu,%zu,%zu", router_stack_name(router->is_encoder),
                  router_part_name(router->is_attention), router->layer, tally->n_experts,
                  tally->n_chosen, tally->n_tokens);
    for (const struct router_stat *row = router_stat_rows; row->name; row++) {
        double value = router_stat_of(&router->stats, row);

        buffer_add_char(out, ',');
        if (isfinite(value))
            json_add_number(out, value);
    }
    buffer_add_char(out, '\n');
}

void router_report_print_csv(const struct router_watch *const *watches, size_t n_watches)
{
    struct buffer out = {0};

    buffer_add_text(&out, "model,stack,part,layer,n_experts,n_chosen,n_tokens");
    for (const struct router_stat *row = router_stat_rows; row->name; row++)
        buffer_format(&out, ",%s", row->name);
    buffer_add_char(&out, '\n');
    for (size_t w = 0; w < n_watches; w++)
        for (size_t g = 0; g < watches[w]->n_groups; g++)
            for (size_t i = 0; i < watches[w]->groups[g].n_routers; i++)
                add_csv_row(&out, watches[w], watches[w]->groups[g].routers[i]);
    fwrite(out.data, 1, out.size, stdout);
    buffer_release(&out);
}

/* ---- JSON ---- */

/* Those of the agreement, or the others. */
static void add_stats(struct buffer *out, const struct router_stats *stats, bool is_agreement)
{
    bool is_first = true;

    for (const struct router_stat *row = router_stat_rows; row->name; row++) {
        if ((row->view == ROUTER_VIEW_AGREEMENT) != is_agreement)
            continue;
        buffer_format(out, "%s\"%s\":", is_first ? "" : ",", row->name);
        json_add_number(out, router_stat_of(stats, row));
        is_first = false;
    }
}

static void add_numbers(struct buffer *out, const char *name, const double *values, size_t n)
{
    buffer_format(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        buffer_add_text(out, i ? "," : "");
        json_add_number(out, values[i]);
    }
    buffer_add_char(out, ']');
}

static void add_lists(struct buffer *out, const struct watched_router *router)
{
    const struct router_tally *tally = &router->tally;
    size_t n = tally->n_experts;
    double *values = memory_zalloc(n, sizeof *values);

    for (size_t e = 0; e < n; e++)
        values[e] = router_load(tally, e);
    add_numbers(out, "load", values, n);
    for (size_t e = 0; e < n; e++)
        values[e] = tally->mass[e] / (double)tally->n_tokens;
    add_numbers(out, "mean_p", values, n);
    if (router->row_norms)
        add_numbers(out, "row_norms", router->row_norms, n);
    buffer_add_text(out, ",\"coactivation\":[");
    for (size_t i = 0; i < n * n; i++)
        buffer_format(out, "%s%zu%s", i == 0 ? "[" : i % n ? "," : ",[", tally->together[i],
                      i % n == n - 1 ? "]" : "");
    buffer_add_char(out, ']');
    free(values);
}

static void add_group(struct buffer *out, const struct router_group *group, bool is_agreement)
{
    const struct router_tally *tally = &group->routers[0]->tally;

    buffer_format(out, "\"%s_%s\":{\"n_experts\":%zu,\"n_chosen\":%zu,\"n_tokens\":%zu,"
                  "\"overall\":{", router_stack_name(group->is_encoder),
                  router_part_name(group->is_attention), tally->n_experts, tally->n_chosen,
                  tally->n_tokens);
    add_stats(out, &group->overall, is_agreement);
    buffer_add_text(out, "},\"layers\":[");
    for (size_t i = 0; i < group->n_routers; i++) {
        buffer_format(out, "%s{\"layer\":%zu,", i ? "," : "", group->routers[i]->layer);
        add_stats(out, &group->routers[i]->stats, is_agreement);
        if (!is_agreement)
            add_lists(out, group->routers[i]);
        buffer_add_char(out, '}');
    }
    buffer_add_text(out, "]}");
}

void router_report_add_json(struct buffer *out, const struct router_watch *watch,
                            bool is_agreement)
{
    buffer_add_char(out, '{');
    for (size_t g = 0; g < watch->n_groups; g++) {
        buffer_add_text(out, g ? "," : "");
        add_group(out, &watch->groups[g], is_agreement);
    }
    buffer_add_char(out, '}');
}
