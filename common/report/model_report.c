#include "model_report.h"

#include <stdlib.h>

#include "arch/llama_params.h"

#include "size_text.h"
#include "table.h"

/* ---- tensors ---- */

static const struct table_column tensor_columns[] = {
    {.key = "name", .side = TABLE_LEFT},  {.key = "dtype", .side = TABLE_LEFT},
    {.key = "shape", .side = TABLE_LEFT}, {.key = "size_bytes"},
    {.key = "file", .side = TABLE_LEFT},
};

static void add_tensor(struct table *table, const struct model_component *component,
                       const struct tensor *tensor)
{
    char *name = model_component_tensor_name(component, tensor);
    struct buffer shape = {0}, file = {0};

    tensor_add_shape(&shape, tensor);
    tensor->source->kind->describe(tensor->source, &file);
    table_add(table, name);
    table_add(table, tensor_stored(tensor).format);
    table_add_json(table, shape.data);
    table_add_size(table, tensor_stored(tensor).n_bytes);
    table_add(table, file.data);
    buffer_release(&shape);
    buffer_release(&file);
    free(name);
}

static void add_tensors(struct table *table, const struct model_components *weights)
{
    for (size_t c = 0; c < weights->n_items; c++)
        for (size_t i = 0; i < weights->items[c].checkpoint->n_tensors; i++)
            add_tensor(table, &weights->items[c], &weights->items[c].checkpoint->tensors[i]);
}

/* ---- JSON ---- */

static void add_files(struct json_writer *json, const struct model_components *weights)
{
    json_writer_array(json, "files");
    for (size_t c = 0; c < weights->n_items; c++)
        for (size_t i = 0; i < weights->items[c].checkpoint->n_files; i++)
            json_writer_string(json, NULL, weights->items[c].checkpoint->files[i].name);
    json_writer_end(json);
}

static void add_dtypes(struct json_writer *json, const struct model_facts *facts)
{
    json_writer_object(json, "dtypes");
    for (size_t d = 0; d < N_DTYPES; d++)
        if (facts->n_by_dtype[d])
            json_writer_size(json, dtype_info((enum dtype)d)->name, facts->n_by_dtype[d]);
    for (size_t i = 0; i < facts->n_formats; i++)
        json_writer_size(json, facts->formats[i].name, facts->formats[i].n_tensors);
    json_writer_end(json);
}

/* What processes of Megatron-LM's held. */
static void add_ranks(struct json_writer *json, const struct megatron *megatron)
{
    struct buffer sentence = {0};
    bool fits = megatron_fits_rules(megatron, &sentence);

    json_writer_object(json, "ranks");
    json_writer_size(json, "tensor", megatron->n_tensor);
    json_writer_size(json, "pipeline", megatron->n_stages);
    json_writer_size(json, "virtual_pipeline", megatron->n_chunks);
    json_writer_size(json, "expert", megatron->n_expert);
    json_writer_size(json, "data", megatron->n_data);
    json_writer_size(json, "context", megatron->n_context);
    json_writer_size(json, "world", megatron->n_world);
    json_writer_bool(json, "fit", fits);
    json_writer_string(json, "because", sentence.data);
    json_writer_end(json);
    json_writer_string(json, "no_place", megatron->no_place);
    buffer_release(&sentence);
}

static void add_metadata(struct json_writer *json, const struct checkpoint *checkpoint)
{
    json_writer_object(json, "metadata");
    for (size_t i = 0; i < checkpoint->n_metadata; i++)
        json_writer_string(json, checkpoint->metadata[i].key, checkpoint->metadata[i].value);
    json_writer_end(json);
}

void model_report_add_json(struct json_writer *json, const struct model_facts *facts,
                           const char *name, bool with_tensors)
{
    struct table tensors = TABLE(tensor_columns);
    size_t n_active;

    json_writer_object(json, NULL);
    json_writer_string(json, "path", name);
    json_writer_string(json, "architecture", facts->model.config.architecture);
    json_writer_string(json, "type", facts->type);
    json_writer_size(json, "parameters", facts->n_parameters);
    if (model_facts_active(facts, &n_active))
        json_writer_size(json, "active_parameters", n_active);
    else
        json_writer_null(json, "active_parameters");
    add_dtypes(json, facts);
    json_writer_size(json, "size_bytes", facts->size_bytes);
    add_files(json, &facts->weights);
    json_writer_bool(json, "tied_embeddings", facts->is_tied);
    json_writer_string(json, "tokenizer", facts->vocabulary.kind);
    json_writer_string(json, "pooling", facts->model.sentence.pooling);
    json_writer_string(json, "quantization", facts->quantization);
    add_metadata(json, facts->weights.items[0].checkpoint);
    if (facts->model.megatron)
        add_ranks(json, facts->model.megatron);
    if (with_tensors) {
        add_tensors(&tensors, &facts->weights);
        table_write_json(&tensors, json, "tensors");
        table_release(&tensors);
    }
    json_writer_end(json);
}

/* ---- text ---- */

static void add_fact(struct table *table, const char *name, const char *value)
{
    table_add(table, name);
    table_add(table, value);
}

static void add_experts(struct table *table, const struct model_facts *facts)
{
    size_t n_experts, n_chosen, n_active;
    struct buffer text = {0};

    if (!model_facts_experts(facts, EXPERTS, &n_experts, &n_chosen))
        return;
    buffer_format(&text, "%zu in a layer, %zu for each token", n_experts, n_chosen);
    if (model_facts_experts(facts, ATTENTION_EXPERTS, &n_experts, &n_chosen))
        buffer_format(&text, "; in its attention %zu, %zu for each token", n_experts, n_chosen);
    if (model_facts_active(facts, &n_active))
        buffer_format(&text, "; %zu parameters active", n_active);
    add_fact(table, "experts", text.data);
    buffer_release(&text);
}

static void add_format(struct buffer *out, const char *name, size_t n_tensors)
{
    if (n_tensors)
        buffer_format(out, "%s%s (%zu tensor%s)", out->size ? ", " : "", name, n_tensors,
                      n_tensors == 1 ? "" : "s");
}

static void add_sizes(struct table *table, const struct model_facts *facts)
{
    char size[SIZE_TEXT_MAX];
    size_t n_files = model_components_n_files(&facts->weights);
    struct buffer text = {0};

    table_add(table, "parameters");
    table_add_count(table, facts->n_parameters);
    for (size_t d = 0; d < N_DTYPES; d++)
        add_format(&text, dtype_info((enum dtype)d)->name, facts->n_by_dtype[d]);
    for (size_t i = 0; i < facts->n_formats; i++)
        add_format(&text, facts->formats[i].name, facts->formats[i].n_tensors);
    add_fact(table, "dtypes", text.data);
    buffer_clear(&text);
    buffer_format(&text, "%s in %zu file%s", size_text(size, facts->size_bytes),
                  n_files, n_files == 1 ? "" : "s");
    add_fact(table, "size", text.data);
    buffer_release(&text);
}

static void add_rank_facts(struct table *table, const struct megatron *megatron)
{
    struct buffer text = {0};
    bool fits;

    buffer_format(&text, "%zu tensor, %zu pipeline", megatron->n_tensor, megatron->n_stages);
    if (megatron->n_chunks > 1)
        buffer_format(&text, " (of %zu chunks)", megatron->n_chunks);
    buffer_format(&text, ", %zu expert, %zu data parallel", megatron->n_expert, megatron->n_data);
    if (megatron->n_context > 1)
        buffer_format(&text, ", %zu context parallel", megatron->n_context);
    add_fact(table, "ranks", text.data);
    buffer_clear(&text);
    fits = megatron_fits_rules(megatron, &text);
    add_fact(table, fits ? "ranks fit" : "do not fit", text.data);
    if (megatron->no_place)
        add_fact(table, "no place for", megatron->no_place);
    buffer_release(&text);
}

void model_report_print(const struct model_facts *facts, const char *name, bool with_tensors,
                        FILE *out)
{
    const struct checkpoint *checkpoint = facts->weights.items[0].checkpoint;
    const struct config *config = &facts->model.config;
    struct table table = TABLE(table_facts), tensors = TABLE(tensor_columns);
    struct buffer text = {0};

    add_fact(&table, "path", name);
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
    if (facts->model.megatron)
        add_rank_facts(&table, facts->model.megatron);
    for (size_t i = 0; i < checkpoint->n_metadata; i++) {
        buffer_clear(&text);
        buffer_format(&text, "%s = %s", checkpoint->metadata[i].key,
                      checkpoint->metadata[i].value);
        add_fact(&table, "metadata", text.data);
    }
    table_print(&table, out);
    table_release(&table);
    buffer_release(&text);
    if (with_tensors) {
        add_tensors(&tensors, &facts->weights);
        fputc('\n', out);
        table_print(&tensors, out);
        table_release(&tensors);
    }
}
