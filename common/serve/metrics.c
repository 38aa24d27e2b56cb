#include "metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "serve/http_state.h"

static void add_head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_format(out, "# HELP cocktail_%s %s\n# TYPE cocktail_%s %s\n", name, help, name, type);
}

/* A label's value: backslashes, quotes and line feeds are escaped. */
static void add_label(struct buffer *out, const char *name, const char *value)
{
    buffer_format(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            buffer_add_text(out, "\\n");
        else if (*value == '"' || *value == '\\')
            buffer_format(out, "\\%c", *value);
        else
            buffer_add_char(out, *value);
    }
    buffer_add_char(out, '"');
}

static void add_labels(struct buffer *out, const struct served_model *model)
{
    add_label(out, "model", model->id);
    buffer_add_char(out, ',');
    add_label(out, "kind", served_kind_name(model->kind));
}

struct metric {
    const char *name, *type, *help;
    size_t offset; /* of a size_t in struct lane_counts */
};

static const struct metric metrics[] = {
    {"num_requests_running", "gauge", "Requests that are being computed.",
     offsetof(struct lane_counts, n_running)},
    {"num_requests_waiting", "gauge", "Requests that wait in line.",
     offsetof(struct lane_counts, n_waiting)},
    {"prompt_tokens_total", "counter", "Tokens of prompts and texts.",
     offsetof(struct lane_counts, n_prompt_tokens)},
    {"prompt_tokens_cached_total", "counter", "Tokens of prompts that were not run again.",
     offsetof(struct lane_counts, n_cached_tokens)},
    {"generation_tokens_total", "counter", "Tokens that were generated.",
     offsetof(struct lane_counts, n_new_tokens)},
    {"num_preemptions_total", "counter", "Texts that lost their cache to others.",
     offsetof(struct lane_counts, n_preemptions)},
};

static void add_counts(const struct service *service, const struct lane_counts *counts,
                       struct buffer *out)
{
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        add_head(out, metrics[m].name, metrics[m].type, metrics[m].help);
        for (size_t i = 0; i < service->n_models; i++) {
            buffer_format(out, "cocktail_%s{", metrics[m].name);
            add_labels(out, &service->models[i]);
            buffer_format(out, "} %zu\n",
                          *(const size_t *)((const char *)&counts[i] + metrics[m].offset));
        }
    }
}

static void add_cache_shares(const struct service *service, const struct lane_counts *counts,
                             struct buffer *out)
{
    add_head(out, "kv_cache_usage_perc", "gauge", "Of what caches may take, 1 is all.");
    for (size_t i = 0; i < service->n_models; i++) {
        buffer_add_text(out, "cocktail_kv_cache_usage_perc{");
        add_labels(out, &service->models[i]);
        buffer_format(out, "} %.6g\n", counts[i].cache_share);
    }
}

static void add_loaded(const struct service *service, const struct lane_counts *counts,
                       struct buffer *out)
{
    add_head(out, "model_loaded", "gauge", "Whether the weights are there.");
    for (size_t i = 0; i < service->n_models; i++) {
        buffer_add_text(out, "cocktail_model_loaded{");
        add_labels(out, &service->models[i]);
        buffer_format(out, "} %d\n", counts[i].is_loaded);
    }
}

static void add_ends(const struct service *service, const struct lane_counts *counts,
                     struct buffer *out)
{
    static const struct {
        enum generation_state state;
        const char *reason;
    } ends[] = {{GENERATION_EOS, "eos"}, {GENERATION_STOP, "stop"}, {GENERATION_LENGTH, "length"}};

    add_head(out, "request_success_total", "counter", "Texts that ended well.");
    for (size_t i = 0; i < service->n_models; i++)
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
            buffer_add_text(out, "cocktail_request_success_total{");
            add_labels(out, &service->models[i]);
            buffer_format(out, ",finished_reason=\"%s\"} %zu\n", ends[k].reason,
                          counts[i].n_ended[ends[k].state]);
        }
}

static void add_histogram(const struct served_model *model, const char *name,
                          const struct histogram *histogram, const double *bounds,
                          struct buffer *out)
{
    size_t n = 0;

    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        buffer_format(out, "cocktail_%s_bucket{", name);
        add_labels(out, model);
        if (i < HISTOGRAM_BUCKETS) {
            n += histogram->n[i];
            buffer_format(out, ",le=\"%g\"} %zu\n", bounds[i], n);
        } else {
            buffer_format(out, ",le=\"+Inf\"} %zu\n", histogram->n_all);
        }
    }
    buffer_format(out, "cocktail_%s_sum{", name);
    add_labels(out, model);
    buffer_format(out, "} %.9g\ncocktail_%s_count{", histogram->sum, name);
    add_labels(out, model);
    buffer_format(out, "} %zu\n", histogram->n_all);
}

static void add_histograms(const struct service *service, const struct lane_counts *counts,
                           struct buffer *out)
{
#define OF(member) offsetof(struct lane_counts, member)
    static const struct {
        const char *name, *help;
        size_t offset;
        const double *bounds;
    } rows[] = {
        {"time_to_first_token_seconds", "From the request to its first token.", OF(first_token),
         histogram_seconds},
        {"inter_token_latency_seconds", "From one token of a text to the next.", OF(between),
         histogram_seconds},
        {"e2e_request_latency_seconds", "From the request to its end.", OF(whole),
         histogram_seconds},
        {"request_queue_time_seconds", "In line.", OF(queued), histogram_seconds},
        {"request_prefill_time_seconds", "From its turn to the first token.", OF(prompt),
         histogram_seconds},
        {"request_decode_time_seconds", "From the first token to the end.", OF(decode),
         histogram_seconds},
        {"iteration_tokens_total", "Tokens of a step.", OF(step_tokens), histogram_tokens},
    };
#undef OF

    for (size_t m = 0; m < sizeof rows / sizeof *rows; m++) {
        add_head(out, rows[m].name, "histogram", rows[m].help);
        for (size_t i = 0; i < service->n_models; i++)
            add_histogram(&service->models[i], rows[m].name,
                          (const struct histogram *)((const char *)&counts[i] + rows[m].offset),
                          rows[m].bounds, out);
    }
}

static void add_answers(struct http_state *http, struct buffer *out)
{
    size_t n_routes;
    const struct route *routes = routes_all(&n_routes);

    add_head(out, "http_requests_total", "counter", "Answers, by path and hundreds of the status.");
    pthread_mutex_lock(&http->mutex);
    for (size_t i = 0; i <= ROUTES_MAX; i++)
        for (size_t k = 1; k < 6; k++)
            if (http->n_answers[i][k])
                buffer_format(out, "cocktail_http_requests_total{path=\"%s\",status=\"%zuxx\"} "
                              "%zu\n", i < n_routes ? routes[i].path : "other", k,
                              http->n_answers[i][k]);
    pthread_mutex_unlock(&http->mutex);
}

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t n = 0;

    while (directory && readdir(directory))
        n++;
    if (directory)
        closedir(directory);
    return n > 3 ? n - 3 : 0;
}

/* Pages that are in memory; 0 where the system does not tell. */
static size_t count_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t n_pages = 0;

    if (file && fscanf(file, "%*u %zu", &n_pages) != 1)
        n_pages = 0;
    if (file)
        fclose(file);
    return n_pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void add_process(struct buffer *out)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    buffer_format(out,
                  "# HELP process_resident_memory_bytes Memory, that of mapped weights too.\n"
                  "# TYPE process_resident_memory_bytes gauge\n"
                  "process_resident_memory_bytes %zu\n", count_resident_bytes());
    buffer_format(out,
                  "# HELP process_cpu_seconds_total Time of all threads.\n"
                  "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.6f\n"
                  "# HELP process_open_fds Open descriptors.\n"
                  "# TYPE process_open_fds gauge\nprocess_open_fds %zu\n",
                  (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
                  count_descriptors());
}

void metrics_add(struct http_state *http, struct buffer *out)
{
    const struct service *service = http->service;
    struct lane_counts *counts = memory_zalloc(service->n_models, sizeof *counts);

    for (size_t i = 0; i < service->n_models; i++)
        scheduler_count(service->scheduler, i, &counts[i]);
    add_counts(service, counts, out);
    add_cache_shares(service, counts, out);
    add_loaded(service, counts, out);
    add_ends(service, counts, out);
    add_histograms(service, counts, out);
    add_answers(http, out);
    add_process(out);
    free(counts);
}
