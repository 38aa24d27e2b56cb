/* diff.c - which tensors of two models differ, and by how much. */
#include "adapter/adapted_model.h"
#include "arch/model_components.h"
#include "arch/quantized.h"
#include "base/json_writer.h"
#include "mix/compare.h"
#include "report/comparison_report.h"

#include "command.h"
#include "model_argument.h"
#include "option_blocks.h"
#include "terminal.h"

struct diff_options {
    struct common_options common;
    bool tensors, exit_code, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "tensors", OPTION_FLAG, offsetof(struct diff_options, tensors), NULL,
     "one row per tensor instead of one per layer"},
    {0, "exit-code", OPTION_FLAG, offsetof(struct diff_options, exit_code), NULL,
     "exit with 7 when they differ"},
    OPTION_FOLLOW_SYMLINKS(struct diff_options, follow_symlinks, "directories"),
    OPTIONS_COMMON,
};

static int open_weights(struct model_folder *model, struct model_components *weights,
                        const char *path, const char *name, bool follow_symlinks,
                        struct notices *notices, struct error *err)
{
    if (adapted_model_open(model, path, name, follow_symlinks, notices, err) ||
        model_components_open(weights, model, notices, err))
        return -1;
    return quantized_check(model, err);
}

static void print(const struct diff_options *options, const struct comparison *comparison)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    if (!options->common.json) {
        comparison_report_print(comparison, options->common.operands, options->tensors, stdout);
        return;
    }
    comparison_report_add_json(&json, comparison, options->tensors);
    puts(out.data);
    buffer_release(&out);
}

static int diff(const struct diff_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    struct model_folder models[2] = {{0}, {0}};
    struct model_components weights[2] = {{0}, {0}};
    struct comparison comparison = {0};
    struct notices notices = {0};
    struct terminal_progress shown;
    char **paths = model_arguments_find(common->operands, 2, HUB_NEED_MODEL, common, err);
    struct threads *threads = paths ? threads_new(common->n_threads, err) : NULL;
    int rc = threads ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < 2; i++)
        rc = open_weights(&models[i], &weights[i], paths[i], common->operands[i],
                          options->follow_symlinks, &notices, err);
    if (rc == 0) {
        terminal_notices(&notices, common);
        terminal_progress_start(&shown, "comparing", common);
        rc = comparison_make(&comparison, &weights[0], &weights[1], threads, &shown.progress, err);
        terminal_progress_end(&shown);
    }
    if (rc == 0) {
        print(options, &comparison);
        if (options->exit_code && !comparison.total.is_identical) {
            err->code = ERROR_VERIFY; /* an answer, not a failure: no message */
            rc = -1;
        }
    }
    comparison_release(&comparison);
    notices_release(&notices);
    for (size_t i = 0; i < 2; i++) {
        model_components_release(&weights[i]);
        model_folder_release(&models[i]);
    }
    threads_free(threads);
    model_arguments_free(paths, 2);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct diff_options options = {0};
    int rc = command_parse(&command_diff, argc, argv, &options, err);

    if (rc == 0)
        rc = diff(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_diff = {
    .name = "diff",
    .summary = "show how two checkpoints differ",
    .usage = "MODEL MODEL",
    .min_operands = 2,
    .max_operands = 2,
    .rows = rows,
    .run = run,
};
