#include "adapter_mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/mix_experts.h"
#include "adapter/weighted_tensor.h"
#include "base/memory.h"

static const char prefix[] = "base_model.model.";

struct maker { /* of a mix */
    struct adapter_mix *mix;
    const struct lora_folder *const *adapters;
    size_t n_adapters;
    const struct adapter_mix_options *options;
    struct hash_map by_name; /* modules, and parameters */
    struct hash_map around;  /* modules of which parameters are changed: the last such parameter */
    size_t *next;            /* [n_modules], another parameter of the same module; itself: there is none */
    struct error *err;
};

/* ---- modules ---- */

static int refuse(const struct maker *maker, enum error_code code, size_t adapter,
                  const char *module, const char *why)
{
    return error_set(maker->err, code, "'%s': module '" ERROR_NAME "': %s",
                     maker->adapters[adapter]->name, module, why);
}

static int check_module(const struct maker *maker, size_t adapter, const struct lora_module *module)
{
    if (module->magnitude)
        return refuse(maker, ERROR_UNSUPPORTED, adapter, module->name,
                      "DoRA: magnitudes belong to one adapter and its base, and have no weighted sum");
    if (!dtype_info(module->a->dtype)->is_mixable || !dtype_info(module->b->dtype)->is_mixable ||
        (module->bias && !dtype_info(module->bias->dtype)->is_mixable))
        return refuse(maker, ERROR_UNSUPPORTED, adapter, module->name, "of a dtype that is not mixed");
    return 0;
}

/* Whether one more adapter has the same module. */
static int check_fit(const struct maker *maker, size_t adapter, const struct lora_module *module,
                     const struct mix_module *mixed)
{
    const struct mix_input *first = &mixed->inputs[0];
    const char *other = maker->adapters[first->number]->name;

    if (module->is_embedding != mixed->is_embedding)
        return error_set(maker->err, ERROR_INCOMPATIBLE, "'%s': module '" ERROR_NAME "' is %s embedding, "
                         "in '%s' it is %s", maker->adapters[adapter]->name, module->name,
                         module->is_embedding ? "an" : "no", other,
                         mixed->is_embedding ? "one" : "none");
    if (module->n_experts != mixed->n_experts)
        return error_set(maker->err, ERROR_INCOMPATIBLE, "'%s': module '" ERROR_NAME "' is of %zu "
                         "experts, in '%s' of %zu: they are adapters of different bases",
                         maker->adapters[adapter]->name, module->name, module->n_experts, other,
                         mixed->n_experts);
    if (module->a->shape[1] != mixed->n_in || module->b->shape[0] != mixed->n_out)
        return error_set(maker->err, ERROR_INCOMPATIBLE, "'%s': module '" ERROR_NAME "' is [%zu, %zu], in "
                         "'%s' [%zu, %zu]: they are adapters of different bases",
                         maker->adapters[adapter]->name, module->name, module->b->shape[0],
                         module->a->shape[1], other, mixed->n_out, mixed->n_in);
    if (maker->options->how.method->parts == ADAPTER_FACTORS && module->rank != first->module->rank)
        return error_set(maker->err, ERROR_INCOMPATIBLE, "'%s': module '" ERROR_NAME "' has rank %zu, in "
                         "'%s' %zu: method '%s' needs equal ranks; cat and the methods with svd in "
                         "their names take any", maker->adapters[adapter]->name, module->name,
                         module->rank, other, first->module->rank,
                         maker->options->how.method->name);
    return 0;
}

static void add_input(const struct maker *maker, size_t adapter, const struct lora_module *module,
                      struct mix_module *mixed)
{
    if (mixed->n_inputs == 0) {
        mixed->name = module->name;
        mixed->parameter = module->parameter;
        mixed->n_experts = module->n_experts;
        mixed->is_embedding = module->is_embedding;
        mixed->n_in = module->a->shape[1];
        mixed->n_out = module->b->shape[0];
        mixed->inputs = memory_zalloc(maker->n_adapters, sizeof *mixed->inputs);
    }
    mixed->inputs[mixed->n_inputs++] = (struct mix_input){module, adapter,
                                                          maker->options->weights[adapter]};
}

static const char *key_of(const struct maker *maker, const struct lora_module *module)
{
    char *text;
    const char *key;

    if (!module->parameter)
        return module->name;
    text = memory_format("%s.%s", module->name, module->parameter);
    key = arena_copy(&maker->mix->output.arena, text, strlen(text));
    free(text);
    return key;
}

static int add_adapter(struct maker *maker, size_t adapter)
{
    const struct lora_folder *from = maker->adapters[adapter];
    struct adapter_mix *mix = maker->mix;

    if (from->config.is_pissa)
        return error_set(maker->err, ERROR_UNSUPPORTED, "'%s': PiSSA changed the base before training, "
                         "so that without it there is no sum with others; convert the adapter with "
                         "PEFT first", from->name);
    mix->modules = memory_resize(mix->modules, mix->n_modules + from->n_modules + 1,
                                 sizeof *mix->modules);
    for (size_t i = 0; i < from->n_modules; i++) {
        const struct lora_module *module = &from->modules[i];
        size_t n = mix->n_modules;
        const char *key = key_of(maker, module);
        size_t at = hash_map_add(&maker->by_name, key, strlen(key), n);

        if (at == n) {
            mix->modules[n] = (struct mix_module){0};
            mix->n_modules++;
        }
        if (check_module(maker, adapter, module) ||
            (at < n && check_fit(maker, adapter, module, &mix->modules[at])))
            return -1;
        add_input(maker, adapter, module, &mix->modules[at]);
    }
    return 0;
}

static size_t largest_rank(const struct maker *maker)
{
    size_t rank = 1;

    for (size_t i = 0; i < maker->n_adapters; i++)
        for (size_t k = 0; k < maker->adapters[i]->n_modules; k++)
            if (maker->adapters[i]->modules[k].rank > rank)
                rank = maker->adapters[i]->modules[k].rank;
    return rank;
}

static void find_ranks(const struct maker *maker)
{
    enum adapter_parts parts = maker->options->how.method->parts;
    size_t most = maker->options->rank ? maker->options->rank : largest_rank(maker);

    for (size_t i = 0; i < maker->mix->n_modules; i++) {
        struct mix_module *module = &maker->mix->modules[i];
        size_t least = module->n_in < module->n_out ? module->n_in : module->n_out;

        module->rank = parts == ADAPTER_PRODUCTS ? (most < least ? most : least)
                                                 : module->inputs[0].module->rank;
        for (size_t k = 1; parts == ADAPTER_SIDE_BY_SIDE && k < module->n_inputs; k++)
            module->rank += module->inputs[k].module->rank;
    }
}

/* ---- the adapter that is written ---- */

static struct adapter_tensor *add_tensor(struct adapter_output *output, const char *module,
                                         const char *ending)
{
    char *name = memory_format("%s%s%s", prefix, module, ending);
    struct adapter_tensor *tensor = &output->tensors[output->n_tensors++];

    *tensor = (struct adapter_tensor){.name = arena_copy(&output->arena, name, strlen(name))};
    free(name);
    return tensor;
}

static void add_made(struct adapter_mix *mix, size_t group, const char *ending, size_t n_dims,
                     size_t n_rows, size_t n_cols)
{
    struct adapter_tensor *tensor = add_tensor(&mix->output, mix->modules[group].name, ending);

    tensor->n_dims = n_dims;
    tensor->shape[0] = n_rows;
    tensor->shape[1] = n_cols;
    tensor->group = group;
}

static bool has_biases(const struct adapter_mix *mix)
{
    for (size_t i = 0; i < mix->n_modules; i++)
        for (size_t k = 0; k < mix->modules[i].n_inputs; k++)
            if (mix->modules[i].inputs[k].module->bias)
                return true;
    return false;
}

/* Links the parameters of each module. */
static void link_parameters(struct maker *maker)
{
    const struct adapter_mix *mix = maker->mix;

    maker->next = memory_zalloc(mix->n_modules + 1, sizeof *maker->next);
    for (size_t i = 0; i < mix->n_modules; i++) {
        const struct mix_module *module = &mix->modules[i];
        size_t first = i;

        if (module->parameter)
            first = hash_map_add(&maker->around, module->name, strlen(module->name), i);
        maker->next[i] = first == i ? i : maker->next[first] == first ? i : maker->next[first];
        if (first != i)
            maker->next[first] = i;
    }
}

/* PEFT wraps a module once for each of its parameters; `out` gets what stands for the wrappers around that one. */
static void add_wrappers(const struct maker *maker, size_t number, struct buffer *out)
{
    const struct mix_module *modules = maker->mix->modules, *module = &modules[number];
    const size_t *first = module->parameter ? hash_map_find(&maker->around, module->name,
                                                            strlen(module->name))
                                            : NULL;

    for (size_t i = first ? *first : 0; first; i = maker->next[i]) {
        if (lora_config_compare_parameters(modules[i].parameter, module->parameter) > 0)
            buffer_add_text(out, ".base_layer");
        if (maker->next[i] == i)
            break;
    }
}

static void add_factor(struct maker *maker, size_t number, const char *ending, size_t n_rows,
                       size_t n_columns)
{
    struct buffer name = {0};

    add_wrappers(maker, number, &name);
    buffer_add_text(&name, ending);
    add_made(maker->mix, number, name.data, 2, n_rows, n_columns);
    buffer_release(&name);
}

static void add_modules(struct maker *maker)
{
    struct adapter_mix *mix = maker->mix;
    struct adapter_output *output = &mix->output;

    link_parameters(maker);
    output->lora_bias = has_biases(mix);
    for (size_t i = 0; i < mix->n_modules; i++) {
        const struct mix_module *module = &mix->modules[i];
        bool is_embedding = module->is_embedding;
        size_t height = module->rank * module->n_experts;

        output->targets[output->n_targets++] = (struct adapter_target){module->name, module->rank,
                                                                       module->parameter};
        add_factor(maker, i, is_embedding ? ".lora_embedding_A" : ".lora_A.weight", height,
                   module->n_in);
        add_factor(maker, i, is_embedding ? ".lora_embedding_B" : ".lora_B.weight", module->n_out,
                   height);
        if (output->lora_bias && !is_embedding)
            add_made(mix, i, ".lora_B.bias", 1, module->n_out, 0);
    }
}

/* ---- what is stored whole ---- */

struct owned_whole {
    const struct lora_whole *whole;
    size_t adapter;
};

static int refuse_whole(const struct maker *maker, size_t adapter, const struct lora_whole *whole,
                        const char *why)
{
    return error_set(maker->err, ERROR_INCOMPATIBLE, "'%s': tensor '" ERROR_NAME "' is stored whole: "
                     "%s", maker->adapters[adapter]->name, whole->name, why);
}

static double share_of_base(const struct maker *maker)
{
    double share = 1;

    for (size_t i = 0; i < maker->n_adapters; i++)
        share -= maker->options->weights[i];
    return share;
}

/* What the base has in its place, under any of its names; NULL: nothing. */
static const struct tensor *find_in_base(const struct maker *maker, const char *name)
{
    const struct checkpoint_names *base = maker->options->base;
    const struct tied_name *tied;
    const struct tensor *found = NULL;
    struct buffer plain = {0};

    tensor_names_plain(name, &plain);
    if (base)
        found = checkpoint_names_find_plain(base, plain.data);
    if (base && !found && strcmp(plain.data, "lm_head.weight") == 0)
        found = checkpoint_names_find_plain(base, "embed_out.weight");
    tied = base && !found ? tensor_names_find_tied(plain.data) : NULL;
    if (tied)
        found = checkpoint_names_find_owner(base, tied);
    buffer_release(&plain);
    return found;
}

/* The tensor of `adapter`, or the base's, that goes with one of `owner`. */
static int find_whole(const struct maker *maker, size_t adapter, size_t owner,
                      const struct lora_whole *whole, const struct tensor **tensor)
{
    const struct lora_folder *from = maker->adapters[adapter];
    const size_t *at = hash_map_find(&from->by_whole, whole->name, strlen(whole->name));

    *tensor = at ? from->wholes[*at].tensor : find_in_base(maker, whole->name);
    if (!*tensor)
        return refuse_whole(maker, owner, whole, "without the base it can be mixed only where all "
                            "adapters have it");
    return tensor_same_shape(whole->tensor, *tensor)
               ? 0
               : refuse_whole(maker, owner, whole, "it has another shape in the others");
}

/* Under the module's name, or below its adapter's. */
static void name_whole(const struct maker *maker, const char *name, const struct tensor *tensor)
{
    struct adapter_output *output = &maker->mix->output;
    const char *dot = strrchr(name, '.'), *leaf = dot ? dot + 1 : name;
    const char *module = arena_copy(&output->arena, name, dot ? (size_t)(dot - name) : 0);
    bool is_target = hash_map_find(&maker->by_name, module, strlen(module)) != NULL;
    bool is_bias = strcmp(leaf, "bias") == 0;
    char *ending = memory_format(".%s%s", is_target ? "base_layer." : "", leaf);

    add_tensor(output, module, ending)->source = tensor;
    free(ending);
    if (is_bias && is_target && !output->bias)
        output->bias = "lora_only";
    else if (is_bias && !is_target && maker->adapters[0]->config.biases == LORA_BIAS_ALL)
        output->bias = "all";
    else if (!is_target && (output->n_saved == 0 ||
                            strcmp(output->saved[output->n_saved - 1], module) != 0))
        output->saved[output->n_saved++] = module;
}

/* Of all adapters, and of the base what is left of 1. */
static int add_whole(const struct maker *maker, const struct owned_whole *owned)
{
    const struct lora_whole *whole = owned->whole;
    size_t n = maker->n_adapters;
    struct adapter_output *output = &maker->mix->output;
    const struct tensor **tensors = memory_zalloc(n + 1, sizeof *tensors);
    double *weights = memory_zalloc(n + 1, sizeof *weights);
    struct tensor *made = arena_alloc(&output->arena, sizeof *made);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        weights[i] = maker->options->weights[i];
        rc = find_whole(maker, i, owned->adapter, whole, &tensors[i]);
    }
    if (rc == 0 && fabs(share_of_base(maker)) > 1e-6) {
        weights[n] = share_of_base(maker);
        tensors[n] = find_in_base(maker, whole->name);
        if (!tensors[n] || !tensor_same_shape(whole->tensor, tensors[n]))
            rc = refuse_whole(maker, owned->adapter, whole, "without the base it can be mixed only "
                              "by weights that sum to 1");
        n++;
    }
    if (rc == 0)
        rc = weighted_tensor_make(made, tensors, weights, n, &output->arena, maker->err);
    if (rc == 0)
        name_whole(maker, whole->name, made);
    free(tensors);
    free(weights);
    return rc;
}

/* Of a module of which parameters are changed. */
static int check_whole(const struct maker *maker, const struct owned_whole *owned)
{
    const char *name = owned->whole->name, *dot = strrchr(name, '.');

    return dot && hash_map_find(&maker->around, name, (size_t)(dot - name))
               ? refuse_whole(maker, owned->adapter, owned->whole, "another one changes its module by A "
                              "and B, and PEFT can do but one of the two")
               : 0;
}

static int compare_wholes(const void *a, const void *b)
{
    const struct owned_whole *x = a, *y = b;
    int order = strcmp(x->whole->name, y->whole->name);

    return order ? order : (x->adapter > y->adapter) - (x->adapter < y->adapter);
}

static size_t count_wholes(const struct maker *maker)
{
    size_t n = 0;

    for (size_t i = 0; i < maker->n_adapters; i++)
        n += maker->adapters[i]->n_wholes;
    return n;
}

static int add_wholes(const struct maker *maker)
{
    size_t n = 0;
    struct owned_whole *all = memory_zalloc(count_wholes(maker) + 1, sizeof *all);
    int rc = 0;

    for (size_t i = 0; i < maker->n_adapters; i++)
        for (size_t k = 0; k < maker->adapters[i]->n_wholes; k++)
            all[n++] = (struct owned_whole){&maker->adapters[i]->wholes[k], i};
    qsort(all, n, sizeof *all, compare_wholes);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = check_whole(maker, &all[i]);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (i == 0 || strcmp(all[i].whole->name, all[i - 1].whole->name) != 0)
            rc = add_whole(maker, &all[i]);
    free(all);
    return rc;
}

/* ---- all of it ---- */

static void note_difference(const struct maker *maker, const char *what, size_t first, const char *a,
                            size_t adapter, const char *b, struct notices *notices)
{
    if (a && b && strcmp(a, b) != 0)
        notices_add(notices, "'%s' says %s '" ERROR_NAME "', '%s' '" ERROR_NAME "': the first counts",
                    maker->adapters[first]->name, what, a, maker->adapters[adapter]->name, b);
}

static void take_config(const struct maker *maker, struct notices *notices)
{
    struct adapter_output *output = &maker->mix->output;
    size_t n_base = 0, n_task = 0;

    for (size_t i = 0; i < maker->n_adapters; i++) {
        const struct lora_config *config = &maker->adapters[i]->config;

        note_difference(maker, "base_model_name_or_path", n_base, output->base, i, config->base_model,
                        notices);
        note_difference(maker, "task_type", n_task, output->task_type, i, config->task_type, notices);
        if (!output->base) {
            output->base = config->base_model;
            n_base = i;
        }
        if (!output->task_type) {
            output->task_type = config->task_type;
            n_task = i;
        }
        output->fan_in_fan_out |= config->fan_in_fan_out;
    }
}

static int make_group(void *context, size_t group, float *const *values, struct error *err)
{
    struct adapter_mix *mix = context;
    const struct mix_module *module = &mix->modules[group];
    bool has_bias = mix->output.lora_bias && !module->is_embedding;

    if (module->n_experts > 1
            ? mix_experts_make(module, &mix->how, mix->gemm, values[0], values[1], err)
            : mix_module_make(module, &mix->how, mix->gemm, values[0], values[1],
                              has_bias ? values[2] : NULL, err))
        return -1;
    atomic_fetch_add(&mix->progress->done_bytes, 1);
    if (mix->progress->show)
        mix->progress->show(mix->progress);
    return 0;
}

/* What PEFT does not have in one adapter. */
static int check_together(const struct maker *maker)
{
    const struct adapter_output *output = &maker->mix->output;

    if (maker->around.n_entries == 0 || (!output->lora_bias && !output->fan_in_fan_out))
        return 0;
    return error_set(maker->err, ERROR_UNSUPPORTED, "one adapter has target_parameters, another %s: PEFT "
                     "has no adapter with both", output->lora_bias ? "lora_bias" : "fan_in_fan_out");
}

int adapter_mix_init(struct adapter_mix *mix, const struct lora_folder *const *adapters, size_t n,
                     const struct adapter_mix_options *options, struct threads *threads,
                     struct progress *progress, struct notices *notices, struct error *err)
{
    struct maker maker = {.mix = mix, .adapters = adapters, .n_adapters = n, .options = options,
                          .err = err};
    struct adapter_output *output = &mix->output;
    int rc = 0;

    *mix = (struct adapter_mix){.how = options->how, .progress = progress};
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_adapter(&maker, i);
    if (rc == 0) {
        find_ranks(&maker);
        output->make = make_group;
        output->context = mix;
        output->targets = memory_zalloc(mix->n_modules + 1, sizeof *output->targets);
        output->tensors = memory_zalloc(3 * mix->n_modules + count_wholes(&maker) + 1,
                                        sizeof *output->tensors);
        output->saved = memory_zalloc(count_wholes(&maker) + 1, sizeof *output->saved);
        take_config(&maker, notices);
        add_modules(&maker);
        rc = check_together(&maker) || add_wholes(&maker) ? -1 : 0;
    }
    if (rc == 0) {
        progress->total_bytes = mix->n_modules;
        mix->gemm = gemm_new(threads, err);
        rc = mix->gemm ? 0 : -1;
    }
    hash_map_release(&maker.by_name);
    hash_map_release(&maker.around);
    free(maker.next);
    return rc;
}

void adapter_mix_release(struct adapter_mix *mix)
{
    for (size_t i = 0; i < mix->n_modules; i++)
        free(mix->modules[i].inputs);
    free(mix->modules);
    free(mix->output.targets);
    free(mix->output.tensors);
    free(mix->output.saved);
    arena_release(&mix->output.arena);
    gemm_free(mix->gemm);
    *mix = (struct adapter_mix){0};
}
