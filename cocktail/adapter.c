/* adapter.c - LoRA adapters: `adapter extract`, the difference of two models as one. */
#include <string.h>

#include "adapter/extract.h"
#include "arch/model_components.h"
#include "arch/quantized.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/threads.h"
#include "report/size_text.h"
#include "report/table.h"

#include "command.h"
#include "model_argument.h"
#include "option_blocks.h"
#include "terminal.h"

struct adapter_options {
    struct common_options common;
    const char *output, *modules, *include, *exclude;
    size_t rank;
    double energy;
    bool embeddings, dry_run, force, follow_symlinks;
};

static const struct option_row rows[] = {
    {'o', "output", OPTION_PATH, offsetof(struct adapter_options, output), "DIR",
     "where to put the adapter"},
    {0, "rank", OPTION_COUNT, offsetof(struct adapter_options, rank), "N",
     "the rank of every matrix, or all of its own"},
    {0, "energy", OPTION_NUMBER, offsetof(struct adapter_options, energy), "E",
     "the least rank that keeps this share of the squared difference"},
    {0, "embeddings", OPTION_FLAG, offsetof(struct adapter_options, embeddings), NULL,
     "decompose embeddings and the output head, too"},
    {0, "modules", OPTION_TEXT, offsetof(struct adapter_options, modules), "NAME,...",
     "decompose these only; the ends of names do"},
    {0, "include", OPTION_TEXT, offsetof(struct adapter_options, include), "REGEX",
     "decompose only what this is found in the name of"},
    {0, "exclude", OPTION_TEXT, offsetof(struct adapter_options, exclude), "REGEX",
     "but not what this is found in"},
    {0, "dry-run", OPTION_FLAG, offsetof(struct adapter_options, dry_run), NULL,
     "write nothing, show what would be written"},
    {'f', "force", OPTION_FLAG, offsetof(struct adapter_options, force), NULL,
     "replace an adapter that stands at DIR"},
    OPTION_FOLLOW_SYMLINKS(struct adapter_options, follow_symlinks, "directories"),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "output",
     .message = "--output is missing: where to put the adapter"},
    {.type = RULE_NEEDED, .options = "rank|energy",
     .message = "say how much to keep: --rank N or --energy E"},
    {.type = RULE_EXCLUDE, .options = "rank|energy"},
    {.type = RULE_RANGE, .options = "energy", .least = 0, .most = 1, .is_above = true,
     .message = "--energy must be above 0 and at most 1"},
    {.type = RULE_FILLED, .options = "modules"},
    {0},
};

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
    char size[SIZE_TEXT_MAX];

    print_table(extraction);
    printf("\nstored whole: %zu modules; equal to the base, not stored: %zu tensors\n",
           extraction->adapter.n_saved, extraction->n_equal);
    printf("%s '%s': %zu tensors, %zu parameters, %s", options->dry_run ? "would write" : "wrote",
           options->output, written->n_tensors, written->n_parameters,
           size_text(size, written->n_bytes));
    if (!options->dry_run)
        printf(" in %.2f s", seconds);
    putchar('\n');
}

static void print_json(const struct adapter_options *options, const struct extraction *extraction,
                       const struct adapter_written *written, double seconds)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "output", options->output);
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
    json_writer_size(&json, "tensors", written->n_tensors);
    json_writer_size(&json, "parameters", written->n_parameters);
    json_writer_size(&json, "bytes", written->n_bytes);
    json_writer_array(&json, "files");
    json_writer_string(&json, NULL, adapter_weights_file);
    json_writer_end(&json);
    json_writer_double(&json, "seconds", seconds);
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
    struct notices notices = {0};
    struct terminal_progress shown;
    int rc = threads ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < 2; i++)
        if (model_folder_open(&models[i], paths[i], common->operands[i], options->follow_symlinks,
                              err) ||
            !model_folder_weights(&models[i], &notices, err) || quantized_check(&models[i], err))
            rc = -1;
    if (rc == 0)
        rc = note_components(&models[0], &notices, err);
    if (rc == 0) {
        terminal_notices(&notices, common);
        terminal_progress_start(&shown, "decomposing", common);
        rc = extraction_make(extraction, &models[0], &models[1], how, threads, &shown.progress,
                             &notices, err);
        terminal_progress_end(&shown);
    }
    notices_release(&notices);
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
    int rc = paths ? make(options, how, models, paths, &extraction, err) : -1;

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

static int extract(const struct adapter_options *options, struct error *err)
{
    struct regex *include = pattern_of("include", options->include, err);
    struct regex *exclude = pattern_of("exclude", options->exclude, err);
    struct extract_options how = {{options->rank, options->energy}, options->embeddings,
                                  options->modules, include, exclude};
    int rc = err->code ? -1 : adapter_check_target(options->output, options->force, err);

    if (rc == 0)
        rc = extract_with(options, &how, err);
    regex_free(include);
    regex_free(exclude);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct adapter_options options = {.energy = 1};
    int rc = command_parse(&command_adapter, argc, argv, &options, err);

    if (rc == 0 && strcmp(options.common.operands[0], "extract") != 0)
        rc = error_set(err, ERROR_USAGE, "unknown command 'adapter " ERROR_NAME
                       "'; there is 'adapter extract'", options.common.operands[0]);
    if (rc == 0) {
        options.common.operands++; /* the models */
        rc = extract(&options, err);
        options.common.operands--;
    }
    options_release(&options.common);
    return rc;
}

const struct command command_adapter = {
    .name = "adapter",
    .summary = "the difference of two models as a LoRA adapter",
    .usage = "extract FINE-TUNED BASE -o DIR",
    .min_operands = 3,
    .max_operands = 3,
    .rows = rows,
    .rules = rules,
    .run = run,
};
