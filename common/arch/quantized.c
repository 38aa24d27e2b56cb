#include "quantized.h"

#include <stdlib.h>
#include <string.h>

#include "arch/checkpoint_names.h"
#include "arch/families.h"
#include "arch/gguf_folder.h"
#include "arch/model_layout.h"
#include "arch/quantized_settings.h"
#include "base/json.h"
#include "base/memory.h"
#include "format/dequantise.h"

static const char *const members[] = {"quantization_config", "quantization",
                                      "compression_config"};
enum { N_MEMBERS = sizeof members / sizeof *members };

const char *const quantized_files[] = {"quantize_config.json", "quant_config.json",
                                       "hf_quant_config.json", NULL};

static int load_settings(const struct model_folder *model, struct quantized_settings *settings,
                         struct error *err)
{
    return quantized_settings_load(settings, &model->config, model->folder,
                                   model->sentence.transformer, model->name, err);
}

/* Of a matrix that was packed by GPTQ. */
static bool is_packed_bias(const struct checkpoint *checkpoint, const char *name)
{
    static const char ending[] = ".bias";
    size_t n = strlen(name), m = sizeof ending - 1;
    const struct tensor *weight = NULL;
    char *other;

    if (n > m && strcmp(name + n - m, ending) == 0) {
        other = memory_format("%.*s.weight", (int)(n - m), name);
        weight = checkpoint_find(checkpoint, other);
        free(other);
    }
    return weight && tensor_is_quantised(weight);
}

static int compare_biases(const struct checkpoint_names *names, const struct model_layout *layout,
                          struct error *err)
{
    const struct checkpoint *checkpoint = names->checkpoint;

    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        if (is_packed_bias(checkpoint, checkpoint->tensors[i].name) &&
            !layout_find(layout, names->plain[i]))
            return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': by %s a %s has no such bias, "
                             "and not all of its kind are zero", checkpoint->tensors[i].name,
                             layout->spec->config_name, layout->spec->family->name);
    return 0;
}

/* Old writers of GPTQ stored biases of zeros, which are gone by now. What is left must be the model's, of
 * those that we know. */
static int check_biases(const struct model_folder *model, const struct checkpoint *checkpoint,
                        struct error *err)
{
    struct checkpoint_names names;
    struct model_layout layout;
    struct model_spec spec;
    struct error ignored = {0};
    enum model_type type;
    int rc;

    if (!model->has_config || !architecture_family(&model->config) ||
        model_folder_type(model, NULL, &type, &ignored) ||
        model_spec_load(&spec, &model->config, type, model->name, &ignored))
        return 0;
    checkpoint_names_init(&names, checkpoint);
    layout_make(&layout, &spec, type, &names);
    rc = compare_biases(&names, &layout, err);
    layout_release(&layout);
    checkpoint_names_release(&names);
    model_spec_release(&spec);
    return rc;
}

int quantized_open(const struct model_folder *model, const char *directory, const char *file,
                   struct checkpoint *checkpoint, struct error *err)
{
    struct quantized_settings settings = {.json = NULL};
    bool is_model = !file && !model->file && strcmp(directory, model->sentence.transformer) == 0;
    int rc = is_model ? load_settings(model, &settings, err) : 0;

    if (rc == 0 && (dequantise(checkpoint, &settings.quantisation, err) ||
                    (settings.quantisation.method == QUANTISATION_GPTQ &&
                     check_biases(model, checkpoint, err))))
        rc = error_context(err, "'%s'", model->name);
    quantized_settings_release(&settings);
    return rc;
}

int quantized_check(const struct model_folder *model, struct error *err)
{
    for (size_t i = 0; i < model->n_opened; i++)
        if (model->opened[i].refusal.code) {
            *err = model->opened[i].refusal;
            return -1;
        }
    return 0;
}

/* Of the first tensor that is stored otherwise than as its dtype. */
static const char *find_format(const struct checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &checkpoint->tensors[i];

        if (tensor_is_quantised(tensor))
            return tensor_stored(tensor).format;
    }
    return dequantise_is_needed(checkpoint) ? "unknown" : NULL;
}

char *quantized_method(const struct model_folder *model, const struct checkpoint *checkpoint)
{
    struct quantized_settings settings = {.json = NULL};
    struct error ignored = {0};
    const char *name;
    char *method = gguf_folder_formats(checkpoint);

    if (method)
        return method;
    if (!model->file)
        load_settings(model, &settings, &ignored);
    name = settings.quantisation.name ? settings.quantisation.name : find_format(checkpoint);
    method = name ? memory_copy(name) : NULL;
    quantized_settings_release(&settings);
    return method;
}

enum dtype quantized_dtype(const struct config *config)
{
    static const enum dtype known[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    static const char *const names[] = {"dtype", "torch_dtype"};

    for (size_t n = 0; n < 2; n++) {
        const char *name = json_find_string(config->json, names[n]);

        if (!name)
            name = json_find_string(json_find(config->json, "text_config"), names[n]);
        for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
            if (strcmp(name, dtype_info(known[i])->torch_name) == 0)
                return known[i];
    }
    return DTYPE_BF16;
}

/* The part about the text model is written anew where that says it. */
static void edit_text_config(const struct config *config, struct buffer *text)
{
    const cJSON *stored = json_find(config->json, "text_config");
    bool says_it = false;
    cJSON *edited;
    char *printed;

    for (size_t i = 0; i < N_MEMBERS; i++)
        says_it = says_it || cJSON_GetObjectItemCaseSensitive(stored, members[i]);
    if (!says_it)
        return;
    edited = cJSON_Duplicate(stored, true);
    for (size_t i = 0; i < N_MEMBERS; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(edited, members[i]);
    printed = cJSON_PrintUnformatted(edited);
    if (!edited || !printed)
        memory_exhausted();
    json_edit_member(text, "text_config", printed);
    cJSON_free(printed);
    cJSON_Delete(edited);
}

void quantized_edit_config(const struct config *config, struct buffer *text)
{
    edit_text_config(config, text);
    for (size_t i = 0; i < N_MEMBERS; i++)
        json_edit_member(text, members[i], NULL);
}
