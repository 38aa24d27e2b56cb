/* adapter_mixing.c - `adapter mix`: several LoRA adapters of one base as one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/adapter_mix.h"
#include "adapter/adapter_path.h"
#include "base/clock.h"
#include "base/memory.h"
#include "mix/weights.h"
#include "report/table.h"

#include "adapter_command.h"
#include "model_argument.h"
#include "terminal.h"

/* Options that only some methods read. */
static int check_method(const struct adapter_options *options, const struct adapter_method *method,
                        struct error *err)
{
    bool drops = method && method->pruning != ADAPTER_KEEPS_ALL;

    if (!method)
        return error_set(err, ERROR_USAGE, "--method: '" ERROR_NAME "' is none; 'cocktail adapter --help' "
                         "lists them", options->method);
    if (drops && isnan(options->density))
        return error_set(err, ERROR_USAGE, "--density is missing: which share of the values method '%s' "
                         "keeps", method->name);
    if (!drops && !isnan(options->density))
        return error_set(err, ERROR_USAGE, "--density: method '%s' drops nothing", method->name);
    if (!method->votes && options->majority_sign_method)
        return error_set(err, ERROR_USAGE, "--majority-sign-method: method '%s' does not vote",
                         method->name);
    if (method->parts != ADAPTER_PRODUCTS && options->rank)
        return error_set(err, ERROR_USAGE, "--rank: of method '%s' it follows from the adapters; 'svd', "
                         "and methods that end in it, take one", method->name);
    return 0;
}

static void print_text(const struct adapter_options *options, const double *weights,
                       const struct adapter_written *written, double seconds)
{
    static const struct table_column columns[] = {
        {.label = "adapter", .side = TABLE_LEFT},
        {.label = "weight", .side = TABLE_RIGHT, .format = "%#.8g"},
    };
    struct table table = TABLE(columns);

    for (size_t i = 0; i < options->common.n_operands; i++) {
        table_add(&table, options->common.operands[i]);
        table_add_real(&table, weights[i]);
    }
    table_print(&table, stdout);
    table_release(&table);
    putchar('\n');
    adapter_print_written(options, written, seconds);
}

static void add_settings(const struct adapter_options *options, const struct mix_how *how,
                         struct json_writer *json)
{
    if (how->method->pruning != ADAPTER_KEEPS_ALL)
        json_writer_double(json, "density", how->density);
    if (how->method->votes)
        json_writer_string(json, "majority_sign_method", how->counts_signs ? "frequency" : "total");
    if (how->method->pruning == ADAPTER_KEEPS_BY_CHANCE)
        json_writer_size(json, "seed", options->seed);
}

static void print_json(const struct adapter_options *options, const struct adapter_mix *mix,
                       const double *weights, const struct adapter_written *written, double seconds)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "output", options->output);
    json_writer_string(&json, "type", adapter_model_type(mix->output.task_type));
    json_writer_string(&json, "method", mix->how.method->name);
    json_writer_array(&json, "models");
    for (size_t i = 0; i < options->common.n_operands; i++) {
        json_writer_object(&json, NULL);
        json_writer_string(&json, "path", options->common.operands[i]);
        json_writer_double(&json, "weight", weights[i]);
        json_writer_end(&json);
    }
    json_writer_end(&json);
    add_settings(options, &mix->how, &json);
    adapter_add_written(options, written, seconds, &json);
    json_writer_end(&json);
    puts(out.data);
    buffer_release(&out);
}

static int mix_opened(const struct adapter_options *options,
                      const struct lora_folder *const *adapters,
                      const struct adapter_mix_options *how, struct notices *notices,
                      struct error *err)
{
    const struct common_options *common = &options->common;
    struct adapter_mix mix = {0};
    struct adapter_written written = {0};
    struct terminal_progress shown;
    double start = clock_now_s();
    struct threads *threads = threads_new(common->n_threads, err);
    int rc = -1;

    terminal_progress_start(&shown, "mixing", common);
    if (threads)
        rc = adapter_mix_init(&mix, adapters, common->n_operands, how, threads, &shown.progress,
                              notices, err);
    if (rc == 0)
        terminal_notices(notices, common);
    if (rc == 0)
        rc = options->dry_run
                 ? adapter_measure(&mix.output, &written, err)
                 : adapter_write(&mix.output, options->output, options->force, &written, err);
    terminal_progress_end(&shown);
    if (rc == 0 && common->json)
        print_json(options, &mix, how->weights, &written, clock_now_s() - start);
    else if (rc == 0)
        print_text(options, how->weights, &written, clock_now_s() - start);
    adapter_mix_release(&mix);
    threads_free(threads);
    return rc;
}

/* What stands behind the "+" is all that is mixed here. */
static int check_operands(const struct common_options *common, struct error *err)
{
    for (size_t i = 0; i < common->n_operands; i++) {
        char *base, *adapter;

        if (!adapter_path_split(common->operands[i], &base, &adapter))
            continue;
        error_set(err, ERROR_USAGE, "'%s': adapters are mixed without their base: give '%s' alone",
                  common->operands[i], adapter);
        free(base);
        free(adapter);
        return -1;
    }
    return 0;
}

static int open_and_mix(const struct adapter_options *options, char *const *paths,
                        const struct adapter_mix_options *how, struct error *err)
{
    const struct common_options *common = &options->common;
    struct lora_folder *adapters = memory_zalloc(common->n_operands, sizeof *adapters);
    const struct lora_folder **list = memory_zalloc(common->n_operands, sizeof *list);
    struct notices notices = {0};
    int rc = adapter_check_output(options, paths, common->n_operands, err);

    for (size_t i = 0; rc == 0 && i < common->n_operands; i++) {
        list[i] = &adapters[i];
        rc = lora_folder_open(&adapters[i], paths[i], common->operands[i], options->follow_symlinks,
                              &notices, err);
    }
    if (rc == 0)
        rc = mix_opened(options, list, how, &notices, err);
    for (size_t i = 0; i < common->n_operands; i++)
        lora_folder_release(&adapters[i]);
    free(adapters);
    free(list);
    notices_release(&notices);
    return rc;
}

int adapter_mix_run(const struct adapter_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    size_t n = common->n_operands;
    const struct adapter_method *method = adapter_method_find(options->method ? options->method
                                                                              : "svd");
    const char *by = options->majority_sign_method;
    double *weights = memory_zalloc(n, sizeof *weights);
    struct adapter_mix_options how = {
        .how = {method, options->density, by && strcmp(by, "frequency") == 0, options->seed},
        .weights = weights, .rank = options->rank,
    };
    int rc = -1;

    if (check_method(options, method, err) == 0 && check_operands(common, err) == 0 &&
        weights_parse(options->weights, weights, n, err) == 0 &&
        adapter_check_target(options->output, options->force, err) == 0) {
        char **paths = model_arguments_find(common->operands, n, HUB_NEED_ADAPTER, common, err);

        rc = paths ? open_and_mix(options, paths, &how, err) : -1;
        model_arguments_free(paths, n);
    }
    free(weights);
    return rc;
}
