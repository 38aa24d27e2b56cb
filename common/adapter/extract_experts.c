/* extract_experts.c - experts, one low rank for all of a layer's: PEFT adds A and B to the parameter in which
 * transformers has them. Source: docs/adapters.md, "Experts". */
#include "extract_job.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/families.h"
#include "arch/layout_experts.h"
#include "base/memory.h"
#include "tensor/tensor_source.h"

enum { PARAMETERS_MAX = 6 };

struct parameter {
    const char *module, *leaf; /* "model.layers.0.mlp.experts", "down_proj" */
    const struct tensor *tuned, *base; /* [n_experts, n_rows, n_columns], or of biases a matrix */
    size_t n_experts, n_rows, n_columns;
    bool is_turned;       /* the rows of W are the inputs */
    bool is_all;          /* of full rank, whatever the options say: it is small */
    bool is_equal;
    size_t rank;
    struct svd *parts;    /* [n_experts] */
};

struct parameters { /* of one layer's experts */
    const struct tensor *like; /* one of them, as it is stored */
    struct parameter items[PARAMETERS_MAX];
    size_t n;
};

/* ---- what there is ---- */

static int refuse(const struct job *job, const struct tensor *tensor, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "': experts of a family that "
                     "is not known are not extracted as adapters", job->tuned_name, tensor->name);
}

static int add_parameter(const struct job *job, struct parameters *all, const char *name,
                         const struct tensor *tuned, const struct tensor *base, bool is_turned,
                         struct error *err)
{
    struct parameter *parameter = &all->items[all->n];
    size_t n = tuned->n_dims;

    if (!base || !tensor_same_shape(tuned, base))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': '" ERROR_NAME "': the base has %s",
                         job->tuned_name, name,
                         base ? "it in another shape" : "none of that name");
    if (!dtype_info(tuned->dtype)->is_mixable || !dtype_info(base->dtype)->is_mixable)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': '" ERROR_NAME "': of dtype %s no difference "
                         "is taken", job->tuned_name, name, dtype_info(tuned->dtype)->name);
    *parameter = (struct parameter){.tuned = tuned, .base = base, .is_turned = is_turned,
                                    .n_experts = n == 3 ? tuned->shape[0] : 1, .is_all = n == 2,
                                    .n_rows = tuned->shape[n - 2],
                                    .n_columns = tuned->shape[n - 1]};
    extract_name_like(job, all->like, name, &parameter->module, &parameter->leaf);
    all->n++;
    return 0;
}

/* As parameters of the class, in whatever way the two store them. */
static int find_fused(const struct job *job, size_t group, struct parameters *all,
                      struct error *err)
{
    static const enum expert_matrix matrices[] = {EXPERT_GATE, EXPERT_DOWN};
    struct arena *arena = &job->extraction->adapter.arena;
    struct buffer name = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < 2; i++) {
        struct expert_name of = {EXPERT_PART_ALL, group, NULL, matrices[i], 0};
        const struct tensor *tuned =
            layout_fused(job->layout, &job->layout->experts[group], matrices[i], arena, err);
        const struct tensor *base =
            tuned ? layout_fused(job->base_layout, &job->base_layout->experts[group], matrices[i],
                                 arena, err)
                  : NULL;

        expert_name_write_class(job->layout, &of, &name);
        rc = base ? add_parameter(job, all, name.data, tuned, base, false, err) : -1;
    }
    buffer_release(&name);
    return rc;
}

/* As they are stored, with their biases. Of gpt-oss PEFT knows that the rows are the inputs; in classes that come
 * with the model (MoLM, OpenMoE) it takes the columns for them, which is as good. */
static int find_turned(const struct job *job, size_t group, struct parameters *all,
                       struct error *err)
{
    const struct layout_experts *experts = &job->layout->experts[group];
    const struct moe_names *names = experts->names;
    const char *const parameters[PARAMETERS_MAX] = {
        names->turned_gate_up, names->turned_gate_up_bias, names->turned_gate,
        names->turned_up,      names->turned_down,         names->turned_down_bias};
    struct place place = {experts->stack->names->prefix, experts->layer, 0};
    struct buffer name = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < PARAMETERS_MAX; i++) {
        const struct layout_entry *tuned, *base;

        if (!parameters[i])
            continue;
        layout_name(&name, place, parameters[i], "");
        tuned = layout_find(job->layout, name.data);
        base = layout_find(job->base_layout, name.data);
        rc = add_parameter(job, all, name.data, tuned->tensor, base ? base->tensor : NULL,
                           tuned->n_dims == 3 && names->turned_gate_up, err);
    }
    buffer_release(&name);
    return rc;
}

/* Of the attention of JetMoE and MoLM, a parameter of its own. */
static int find_own(const struct job *job, size_t index, struct parameters *all, struct error *err)
{
    const struct tensor *tuned = &job->tuned.checkpoint->tensors[index];

    all->like = tuned;
    return add_parameter(job, all, job->tuned.plain[index], tuned,
                         checkpoint_names_match(&job->tuned, index, &job->base), false, err);
}

/* ---- how much of it ---- */

/* Sets is_equal, and *is_chosen: all that differ are to be decomposed. PEFT stores a module whole or changes its
 * parameters, not both. */
static int compare(const struct job *job, struct parameters *all, bool *is_chosen,
                   struct error *err)
{
    *is_chosen = true;
    for (size_t i = 0; i < all->n; i++) {
        struct parameter *parameter = &all->items[i];
        char *name = memory_format("%s.%s", parameter->module, parameter->leaf);
        int equal = tensor_equal(parameter->tuned, parameter->base, err);
        int chosen = equal < 0 ? -1 : extract_is_chosen(job, name, err);

        free(name);
        if (chosen < 0)
            return -1;
        parameter->is_equal = equal > 0;
        *is_chosen = *is_chosen && (chosen || equal) &&
                     !extract_is_within(&job->around, parameter->module);
    }
    return 0;
}

static void add_row(struct job *job, const struct parameter *parameter)
{
    struct extraction *extraction = job->extraction;
    char *name = memory_format("%s.%s", parameter->module, parameter->leaf);
    double all = 0, kept = 0, error = 0;

    for (size_t e = 0; e < parameter->n_experts; e++) {
        const struct svd *part = &parameter->parts[e];

        all += part->norm * part->norm;
        kept += svd_kept_energy(part) * part->norm * part->norm;
        error += part->error * part->error;
    }
    extraction->modules[extraction->n_modules] = (struct extracted_module){
        arena_copy(&extraction->adapter.arena, name, strlen(name)), parameter->rank,
        all > 0 ? kept / all : 1, all > 0 ? sqrt(error / all) : 0};
    free(name);
}

/* Each expert alone; the rank is that of the one that needs most. */
static int decompose(struct job *job, struct parameter *parameter, struct error *err)
{
    size_t n = parameter->n_rows * parameter->n_columns;
    float *difference = memory_try(n, sizeof *difference, "a matrix", err);
    struct svd_size size = job->options->size;
    int rc = difference ? 0 : -1;

    if (parameter->is_all)
        size = (struct svd_size){.rank = parameter->n_rows < parameter->n_columns
                                             ? parameter->n_rows
                                             : parameter->n_columns};
    parameter->parts = memory_zalloc(parameter->n_experts + 1, sizeof *parameter->parts);
    for (size_t e = 0; rc == 0 && e < parameter->n_experts; e++) {
        rc = extract_subtract(job, parameter->tuned, parameter->base, e * n, n, difference, err);
        if (rc == 0)
            rc = svd_approximate(&parameter->parts[e], difference, parameter->n_rows,
                                 parameter->n_columns, size, job->gemm, err);
        if (rc == 0 && parameter->parts[e].rank > parameter->rank)
            parameter->rank = parameter->parts[e].rank;
        extract_show(job, n * dtype_info(parameter->tuned->dtype)->n_bits / 8);
    }
    free(difference);
    return rc;
}

/* ---- A and B ---- */

/* A [n_experts rank, n_in]: an expert's rows together. B [n_out, rank n_experts]: the experts' columns of one
 * rank together. Experts of lower rank have zeros there. */
static int join(const struct parameter *parameter, struct svd *joined, struct error *err)
{
    size_t rank = parameter->rank, n_experts = parameter->n_experts;
    size_t n_in = parameter->is_turned ? parameter->n_rows : parameter->n_columns;
    size_t n_out = parameter->is_turned ? parameter->n_columns : parameter->n_rows;
    size_t width = rank * n_experts;
    float *a = memory_try(width, n_in * sizeof *a, "factors of experts", err);
    float *b = a ? memory_try(width, n_out * sizeof *b, "factors of experts", err) : NULL;

    *joined = (struct svd){.rank = rank, .left = b, .right = a};
    if (!b)
        return -1;
    memset(a, 0, width * n_in * sizeof *a);
    memset(b, 0, width * n_out * sizeof *b);
    for (size_t e = 0; e < n_experts; e++) {
        const struct svd *part = &parameter->parts[e];
        const float *in = parameter->is_turned ? part->left : part->right;
        const float *out = parameter->is_turned ? part->right : part->left;

        for (size_t k = 0; k < part->rank; k++) {
            memcpy(a + (e * rank + k) * n_in, in + k * n_in, n_in * sizeof *a);
            for (size_t o = 0; o < n_out; o++)
                b[o * width + k * n_experts + e] = out[k * n_out + o];
        }
    }
    return 0;
}

static void release(struct parameters *all)
{
    for (size_t i = 0; i < all->n; i++) {
        for (size_t e = 0; all->items[i].parts && e < all->items[i].n_experts; e++)
            svd_release(&all->items[i].parts[e]);
        free(all->items[i].parts);
    }
    *all = (struct parameters){0};
}

/* PEFT wraps the module once for each of its parameters: how many wrappers are around that of number `index`. */
static size_t count_around(const struct parameters *all, size_t index)
{
    size_t n = 0;

    for (size_t i = index + 1; i < all->n; i++)
        n += all->items[i].rank && strcmp(all->items[i].module, all->items[index].module) == 0;
    return n;
}

static int add_factors(struct job *job, const struct parameters *all, size_t index,
                       struct error *err)
{
    const struct parameter *parameter = &all->items[index];
    struct extraction *extraction = job->extraction;
    struct svd *joined = &extraction->factors[extraction->n_modules];
    size_t width = parameter->rank * parameter->n_experts;
    size_t n_in = parameter->is_turned ? parameter->n_rows : parameter->n_columns;
    size_t n_out = parameter->is_turned ? parameter->n_columns : parameter->n_rows;
    struct buffer ending = {0};

    if (parameter->rank && join(parameter, joined, err))
        return -1;
    add_row(job, parameter);
    extraction->n_modules++;
    if (parameter->rank == 0)
        return 0;
    for (size_t i = count_around(all, index); i > 0; i--)
        buffer_add_text(&ending, ".base_layer");
    buffer_add_text(&ending, ".lora_A.weight");
    extract_add_matrix(job, parameter->module, ending.data, joined->right, width, n_in);
    ending.data[ending.size - strlen("A.weight")] = 'B';
    extract_add_matrix(job, parameter->module, ending.data, joined->left, n_out, width);
    buffer_release(&ending);
    extract_add_target(job, parameter->module, parameter->leaf, parameter->rank);
    return 0;
}

/* The whole module, for PEFT looks for all of it. */
static void store(struct job *job, const struct parameters *all)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct parameter *parameter = &all->items[i];
        char *ending = memory_format(".%s", parameter->leaf);

        extract_add_tensor(job, parameter->module, ending)->source = parameter->tuned;
        extract_add_saved(job, parameter->module);
        free(ending);
    }
}

static int take(struct job *job, struct parameters *all, struct error *err)
{
    bool is_chosen;
    int rc = compare(job, all, &is_chosen, err);

    if (rc == 0 && !is_chosen) {
        store(job, all);
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < all->n; i++) {
        job->extraction->n_equal += all->items[i].is_equal;
        if (all->items[i].is_equal)
            extract_show(job, all->items[i].tuned->size_bytes);
        else
            rc = decompose(job, &all->items[i], err);
    }
    for (size_t i = 0; rc == 0 && i < all->n; i++)
        if (!all->items[i].is_equal)
            rc = add_factors(job, all, i, err);
    return rc;
}

/* ---- all of them ---- */

/* Each expert is a module of its own: Switch Transformers, and DeepSeek's first, whose code comes with the
 * model. */
static bool is_apart(const struct job *job, size_t group)
{
    const char *type = job->models[0]->config.model_type;

    return job->layout->experts[group].way == EXPERTS_APART &&
           (!expert_name_class_fuses(job->layout, group) || (type && strcmp(type, "deepseek") == 0));
}

/* The checked layout has tensors of all. */
static const struct tensor *first_of(const struct job *job, size_t group)
{
    size_t i = 0;

    while (job->layout->entries[i].group != group)
        i++;
    return job->layout->entries[i].tensor;
}

static int take_group(struct job *job, size_t group, struct error *err)
{
    const struct layout_experts *experts = &job->layout->experts[group];
    struct parameters all = {.like = first_of(job, group)};
    int rc;

    if (expert_name_class_fuses(job->layout, group))
        rc = find_fused(job, group, &all, err);
    else
        rc = find_turned(job, group, &all, err);
    if (rc == 0)
        rc = take(job, &all, err);
    release(&all);
    return rc ? error_context(err, "experts of layer %zu", experts->layer) : 0;
}

bool extract_is_of_experts(const struct job *job, size_t index)
{
    const struct tensor *tensor = &job->tuned.checkpoint->tensors[index];
    const char *plain = job->tuned.plain[index];
    size_t at = job->layout && job->base_layout ? job->layout->entry_of[index] : SIZE_MAX;
    size_t group = at == SIZE_MAX ? SIZE_MAX : job->layout->entries[at].group;

    if (at == SIZE_MAX || !tensor_names_is_expert(plain))
        return false;
    if (group != SIZE_MAX)
        return !is_apart(job, group);
    return tensor->n_dims == 2 || /* biases of gpt-oss */
           (tensor->n_dims == 3 && tensor_names_is_attention_expert(plain));
}

/* Says so in the fates, and that there is no other expert. */
static int mark(struct job *job, struct error *err)
{
    for (size_t i = 0; i < job->tuned.checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &job->tuned.checkpoint->tensors[i];
        size_t at = job->layout->entry_of[i];

        if (extract_is_of_experts(job, i))
            job->fates[i] = FATE_ELSEWHERE;
        else if (tensor_names_is_expert(job->tuned.plain[i]) &&
                 (at == SIZE_MAX || job->layout->entries[at].group == SIZE_MAX))
            return refuse(job, tensor, err);
    }
    return 0;
}

static int take_attention(struct job *job, struct error *err)
{
    for (size_t i = 0; i < job->tuned.checkpoint->n_tensors; i++) {
        struct parameters all = {0};
        int rc;

        if (!extract_is_of_experts(job, i) ||
            !tensor_names_is_attention_expert(job->tuned.plain[i]))
            continue;
        rc = find_own(job, i, &all, err) || take(job, &all, err);
        release(&all);
        if (rc)
            return -1;
    }
    return 0;
}

/* The first expert of a model whose family is not known. */
static int check_unknown(const struct job *job, struct error *err)
{
    for (size_t i = 0; i < job->tuned.checkpoint->n_tensors; i++)
        if (tensor_names_is_expert(job->tuned.plain[i]))
            return refuse(job, &job->tuned.checkpoint->tensors[i], err);
    return 0;
}

/* In one of the ways that classes have. */
static bool can_take(const struct layout_experts *experts, bool fuses)
{
    return fuses || experts->way == EXPERTS_TURNED;
}

int extract_experts(struct job *job, struct error *err)
{
    int rc = 0;

    if (!job->layout || !job->base_layout)
        return check_unknown(job, err);
    if (job->layout->n_experts != job->base_layout->n_experts)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': the base has experts in other layers",
                         job->tuned_name);
    for (size_t i = 0; i < job->layout->n_experts; i++) {
        bool fuses = expert_name_class_fuses(job->layout, i);

        job->has_parameters |= !is_apart(job, i);
        if (!is_apart(job, i) && !can_take(&job->layout->experts[i], fuses))
            return check_unknown(job, err);
    }
    rc = mark(job, err);
    for (size_t i = 0; rc == 0 && i < job->layout->n_experts; i++)
        if (!is_apart(job, i))
            rc = take_group(job, i, err);
    return rc ? rc : take_attention(job, err);
}
