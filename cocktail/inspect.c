/* inspect.c - what a checkpoint is. */
#include <stdlib.h>
#include <string.h>

#include "arch/architecture.h"
#include "arch/checkpoint_names.h"
#include "arch/config_keys.h"
#include "arch/layout_check.h"
#include "arch/llama_params.h"
#include "arch/model_components.h"
#include "arch/model_layout.h"
#include "arch/quantized.h"
#include "base/json.h"
#include "text/vocabulary.h"

#include "command.h"
#include "model_argument.h"
#include "terminal.h"

struct inspect_options {
    struct common_options common;
    bool tensors, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "tensors", OPTION_FLAG, offsetof(struct inspect_options, tensors), NULL,
     "list the tensors"},
    {0, "follow-symlinks", OPTION_FLAG, offsetof(struct inspect_options, follow_symlinks), NULL,
     "follow symbolic links out of the model directory"},
    OPTIONS_COMMON,
};

/* Experts in attention are counted apart where config.json does so. */
enum { EXPERTS, ATTENTION_EXPERTS, N_EXPERT_KINDS };

struct facts {
    struct model_folder model;
    struct model_components weights;
    struct vocabulary vocabulary;
    const char *type;          /* NULL: cannot be told */
    size_t n_parameters, size_bytes;
    size_t n_in_experts[N_EXPERT_KINDS]; /* parameters */
    size_t n_by_dtype[N_DTYPES];
    bool is_tied;
    char *quantization;        /* NULL: it is not quantised */
    struct notices notices;
};

/* ---- finding out ---- */

static bool has_experts(const struct facts *facts, int kind, size_t *n_experts, size_t *n_chosen)
{
    return (kind == EXPERTS ? architecture_has_experts : architecture_has_attention_experts)(
        &facts->model.config, n_experts, n_chosen);
}

static void count_expert(struct facts *facts, const char *plain, size_t n_items)
{
    bool is_apart = has_experts(facts, ATTENTION_EXPERTS, NULL, NULL) &&
                    tensor_names_is_attention_expert(plain);

    if (tensor_names_is_expert(plain))
        facts->n_in_experts[is_apart ? ATTENTION_EXPERTS : EXPERTS] += n_items;
}

/* Counts what is a parameter and not another one once more. */
static int count_tensors(struct facts *facts, const struct checkpoint *checkpoint,
                         struct error *err)
{
    bool ties = model_folder_is_tied(&facts->model);
    struct checkpoint_names names;
    int rc = 0;

    checkpoint_names_init(&names, checkpoint);
    for (size_t i = 0; rc >= 0 && i < checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &checkpoint->tensors[i];
        const struct tied_name *tied = tensor_names_find_tied(names.plain[i]);

        facts->n_by_dtype[tensor->dtype]++;
        facts->size_bytes += tensor->size_bytes;
        rc = tied && (ties || !tied->is_head) ? checkpoint_names_is_copy(&names, i, err) : 0;
        if (rc == 0 && tied && tied->is_head && checkpoint_names_find_owner(&names, tied))
            facts->is_tied = false; /* a head of its own, whatever config.json says */
        if (rc == 0 && tensor_names_is_parameter(tensor)) {
            facts->n_parameters += tensor->n_items;
            count_expert(facts, names.plain[i], tensor->n_items);
        }
    }
    checkpoint_names_release(&names);
    return rc < 0 ? -1 : 0;
}

static int count_all(struct facts *facts, struct error *err)
{
    facts->is_tied = model_folder_is_tied(&facts->model);
    for (size_t i = 0; i < facts->weights.n_items; i++)
        if (count_tensors(facts, facts->weights.items[i].checkpoint, err))
            return -1;
    return 0;
}

/* Whether the weights are what config.json says, where we know what that means. */
static void compare_with_config(struct facts *facts, enum model_type type)
{
    const struct config *config = &facts->model.config;
    struct checkpoint_names names;
    struct model_layout layout;
    struct model_spec spec;
    struct error failure = {0};

    if (facts->quantization || !architecture_family(config) ||
        config_number(config, config_hidden_size) < 0)
        return;
    if (model_spec_load(&spec, config, type, facts->model.name, &failure) == 0) {
        checkpoint_names_init(&names, facts->weights.items[0].checkpoint);
        layout_make(&layout, &spec, type, &names);
        layout_check(&layout, &failure);
        layout_release(&layout);
        checkpoint_names_release(&names);
        model_spec_release(&spec);
    }
    if (failure.code == ERROR_FORMAT)
        notices_add(&facts->notices, "the weights are not what %s says: %s", config_name(config),
                    failure.text);
}

static int find_facts(struct facts *facts, const struct inspect_options *options,
                      struct error *err)
{
    const char *name = options->common.operands[0];
    char *path = model_argument_find(name, HUB_NEED_MODEL, &options->common, err);
    struct error ignored = {0};
    enum model_type type;
    int rc = path ? model_folder_open_as(&facts->model, path, name, options->follow_symlinks, err)
                  : -1;

    free(path);
    if (rc)
        return -1;
    config_keys_tell(&facts->model.config, name, &facts->notices);
    if (model_components_open(&facts->weights, &facts->model, &facts->notices, err) ||
        count_all(facts, err) ||
        model_folder_vocabulary(&facts->model, &facts->vocabulary, err))
        return -1;
    facts->quantization = quantized_method(&facts->model, facts->weights.items[0].checkpoint);
    if (facts->vocabulary.problem)
        notices_add(&facts->notices, "the tokenizer cannot be run: %s", facts->vocabulary.problem);
    if (facts->model.has_config &&
        model_folder_type(&facts->model, NULL, &type, &ignored) == 0) {
        facts->type = model_type_name(type);
        compare_with_config(facts, type);
    }
    return 0;
}

static void facts_release(struct facts *facts)
{
    free(facts->quantization);
    model_components_release(&facts->weights);
    vocabulary_release(&facts->vocabulary);
    model_folder_release(&facts->model);
    notices_release(&facts->notices);
}

/* Parameters that a token meets. False when that cannot be told: the numbers of config.json do not
 * fit what is stored. */
static bool find_active(const struct facts *facts, size_t *n_active)
{
    *n_active = facts->n_parameters;
    for (int kind = 0; kind < N_EXPERT_KINDS; kind++) {
        size_t n_experts, n_chosen, n = facts->n_in_experts[kind];

        if (!has_experts(facts, kind, &n_experts, &n_chosen))
            continue;
        if (n_chosen == 0 || n_chosen > n_experts || n % n_experts || n == 0)
            return false;
        *n_active -= n / n_experts * (n_experts - n_chosen);
    }
    return true;
}

/* ---- JSON ---- */

static void add_text_member(struct buffer *out, const char *key, const char *value)
{
    buffer_format(out, ",\"%s\":", key);
    if (value)
        json_add_string(out, value);
    else
        buffer_add_text(out, "null");
}

static void add_tensor(struct buffer *out, const struct model_component *component,
                       const struct tensor *tensor)
{
    char *name = model_component_tensor_name(component, tensor);
    struct buffer file = {0};

    buffer_add_text(out, "{\"name\":");
    json_add_string(out, name);
    buffer_format(out, ",\"dtype\":\"%s\",\"shape\":", dtype_info(tensor->dtype)->name);
    tensor_add_shape(out, tensor);
    buffer_format(out, ",\"size_bytes\":%zu,\"file\":", tensor->size_bytes);
    tensor->source->kind->describe(tensor->source, &file);
    json_add_string(out, file.data);
    buffer_add_char(out, '}');
    buffer_release(&file);
    free(name);
}

static void add_tensors(struct buffer *out, const struct model_components *weights)
{
    size_t n = 0;

    buffer_add_text(out, ",\"tensors\":[");
    for (size_t c = 0; c < weights->n_items; c++)
        for (size_t i = 0; i < weights->items[c].checkpoint->n_tensors; i++) {
            buffer_add_text(out, n++ ? "," : "");
            add_tensor(out, &weights->items[c], &weights->items[c].checkpoint->tensors[i]);
        }
    buffer_add_char(out, ']');
}

static void add_files(struct buffer *out, const struct model_components *weights)
{
    size_t n = 0;

    buffer_add_text(out, ",\"files\":[");
    for (size_t c = 0; c < weights->n_items; c++)
        for (size_t i = 0; i < weights->items[c].checkpoint->n_files; i++) {
            buffer_add_text(out, n++ ? "," : "");
            json_add_string(out, weights->items[c].checkpoint->files[i].name);
        }
    buffer_add_char(out, ']');
}

static void print_json(const struct inspect_options *options, const struct facts *facts)
{
    const struct checkpoint *checkpoint = facts->weights.items[0].checkpoint;
    const struct config *config = &facts->model.config;
    struct buffer out = {0};
    bool is_first = true;
    size_t n_active;

    buffer_add_text(&out, "{\"path\":");
    json_add_string(&out, options->common.operands[0]);
    add_text_member(&out, "architecture", config->architecture);
    add_text_member(&out, "type", facts->type);
    buffer_format(&out, ",\"parameters\":%zu", facts->n_parameters);
    if (find_active(facts, &n_active))
        buffer_format(&out, ",\"active_parameters\":%zu", n_active);
    else
        buffer_add_text(&out, ",\"active_parameters\":null");
    buffer_add_text(&out, ",\"dtypes\":{");
    for (size_t d = 0; d < N_DTYPES; d++)
        if (facts->n_by_dtype[d]) {
            buffer_format(&out, "%s\"%s\":%zu", is_first ? "" : ",",
                          dtype_info((enum dtype)d)->name, facts->n_by_dtype[d]);
            is_first = false;
        }
    buffer_format(&out, "},\"size_bytes\":%zu", facts->size_bytes);
    add_files(&out, &facts->weights);
    buffer_format(&out, ",\"tied_embeddings\":%s", facts->is_tied ? "true" : "false");
    add_text_member(&out, "tokenizer", facts->vocabulary.kind);
    add_text_member(&out, "pooling", facts->model.sentence.pooling);
    add_text_member(&out, "quantization", facts->quantization);
    buffer_add_text(&out, ",\"metadata\":{");
    for (size_t i = 0; i < checkpoint->n_metadata; i++) {
        buffer_add_text(&out, i ? "," : "");
        json_add_string(&out, checkpoint->metadata[i].key);
        buffer_add_char(&out, ':');
        json_add_string(&out, checkpoint->metadata[i].value);
    }
    buffer_add_char(&out, '}');
    if (options->tensors)
        add_tensors(&out, &facts->weights);
    buffer_add_char(&out, '}');
    puts(out.data);
    buffer_release(&out);
}

/* ---- text ---- */

static void add_fact(struct table *table, const char *name, const char *value)
{
    table_add(table, name);
    table_add(table, value ? value : "-");
}

static void add_experts(struct table *table, const struct facts *facts)
{
    size_t n_experts, n_chosen, n_active;
    struct buffer text = {0};

    if (!has_experts(facts, EXPERTS, &n_experts, &n_chosen))
        return;
    buffer_format(&text, "%zu in a layer, %zu for each token", n_experts, n_chosen);
    if (has_experts(facts, ATTENTION_EXPERTS, &n_experts, &n_chosen))
        buffer_format(&text, "; in its attention %zu, %zu for each token", n_experts, n_chosen);
    if (find_active(facts, &n_active))
        buffer_format(&text, "; %zu parameters active", n_active);
    add_fact(table, "experts", text.data);
    buffer_release(&text);
}

static void add_sizes(struct table *table, const struct facts *facts)
{
    char size[TERMINAL_SIZE_MAX];
    size_t n_files = model_components_n_files(&facts->weights);
    struct buffer text = {0};

    buffer_format(&text, "%zu", facts->n_parameters);
    add_fact(table, "parameters", text.data);
    buffer_clear(&text);
    for (size_t d = 0; d < N_DTYPES; d++)
        if (facts->n_by_dtype[d])
            buffer_format(&text, "%s%s (%zu tensor%s)", text.size ? ", " : "",
                          dtype_info((enum dtype)d)->name, facts->n_by_dtype[d],
                          facts->n_by_dtype[d] == 1 ? "" : "s");
    add_fact(table, "dtypes", text.data);
    buffer_clear(&text);
    buffer_format(&text, "%s in %zu file%s", terminal_size(size, facts->size_bytes),
                  n_files, n_files == 1 ? "" : "s");
    add_fact(table, "size", text.data);
    buffer_release(&text);
}

static void add_row(struct table *table, const struct model_component *component,
                    const struct tensor *tensor)
{
    char *name = model_component_tensor_name(component, tensor);
    struct buffer shape = {0}, file = {0};

    tensor_add_shape(&shape, tensor);
    tensor->source->kind->describe(tensor->source, &file);
    table_add(table, name);
    table_add(table, dtype_info(tensor->dtype)->name);
    table_add(table, shape.data);
    table_add(table, file.data);
    buffer_release(&shape);
    buffer_release(&file);
    free(name);
}

static void print_tensors(const struct model_components *weights)
{
    struct table table = {.columns = "llll"};

    for (size_t c = 0; c < weights->n_items; c++)
        for (size_t i = 0; i < weights->items[c].checkpoint->n_tensors; i++)
            add_row(&table, &weights->items[c], &weights->items[c].checkpoint->tensors[i]);
    putchar('\n');
    table_print(&table, stdout);
    table_release(&table);
}

static void print_text(const struct inspect_options *options, const struct facts *facts)
{
    const struct checkpoint *checkpoint = facts->weights.items[0].checkpoint;
    const struct config *config = &facts->model.config;
    struct table table = {.columns = "ll"};
    struct buffer text = {0};

    add_fact(&table, "path", options->common.operands[0]);
    add_fact(&table, "architecture",
             !config->is_consolidated             ? config->architecture
             : llama_params_is(config->json) ? "Llama's own (params.json)"
                                             : "Mistral's own (params.json)");
    add_fact(&table, "type", facts->type);
    add_sizes(&table, facts);
    add_experts(&table, facts);
    add_fact(&table, "tied head", facts->is_tied ? "yes" : "no");
    if (facts->vocabulary.kind)
        buffer_format(&text, "%s, %zu tokens (%s)", facts->vocabulary.kind,
                      facts->vocabulary.tokens.n_entries, facts->vocabulary.file);
    add_fact(&table, "tokenizer", text.data);
    add_fact(&table, "pooling", facts->model.sentence.pooling);
    add_fact(&table, "quantization", facts->quantization);
    for (size_t i = 0; i < checkpoint->n_metadata; i++) {
        buffer_clear(&text);
        buffer_format(&text, "%s = %s", checkpoint->metadata[i].key,
                      checkpoint->metadata[i].value);
        add_fact(&table, "metadata", text.data);
    }
    table_print(&table, stdout);
    table_release(&table);
    buffer_release(&text);
    if (options->tensors)
        print_tensors(&facts->weights);
}

/* ---- the command ---- */

static int inspect(const struct inspect_options *options, struct error *err)
{
    struct facts facts = {0};
    int rc = find_facts(&facts, options, err);

    if (rc == 0) {
        terminal_notices(&facts.notices, &options->common);
        if (options->common.json)
            print_json(options, &facts);
        else
            print_text(options, &facts);
    }
    facts_release(&facts);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct inspect_options options = {0};
    int rc = command_parse(&command_inspect, argc, argv, &options, err);

    if (rc == 0)
        rc = inspect(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_inspect = {
    .name = "inspect",
    .summary = "show what a checkpoint is",
    .usage = "MODEL",
    .min_operands = 1,
    .max_operands = 1,
    .rows = rows,
    .run = run,
};
