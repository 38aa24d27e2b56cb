#include "merge_write.h"

#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/quantized.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "mix/model_card.h"
#include "mix/merge_target.h"

/* The floating dtype that most bytes of the weights are stored in; NULL when there is none. */
static const struct dtype_info *stored_dtype(const struct merge *merge)
{
    const struct plan *plan = &merge->components[0].plan;
    size_t bytes[N_DTYPES] = {0}, best = N_DTYPES;

    for (size_t i = 0; i < plan->n_items; i++)
        bytes[plan->items[i].out.dtype] += plan->items[i].out.size_bytes;
    for (size_t d = 0; d < N_DTYPES; d++)
        if (dtype_info((enum dtype)d)->torch_name && dtype_info((enum dtype)d)->is_mixable &&
            bytes[d] && (best == N_DTYPES || bytes[d] > bytes[best]))
            best = d;
    return best == N_DTYPES ? NULL : dtype_info((enum dtype)best);
}

static void edit_dtype(const struct merge *merge, struct buffer *text)
{
    const struct dtype_info *dtype = stored_dtype(merge);
    const cJSON *json = merge->models[0].config.json;
    bool has_new = cJSON_GetObjectItemCaseSensitive(json, "dtype") != NULL;
    bool has_old = cJSON_GetObjectItemCaseSensitive(json, "torch_dtype") != NULL;
    char value[64];

    if (!dtype)
        return;
    snprintf(value, sizeof value, "\"%s\"", dtype->torch_name);
    if (has_new)
        json_edit_member(text, "dtype", value);
    if (has_old || !has_new)
        json_edit_member(text, "torch_dtype", value);
}

static void edit_config(const struct merge *merge, struct buffer *text)
{
    const struct plan *plan = &merge->components[0].plan;

    edit_dtype(merge, text);
    json_edit_member(text, "_name_or_path", NULL);
    /* T5's flag also scales what goes into its head, whether that is tied or not. */
    if (plan->has_untied_head && merge->type != MODEL_ENCODER_DECODER)
        json_edit_member(text, "tie_word_embeddings", "false");
    else if (plan->lacks_head && merge->type == MODEL_DECODER &&
             config_tied(&merge->models[0].config) == 0)
        json_edit_member(text, "tie_word_embeddings", "true");
}

void merge_add_config(const struct merge *merge, struct buffer *text)
{
    const struct config *config = &merge->models[0].config;

    buffer_add(text, config->text, config->size);
    if (!config->is_consolidated) /* params.json says nothing of the following */
        edit_config(merge, text);
    quantized_edit_config(config, text);
}

static int write_config(const struct merge *merge, struct outdir *outdir, struct error *err)
{
    const struct model_folder *base = &merge->models[0];
    struct buffer text = {0};
    char *name;
    int rc;

    if (!base->has_config)
        return 0;
    merge_add_config(merge, &text);
    name = folder_join(base->sentence.transformer, config_name(&base->config));
    rc = outdir_write(outdir, name, text.data, text.size, err);
    free(name);
    buffer_release(&text);
    return rc;
}

static int write_sentence_folder(const struct merge *merge, struct outdir *outdir,
                                 struct error *err)
{
    struct sentence_file files[SENTENCE_FILES];
    const char *own = merge->models[0].sentence.pooling; /* its file is kept */
    int rc;

    if (!merge->makes_sentence_folder)
        return 0;
    rc = sentence_folder_make(&merge->models[0].config, merge->models[0].sentence.transformer,
                              own ? own : merge->options.pooling, files, err);
    for (size_t i = 0; i < SENTENCE_FILES; i++) {
        if (rc == 0 && !base_files_keeps(&merge->base_files, files[i].name))
            rc = outdir_write(outdir, files[i].name, files[i].text, strlen(files[i].text), err);
        free(files[i].text);
    }
    return rc;
}

static int write_card(const struct merge *merge, const struct merge_notes *notes,
                      struct outdir *outdir, struct error *err)
{
    const struct dtype_info *dtype = stored_dtype(merge);
    const struct plan *plan = &merge->components[0].plan;
    char **names = memory_zalloc(plan->n_inputs, sizeof *names);
    char **ids = memory_zalloc(plan->n_inputs, sizeof *ids);
    char *output = memory_realpath(merge->options.output);
    const struct model_folder *donor = merge->options.donor;
    char *donor_name = donor ? model_folder_label(donor) : NULL;
    char *donor_id = donor ? model_folder_hub_id(donor) : NULL;
    struct buffer text = {0};
    bool is_sentence = merge->has_type && merge->type == MODEL_ENCODER &&
                       (!merge->options.converts || merge->models[0].sentence.n_modules);
    int rc;

    for (size_t i = 0; i < plan->n_inputs; i++) {
        const struct merge_origin *origin = merge->origins ? &merge->origins[i] : NULL;

        names[i] = origin ? memory_copy(origin->label) : model_folder_label(&merge->models[i]);
        ids[i] = !origin          ? model_folder_hub_id(&merge->models[i])
                 : origin->hub_id ? memory_copy(origin->hub_id)
                                  : NULL;
    }
    if (!output)
        output = memory_copy(merge->options.output);
    model_card_add(&text, &(struct model_card){
        .title = merge->options.converts ? names[0] : basename(output),
        .is_conversion = merge->options.converts, .donor = donor_name,
        .donor_id = donor_id, .plan = plan, .recipe = notes->recipe,
        .names = (const char *const *)names, .ids = (const char *const *)ids,
        .terms = merge->card_terms.size ? merge->card_terms.data : "",
        .losses = notes->losses,
        .library = is_sentence ? "sentence-transformers" : "transformers",
        .dtype = dtype ? dtype->name : "as the base",
        .command = notes->command});
    rc = outdir_write(outdir, "README.md", text.data, text.size, err);
    buffer_release(&text);
    free(donor_name);
    free(donor_id);
    free(output);
    folder_names_free(names, plan->n_inputs);
    folder_names_free(ids, plan->n_inputs);
    return rc;
}

/* Where the weights stand, if one file holds them. */
static char *weights_path(const struct model_component *base)
{
    const char *stem = checkpoint_is_consolidated(base->checkpoint) ? "consolidated" : "model";
    char *name, *path;

    if (base->kind == COMPONENT_HEAD)
        return memory_copy(base->checkpoint->files[0].name);
    name = memory_format("%s%s", stem, safetensors_writer.extension);
    path = folder_join(base->directory, name);
    free(name);
    return path;
}

static struct checkpoint_writer *open_writer(const struct merge *merge,
                                             const struct merge_component *component,
                                             struct outdir *outdir, struct error *err)
{
    struct checkpoint_output output = merge_output(merge, &component->plan);
    char *path = merge->makes_gguf ? memory_copy(outdir_file(outdir)) : weights_path(component->base);
    struct checkpoint_writer *writer =
        checkpoint_writer_open(component->plan.format, outdir, path, &output, err);

    free(path);
    return writer;
}

/* Our share of it. */
static int write_share(const struct plan *plan, struct checkpoint_writer *writer,
                       struct threads *threads, struct progress *progress,
                       struct mixer_stats *stats, struct error *err)
{
    const char *before = stats->first_special;
    size_t first;

    if (mixer_run(plan, (struct mixer_share){ranks_number(), ranks_count()}, writer, threads,
                  progress, stats, err))
        return -1;
    first = stats->first_special_item;
    if (ranks_least(&first, 1, err))
        return -1;
    if (!before && first != SIZE_MAX)
        stats->first_special = plan->items[first].out.name;
    return 0;
}

static int write_component(const struct merge *merge, struct merge_component *component,
                           struct outdir *outdir, struct threads *threads,
                           struct progress *progress, struct merge_result *result,
                           struct error *err)
{
    struct checkpoint_writer *writer = open_writer(merge, component, outdir, err);
    size_t n_files;
    int rc;

    if (!writer)
        return -1;
    rc = write_share(&component->plan, writer, threads, progress, &result->stats, err) ||
         ranks_meet(err);
    if (rc == 0 && ranks_number() == 0)
        rc = checkpoint_writer_finish(writer, err);
    n_files = checkpoint_writer_n_files(writer);
    result->files = memory_resize(result->files, result->n_files + n_files,
                                  sizeof *result->files);
    for (size_t i = 0; i < n_files; i++)
        result->files[result->n_files++] = memory_copy(checkpoint_writer_file(writer, i));
    if (checkpoint_writer_close(writer, err))
        rc = -1;
    return rc;
}

static int write_weights(struct merge *merge, struct outdir *outdir, struct threads *threads,
                         struct progress *progress, struct merge_result *result,
                         struct error *err)
{
    size_t counts[2];

    for (size_t c = 0; c < merge->n_components; c++)
        if (write_component(merge, &merge->components[c], outdir, threads, progress, result, err))
            return -1;
    counts[0] = result->stats.n_nan;
    counts[1] = result->stats.n_inf;
    if (ranks_add(counts, 2, err))
        return -1;
    result->stats.n_nan = counts[0];
    result->stats.n_inf = counts[1];
    return 0;
}

static int write_all(struct merge *merge, const struct merge_notes *notes, struct outdir *outdir,
                     struct threads *threads, struct progress *progress,
                     struct merge_result *result, struct error *err)
{
    if (write_weights(merge, outdir, threads, progress, result, err))
        return -1;
    if (merge->makes_gguf || ranks_number())
        return 0;
    return base_files_copy(&merge->base_files, merge->models[0].folder, outdir, err) ||
           write_config(merge, outdir, err) || write_sentence_folder(merge, outdir, err) ||
           write_card(merge, notes, outdir, err) ? -1 : 0;
}

int merge_check_space(const struct merge *merge, struct error *err)
{
    size_t free_bytes;

    if (outdir_free_bytes(merge->options.output, &free_bytes, err))
        return -1;
    if (free_bytes >= merge->disk_bytes)
        return 0;
    return error_set(err, ERROR_IO, "'%s': not enough disk space: the result needs %zu "
                     "bytes, %zu are left", merge->options.output, merge->disk_bytes, free_bytes);
}

static void add_tensor(struct digest *digest, const struct plan_source *source)
{
    const struct tensor *tensor = source->tensor;

    if (!tensor)
        return;
    digest_add(digest, tensor->name, strlen(tensor->name) + 1);
    digest_add(digest, &tensor->dtype, sizeof tensor->dtype);
    digest_add(digest, tensor->shape, tensor->n_dims * sizeof *tensor->shape);
    digest_add(digest, &tensor->offset, sizeof tensor->offset);
    digest_add(digest, &source->weight, sizeof source->weight);
}

/* Whether all ranks are about to do the same. */
static int compare_ranks(const struct merge *merge, struct error *err)
{
    char hex[DIGEST_HEX_MAX];
    struct digest digest;

    if (ranks_count() == 1)
        return 0;
    digest_init(&digest, DIGEST_SHA256);
    for (size_t i = 0; i < merge->n_models; i++)
        if (merge->models[i].has_config)
            digest_add(&digest, merge->models[i].config.text, merge->models[i].config.size);
    for (size_t c = 0; c < merge->n_components; c++) {
        const struct plan *plan = &merge->components[c].plan;

        for (size_t i = 0; i < plan->n_items; i++) {
            const struct plan_item *item = &plan->items[i];

            digest_add(&digest, item->out.name, strlen(item->out.name) + 1);
            digest_add(&digest, &item->out.dtype, sizeof item->out.dtype);
            digest_add(&digest, &item->seed, sizeof item->seed);
            add_tensor(&digest, &item->base);
            for (size_t k = 0; k < item->n_sources; k++)
                add_tensor(&digest, &item->sources[k]);
        }
    }
    digest_hex(&digest, hex);
    hex[16] = '\0';
    return ranks_compare("digest of the models' headers", hex, err);
}

int merge_write(struct merge *merge, const struct merge_notes *notes, struct threads *threads,
                struct progress *progress, struct merge_result *result, struct error *err)
{
    struct outdir *outdir;
    int rc;

    *result = (struct merge_result){0};
    if (compare_ranks(merge, err) || (ranks_number() == 0 && merge_check_space(merge, err)))
        return -1;
    outdir = (merge->makes_gguf ? outdir_open_file : outdir_open)(
        merge->options.output, merge->options.force,
        merge->makes_gguf ? merge_target_is_gguf : merge_target_is_model, err);
    if (!outdir)
        return -1;
    progress->total_bytes = merge->weights_bytes / ranks_count();
    rc = write_all(merge, notes, outdir, threads, progress, result, err);
    if (rc == 0) {
        double start = clock_now_s();

        rc = outdir_commit(outdir, err);
        result->flush_s = clock_now_s() - start;
    }
    outdir_close(outdir);
    return rc;
}
