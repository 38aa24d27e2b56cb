#include "quantized.h"

#include <stdlib.h>
#include <string.h>

#include "arch/tensor_names.h"
#include "base/json.h"
#include "base/memory.h"

#define WAY_OUT "quantised models cannot be read yet; use the original model"

static const char modelopt_name[] = "hf_quant_config.json";
static const size_t modelopt_bytes_max = 10 * 1000 * 1000;

/* ---- files ---- */

int quantized_check_config(const struct config *config, const char *where, struct error *err)
{
    if (!config->quantization)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s/%s': is quantised (" ERROR_NAME "), says its %s; "
                     WAY_OUT, where, config_name(config), config->quantization,
                     config->is_consolidated ? "quantization" : "quantization_config");
}

/* {"quantization": {"quant_algo": "FP8"}}; null means that only the cache of keys and values is. */
static char *modelopt_method(const cJSON *json)
{
    const cJSON *quantization = json_find(json, "quantization");
    const char *method = json_find_string(quantization, "quant_algo");

    if (!method && json_find(quantization, "quantized_layers"))
        method = "several methods";
    return method ? memory_copy(method) : NULL;
}

/* What TensorRT Model Optimizer writes beside config.json, which then says nothing. *method is
 * freed by the caller. */
static int read_modelopt(const struct model_folder *model, char **method, struct error *err)
{
    char *path = folder_join(model->sentence.transformer, modelopt_name), *text = NULL;
    cJSON *json = NULL;
    size_t size;
    int rc = 0;

    *method = NULL;
    if (!model->file && folder_look(model->folder, path) != FOLDER_ABSENT) {
        text = folder_read_text(model->folder, path, modelopt_bytes_max, &size, err);
        json = text ? json_parse(text, size, err) : NULL;
        rc = json ? 0 : -1;
        if (json)
            *method = modelopt_method(json);
        else if (text)
            error_context(err, "'%s/%s'", model->name, path);
    }
    cJSON_Delete(json);
    free(text);
    free(path);
    return rc;
}

int quantized_check_folder(const struct model_folder *model, struct error *err)
{
    char *method;
    int rc = 0;

    if (model->has_config && quantized_check_config(&model->config, model->name, err))
        return -1;
    if (read_modelopt(model, &method, err))
        return -1;
    if (method)
        rc = error_set(err, ERROR_UNSUPPORTED, "'%s/%s': is quantised (" ERROR_NAME "); " WAY_OUT,
                       model->name, modelopt_name, method);
    free(method);
    return rc;
}

/* ---- tensors ---- */

static bool needs_scale(const struct tensor *tensor)
{
    const struct dtype_info *info = dtype_info(tensor->dtype);

    return info->kind == DTYPE_INTEGER || (info->kind == DTYPE_FLOAT && info->n_bits <= 8);
}

/* The numbers that the tensor `name` scales; NULL when it is no scale. "a.weight_scale",
 * "a.input_scale", "a.scale_weight", "a.qscale_act" and "a.scales" go with "a.weight",
 * "experts.up_proj_scale_inv" with "experts.up_proj", "a.weight._scale" with "a.weight._data". */
static const struct tensor *find_scaled(const struct checkpoint *checkpoint, const char *name)
{
    const char *dot = strrchr(name, '.'), *mark = strstr(dot ? dot : name, "scal");
    size_t n_above = dot ? (size_t)(dot - name) : 0;
    static const char *const endings[] = {".weight", "._data", ""};
    const struct tensor *found = NULL;
    char *candidate;

    if (!mark)
        return NULL;
    for (size_t i = 0; dot && !found && i < sizeof endings / sizeof *endings; i++) {
        candidate = memory_format("%.*s%s", (int)n_above, name, endings[i]);
        found = checkpoint_find(checkpoint, candidate);
        free(candidate);
    }
    if (!found && mark > name && mark[-1] == '_') {
        candidate = memory_format("%.*s", (int)(mark - 1 - name), name);
        found = checkpoint_find(checkpoint, candidate);
        free(candidate);
    }
    return found && needs_scale(found) ? found : NULL;
}

/* The first scale and its numbers; false when there is none. */
static bool find_scale(const struct checkpoint *checkpoint, const struct tensor **scale,
                       const struct tensor **scaled)
{
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        *scale = &checkpoint->tensors[i];
        *scaled = find_scaled(checkpoint, (*scale)->name);
        if (*scaled)
            return true;
    }
    return false;
}

static const struct tensor *find_packed(const struct checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        if (tensor_names_is_packed(checkpoint->tensors[i].name))
            return &checkpoint->tensors[i];
    return NULL;
}

int quantized_check_scales(const struct checkpoint *checkpoint, const char *name,
                           struct error *err)
{
    const struct tensor *scale, *scaled;

    if (!find_scale(checkpoint, &scale, &scaled))
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "': its %s numbers mean "
                     "nothing without the scale '" ERROR_NAME "'; " WAY_OUT, name, scaled->name,
                     dtype_info(scaled->dtype)->name, scale->name);
}

int quantized_check_tensors(const struct checkpoint *checkpoint, const char *name,
                            struct error *err)
{
    const struct tensor *packed;

    if (quantized_check_scales(checkpoint, name, err))
        return -1;
    packed = find_packed(checkpoint);
    return packed ? error_set(err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "': packed "
                              "weights; " WAY_OUT, name, packed->name)
                  : 0;
}

/* ---- both ---- */

int quantized_check(const struct model_folder *model, const struct checkpoint *checkpoint,
                    struct error *err)
{
    return quantized_check_folder(model, err) ||
                   quantized_check_tensors(checkpoint, model->name, err)
               ? -1
               : 0;
}

char *quantized_method(const struct model_folder *model, const struct checkpoint *checkpoint)
{
    const struct tensor *scale, *scaled;
    struct error ignored = {0};
    char *method;

    if (model->has_config && model->config.quantization)
        return memory_copy(model->config.quantization);
    if (read_modelopt(model, &method, &ignored) == 0 && method)
        return method;
    if (find_scale(checkpoint, &scale, &scaled))
        return memory_format("%s with scales", dtype_info(scaled->dtype)->name);
    return find_packed(checkpoint) ? memory_copy("packed") : NULL;
}
