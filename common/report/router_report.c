#include "router_report.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

#include "table.h"

/* ---- text ---- */

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

static size_t count_stats(void)
{
    size_t n = 0;

    while (router_stat_rows[n].name)
        n++;
    return n;
}

/* Numbers of a hundred thousand and more are as wide as the others. */
static struct table_column stat_column(const struct router_stat *row)
{
    static const char *const formats[][2] = {
        {"%.0f", "%.0e"}, {"%.1f", "%.1e"}, {"%.2f", "%.2e"}, {"%.3f", "%.3e"}, {"%.4f", "%.4e"},
    };

    return (struct table_column){
        .label = row->label, .key = row->name, .side = TABLE_RIGHT,
        .format = formats[row->n_digits][0], .limit = 1e5,
        .far_format = formats[row->n_digits][1],
    };
}

static void add_stat(struct table *table, const struct router_stats *stats,
                     const struct router_stat *row)
{
    double value = router_stat_of(stats, row);

    if (isnan(value))
        table_add_missing(table);
    else
        table_add_real(table, value);
}

static void add_stats(struct table *table, const struct router_stats *stats, shows_stat *shows,
                      int view)
{
    for (const struct router_stat *row = router_stat_rows; row->name; row++)
        if (shows(row, view))
            add_stat(table, stats, row);
}

static void print_table(const struct router_group *group, shows_stat *shows, int view, FILE *out)
{
    struct table_column *columns = memory_zalloc(1 + count_stats(), sizeof *columns);
    struct table table = {.columns = columns};

    columns[table.n_columns++] = (struct table_column){.label = "layer", .side = TABLE_RIGHT};
    for (const struct router_stat *row = router_stat_rows; row->name; row++)
        if (shows(row, view))
            columns[table.n_columns++] = stat_column(row);
    for (size_t i = 0; i < group->n_routers; i++) {
        table_add_count(&table, group->routers[i]->layer);
        add_stats(&table, &group->routers[i]->stats, shows, view);
    }
    if (group->n_routers > 1) {
        table_add(&table, "all");
        add_stats(&table, &group->overall, shows, view);
    }
    table_print(&table, out);
    table_release(&table);
    free(columns);
}

static void print_heading(const struct router_group *group, FILE *out)
{
    const struct router_tally *tally = &group->routers[0]->tally;

    fprintf(out, "\n%s %s: %zu of %zu experts, %zu tokens\n",
            router_stack_name(group->is_encoder), router_part_name(group->is_attention),
            tally->n_chosen, tally->n_experts, tally->n_tokens);
}

void router_report_print(const struct router_watch *watch, bool brief, FILE *out)
{
    for (size_t g = 0; g < watch->n_groups; g++) {
        print_heading(&watch->groups[g], out);
        if (brief)
            print_table(&watch->groups[g], is_brief, 0, out);
        for (int view = 0; !brief && view < ROUTER_VIEW_AGREEMENT; view++) {
            if (view)
                fputc('\n', out);
            print_table(&watch->groups[g], is_in_view, view, out);
        }
    }
}

void router_report_print_agreement(const struct router_watch *second, FILE *out)
{
    for (size_t g = 0; g < second->n_groups; g++) {
        print_heading(&second->groups[g], out);
        print_table(&second->groups[g], is_in_view, ROUTER_VIEW_AGREEMENT, out);
    }
}

/* ---- CSV ---- */

static bool is_any(const struct router_stat *row, int view)
{
    (void)row;
    (void)view;
    return true;
}

static void add_layer(struct table *table, const struct router_watch *watch,
                      const struct watched_router *router)
{
    const struct router_tally *tally = &router->tally;

    table_add(table, watch->name);
    table_add(table, router_stack_name(router->is_encoder));
    table_add(table, router_part_name(router->is_attention));
    table_add_count(table, router->layer);
    table_add_count(table, tally->n_experts);
    table_add_count(table, tally->n_chosen);
    table_add_count(table, tally->n_tokens);
    add_stats(table, &router->stats, is_any, 0);
}

void router_report_print_csv(const struct router_watch *const *watches, size_t n_watches,
                             FILE *out)
{
    static const char *const keys[] = {"model",     "stack",    "part",    "layer",
                                       "n_experts", "n_chosen", "n_tokens"};
    const size_t n_keys = sizeof keys / sizeof *keys, n = n_keys + count_stats();
    struct table_column *columns = memory_zalloc(n, sizeof *columns);
    struct table table = {.columns = columns, .n_columns = n};
    struct buffer lines = {0};

    for (size_t i = 0; i < n; i++)
        columns[i].key = i < n_keys ? keys[i] : router_stat_rows[i - n_keys].name;
    for (size_t w = 0; w < n_watches; w++)
        for (size_t g = 0; g < watches[w]->n_groups; g++)
            for (size_t i = 0; i < watches[w]->groups[g].n_routers; i++)
                add_layer(&table, watches[w], watches[w]->groups[g].routers[i]);
    table_write_csv(&table, &lines);
    fwrite(lines.data, 1, lines.size, out);
    buffer_release(&lines);
    table_release(&table);
    free(columns);
}

/* ---- JSON ---- */

/* Those of the agreement, or the others. */
static void add_json_stats(struct json_writer *json, const struct router_stats *stats,
                           bool is_agreement)
{
    for (const struct router_stat *row = router_stat_rows; row->name; row++)
        if ((row->view == ROUTER_VIEW_AGREEMENT) == is_agreement)
            json_writer_double(json, row->name, router_stat_of(stats, row));
}

static void add_lists(struct json_writer *json, const struct watched_router *router)
{
    const struct router_tally *tally = &router->tally;
    size_t n = tally->n_experts;

    json_writer_array(json, "load");
    for (size_t e = 0; e < n; e++)
        json_writer_double(json, NULL, router_load(tally, e));
    json_writer_end(json);
    json_writer_array(json, "mean_p");
    for (size_t e = 0; e < n; e++)
        json_writer_double(json, NULL, tally->mass[e] / (double)tally->n_tokens);
    json_writer_end(json);
    if (router->row_norms) {
        json_writer_array(json, "row_norms");
        for (size_t e = 0; e < n; e++)
            json_writer_double(json, NULL, router->row_norms[e]);
        json_writer_end(json);
    }
    json_writer_array(json, "coactivation");
    for (size_t row = 0; row < n; row++) {
        json_writer_array(json, NULL);
        for (size_t e = 0; e < n; e++)
            json_writer_size(json, NULL, tally->together[row * n + e]);
        json_writer_end(json);
    }
    json_writer_end(json);
}

static void add_group(struct json_writer *json, const struct router_group *group,
                      bool is_agreement)
{
    const struct router_tally *tally = &group->routers[0]->tally;
    char key[32];

    snprintf(key, sizeof key, "%s_%s", router_stack_name(group->is_encoder),
             router_part_name(group->is_attention));
    json_writer_object(json, key);
    json_writer_size(json, "n_experts", tally->n_experts);
    json_writer_size(json, "n_chosen", tally->n_chosen);
    json_writer_size(json, "n_tokens", tally->n_tokens);
    json_writer_object(json, "overall");
    add_json_stats(json, &group->overall, is_agreement);
    json_writer_end(json);
    json_writer_array(json, "layers");
    for (size_t i = 0; i < group->n_routers; i++) {
        json_writer_object(json, NULL);
        json_writer_size(json, "layer", group->routers[i]->layer);
        add_json_stats(json, &group->routers[i]->stats, is_agreement);
        if (!is_agreement)
            add_lists(json, group->routers[i]);
        json_writer_end(json);
    }
    json_writer_end(json);
    json_writer_end(json);
}

void router_report_add_json(struct json_writer *json, const char *key,
                            const struct router_watch *watch, bool is_agreement)
{
    json_writer_object(json, key);
    for (size_t g = 0; g < watch->n_groups; g++)
        add_group(json, &watch->groups[g], is_agreement);
    json_writer_end(json);
}
