#include "merge.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/config_keys.h"
#include "arch/layout_check.h"
#include "arch/model_stack.h"
#include "arch/quantized.h"
#include "base/memory.h"
#include "mix/card_terms.h"
#include "mix/gguf_merge.h"
#include "mix/join_all.h"
#include "mix/merge_target.h"

/* Headers, index, config, model card: what is written besides tensors and copied files. */
static const size_t small_files_bytes = 1000 * 1000;

/* ---- opening the models ---- */

static int find_type(struct merge *merge, struct error *err)
{
    const char *wanted = merge->options.type;

    for (size_t i = 0; i < merge->n_models; i++) {
        const struct model_folder *model = &merge->models[i];

        if (!model->has_config)
            continue;
        if (model_folder_type(model, wanted, &merge->type, err))
            return -1;
        merge->has_type = true;
        wanted = model_type_name(merge->type); /* the others must be able to be the same */
    }
    if (!merge->has_type && wanted)
        merge->has_type = model_type_find(wanted, &merge->type) == 0;
    return 0;
}

/* Of a model that is given twice once. */
static void tell_unknown_keys(struct merge *merge)
{
    for (size_t i = 0; i < merge->n_models; i++) {
        const struct model_folder *model = &merge->models[i];
        size_t first = 0;

        while (strcmp(merge->models[first].name, model->name) != 0)
            first++;
        if (first == i)
            config_keys_tell(&model->config, model->name, &merge->notices);
    }
}

static int open_folders(struct merge *merge, const char *const *paths, struct error *err)
{
    shared_bases_init(&merge->bases, paths, merge->n_models);
    for (size_t i = 0; i < merge->n_models; i++) {
        const char *name = merge->options.names ? merge->options.names[i] : paths[i];

        if (shared_bases_open(&merge->bases, &merge->models[i], paths[i], name,
                              merge->options.follow_symlinks, &merge->notices, err))
            return -1;
    }
    return 0;
}

static int check_models(struct merge *merge, struct error *err)
{
    for (size_t i = 0; i < merge->n_models; i++)
        if (model_folder_need_config(&merge->models[i], err))
            return -1;
    if (find_type(merge, err) ||
        fit_load_specs(merge->specs, merge->models, merge->n_models, merge->type, err) ||
        fit_compare_configs(merge->models, merge->specs, merge->n_models, &merge->notices, err))
        return -1;
    tell_unknown_keys(merge);
    if (merge->options.has_one_tokenizer)
        return 0;
    return fit_compare_tokenizers(merge->models, merge->n_models, merge->options.ignore_tokenizer,
                                  &merge->notices, err);
}

/* ---- components ---- */

static struct merge_component *add_component(struct merge *merge,
                                             const struct model_component *base)
{
    struct merge_component *component;

    merge->components = memory_resize(merge->components, merge->n_components + 1,
                                      sizeof *merge->components);
    component = &merge->components[merge->n_components++];
    *component = (struct merge_component){.base = base};
    return component;
}

static const struct dtype_choice {
    const char *name;
    enum dtype dtype;
} dtype_choices[] = {{"f32", DTYPE_F32}, {"f16", DTYPE_F16}, {"bf16", DTYPE_BF16},
                   {"f64", DTYPE_F64}};

/* Layers of the base; SIZE_MAX when its config does not say. */
static size_t count_layers(const struct merge *merge)
{
    size_t n = model_stack_count_layers(&merge->models[0], NULL);

    if (merge->specs[0].is_known)
        return merge->specs[0].spec.stack.n_layers;
    return n ? n : SIZE_MAX;
}

struct checkpoint_output merge_output(const struct merge *merge, const struct plan *plan)
{
    return (struct checkpoint_output){plan->outputs, plan->n_items, plan->n_parameters,
                                      merge->options.shard_bytes, &merge->metadata};
}

static struct plan_options plan_options(const struct merge *merge,
                                        const struct model_component *base)
{
    bool is_transformer = base->kind == COMPONENT_MODEL;
    struct plan_options options = {
        .method = merge->options.method,
        .has_base = merge->options.has_base,
        .format = base->kind == COMPONENT_HEAD ? &torchbin_writer : &safetensors_writer,
        .copies_same = merge->options.converts || merge->options.copies,
        .promotes = merge->options.promotes,
        .drops_heads = merge->has_type && merge->type == MODEL_ENCODER,
        .n_layers = is_transformer ? count_layers(merge) : SIZE_MAX,
        .dequantised = quantized_dtype(&merge->models[0].config),
    };

    for (size_t i = 0; i < sizeof dtype_choices / sizeof *dtype_choices; i++)
        if (merge->options.dtype && strcmp(merge->options.dtype, dtype_choices[i].name) == 0) {
            options.has_dtype = true;
            options.dtype = dtype_choices[i].dtype;
        }
    if (is_transformer && merge->models[0].has_config)
        options.style = architecture_name_style(&merge->models[0].config);
    return options;
}

static int match_component(struct merge *merge, struct merge_component *component,
                           struct error *err)
{
    const struct model_component *base = component->base;
    struct plan_options options = plan_options(merge, base);
    struct plan_model *models = memory_zalloc(merge->n_models, sizeof *models);
    int rc;

    for (size_t i = 0; i < merge->n_models; i++)
        models[i] = (struct plan_model){
            merge->models[i].name,
            model_components_find(&merge->weights[i], base->path)->checkpoint,
            model_folder_is_tied(&merge->models[i]),
            base->kind == COMPONENT_MODEL && merge->layouts[i].is_known ? &merge->layouts[i].layout
                                                                        : NULL};
    rc = plan_match(&component->plan, models, merge->n_models, &options, &merge->notices, err);
    free(models);
    return rc;
}

static int plan_component(struct merge *merge, struct merge_component *component,
                          struct error *err)
{
    const struct plan *plan = &component->plan;
    struct checkpoint_output output;

    if (match_component(merge, component, err))
        return -1;
    output = merge_output(merge, plan);
    if (checkpoint_writer_check(plan->format, &output, err))
        return -1;
    merge->n_tensors += plan->n_items;
    merge->n_parameters += plan->n_parameters;
    if (__builtin_add_overflow(merge->weights_bytes, plan->size_bytes, &merge->weights_bytes))
        return error_set(err, ERROR_FORMAT, "the sizes of the tensors overflow");
    return 0;
}

/* The spec that the tensors of model `i` must be as: its own, unless its config does not say how
 * large it is; of a lone weights file that of another model. NULL: there is none. */
static const struct model_spec *find_spec(const struct merge *merge, size_t i)
{
    const struct model_folder *model = &merge->models[i];

    if (model->has_config)
        return merge->specs[i].is_known && config_number(&model->config, config_hidden_size) > 0
                   ? &merge->specs[i].spec
                   : NULL;
    for (size_t k = 0; k < merge->n_models; k++)
        if (merge->models[k].has_config && find_spec(merge, k))
            return find_spec(merge, k);
    return NULL;
}

/* The tensors must be those that config.json describes. Where a lone weights file has others than
 * those of the model that it is looked at like, its names must do. */
static int make_layout(struct merge *merge, const struct checkpoint *checkpoint, size_t i,
                       struct error *err)
{
    struct merge_layout *made = &merge->layouts[i];
    const struct model_spec *spec = merge->has_type ? find_spec(merge, i) : NULL;
    struct error failure = {0};

    if (!spec)
        return 0;
    checkpoint_names_init(&made->names, checkpoint);
    layout_make(&made->layout, spec, merge->type, &made->names);
    made->is_known = layout_check(&made->layout, &failure) == 0;
    if (made->is_known || !merge->models[i].has_config)
        return 0;
    *err = failure;
    return error_context(err, "'%s'", merge->models[i].name);
}

static int make_layouts(struct merge *merge, struct error *err)
{
    for (size_t i = 0; i < merge->n_models; i++)
        if (make_layout(merge, merge->weights[i].items[0].checkpoint, i, err))
            return -1;
    return 0;
}

/* Every module with weights of `one` must have weights in `other`, too. */
static int check_modules(const struct merge *merge, size_t one, size_t other, struct error *err)
{
    for (size_t i = 0; i < merge->weights[one].n_items; i++) {
        const struct model_component *module = &merge->weights[one].items[i];

        if (module->kind == COMPONENT_MODULE &&
            !model_components_find(&merge->weights[other], module->path))
            return error_set(err, ERROR_INCOMPATIBLE, "module '" ERROR_NAME "' (" ERROR_NAME ") "
                             "of '%s' has weights, but '%s' has no such module", module->path,
                             module->module, merge->models[one].name, merge->models[other].name);
    }
    return 0;
}

static int open_weights(struct merge *merge, struct error *err)
{
    merge->weights = memory_zalloc(merge->n_models, sizeof *merge->weights);
    for (size_t i = 0; i < merge->n_models; i++)
        if (model_components_open(&merge->weights[i], &merge->models[i], &merge->notices, err) ||
            quantized_check(&merge->models[i], err))
            return -1;
    return 0;
}

/* Whether all models have the head; a notice says which one has it not. */
static bool all_have_head(struct merge *merge, const struct model_component *head,
                          const char *owner)
{
    for (size_t i = 0; i < merge->n_models; i++)
        if (!model_components_find(&merge->weights[i], head->path)) {
            notices_add(&merge->notices, "head '%s' of '%s' is left out, '%s' has none", head->path,
                        owner, merge->models[i].name);
            return false;
        }
    return true;
}

/* A head that the models have in different shapes, or that no PyTorch file can hold, is left out:
 * the model is whole without it. */
static int plan_head(struct merge *merge, const struct model_component *head, struct error *err)
{
    struct error failure = {0};
    struct merge_component *component = add_component(merge, head);

    if (plan_component(merge, component, &failure) == 0)
        return 0;
    if (failure.code != ERROR_INCOMPATIBLE && failure.code != ERROR_UNSUPPORTED)
        return error_set(err, failure.code, "'%s': %s", head->path, failure.text);
    notices_add(&merge->notices, "head '%s' is left out: %s", head->path, failure.text);
    plan_release(&component->plan);
    merge->n_components--;
    return 0;
}

/* Whether one of the models before `model` has a component of that path, too. */
static bool is_seen(const struct merge *merge, size_t model, const char *path)
{
    for (size_t i = 0; i < model; i++)
        if (model_components_find(&merge->weights[i], path))
            return true;
    return false;
}

static int plan_heads(struct merge *merge, struct error *err)
{
    for (size_t i = 0; i < merge->n_models; i++)
        for (size_t k = 0; k < merge->weights[i].n_items; k++) {
            const struct model_component *head = &merge->weights[i].items[k];

            if (head->kind != COMPONENT_HEAD || is_seen(merge, i, head->path))
                continue;
            if (all_have_head(merge, head, merge->models[i].name) && plan_head(merge, head, err))
                return -1;
        }
    return 0;
}

static int plan_modules(struct merge *merge, struct error *err)
{
    const struct model_components *base = &merge->weights[0];

    for (size_t i = 1; i < merge->n_models; i++)
        if (check_modules(merge, 0, i, err) || check_modules(merge, i, 0, err))
            return -1;
    for (size_t k = 0; k < base->n_items; k++)
        if (base->items[k].kind == COMPONENT_MODULE &&
            plan_component(merge, add_component(merge, &base->items[k]), err))
            return error_context(err, "'%s'", base->items[k].path);
    return 0;
}

static int plan_components(struct merge *merge, struct error *err)
{
    return make_layouts(merge, err) ||
                   plan_component(merge, add_component(merge, &merge->weights[0].items[0]), err) ||
                   plan_modules(merge, err) || plan_heads(merge, err)
               ? -1
               : 0;
}

/* Only the model itself stands in a GGUF file. */
static int drop_components(struct merge *merge, struct error *err)
{
    for (; merge->n_components > 1; merge->n_components--) {
        struct merge_component *component = &merge->components[merge->n_components - 1];

        if (component->base->kind == COMPONENT_MODULE)
            return error_set(err, ERROR_UNSUPPORTED, "'%s': a GGUF file has no place for the weights of "
                             "module '" ERROR_NAME "' (" ERROR_NAME ")", merge->models[0].name,
                             component->base->path, component->base->module);
        notices_add(&merge->notices, "head '%s' is left out: a GGUF file has no place for it",
                    component->base->path);
        plan_release(&component->plan);
    }
    return 0;
}

/* The plan of the model becomes that of the file. */
static int plan_gguf(struct merge *merge, struct error *err)
{
    struct merge_component *component = &merge->components[0];
    struct checkpoint_output output;

    if (drop_components(merge, err))
        return -1;
    component->from = component->plan;
    component->plan = (struct plan){0};
    if (gguf_merge_plan(&component->plan, &component->from, &merge->metadata,
                        &(struct gguf_merge){
                            .models = merge->models, .n_models = merge->n_models,
                            .gguf = merge->weights[0].items[0].checkpoint->gguf,
                            .spec = merge->specs[0].is_known ? &merge->specs[0].spec : NULL,
                            .dtype = merge->options.dtype, .pooling = merge->options.pooling,
                            .is_encoder = merge->has_type && merge->type == MODEL_ENCODER,
                            .is_copy = merge->options.converts},
                        &merge->notices, err))
        return -1;
    output = merge_output(merge, &component->plan);
    merge->n_tensors = component->plan.n_items;
    merge->n_parameters = component->plan.n_parameters;
    merge->weights_bytes = component->plan.size_bytes;
    return checkpoint_writer_check(component->plan.format, &output, err);
}

/* ---- the other files ---- */

/* Files of settings that the result has no use for; at most as many as there are names. */
static size_t list_quantized_files(struct merge *merge, const char **out)
{
    struct arena *arena = &merge->components[0].plan.arena;
    size_t n = 0;

    for (; quantized_files[n]; n++) {
        char *path = folder_join(merge->models[0].sentence.transformer, quantized_files[n]);

        out[n] = arena_copy(arena, path, strlen(path));
        free(path);
    }
    return n;
}

/* What the merge reads from the base and writes anew. Freed by the caller, the strings are
 * borrowed. */
static const char **list_handled(struct merge *merge, char *config)
{
    const struct model_components *base = &merge->weights[0];
    const char **handled = memory_zalloc(model_components_n_files(base) + base->n_items + 8,
                                         sizeof *handled);
    size_t n = list_quantized_files(merge, handled);

    handled[n++] = config;
    handled[n++] = "README.md";
    for (size_t c = 0; c < base->n_items; c++) {
        const struct checkpoint *checkpoint = base->items[c].checkpoint;

        for (size_t i = 0; i < checkpoint->n_files; i++)
            handled[n++] = checkpoint->files[i].name;
        if (checkpoint->index)
            handled[n++] = checkpoint->index;
    }
    return handled;
}

static void note_left_out(struct merge *merge)
{
    struct buffer text = {0};

    for (size_t i = 0; i < merge->base_files.n_left_out; i++)
        buffer_format(&text, "%s%s", i ? ", " : "", merge->base_files.left_out[i]);
    if (text.size)
        notices_add(&merge->notices, "not taken over from '%s': %s", merge->models[0].name,
                    text.data);
    buffer_release(&text);
}

static int list_base_files(struct merge *merge, struct error *err)
{
    const struct model_folder *base = &merge->models[0];
    char *config;
    const char **handled;
    int rc;

    if (base->file || merge->makes_gguf) /* weights and nothing else */
        return 0;
    config = folder_join(base->sentence.transformer, config_name(&base->config));
    handled = list_handled(merge, config);
    rc = base_files_list(&merge->base_files, base->folder, handled, merge->options.output, err);
    free(handled);
    free(config);
    if (rc == 0)
        note_left_out(merge);
    return rc;
}

static void choose_pooling(struct merge *merge)
{
    const struct model_folder *base = &merge->models[0];

    if (!merge->has_type || merge->type != MODEL_ENCODER || !base->has_config ||
        merge->options.converts)
        return;
    if (merge->options.pooling && (base->sentence.n_modules || base->sentence.pooling))
        notices_add(&merge->notices, "--pooling is not needed: '%s' has its own (%s)", base->name,
                    base->sentence.pooling ? base->sentence.pooling : "none");
    if (base->sentence.n_modules)
        return;
    merge->makes_sentence_folder = true;
    for (size_t i = 1; !base->sentence.pooling && i < merge->n_models; i++)
        if (merge->models[i].sentence.pooling)
            notices_add(&merge->notices, "pooling of '%s' is %s, which the base '%s' does not say",
                        merge->models[i].name, merge->models[i].sentence.pooling, base->name);
    if (!base->sentence.pooling && !merge->options.pooling) {
        const char *pooling = model_folder_default_pooling(base);

        merge->options.pooling = pooling;
        notices_add(&merge->notices, "'%s' does not say how it pools: the result gets %s pooling; "
                    "choose with --pooling", base->name,
                    strcmp(pooling, "cls") == 0 ? pooling : "last-token (lasttoken)");
    }
}

/* ---- the output ---- */

/* --force removes the target: it must not take an input along that lies deeper in it. */
static int check_output(const struct merge *merge, struct error *err)
{
    const struct merge_options *options = &merge->options;
    char *output = memory_realpath(options->output);
    size_t length = output ? strlen(output) : 0;
    int rc = 0;

    if (merge->makes_gguf) {
        free(output);
        return outdir_check_file(options->output, options->force, merge_target_is_gguf, err);
    }
    for (size_t i = 0; output && rc == 0 && i < merge->n_models + (options->donor != NULL); i++) {
        const struct model_folder *model = i < merge->n_models ? &merge->models[i] : options->donor;
        const char *input = model->folder->real;

        if (strncmp(input, output, length) == 0 && input[length] == '/')
            rc = error_set(err, ERROR_EXISTS, "'%s' lies in the output directory '%s', which would "
                           "be replaced", model->name, options->output);
    }
    free(output);
    return rc ? rc : outdir_check(options->output, options->force, merge_target_is_model, err);
}

static int check_conversion(const struct merge *merge, struct error *err)
{
    if (!(merge->options.converts || merge->makes_gguf) ||
        !checkpoint_is_consolidated(merge->weights[0].items[0].checkpoint))
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s' is in the consolidated layout of Mistral's and "
                     "Llama's own files, which is not converted: take the same model in the layout "
                     "of Hugging Face", merge->models[0].name);
}

/* What is written is a folder for transformers. */
static int check_place(const struct merge *merge, struct error *err)
{
    for (size_t i = 0; i < merge->n_models; i++) {
        const struct megatron *megatron = merge->models[i].megatron;

        if (megatron && megatron->no_place)
            return error_set(err, ERROR_UNSUPPORTED, "'%s': cannot be written, as no class of "
                             "transformers has a place for all of this: %s", merge->models[i].name,
                             megatron->no_place);
    }
    return 0;
}

static void init(struct merge *merge, size_t n_models, const struct merge_options *options)
{
    *merge = (struct merge){.options = *options, .n_models = n_models,
                            .makes_gguf = gguf_merge_is_output(options->output)};
    merge->models = memory_zalloc(n_models, sizeof *merge->models);
    merge->specs = memory_zalloc(n_models, sizeof *merge->specs);
    merge->layouts = memory_zalloc(n_models, sizeof *merge->layouts);
}

/* Those of a donor hold, too: its tokenizer is in the result. */
static void add_terms(struct merge *merge)
{
    const struct model_folder *donor = merge->options.donor;
    struct model_folder both[2];

    if (!donor) {
        card_terms_add(&merge->card_terms, merge->models, merge->n_models, &merge->notices);
        return;
    }
    both[0] = merge->models[0];
    both[1] = *donor; /* read alone */
    card_terms_add(&merge->card_terms, both, 2, &merge->notices);
}

static int open_rest(struct merge *merge, struct error *err)
{
    if (check_models(merge, err) ||
        (merge->options.output && (check_place(merge, err) || check_output(merge, err))) ||
        open_weights(merge, err) || check_conversion(merge, err) || plan_components(merge, err) ||
        list_base_files(merge, err))
        return -1;
    choose_pooling(merge);
    if (merge->makes_gguf && plan_gguf(merge, err))
        return -1;
    if (merge->options.output && !merge->makes_gguf)
        add_terms(merge);
    if (__builtin_add_overflow(merge->weights_bytes,
                               merge->base_files.kept_bytes + merge->metadata.bytes.size +
                                   small_files_bytes,
                               &merge->disk_bytes))
        return error_set(err, ERROR_FORMAT, "the sizes of the files overflow");
    return 0;
}

static int join_models(struct merge *merge, struct error *err)
{
    struct join_choice choice = {merge->options.tokenizer, merge->options.tokenizer_path,
                                 merge->options.follow_symlinks};

    merge->options.has_one_tokenizer = choice.tokenizer;
    return choice.tokenizer ? join_all(merge->models, merge->n_models, &choice, &merge->notices, err)
                            : 0;
}

int merge_open(struct merge *merge, const char *const *paths, size_t n_models,
               const struct merge_options *options, struct error *err)
{
    init(merge, n_models, options);
    return open_folders(merge, paths, err) || join_models(merge, err) || open_rest(merge, err) ? -1 : 0;
}

int merge_open_models(struct merge *merge, struct model_folder *models, size_t n_models,
                      const struct merge_options *options, struct error *err)
{
    init(merge, n_models, options);
    memcpy(merge->models, models, n_models * sizeof *models);
    memset(models, 0, n_models * sizeof *models);
    return open_rest(merge, err);
}

void merge_release(struct merge *merge)
{
    for (size_t i = 0; merge->origins && i < merge->components[0].plan.n_inputs; i++) {
        free(merge->origins[i].label);
        free(merge->origins[i].hub_id);
    }
    free(merge->origins);
    for (size_t c = 0; c < merge->n_components; c++) {
        plan_release(&merge->components[c].plan);
        plan_release(&merge->components[c].from);
    }
    gguf_metadata_release(&merge->metadata);
    for (size_t i = 0; i < merge->n_models; i++) {
        layout_release(&merge->layouts[i].layout);
        checkpoint_names_release(&merge->layouts[i].names);
        if (merge->weights)
            model_components_release(&merge->weights[i]);
        model_folder_release(&merge->models[i]);
    }
    shared_bases_release(&merge->bases);
    if (merge->specs)
        fit_release_specs(merge->specs, merge->n_models);
    free(merge->specs);
    free(merge->layouts);
    free(merge->weights);
    free(merge->components);
    free(merge->models);
    base_files_release(&merge->base_files);
    buffer_release(&merge->card_terms);
    notices_release(&merge->notices);
    *merge = (struct merge){0};
}

/* ---- weights and settings ---- */

const char *merge_inner_output(const char *output)
{
    return gguf_merge_is_output(output) ? NULL : output;
}

struct plan *merge_plan(struct merge *merge, size_t component)
{
    struct merge_component *made = &merge->components[component];

    return merge->makes_gguf ? &made->from : &made->plan;
}

void merge_set_weights(struct merge *merge, const double *weights)
{
    for (size_t c = 0; c < merge->n_components; c++)
        plan_set_weights(merge_plan(merge, c), weights);
}

static bool uses_part(struct merge *merge, size_t part)
{
    for (size_t c = 0; c < merge->n_components; c++)
        if (plan_settings_use_part(merge_plan(merge, c), part))
            return true;
    return false;
}

int merge_set_settings(struct merge *merge, const struct plan_settings *settings,
                       struct error *err)
{
    for (size_t c = 0; c < merge->n_components; c++) {
        plan_set_settings(merge_plan(merge, c), settings);
        if (plan_check_settings(merge_plan(merge, c), err))
            return -1;
        merge->components[c].plan.settings = settings; /* for the report */
    }
    for (size_t i = 0; i < settings->n_parts; i++)
        if (!uses_part(merge, i))
            notices_add(&merge->notices, "the weights of '" ERROR_NAME "' are those of no tensor: "
                        "no name has it, or others that fit come first", settings->parts[i].part);
    return 0;
}
