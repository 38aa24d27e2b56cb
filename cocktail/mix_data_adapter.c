#include "mix_data_adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter/adapted_model.h"
#include "adapter/adapter_mix.h"
#include "base/clock.h"
#include "base/memory.h"
#include "report/mix_report.h"

#include "adapter_command.h"
#include "terminal.h"

struct chosen { /* of the models, those with an adapter */
    const struct lora_folder **adapters;
    double *weights;
    size_t n;
    struct checkpoint_names base; /* has no checkpoint where one adapter is all there is */
};

/* Each has weights[i], or, without weights, as much as every other model. */
static int choose(struct chosen *chosen, const struct merge *merge, const double *weights,
                  struct error *err)
{
    size_t n = merge->n_models;
    struct notices told = {0}; /* when the models were opened */
    const struct checkpoint *base = NULL;

    *chosen = (struct chosen){.adapters = memory_zalloc(n, sizeof *chosen->adapters),
                              .weights = memory_zalloc(n, sizeof *chosen->weights)};
    for (size_t i = 0; i < n; i++) {
        const struct lora_folder *adapter = adapted_model_adapter(&merge->models[i]);

        if (!adapter)
            continue;
        chosen->adapters[chosen->n] = adapter;
        chosen->weights[chosen->n++] = weights ? weights[i] : 1 / (double)n;
    }
    if (merge->bases.n_items == 0)
        return 0;
    base = model_folder_weights(&merge->bases.items[0].folder, &told, err);
    if (base)
        checkpoint_names_init(&chosen->base, base);
    notices_release(&told);
    return base ? 0 : -1;
}

static void chosen_release(struct chosen *chosen)
{
    free(chosen->adapters);
    free(chosen->weights);
    checkpoint_names_release(&chosen->base);
}

/* What cannot be an adapter can still be a model. */
static int offer_merged(struct error *err)
{
    struct error cause = *err;

    if (cause.code != ERROR_INCOMPATIBLE && cause.code != ERROR_UNSUPPORTED)
        return -1;
    *err = (struct error){0};
    return error_set(err, cause.code, "%s; --merged writes a model instead", cause.text);
}

static int init_mix(struct adapter_mix *mix, const struct mix_data_adapter *how,
                    const struct chosen *chosen, struct threads *threads, struct progress *progress,
                    struct notices *notices, struct error *err)
{
    const struct adapter_mix_options options = {.how = {.method = how->method}, .rank = how->rank,
                                                .weights = chosen->weights,
                                                .base = chosen->base.checkpoint ? &chosen->base : NULL};

    return adapter_mix_init(mix, chosen->adapters, chosen->n, &options, threads, progress, notices, err)
               ? offer_merged(err)
               : 0;
}

/* ---- before judging ---- */

/* The folder that is replaced must not hold a model or an adapter. */
static int check_output(const struct mixing *mixing, const struct chosen *chosen, struct error *err)
{
    const struct merge *merge = mixing->merge;
    char **inputs = memory_zalloc(chosen->n + 1, sizeof *inputs);
    const char **names = memory_zalloc(chosen->n + 1, sizeof *names);
    struct adapter_options options = {.output = mixing->options->output,
                                      .force = mixing->options->force,
                                      .common = {.operands = names}};
    int rc;

    inputs[0] = merge->models[0].folder->real;
    names[0] = merge->models[0].name;
    for (size_t i = 0; i < chosen->n; i++) {
        inputs[i + 1] = chosen->adapters[i]->folder->real;
        names[i + 1] = chosen->adapters[i]->name;
    }
    rc = adapter_check_output(&options, inputs, chosen->n + 1, err);
    free(inputs);
    free(names);
    return rc;
}

int mix_data_adapter_check(const struct mix_data_adapter *how, const struct mixing *mixing,
                           struct error *err)
{
    struct chosen chosen;
    struct adapter_mix mix = {0};
    struct adapter_written written = {0};
    struct progress progress = {0};
    struct notices told_later = {0};
    struct threads *threads = threads_new(1, err);
    int rc = choose(&chosen, mixing->merge, NULL, err) || !threads
                 ? -1
                 : check_output(mixing, &chosen, err);

    if (rc == 0)
        rc = init_mix(&mix, how, &chosen, threads, &progress, &told_later, err);
    if (rc == 0)
        rc = adapter_measure(&mix.output, &written, err);
    if (rc == 0 && !mixing->options->dry_run)
        rc = adapter_check_space(mixing->options->output, written.n_bytes, err);
    adapter_mix_release(&mix);
    chosen_release(&chosen);
    notices_release(&told_later);
    threads_free(threads);
    return rc;
}

/* ---- the adapter ---- */

static void print_json(const struct mixing *mixing, const struct mix_data_adapter *how,
                       const struct adapter_options *options, const struct adapter_written *written,
                       double seconds)
{
    const struct merge *merge = mixing->merge;
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "output", options->output);
    json_writer_string(&json, "type", model_type_name(merge->type));
    json_writer_string(&json, "method", how->method->name);
    json_writer_array(&json, "models");
    for (size_t i = 0; i < merge->n_models; i++) {
        json_writer_object(&json, NULL);
        json_writer_string(&json, "path", merge->models[i].name);
        json_writer_double(&json, "weight", mixing->weights[i]);
        json_writer_double(&json, "loss", mixing->losses[i]);
        json_writer_end(&json);
    }
    json_writer_end(&json);
    mixing->add_members(mixing->context, &json);
    adapter_add_written(options, written, seconds, &json);
    json_writer_end(&json);
    puts(out.data);
    buffer_release(&out);
}

static void print(const struct mixing *mixing, const struct mix_data_adapter *how,
                  const struct adapter_written *written, double seconds)
{
    const struct adapter_options options = {.output = mixing->options->output,
                                            .dry_run = mixing->options->dry_run};
    const struct mix_report report = {.merge = mixing->merge, .losses = mixing->losses};

    if (mixing->common->json) {
        print_json(mixing, how, &options, written, seconds);
        return;
    }
    mix_report_print_models(&report, stdout);
    putchar('\n');
    adapter_print_written(&options, written, seconds);
}

int mix_data_adapter_run(const struct mix_data_adapter *how, const struct mixing *mixing,
                         struct error *err)
{
    struct chosen chosen;
    struct adapter_mix mix = {0};
    struct adapter_written written = {0};
    struct terminal_progress shown;
    struct notices *notices = &mixing->merge->notices;
    double start = clock_now_s();
    int rc = choose(&chosen, mixing->merge, mixing->weights, err);

    merge_set_weights(mixing->merge, mixing->weights);
    terminal_progress_start(&shown, "mixing", mixing->common);
    if (rc == 0)
        rc = init_mix(&mix, how, &chosen, mixing->threads, &shown.progress, notices, err);
    terminal_notices(notices, mixing->common);
    if (rc == 0)
        rc = mixing->options->dry_run
                 ? adapter_measure(&mix.output, &written, err)
                 : adapter_write(&mix.output, mixing->options->output, mixing->options->force,
                                 &written, err);
    terminal_progress_end(&shown);
    if (rc == 0)
        print(mixing, how, &written, clock_now_s() - start);
    adapter_mix_release(&mix);
    chosen_release(&chosen);
    return rc;
}
