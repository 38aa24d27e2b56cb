/* tokenizer.c - tokenizers that differ: `tokenizer move`, a model with the tokenizer of another. */
#include <string.h>

#include "base/threads.h"
#include "mix/combine.h"
#include "mix/move.h"
#include "report/table.h"

#include "command.h"
#include "mixing.h"
#include "model_argument.h"
#include "terminal.h"

struct tokenizer_options {
    struct common_options common;
    struct mixing_options mixing;
    const char *method, *weight_scheme, *subword_method, *byte_match, *prefix_match;
    size_t k;
    bool cosine;
};

#define PLACES "none|embedding|head|both"

static const struct option_row rows[] = {
    {'o', "output", OPTION_PATH, offsetof(struct tokenizer_options, mixing.output), "DIR|FILE.gguf",
     "where to put the model"},
    {0, "method", OPTION_CHOICE, offsetof(struct tokenizer_options, method),
     "omp|common_interpolation|subword|mean|zero",
     "how rows of tokens that the model lacks are made (omp)"},
    {0, "k", OPTION_COUNT, offsetof(struct tokenizer_options, k), "N",
     "of omp and common_interpolation: tokens that such a row is made of (64)"},
    {0, "weight-scheme", OPTION_CHOICE, offsetof(struct tokenizer_options, weight_scheme),
     "distance_proportional|barycentric|least_squares",
     "of common_interpolation: how those are weighted (distance_proportional)"},
    {0, "cosine-similarity", OPTION_FLAG, offsetof(struct tokenizer_options, cosine), NULL,
     "likewise: the nearest are those of the smallest angles"},
    {0, "subword-method", OPTION_CHOICE, offsetof(struct tokenizer_options, subword_method),
     "mean|sum|weighted_mean|first_last", "of subword: how the rows of pieces are joined (mean)"},
    {0, "byte-match", OPTION_CHOICE, offsetof(struct tokenizer_options, byte_match), PLACES,
     "where <0x41> and A are the same token (none)"},
    {0, "prefix-match", OPTION_CHOICE, offsetof(struct tokenizer_options, prefix_match), PLACES,
     "where a token gets the row of the longest token that it begins with (none)"},
    OPTION_TYPE(struct tokenizer_options, mixing.type, "decoder|encoder|reranker|encoder-decoder",
                "what the model is (from config.json)"),
    OPTION_MIXING_DTYPE(struct tokenizer_options, "as it is stored"),
    OPTION_MIXING_SHARDS(struct tokenizer_options),
    OPTIONS_MIXING_TARGET(struct tokenizer_options),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "output",
     .message = "--output is missing: where to put the model"},
    {0},
};

/* ---- from words ---- */

static const char *const weight_schemes[] = {
    [MOVE_DISTANCE] = "distance_proportional",
    [MOVE_BARYCENTRIC] = "barycentric",
    [MOVE_LEAST_SQUARES] = "least_squares",
    NULL,
};
static const char *const subword_methods[] = {
    [MOVE_MEAN] = "mean",
    [MOVE_SUM] = "sum",
    [MOVE_WEIGHTED_MEAN] = "weighted_mean",
    [MOVE_FIRST_LAST] = "first_last",
    NULL,
};
static const char *const places[] = {
    [MOVE_NOWHERE] = "none",
    [MOVE_EMBEDDING] = "embedding",
    [MOVE_HEAD] = "head",
    [MOVE_BOTH] = "both",
    NULL,
};

/* The number of the word, which the options have checked; 0 without one. */
static int number_of(const char *const *words, const char *word)
{
    int i = 0;

    while (word && words[i] && strcmp(words[i], word) != 0)
        i++;
    return word && words[i] ? i : 0;
}

static struct move_options move_options(const struct tokenizer_options *options)
{
    return (struct move_options){
        .settings = {.method = move_method_find(options->method ? options->method : "omp"),
                     .k = options->k ? options->k : 64,
                     .weighting = (enum move_weighting)number_of(weight_schemes,
                                                                 options->weight_scheme),
                     .is_cosine = options->cosine,
                     .pieces = (enum move_pieces)number_of(subword_methods,
                                                           options->subword_method)},
        .bytes = (enum move_place)number_of(places, options->byte_match),
        .prefixes = (enum move_place)number_of(places, options->prefix_match),
        .follow_symlinks = options->mixing.follow_symlinks,
    };
}

/* An option that the method does not obey is a mistake. */
static int check_method(const struct tokenizer_options *options, struct error *err)
{
    const char *method = options->method ? options->method : "omp";
    bool is_omp = strcmp(method, "omp") == 0, is_subword = strcmp(method, "subword") == 0;
    bool is_interpolation = strcmp(method, "common_interpolation") == 0;
    const struct {
        const char *name;
        bool is_given, is_of_method;
    } owned[] = {
        {"k", options->k != 0, is_omp || is_interpolation},
        {"weight-scheme", options->weight_scheme != NULL, is_interpolation},
        {"cosine-similarity", options->cosine, is_interpolation},
        {"subword-method", options->subword_method != NULL, is_subword},
    };

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (owned[i].is_given && !owned[i].is_of_method)
            return error_set(err, ERROR_USAGE, "--%s is none of --method %s", owned[i].name, method);
    return 0;
}

/* ---- what is told ---- */

/* `context`: the move. */
static void print_table(const void *context, FILE *out)
{
    static const struct table_column columns[] = {
        {.label = "matrix", .side = TABLE_LEFT},     {.label = "tokens", .side = TABLE_RIGHT},
        {.label = "copied", .side = TABLE_RIGHT},    {.label = "matched", .side = TABLE_RIGHT},
        {.label = "approximated", .side = TABLE_RIGHT}, {.label = "zero", .side = TABLE_RIGHT},
    };
    const struct move *move = context;
    struct table table = TABLE(columns);

    for (size_t i = 0; i < move->n_parts; i++) {
        const struct move_map *map = &move->parts[i].map;
        size_t n_rows = map->map.n_rows;

        table_add(&table, move->parts[i].own->name);
        table_add_count(&table, n_rows);
        table_add_count(&table, map->n_copied);
        table_add_count(&table, map->n_matched);
        table_add_count(&table, map->n_made);
        table_add_count(&table, n_rows - map->n_copied - map->n_matched - map->n_made);
    }
    table_print(&table, out);
    table_release(&table);
    fputc('\n', out);
}

static void add_members(const void *context, struct json_writer *json)
{
    const struct move *move = context;
    const struct move_map *map = &move->parts[0].map;

    json_writer_string(json, "donor", move->donor.name);
    json_writer_object(json, "tokens");
    json_writer_size(json, "copied", map->n_copied);
    json_writer_size(json, "matched", map->n_matched);
    json_writer_size(json, "approximated", map->n_made);
    json_writer_end(json);
}

/* ---- the command ---- */

static int write_moved(const struct tokenizer_options *options, struct move *move,
                       struct merge *merge, struct error *err)
{
    struct combine_method method = combine_convert;
    struct merge_options merge_options = mixing_merge_options(&options->mixing);
    struct mixing mixing = {.options = &options->mixing, .common = &options->common,
                            .merge = merge, .weights = (const double[]){1},
                            .add_members = add_members, .print_more = print_table,
                            .context = move};
    int rc = -1;

    method.name = options->method ? options->method : "omp"; /* for the report */
    merge_options.method = &method;
    merge_options.names = options->common.operands;
    merge_options.converts = true;
    merge_options.donor = &move->donor;
    if (merge_open_models(merge, &move->made, 1, &merge_options, err) == 0)
        mixing.threads = threads_new(options->common.n_threads, err);
    if (mixing.threads)
        rc = mixing_run(&mixing, err);
    threads_free(mixing.threads);
    merge_release(merge);
    return rc;
}

static int move(const struct tokenizer_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    struct move_options how = move_options(options);
    struct notices notices = {0};
    struct move move = {0};
    struct merge merge = {0};
    char **paths = NULL;
    int rc = check_method(options, err) || mixing_check_output(&options->mixing, err) ? -1 : 0;

    if (rc == 0) {
        paths = model_arguments_find(common->operands, 2, HUB_NEED_MODEL, common, err);
        rc = paths ? move_open(&move, (const char *const *)paths, common->operands, &how, &notices, err)
                   : -1;
        terminal_notices(&notices, common);
    }
    if (rc == 0)
        rc = write_moved(options, &move, &merge, err);
    move_release(&move);
    notices_release(&notices);
    model_arguments_free(paths, 2);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct tokenizer_options options = {0};
    int rc = command_parse(&command_tokenizer, argc, argv, &options, err);

    if (rc == 0 && strcmp(options.common.operands[0], "move") != 0)
        rc = error_set(err, ERROR_USAGE, "unknown command 'tokenizer " ERROR_NAME
                       "'; there is 'tokenizer move'", options.common.operands[0]);
    if (rc == 0) {
        options.common.operands++; /* the models */
        options.common.n_operands--;
        rc = move(&options, err);
        options.common.operands--;
    }
    options_release(&options.common);
    return rc;
}

const struct command command_tokenizer = {
    .name = "tokenizer",
    .summary = "a model with the tokenizer of another",
    .usage = "move MODEL DONOR -o DIR",
    .min_operands = 3,
    .max_operands = 3,
    .rows = rows,
    .rules = rules,
    .run = run,
};
