/* extract.c - two models side by side, matrix by matrix.
 *
 * Names in the adapter are those of the modules in transformers: the fine-tuned model's own, with the
 * prefix that its class has. Whole tensors go to modules_to_save by full names, so that PEFT, which
 * compares the ends of names, meets no other module. */
#include "extract.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/extract_job.h"
#include "arch/layout_check.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "tensor/tensor_source.h"

enum { CHUNK_ITEMS = 1 << 15 };

static const char prefix[] = "base_model.model.";

/* What class of PEFT's a class of transformers goes with, by the end of its name. Heads of several layers
 * stay whole: PEFT stores those of classifiers itself, and those of masked models are tied inside. */
static const struct task {
    const char *ending, *task_type;
    bool heads_stay;
} tasks[] = {
    {"ForCausalLM", "CAUSAL_LM", false},
    {"LMHeadModel", "CAUSAL_LM", false},
    {"ForSequenceClassification", "SEQ_CLS", true},
    {"ForTokenClassification", "TOKEN_CLS", true},
    {"ForQuestionAnswering", "QUESTION_ANS", true},
    {"ForConditionalGeneration", "SEQ_2_SEQ_LM", false},
    {"ForMaskedLM", NULL, true},
    {"ForPreTraining", NULL, true},
    {"Model", "FEATURE_EXTRACTION", false},
};

static const struct task *find_task(const struct config *config)
{
    static const struct task none = {"", NULL, false};
    const char *name = config->architecture;

    for (size_t i = 0; name && i < sizeof tasks / sizeof *tasks; i++) {
        size_t n = strlen(tasks[i].ending);

        if (strlen(name) >= n && strcmp(name + strlen(name) - n, tasks[i].ending) == 0)
            return &tasks[i];
    }
    return &none;
}

/* ---- tensors of the adapter ---- */

struct adapter_tensor *extract_add_tensor(struct job *job, const char *module, const char *ending)
{
    struct adapter_output *adapter = &job->extraction->adapter;
    char *name = memory_format("%s%s%s", prefix, module, ending);
    struct adapter_tensor *tensor;

    adapter->tensors = memory_resize(adapter->tensors, adapter->n_tensors + 1,
                                     sizeof *adapter->tensors);
    tensor = &adapter->tensors[adapter->n_tensors++];
    *tensor = (struct adapter_tensor){.name = arena_copy(&adapter->arena, name, strlen(name))};
    free(name);
    return tensor;
}

void extract_add_matrix(struct job *job, const char *module, const char *ending,
                        const float *values, size_t n_rows, size_t n_cols)
{
    struct adapter_tensor *tensor = extract_add_tensor(job, module, ending);

    tensor->n_dims = 2;
    tensor->shape[0] = n_rows;
    tensor->shape[1] = n_cols;
    tensor->values = values;
}

/* [n_rows, n_cols] -> [n_cols, n_rows], in the same memory. */
static int transpose(float *x, size_t n_rows, size_t n_cols, struct error *err)
{
    float *copy = memory_try(n_rows * n_cols, sizeof *copy, "a factor", err);

    if (!copy)
        return -1;
    memcpy(copy, x, n_rows * n_cols * sizeof *copy);
    for (size_t i = 0; i < n_rows; i++)
        for (size_t k = 0; k < n_cols; k++)
            x[k * n_rows + i] = copy[i * n_cols + k];
    free(copy);
    return 0;
}

/* A is [rank, n_in] and B [n_out, rank]. A matrix that is stored as [n_in, n_out] (an embedding, a
 * Conv1D) has its inputs on the left. */
static int add_factors(struct job *job, const struct extract_part *part, struct svd *svd,
                       struct error *err)
{
    const size_t *shape = part->tuned->shape;
    bool is_turned = part->is_embedding || (job->is_conv1d && !part->is_head);
    float *a = is_turned ? svd->left : svd->right, *b = is_turned ? svd->right : svd->left;
    size_t n_in = shape[is_turned ? 0 : 1], n_out = shape[is_turned ? 1 : 0];

    if (transpose(b, svd->rank, n_out, err))
        return -1;
    extract_add_matrix(job, part->module, part->is_embedding ? ".lora_embedding_A" : ".lora_A.weight", a,
               svd->rank, n_in);
    extract_add_matrix(job, part->module, part->is_embedding ? ".lora_embedding_B" : ".lora_B.weight", b,
               n_out, svd->rank);
    return 0;
}

void extract_add_target(struct job *job, const char *module, const char *parameter, size_t rank)
{
    struct adapter_output *adapter = &job->extraction->adapter;

    hash_map_add(&job->targets, module, strlen(module), adapter->n_targets);
    adapter->targets = memory_resize(adapter->targets, adapter->n_targets + 1,
                                     sizeof *adapter->targets);
    adapter->targets[adapter->n_targets++] = (struct adapter_target){module, rank, parameter};
}

bool extract_has_target(const struct job *job, const char *module)
{
    return hash_map_find(&job->targets, module, strlen(module)) != NULL;
}

void extract_add_saved(struct job *job, const char *module)
{
    struct adapter_output *adapter = &job->extraction->adapter;
    const char *dot = strrchr(module, '.');
    char *around = memory_format("%.*s", dot ? (int)(dot - module) : 0, module);
    bool is_within = extract_is_within(&job->around, around);

    free(around);
    if (is_within || hash_map_add(&job->saved, module, strlen(module), adapter->n_saved) != adapter->n_saved)
        return;
    adapter->saved = memory_resize(adapter->saved, adapter->n_saved + 1, sizeof *adapter->saved);
    adapter->saved[adapter->n_saved++] = module;
}

/* The heads that stay are stored as these modules, not as parts of them. */
const char *extract_saved_module(struct job *job, const struct extract_part *part)
{
    size_t n = strcspn(part->module, ".");

    if (!job->heads_stay || !part->is_head)
        return part->module;
    return arena_copy(&job->extraction->adapter.arena, part->module, n);
}

int extract_store_whole(struct job *job, const struct extract_part *part, struct error *err)
{
    bool is_bias = strcmp(part->leaf, "bias") == 0 && extract_has_target(job, part->module);
    char *ending;

    if (!*part->module)
        return error_set(err, ERROR_UNSUPPORTED,
                         "'%s': tensor '%s' belongs to no module that an adapter could store",
                         job->tuned_name, part->tuned->name);
    ending = memory_format(".%s%s", is_bias ? "base_layer." : "", part->leaf);
    extract_add_tensor(job, part->module, ending)->source = part->tuned;
    free(ending);
    if (is_bias)
        job->extraction->adapter.bias = "lora_only";
    else
        extract_add_saved(job, extract_saved_module(job, part));
    return 0;
}

/* ---- a matrix ---- */

struct subtraction {
    const struct tensor *pair[2]; /* fine-tuned, base */
    const char *model;
    size_t first, n_items;
    float *out;
};

static int subtract_chunk(void *context, size_t task, size_t worker, struct error *err)
{
    const struct subtraction *subtraction = context;
    size_t start = task * CHUNK_ITEMS;
    size_t n = subtraction->n_items - start < CHUNK_ITEMS ? subtraction->n_items - start
                                                          : CHUNK_ITEMS;
    char *bytes = memory_alloc(CHUNK_ITEMS * sizeof(double));
    double *values = memory_alloc(2 * CHUNK_ITEMS * sizeof *values);
    int rc = interrupt_check(err);

    (void)worker;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        const struct tensor *tensor = subtraction->pair[i];

        rc = tensor_read(tensor, subtraction->first + start, n, bytes, err);
        if (rc == 0)
            dtype_to_double(tensor->dtype, bytes, values + i * CHUNK_ITEMS, n);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        subtraction->out[start + i] = (float)(values[i] - values[CHUNK_ITEMS + i]);
        if (!isfinite(subtraction->out[start + i]))
            rc = error_set(err, ERROR_FORMAT,
                           "'%s': tensor '%s': the difference to the base is not finite",
                           subtraction->model, subtraction->pair[0]->name);
    }
    free(bytes);
    free(values);
    return rc;
}

int extract_subtract(const struct job *job, const struct tensor *tuned, const struct tensor *base,
                     size_t first, size_t n, float *out, struct error *err)
{
    struct subtraction subtraction = {{tuned, base}, job->tuned_name, first, n, out};

    return threads_run(job->threads, n / CHUNK_ITEMS + (n % CHUNK_ITEMS != 0), subtract_chunk,
                       &subtraction, err);
}

static int decompose(struct job *job, const struct extract_part *part, struct error *err)
{
    struct extraction *extraction = job->extraction;
    const struct tensor *tuned = part->tuned;
    float *difference = memory_try(tuned->n_items, sizeof *difference, "a matrix", err);
    struct svd *svd = &extraction->factors[extraction->n_modules];
    int rc = difference ? 0 : -1;

    if (rc == 0)
        rc = extract_subtract(job, tuned, part->base, 0, tuned->n_items, difference, err);
    if (rc == 0)
        rc = svd_approximate(svd, difference, tuned->shape[0], tuned->shape[1],
                             job->options->size, job->gemm, err);
    free(difference);
    if (rc)
        return -1;
    extraction->modules[extraction->n_modules++] = (struct extracted_module){
        part->module, svd->rank, svd_kept_energy(svd), svd_relative_error(svd)};
    if (svd->rank == 0)
        return 0;
    extract_add_target(job, part->module, part->is_parameter ? "weight" : NULL, svd->rank);
    return add_factors(job, part, svd, err);
}

/* ---- all of them ---- */

void extract_show(const struct job *job, size_t n_bytes)
{
    atomic_fetch_add(&job->progress->done_bytes, n_bytes);
    if (job->progress->show)
        job->progress->show(job->progress);
}

/* First the matrices, since what a bias becomes follows from them. */
static int take_part(struct job *job, size_t index, bool is_first_pass, struct error *err)
{
    struct extract_part part;
    int equal, target;

    if (job->fates[index] == FATE_ELSEWHERE ||
        !tensor_names_is_parameter(&job->tuned.checkpoint->tensors[index]))
        return 0;
    extract_name_part(job, index, &part);
    target = extract_is_target(job, &part, err);
    if (target < 0 || extract_check_part(&part, err))
        return error_context(err, "'%s'", job->tuned_name);
    if (target != is_first_pass)
        return 0;
    extract_show(job, part.tuned->size_bytes);
    if (target) {
        job->fates[index] = FATE_DECOMPOSED;
        if (decompose(job, &part, err))
            return -1;
        if (!extract_has_target(job, part.module)) /* no difference */
            job->fates[index] = FATE_LEFT_OUT;
        return 0;
    }
    equal = part.base ? tensor_equal(part.tuned, part.base, err) : 0;
    if (equal)
        return equal < 0 ? -1 : 0;
    if (part.base && !tensor_same_shape(part.tuned, part.base))
        notices_add(job->notices, "'%s' has %zu rows in the base and %zu here: for PEFT the base must be "
                    "resized before it loads the adapter", part.tuned->name, part.base->shape[0],
                    part.tuned->shape[0]);
    job->fates[index] = FATE_STORED;
    return extract_store_whole(job, &part, err);
}

/* ---- what is around ---- */

/* A parameter that is neither the weight of a module nor the bias of one that has a weight (attention sinks, the
 * bias of a router's choice) has no place in an adapter but the module that it is of, whole. */
static bool is_loose(const struct job *job, const struct extract_part *part)
{
    const char *name = part->tuned->name, *dot = strrchr(name, '.');
    char *weight;
    bool has_weight;

    if (!*part->module || strcmp(part->leaf, "weight") == 0)
        return false;
    if (strcmp(part->leaf, "bias") != 0)
        return true;
    weight = memory_format("%.*sweight", (int)(dot + 1 - name), name);
    has_weight = checkpoint_find(job->tuned.checkpoint, weight) != NULL;
    free(weight);
    return !has_weight;
}

/* Modules that must be stored with all that is in them. */
static int find_around(struct job *job, struct error *err)
{
    for (size_t i = 0; i < job->tuned.checkpoint->n_tensors; i++) {
        struct extract_part part;
        int equal;

        if (!tensor_names_is_parameter(&job->tuned.checkpoint->tensors[i]) ||
            extract_is_of_experts(job, i))
            continue;
        extract_name_part(job, i, &part);
        if (!part.base || part.is_head || !is_loose(job, &part))
            continue;
        equal = tensor_equal(part.tuned, part.base, err);
        if (equal < 0)
            return -1;
        if (!equal)
            hash_map_add(&job->around, part.module, strlen(part.module), 0);
    }
    return 0;
}

/* ---- the models ---- */

/* Whether the fine-tuned model has it, too, though perhaps in another way: its layout was checked. */
static bool is_of_experts(const struct job *job, const char *name)
{
    struct expert_name ignored;

    return job->layout && job->base_layout && expert_name_find(job->base_layout, name, &ignored);
}

/* Of models with experts, both must be what their config.json says. */
static int find_layouts(struct job *job, struct error *err)
{
    const struct checkpoint_names *names[2] = {&job->tuned, &job->base};
    const struct model_layout **found[2] = {&job->layout, &job->base_layout};

    for (size_t i = 0; i < 2; i++) {
        const struct model_layout *layout =
            known_layout_find(&job->known[i], job->models[i], names[i]);

        if (!layout || layout->n_experts == 0)
            continue;
        if (layout_check(layout, err))
            return error_context(err, "'%s'", job->models[i]->name);
        *found[i] = layout;
    }
    return 0;
}

static int check_base(const struct job *job, struct error *err)
{
    for (size_t i = 0; i < job->base.checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &job->base.checkpoint->tensors[i];
        const char *plain = job->base.plain[i];

        if (tensor_names_is_parameter(tensor) && !tensor_names_is_encoder_head(plain) &&
            !tensor_names_is_pooler(plain) && !tensor_names_find_tied(plain) &&
            !checkpoint_names_match(&job->base, i, &job->tuned) && !is_of_experts(job, tensor->name))
            return error_set(err, ERROR_INCOMPATIBLE,
                             "'%s': tensor '%s': the fine-tuned model has none of that name",
                             job->extraction->adapter.base, tensor->name);
    }
    return 0;
}

static int take_all(struct job *job, struct error *err)
{
    size_t n = job->tuned.checkpoint->n_tensors;

    job->extraction->modules = memory_zalloc(n + 1, sizeof *job->extraction->modules);
    job->extraction->factors = memory_zalloc(n + 1, sizeof *job->extraction->factors);
    for (size_t i = 0; i < n; i++)
        job->progress->total_bytes += job->tuned.checkpoint->tensors[i].size_bytes;
    if (extract_check_room(job, err) || find_around(job, err) || extract_experts(job, err))
        return -1;
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++)
            if (take_part(job, i, pass == 0, err))
                return -1;
    if (job->extraction->adapter.n_targets == 0)
        return error_set(err, ERROR_INCOMPATIBLE,
                         "no matrix that is to be decomposed differs: there is no adapter to extract");
    return extract_complete(job, err);
}

int extraction_make(struct extraction *extraction, struct model_folder *tuned,
                    struct model_folder *base, const struct extract_options *options,
                    struct threads *threads, struct progress *progress, struct notices *notices,
                    struct error *err)
{
    struct job job = {.extraction = extraction, .options = options, .models = {tuned, base},
                      .threads = threads, .progress = progress, .notices = notices,
                      .tuned_name = tuned->name};
    const struct checkpoint *weights[2] = {NULL, NULL};
    const struct task *task = find_task(&tuned->config);
    int rc = -1;

    *extraction = (struct extraction){0};
    if (model_folder_need_config(tuned, err) == 0)
        weights[0] = model_folder_weights(tuned, notices, err);
    if (weights[0])
        weights[1] = model_folder_weights(base, notices, err);
    if (weights[1])
        job.gemm = gemm_new(threads, err);
    if (job.gemm) {
        checkpoint_names_init(&job.tuned, weights[0]);
        checkpoint_names_init(&job.base, weights[1]);
        job.style = architecture_name_style(&tuned->config);
        job.is_conv1d = tuned->config.model_type && strcmp(tuned->config.model_type, "gpt2") == 0;
        job.is_tied = model_folder_is_tied(tuned);
        job.heads_stay = task->heads_stay;
        extraction->adapter.base = base->name;
        extraction->adapter.task_type = task->task_type;
        extraction->adapter.fan_in_fan_out = job.is_conv1d;
        job.fates = memory_zalloc(weights[0]->n_tensors + 1, sizeof *job.fates);
        rc = find_layouts(&job, err) || check_base(&job, err) ? -1 : 0;
        if (rc == 0)
            rc = take_all(&job, err);
        free(job.fates);
        hash_map_release(&job.targets);
        hash_map_release(&job.saved);
        hash_map_release(&job.tied);
        hash_map_release(&job.around);
        for (size_t i = 0; i < 2; i++)
            known_layout_release(&job.known[i]);
        checkpoint_names_release(&job.tuned);
        checkpoint_names_release(&job.base);
    }
    gemm_free(job.gemm);
    return rc;
}

void extraction_release(struct extraction *extraction)
{
    for (size_t i = 0; extraction->factors && i <= extraction->n_modules; i++)
        svd_release(&extraction->factors[i]);
    free(extraction->factors);
    free(extraction->modules);
    free(extraction->adapter.targets);
    free(extraction->adapter.saved);
    free(extraction->adapter.tensors);
    arena_release(&extraction->adapter.arena);
    *extraction = (struct extraction){0};
}
