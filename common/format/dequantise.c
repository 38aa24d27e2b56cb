#include "dequantise.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "format/dequantise_parts.h"

/* By the ending of the tensor that all others belong to. What ends otherwise may be numbers of a few
 * bits under any name. */
static const struct {
    const char *ending;
    dequantise_way *make;
} ways[] = {
    {".qweight", dequantise_qweight},
    {".weight_packed", dequantise_packed},
    {"_blocks", dequantise_blocks},
    {".weight", dequantise_numbers},
    {"", dequantise_numbers},
};

/* Of no use without the matrix that they belong to. */
static const char *const companions[] = {
    ".qweight", ".qzeros", ".g_idx", ".weight_packed", ".weight_scale", ".weight_shape",
    ".weight_zero_point", ".weight_g_idx", ".weight_global_scale", ".weight_scale_inv",
    ".weight_scale_2", ".qscale_weight", ".SCB", ".weight_format", ".weight.absmax",
    ".weight.quant_map", ".weight.nested_absmax", ".weight.nested_quant_map",
    ".weight.quant_state.bitsandbytes__nf4", ".weight.quant_state.bitsandbytes__fp4",
    "_proj_blocks", "_proj_scales", "_proj_scale_inv",
};

/* Such names others may use, too. */
static const char *const quantised_companions[] = {".scales", ".biases"};

/* Of activations and of the cache of keys and values. */
static const char *const dropped[] = {
    ".input_scale", ".activation_scale", ".input_global_scale", ".input_scale_ub", ".qscale_act",
    ".k_scale", ".v_scale", ".q_scale", ".kv_scale", ".output_scale", ".input_zero_point",
    ".output_zero_point", ".k_zero_point", ".v_zero_point", ".q_zero_point", ".prob_output_scale",
};

/* What other ways of storing are known by. */
static const struct {
    const char *ending, *method;
} not_read[] = {
    {".trellis", "exl3"},        {".q_weight", "exl2"},        {".q_scale_max", "exl2"},
    {".codebooks", "aqlm"},      {".W_q", "hqq"},              {".weight._data", "quanto"},
    {".Qidxs", "quip"},          {".dense_weights", "spqr"},   {".centroids.weight", "vptq"},
    {":_data", "torchao"},       {":qdata", "torchao"},        {".workspace", "marlin"},    {".weight_scales", "eetq"},
};

#define N(array) (sizeof(array) / sizeof *(array))

static bool has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);

    return n >= m && strcmp(name + n - m, ending) == 0;
}

static bool has_any(const char *name, const char *const *endings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (has_ending(name, endings[i]))
            return true;
    return false;
}

/* ---- for the ways ---- */

static const struct tensor *find(const struct dequantiser *dequantiser, const char *module,
                                 const char *ending, bool takes)
{
    char *name = memory_format("%s%s", module, ending);
    const size_t *index = hash_map_find(&dequantiser->checkpoint->by_name, name, strlen(name));

    free(name);
    if (index && takes)
        dequantiser->is_used[*index] = true;
    return index ? &dequantiser->checkpoint->tensors[*index] : NULL;
}

const struct tensor *dequantiser_find(const struct dequantiser *dequantiser, const char *module,
                                      const char *ending)
{
    return find(dequantiser, module, ending, false);
}

const struct tensor *dequantiser_take(struct dequantiser *dequantiser, const char *module,
                                      const char *ending)
{
    return find(dequantiser, module, ending, true);
}

const struct tensor *dequantiser_need(struct dequantiser *dequantiser, const struct tensor *tensor,
                                      const char *module, const char *ending)
{
    const struct tensor *found = find(dequantiser, module, ending, true);

    if (!found)
        error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': there is no '"
                  ERROR_NAME "%s', without which it means nothing", tensor->name, module, ending);
    return found;
}

int dequantiser_lacks_settings(const struct dequantiser *dequantiser, const struct tensor *tensor)
{
    return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': is quantised, "
                     "and the tensors alone do not tell how; give the directory with its "
                     "config.json", tensor->name);
}

int dequantiser_contradicts(const struct dequantiser *dequantiser, const struct tensor *tensor)
{
    const struct quantisation *settings = dequantiser->settings;

    if (settings->method == QUANTISATION_UNSAID)
        return dequantiser_lacks_settings(dequantiser, tensor);
    return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': is not quantised as "
                     "%s says (" ERROR_NAME ")", tensor->name, settings->file, settings->name);
}

/* ---- what is left ---- */

/* The numbers that the tensor `name` scales, by a name that we do not know; NULL when it is no scale.
 * "a.scale_weight", "a.weight.scale", "a.weights_scaling_factor" go with "a.weight", "a.up_scale_x" with
 * "a.up". */
static const struct tensor *find_scaled(const struct checkpoint *checkpoint, const char *name)
{
    const char *dot = strrchr(name, '.'), *mark = strstr(dot ? dot : name, "scal");
    static const char *const endings[] = {".weight", ""};
    const struct tensor *found = NULL;
    char *candidate;

    for (size_t i = 0; mark && dot && !found && i < N(endings); i++) {
        candidate = memory_format("%.*s%s", (int)(dot - name), name, endings[i]);
        found = checkpoint_find(checkpoint, candidate);
        free(candidate);
    }
    if (mark && mark > name && mark[-1] == '_' && !found) {
        candidate = memory_format("%.*s", (int)(mark - 1 - name), name);
        found = checkpoint_find(checkpoint, candidate);
        free(candidate);
    }
    return found;
}

static bool is_small(enum dtype dtype)
{
    return dtype_info(dtype)->kind == DTYPE_FLOAT && dtype_info(dtype)->n_bits <= 8;
}

/* Numbers that would be read as plain ones, and are not. */
static bool is_number(const struct dequantiser *dequantiser, const struct tensor *tensor)
{
    if (tensor->n_dims < 2 || !dequantiser->has_settings)
        return false;
    return is_small(tensor->dtype) ||
           (has_ending(tensor->name, ".weight") &&
            (tensor->dtype == DTYPE_I8 || tensor->dtype == DTYPE_U8 ||
             tensor->dtype == DTYPE_U32 || tensor->dtype == DTYPE_I32));
}

static int check_unread(const struct dequantiser *dequantiser, const struct tensor *tensor)
{
    const struct checkpoint *checkpoint = dequantiser->checkpoint;
    const struct tensor *scaled = find_scaled(checkpoint, tensor->name);

    for (size_t i = 0; i < N(not_read); i++)
        if (has_ending(tensor->name, not_read[i].ending))
            return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': models "
                             "quantised with %s cannot be read; use the original model",
                             tensor->name, not_read[i].method);
    if (scaled && !dequantiser->is_used[scaled - checkpoint->tensors] &&
        (is_small(scaled->dtype) || dtype_info(scaled->dtype)->kind == DTYPE_INTEGER))
        return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': its %s "
                         "numbers mean nothing without the scale '" ERROR_NAME "', whose name is "
                         "not one that is known; use the original model", scaled->name,
                         dtype_info(scaled->dtype)->name, tensor->name);
    return 0;
}

/* 1 when the tensor, which no logical one is read from, is passed on, 0 when it is dropped, or -1. */
static int keep(const struct dequantiser *dequantiser, const struct tensor *tensor)
{
    const char *dot = strrchr(tensor->name, '.');
    const struct tensor *weight = NULL;

    if (dequantiser->has_settings && has_any(tensor->name, dropped, N(dropped)))
        return 0;
    if (check_unread(dequantiser, tensor))
        return -1;
    if (dot) {
        char *module = memory_format("%.*s", (int)(dot - tensor->name), tensor->name);

        weight = dequantiser_find(dequantiser, module, ".weight");
        free(module);
    }
    if ((has_any(tensor->name, companions, N(companions)) &&
         (dequantiser->has_settings || !weight)) ||
        (dequantiser->has_settings &&
         has_any(tensor->name, quantised_companions, N(quantised_companions))))
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': belongs to a "
                         "quantised matrix, and there is none", tensor->name);
    if (is_number(dequantiser, tensor))
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': its %s numbers "
                         "lack the scales without which they mean nothing", tensor->name,
                         dtype_info(tensor->dtype)->name);
    return 1;
}

/* ---- all ---- */

static int make(struct dequantiser *dequantiser, const struct tensor *tensor, struct tensor *out)
{
    size_t i = 0;
    char *module;
    int rc;

    while (!has_ending(tensor->name, ways[i].ending))
        i++;
    module = memory_format("%.*s", (int)(strlen(tensor->name) - strlen(ways[i].ending)),
                           tensor->name);
    rc = ways[i].make(dequantiser, tensor, module, out);
    free(module);
    if (rc > 0)
        dequantiser->is_used[tensor - dequantiser->checkpoint->tensors] = true;
    return rc;
}

/* Biases of GPTQ that are all zero in every layer were stored by a writer that knew no others. */
static char *kind_of(const char *name)
{
    char *kind = memory_copy(name), *to = kind;

    for (const char *from = name; *from; from++)
        if (*from < '0' || *from > '9')
            *to++ = *from;
    *to = '\0';
    return kind;
}

static int is_zero(const struct tensor *tensor, struct error *err)
{
    float *values;
    int rc = 1;

    if (dtype_info(tensor->dtype)->kind != DTYPE_FLOAT)
        return 0;
    values = memory_try(tensor->n_items + 1, sizeof *values, "a bias", err);
    if (!values || tensor_read_floats(tensor, values, err))
        rc = -1;
    for (size_t i = 0; rc > 0 && i < tensor->n_items; i++)
        rc = values[i] == 0;
    free(values);
    return rc;
}

/* The bias of a matrix that was packed by GPTQ; NULL: it has none. */
static const struct tensor *find_bias(const struct dequantiser *dequantiser, const struct tensor *made)
{
    char *module = memory_format("%.*s", (int)(strlen(made->name) - strlen(".weight")), made->name);
    const struct tensor *bias = dequantiser_find(dequantiser, module, ".qweight")
                                    ? dequantiser_find(dequantiser, module, ".bias")
                                    : NULL;

    free(module);
    return bias;
}

static int drop_zero_biases(struct dequantiser *dequantiser, const struct tensor *made, size_t n)
{
    struct hash_map kinds = {0}; /* to 1 where one is not zero */
    struct arena arena = {0};
    int rc = 0;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; rc >= 0 && i < n; i++) {
            const struct tensor *bias = made[i].name && has_ending(made[i].name, ".weight")
                                            ? find_bias(dequantiser, &made[i])
                                            : NULL;
            char *kind = bias ? kind_of(bias->name) : NULL;
            size_t length = kind ? strlen(kind) : 0;

            if (kind && pass == 0 && (rc = is_zero(bias, dequantiser->err)) == 0)
                hash_map_add(&kinds, arena_copy(&arena, kind, length), length, 1);
            if (kind && pass == 1 && !hash_map_find(&kinds, kind, length))
                dequantiser->is_used[bias - dequantiser->checkpoint->tensors] = true;
            free(kind);
        }
    hash_map_release(&kinds);
    arena_release(&arena);
    return rc < 0 ? -1 : 0;
}

/* Puts the tensors that remain in front, in the order of the files; how many, or SIZE_MAX. */
static size_t collect(struct dequantiser *dequantiser, struct tensor *made)
{
    const struct checkpoint *checkpoint = dequantiser->checkpoint;
    size_t n = 0;

    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        int kept = 0;

        if (!made[i].name && !dequantiser->is_used[i]) {
            kept = keep(dequantiser, &checkpoint->tensors[i]);
            made[i] = checkpoint->tensors[i];
        } else if (made[i].name) {
            kept = 1;
        }
        if (kept < 0)
            return SIZE_MAX;
        if (kept)
            made[n++] = made[i];
    }
    if (n == 0)
        error_set(dequantiser->err, ERROR_FORMAT, "no weights but those of activations");
    return n ? n : SIZE_MAX;
}

static int make_all(struct dequantiser *dequantiser, struct tensor *made, size_t *n_made)
{
    const struct checkpoint *checkpoint = dequantiser->checkpoint;
    bool has_any_made = false;
    int rc = 0;

    for (size_t i = 0; rc >= 0 && i < checkpoint->n_tensors; i++) {
        rc = dequantiser->is_used[i] ? 0 : make(dequantiser, &checkpoint->tensors[i], &made[i]);
        if (rc <= 0)
            made[i].name = NULL;
        has_any_made = has_any_made || rc > 0;
    }
    if (rc < 0 || (dequantiser->settings->method == QUANTISATION_GPTQ &&
                   drop_zero_biases(dequantiser, made, checkpoint->n_tensors)))
        return -1;
    dequantiser->has_settings = dequantiser->has_settings || has_any_made;
    *n_made = collect(dequantiser, made);
    return *n_made == SIZE_MAX ? -1 : 0;
}

bool dequantise_is_needed(const struct checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &checkpoint->tensors[i], *scaled;

        if (has_any(tensor->name, companions, N(companions)))
            return true;
        for (size_t k = 0; k < N(not_read); k++)
            if (has_ending(tensor->name, not_read[k].ending))
                return true;
        scaled = find_scaled(checkpoint, tensor->name);
        if (scaled && (is_small(scaled->dtype) ||
                       dtype_info(scaled->dtype)->kind == DTYPE_INTEGER))
            return true;
    }
    return false;
}

int dequantise(struct checkpoint *checkpoint, const struct quantisation *settings,
               struct error *err)
{
    struct dequantiser dequantiser = {
        .checkpoint = checkpoint, .settings = settings,
        .has_settings = settings->method != QUANTISATION_UNSAID, .err = err,
    };
    struct tensor *made;
    size_t n_made;
    int rc;

    if (!dequantiser.has_settings && !dequantise_is_needed(checkpoint))
        return 0;
    dequantiser.is_used = memory_zalloc(checkpoint->n_tensors, sizeof *dequantiser.is_used);
    made = memory_zalloc(checkpoint->n_tensors, sizeof *made);
    rc = make_all(&dequantiser, made, &n_made);
    free(dequantiser.is_used);
    if (rc) {
        free(made);
        return -1;
    }
    return checkpoint_replace_tensors(checkpoint, made, n_made, err);
}
