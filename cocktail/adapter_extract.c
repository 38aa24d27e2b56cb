/* adapter_extract.c - `adapter extract`: the difference of two models as a LoRA adapter. */
#include <stdio.h>
#include <string.h>

#include "adapter/adapted_model.h"
#include "adapter/extract.h"
#include "arch/model_components.h"
#include "arch/quantized.h"
#include "base/clock.h"
#include "base/threads.h"
#include "report/table.h"

#include "adapter_command.h"
#include "model_argument.h"
#include "terminal.h"

static void print_table(const struct extraction *extraction)
{
    static const struct table_column columns[] = {
        {.label = "module", .side = TABLE_LEFT},
        {.label = "rank", .side = TABLE_RIGHT},
        {.label = "kept energy", .side = TABLE_RIGHT, .format = "%.6f"},
        {.label = "relative error", .side = TABLE_RIGHT, .format = "%.6f"},
    };
    struct table table = TABLE(columns);

    for (size_t i = 0; i < extraction->n_modules; i++) {
        table_add(&table, extraction->modules[i].name);
        table_add_count(&table, extraction->modules[i].rank);
        table_add_real(&table, extraction->modules[i].kept_energy);
        table_add_real(&table, extraction->modules[i].relative_error);
    }
    table_print(&table, stdout);
    table_release(&table);
}

static void print_text(const struct adapter_options *options, const struct extraction *extraction,
                       const struct adapter_written *written, double seconds)
{
    print_table(extraction);
    printf("\nstored whole: %zu modules; equal to the base, not stored: %zu tensors\n",
           extraction->adapter.n_saved, extraction->n_equal);
    adapter_print_written(options, written, seconds);
}

static void print_json(const struct adapter_options *options, const struct extraction *extraction,
                       const struct adapter_written *written, double seconds)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "output", options->output);
    json_writer_string(&json, "type", adapter_model_type(extraction->adapter.task_type));
    json_writer_array(&json, "models");
    for (size_t i = 0; i < options->common.n_operands; i++) {
        json_writer_object(&json, NULL);
        json_writer_string(&json, "path", options->common.operands[i]);
        json_writer_end(&json);
    }
    json_writer_end(&json);
    json_writer_array(&json, "modules");
    for (size_t i = 0; i < extraction->n_modules; i++) {
        json_writer_object(&json, NULL);
        json_writer_string(&json, "name", extraction->modules[i].name);
        json_writer_size(&json, "rank", extraction->modules[i].rank);
        json_writer_double(&json, "kept_energy", extraction->modules[i].kept_energy);
        json_writer_double(&json, "relative_error", extraction->modules[i].relative_error);
        json_writer_end(&json);
    }
    json_writer_end(&json);
    adapter_add_written(options, written, seconds, &json);
    json_writer_end(&json);
    puts(out.data);
    buffer_release(&out);
}

/* An adapter is of the transformer alone. */
static int note_components(struct model_folder *tuned, struct notices *notices, struct error *err)
{
    struct model_components components = {0};
    int rc = model_components_open(&components, tuned, notices, err);

    for (size_t i = 1; rc == 0 && i < components.n_items; i++)
        notices_add(notices, "'%s' of '%s' is not part of an adapter: it is left out",
                    components.items[i].path, tuned->name);
    model_components_release(&components);
    return rc;
}

static int make(const struct adapter_options *options, const struct extract_options *how,
                struct model_folder models[2], char **paths, struct extraction *extraction,
                struct error *err)
{
    const struct common_options *common = &options->common;
    struct threads *threads = threads_new(common->n_threads, err);
    struct notices notices = {0}, late = {0};
    struct terminal_progress shown;
    int rc = threads ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < 2; i++)
        if (adapted_model_open(&models[i], paths[i], common->operands[i], options->follow_symlinks,
                               &notices, err) ||
            !model_folder_weights(&models[i], &notices, err) || quantized_check(&models[i], err))
            rc = -1;
    if (rc == 0)
        rc = note_components(&models[0], &notices, err);
    if (rc == 0) {
        terminal_notices(&notices, common);
        terminal_progress_start(&shown, "decomposing", common);
        rc = extraction_make(extraction, &models[0], &models[1], how, threads, &shown.progress,
                             &late, err);
        terminal_progress_end(&shown);
    }
    if (rc == 0)
        terminal_notices(&late, common);
    notices_release(&notices);
    notices_release(&late);
    threads_free(threads);
    return rc;
}

static int extract_with(const struct adapter_options *options, const struct extract_options *how,
                        struct error *err)
{
    const struct common_options *common = &options->common;
    struct model_folder models[2] = {{0}, {0}};
    struct extraction extraction = {0};
    struct adapter_written written = {0};
    double start = clock_now_s();
    char **paths = model_arguments_find(common->operands, 2, HUB_NEED_MODEL, common, err);
    int rc = paths ? adapter_check_output(options, paths, 2, err) : -1;

    if (rc == 0)
        rc = make(options, how, models, paths, &extraction, err);
    if (rc == 0)
        rc = options->dry_run
                 ? adapter_measure(&extraction.adapter, &written, err)
                 : adapter_write(&extraction.adapter, options->output, options->force, &written, err);
    if (rc == 0)
        (common->json ? print_json : print_text)(options, &extraction, &written,
                                                 clock_now_s() - start);
    extraction_release(&extraction);
    for (size_t i = 0; i < 2; i++)
        model_folder_release(&models[i]);
    model_arguments_free(paths, 2);
    return rc;
}

/* NULL for no pattern; sets err for a bad one, which is a mistake on the command line. */
static struct regex *pattern_of(const char *option, const char *text, struct error *err)
{
    struct regex *regex = text && !err->code ? regex_new(text, strlen(text), err) : NULL;

    if (text && err->code) {
        err->code = ERROR_USAGE;
        error_context(err, "--%s", option);
    }
    return regex;
}

int adapter_extract_run(const struct adapter_options *options, struct error *err)
{
    struct regex *include = pattern_of("include", options->include, err);
    struct regex *exclude = pattern_of("exclude", options->exclude, err);
    struct extract_options how = {{options->rank, options->energy}, options->embeddings,
                                  options->modules, include, exclude,
                                  options->dry_run ? NULL : options->output};
    int rc = err->code ? -1 : adapter_check_target(options->output, options->force, err);

    if (rc == 0)
        rc = extract_with(options, &how, err);
    regex_free(include);
    regex_free(exclude);
    return rc;
}

