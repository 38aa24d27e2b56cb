/* adapter.c - LoRA adapters: several as one, and the difference of two models as one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/mix_block.h"
#include "base/memory.h"
#include "report/size_text.h"

#include "adapter_command.h"
#include "command.h"
#include "option_blocks.h"

static const struct option_row rows[] = {
    {'o', "output", OPTION_PATH, offsetof(struct adapter_options, output), "DIR",
     "where to put the adapter"},
    {0, "rank", OPTION_COUNT, offsetof(struct adapter_options, rank), "N",
     "the rank of every matrix, or all of its own (mix: the largest of the adapters)"},
    {0, "weights", OPTION_TEXT, offsetof(struct adapter_options, weights), "W,...",
     "one number per adapter, any"},
    {0, "method", OPTION_TEXT, offsetof(struct adapter_options, method), "NAME",
     "how adapters are mixed, see below (svd)"},
    {0, "density", OPTION_NUMBER, offsetof(struct adapter_options, density), "D",
     "of methods that drop values: the share that stays"},
    {0, "majority-sign-method", OPTION_CHOICE,
     offsetof(struct adapter_options, majority_sign_method), "total|frequency",
     "of methods that vote: by the sum of values, or by number (total)"},
    {0, "seed", OPTION_COUNT, offsetof(struct adapter_options, seed), "N",
     "of methods that draw: another seed, another result (1)"},
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
    {0},
};

/* ---- what both have ---- */

int adapter_check_output(const struct adapter_options *options, char *const *inputs, size_t n,
                         struct error *err)
{
    char *output = memory_realpath(options->output);
    size_t length = output ? strlen(output) : 0;
    int rc = 0;

    for (size_t i = 0; output && rc == 0 && i < n; i++) {
        char *input = memory_realpath(inputs[i]);

        if (input && strncmp(input, output, length) == 0 && input[length] == '/')
            rc = error_set(err, ERROR_EXISTS, "'%s' lies in the output directory '%s', which would "
                           "be replaced", options->common.operands[i], options->output);
        free(input);
    }
    free(output);
    return rc ? rc : adapter_check_target(options->output, options->force, err);
}

const char *adapter_model_type(const char *task_type)
{
    static const char *const types[][2] = {
        {"CAUSAL_LM", "decoder"},
        {"SEQ_2_SEQ_LM", "encoder-decoder"},
        {"SEQ_CLS", "reranker"},
        {"FEATURE_EXTRACTION", "encoder"},
    };

    for (size_t i = 0; task_type && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i][0], task_type) == 0)
            return types[i][1];
    return NULL;
}

void adapter_print_written(const struct adapter_options *options,
                           const struct adapter_written *written, double seconds)
{
    char size[SIZE_TEXT_MAX];

    printf("%s '%s': %zu tensors, %zu parameters, %s", options->dry_run ? "would write" : "wrote",
           options->output, written->n_tensors, written->n_parameters,
           size_text(size, written->n_bytes));
    if (!options->dry_run)
        printf(" in %.2f s", seconds);
    putchar('\n');
}

void adapter_add_written(const struct adapter_options *options,
                         const struct adapter_written *written, double seconds,
                         struct json_writer *json)
{
    json_writer_size(json, "tensors", written->n_tensors);
    json_writer_size(json, "parameters", written->n_parameters);
    json_writer_size(json, "bytes", written->n_bytes);
    json_writer_array(json, "files");
    if (!options->dry_run)
        json_writer_string(json, NULL, adapter_weights_file);
    json_writer_end(json);
    json_writer_double(json, "seconds", seconds);
    if (options->dry_run)
        json_writer_bool(json, "dry_run", true);
}

/* ---- the two ---- */

static const struct option_rule extract_rules[] = {
    {.type = RULE_NEEDED, .options = "rank|energy",
     .message = "say how much to keep: --rank N or --energy E"},
    {.type = RULE_EXCLUDE, .options = "rank|energy"},
    {.type = RULE_RANGE, .options = "energy", .least = 0, .most = 1, .is_above = true,
     .message = "--energy must be above 0 and at most 1"},
    {.type = RULE_FILLED, .options = "modules"},
    {0},
};

static const struct option_rule mix_rules[] = {
    {.type = RULE_NEEDED, .options = "weights",
     .message = "--weights is missing: one number per adapter, like --weights 0.7,0.3"},
    {.type = RULE_RANGE, .options = "density", .least = 0, .most = 1, .is_above = true,
     .message = "--density must be above 0 and at most 1"},
    {0},
};

static const struct part {
    const char *name;
    size_t min_operands, max_operands;
    const char *operands;
    const struct option_rule *rules;
    const char *others[8]; /* options that are not its own, ended by NULL */
    int (*run)(const struct adapter_options *options, struct error *err);
} parts[] = {
    {"extract", 2, 2, "two models: the fine-tuned one and its base", extract_rules,
     {"weights", "method", "density", "majority-sign-method", "seed"}, adapter_extract_run},
    {"mix", 1, SIZE_MAX, "adapters", mix_rules,
     {"energy", "embeddings", "modules", "include", "exclude"}, adapter_mix_run},
};

static int check_part(const struct part *part, const struct adapter_options *options,
                      struct error *err)
{
    size_t n = options->common.n_operands - 1;

    if (n < part->min_operands || n > part->max_operands)
        return error_set(err, ERROR_USAGE, "'adapter %s' takes %s", part->name, part->operands);
    for (const char *const *other = part->others; *other; other++)
        if (options->common.is_given[options_find(rows, *other, strlen(*other)) - rows])
            return error_set(err, ERROR_USAGE, "--%s is no option of 'adapter %s'", *other, part->name);
    return option_rules_check(part->rules, rows, "adapter", &options->common, err);
}

static const struct part *find_part(const char *name, struct error *err)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i].name, name) == 0)
            return &parts[i];
    error_set(err, ERROR_USAGE, "unknown command 'adapter " ERROR_NAME "'; there are 'adapter mix' and "
              "'adapter extract'", name);
    return NULL;
}

static void print_methods(FILE *out)
{
    fputs("\nmethods:", out);
    for (const struct adapter_method *method = adapter_methods; method->name; method++)
        fprintf(out, "%s%s", (method - adapter_methods) % 4 ? " " : "\n  ", method->name);
    fputs("\n\nadapter mix ADAPTER... needs --weights,\nadapter extract FINE-TUNED BASE needs "
          "--rank or --energy\n", out);
}

static int run(int argc, char **argv, struct error *err)
{
    struct adapter_options options = {.energy = 1, .density = NAN, .seed = 1};
    int rc = command_parse(&command_adapter, argc, argv, &options, err);
    const struct part *part = rc == 0 ? find_part(options.common.operands[0], err) : NULL;

    if (rc == 0)
        rc = part ? check_part(part, &options, err) : -1;
    if (rc == 0) {
        options.common.operands++; /* the models */
        options.common.n_operands--;
        rc = part->run(&options, err);
        options.common.operands--;
        options.common.n_operands++;
    }
    options_release(&options.common);
    return rc;
}

const struct command command_adapter = {
    .name = "adapter",
    .summary = "LoRA adapters as one, or the difference of two models as one",
    .usage = "mix|extract MODEL... -o DIR",
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .rows = rows,
    .rules = rules,
    .print_more = print_methods,
    .run = run,
};
