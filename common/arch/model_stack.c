#include "model_stack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/config_spellings.h"
#include "arch/model_spec.h"
#include "arch/tensor_names.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"

static const char *const n_layers_names[] = {N_LAYERS_SPELLINGS(SPELLING) NULL};

static const char *const n_decoder_layers_names[] = {"num_decoder_layers", NULL};

static bool is_decoder(const char *module)
{
    return module && strncmp(module, "decoder", strlen("decoder")) == 0;
}

size_t model_stack_count_layers(const struct model_folder *model, const char *module)
{
    double n = -1;

    if (model->has_config && is_decoder(module))
        n = config_number(&model->config, n_decoder_layers_names);
    if (model->has_config && n < 0)
        n = config_number(&model->config, n_layers_names);
    return n >= 1 && n <= 1e6 ? (size_t)n : 0;
}

bool model_stack_is_counted(const char *module)
{
    static const char *const names[] = {"encoder", "decoder", "encoder.block", "decoder.block"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(module, names[i]) == 0)
            return true;
    return false;
}

bool model_stack_is_of(const char *module, const char *name)
{
    size_t length = strlen(module);

    return strncmp(name, module, length) == 0 && name[length] == '.';
}

/* ---- tensors ---- */

struct stack {
    struct model_folder *model;
    const char *module; /* NULL: all */
    const struct stack_part *parts;
    size_t n_parts;
    struct checkpoint *checkpoint; /* of the model */
    struct tensor *tensors;
    size_t n_tensors, n_further;   /* further: behind the last layer */
    bool shares_bias;              /* a T5: the first layer has the positions of all */
};

static bool is_of(const struct stack *stack, const char *name)
{
    return !stack->module || model_stack_is_of(stack->module, name);
}

static bool shares_bias(const struct stack_spec *stack)
{
    return stack->position == POSITION_RELATIVE && !stack->has_bias_per_layer;
}

/* Whether a tensor is in a layer that is chosen; else it belongs to the whole. */
static bool find_layer(const struct stack *stack, const char *name, struct name_layer *layer)
{
    return tensor_names_find_layer(name, layer) &&
           !(stack->shares_bias && strstr(name, ".relative_attention_bias."));
}

static void add_tensor(struct stack *stack, const struct tensor *tensor, const char *name)
{
    size_t n = stack->n_tensors;

    if ((n & (n - 1)) == 0) /* doubles at powers of two */
        stack->tensors = memory_resize(stack->tensors, n ? 2 * n : 1, sizeof *stack->tensors);
    stack->tensors[stack->n_tensors] = *tensor;
    stack->tensors[stack->n_tensors++].name =
        arena_copy(&stack->checkpoint->arena, name, strlen(name));
}

/* The name with another number of its layer. */
static void add_layer_tensor(struct stack *stack, const struct tensor *tensor,
                             struct name_layer layer, size_t number)
{
    char *name = memory_format("%.*s%zu%s", (int)layer.start, tensor->name, number,
                               tensor->name + layer.start + layer.length);

    add_tensor(stack, tensor, name);
    free(name);
}

static bool has_part(const char *plain, const char *const *parts)
{
    for (size_t i = 0; parts[i]; i++)
        if (strstr(plain, parts[i]))
            return true;
    return false;
}

bool model_stack_is_before_layers(const char *name)
{
    static const char *const parts[] = {"embed", "wte.", "wpe.", "shared.",
                                        ".relative_attention_bias.", NULL};
    struct buffer plain = {0};
    bool is_before;

    tensor_names_plain(name, &plain);
    is_before = has_part(plain.data, parts) && !tensor_names_is_encoder_head(plain.data);
    buffer_release(&plain);
    return is_before;
}

/* The tensors of a part, whose first layer is number `at` of the stack. */
static int add_part(struct stack *stack, size_t index, size_t at, struct notices *notices,
                    struct error *err)
{
    const struct stack_part *part = &stack->parts[index];
    const struct checkpoint *weights = model_folder_weights(part->model, notices, err);
    size_t n_layers = model_stack_count_layers(part->model, stack->module);

    for (size_t i = 0; weights && i < weights->n_tensors; i++) {
        const struct tensor *tensor = &weights->tensors[i];
        struct name_layer layer;

        if (!is_of(stack, tensor->name)) {
            if (index == 0)
                add_tensor(stack, tensor, tensor->name);
        } else if (!find_layer(stack, tensor->name, &layer)) {
            if (index == (model_stack_is_before_layers(tensor->name) ? 0 : stack->n_parts - 1))
                add_tensor(stack, tensor, tensor->name);
        } else if (layer.number >= n_layers) {
            stack->n_further += index == 0;
        } else if (layer.number >= part->first && layer.number - part->first < part->n_layers) {
            add_layer_tensor(stack, tensor, layer, at + layer.number - part->first);
        }
    }
    return weights ? 0 : -1;
}

static int add_tensors(struct stack *stack, struct notices *notices, struct error *err)
{
    size_t at = 0;

    for (size_t i = 0; i < stack->n_parts; i++) {
        if (add_part(stack, i, at, notices, err))
            return -1;
        at += stack->parts[i].n_layers;
    }
    if (stack->n_further)
        notices_add(notices, "'%s': %zu tensors of layers behind the last one are left out",
                    stack->parts[0].model->name, stack->n_further);
    return 0;
}

/* ---- config.json ---- */

static int load_spec(const struct model_folder *model, struct model_spec *spec)
{
    struct error ignored = {0};
    enum model_type type;

    return model_folder_type(model, NULL, &type, &ignored) ||
                   model_spec_load(spec, &model->config, type, model->name, &ignored)
               ? -1
               : 0;
}

bool model_stack_is_shared(const struct model_folder *model, const char *name)
{
    struct model_spec spec;
    bool is_shared;

    if (!strstr(name, ".relative_attention_bias.") || load_spec(model, &spec))
        return false;
    is_shared = shares_bias(&spec.stack);
    model_spec_release(&spec);
    return is_shared;
}

static size_t total_layers(const struct stack *stack)
{
    size_t n = 0;

    for (size_t i = 0; i < stack->n_parts; i++)
        n += stack->parts[i].n_layers;
    return n;
}

static void add_item(struct buffer *list, const char *text)
{
    buffer_add_text(list, list->size > 1 ? ", " : "");
    buffer_add_text(list, text);
}

/* One entry for each layer, in a list of every part. */
static int join_lists(const struct stack *stack, const char *name, struct buffer *list,
                      struct error *err)
{
    for (size_t i = 0; i < stack->n_parts; i++) {
        const struct stack_part *part = &stack->parts[i];
        const cJSON *json = json_find(part->model->config.json, name);
        size_t n_layers = model_stack_count_layers(part->model, stack->module);

        if (!cJSON_IsArray(json) || (size_t)cJSON_GetArraySize(json) != n_layers)
            return error_set(err, ERROR_FORMAT, "'%s': %s of config.json has no entry for each of "
                             "its %zu layers", part->model->name, name, n_layers);
        for (size_t k = 0; k < part->n_layers; k++) {
            char *text = cJSON_PrintUnformatted(
                cJSON_GetArrayItem(json, (int)(part->first + k)));

            add_item(list, text);
            cJSON_free(text);
        }
    }
    return 0;
}

/* The numbers of layers in a list. */
static void move_numbers(const struct stack *stack, const char *name, struct buffer *list)
{
    size_t at = 0;

    for (size_t i = 0; i < stack->n_parts; i++) {
        const struct stack_part *part = &stack->parts[i];
        const cJSON *json = json_find(part->model->config.json, name), *item;

        cJSON_ArrayForEach(item, json)
        {
            double number = cJSON_IsNumber(item) ? item->valuedouble : -1;

            if (number >= (double)part->first && number < (double)(part->first + part->n_layers)) {
                char *text = memory_format("%zu", at + (size_t)number - part->first);

                add_item(list, text);
                free(text);
            }
        }
        at += part->n_layers;
    }
}

/* Whether a part has no layer_types, but its family a rule: what they are is compared afterwards. */
static bool is_made_by_rule(const struct stack *stack)
{
    bool has_all = true;

    for (size_t i = 0; i < stack->n_parts; i++) {
        struct model_spec spec;

        if (load_spec(stack->parts[i].model, &spec))
            return false;
        model_spec_release(&spec);
        has_all = has_all && json_find(stack->parts[i].model->config.json, "layer_types");
    }
    return !has_all;
}

static int edit_lists(const struct stack *stack, struct buffer *text, struct error *err)
{
    static const struct {
        const char *name;
        bool has_numbers;
    } lists[] = {{"layer_types", false}, {"mlp_layer_types", false}, {"no_rope_layers", false},
                 {"mlp_only_layers", true}};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct buffer list = {0};
        int rc = 0;

        if (!json_find(stack->model->config.json, lists[i].name))
            continue;
        if (i == 0 && is_made_by_rule(stack)) {
            json_edit_member(text, lists[i].name, NULL);
            continue;
        }
        buffer_add_char(&list, '[');
        if (lists[i].has_numbers)
            move_numbers(stack, lists[i].name, &list);
        else
            rc = join_lists(stack, lists[i].name, &list, err);
        buffer_add_char(&list, ']');
        if (rc == 0)
            json_edit_member(text, lists[i].name, list.data);
        buffer_release(&list);
        if (rc)
            return -1;
    }
    return 0;
}

int model_stack_set_n_layers(const struct model_folder *model, struct buffer *config,
                             const char *module, size_t n_layers, struct error *err)
{
    const char *const *names = is_decoder(module) ? n_decoder_layers_names : n_layers_names;
    char *number = memory_format("%zu", n_layers);
    size_t n_found = is_decoder(module);

    if (module && !is_decoder(module) &&
        !json_find(model->config.json, n_decoder_layers_names[0])) {
        char *others = memory_format("%zu", model_stack_count_layers(model, "decoder"));

        json_edit_member(config, n_decoder_layers_names[0], others); /* else it follows */
        free(others);
    }
    for (size_t i = 0; names[i]; i++)
        if (is_decoder(module) || json_find(model->config.json, names[i])) {
            json_edit_member(config, names[i], number);
            n_found++;
        }
    free(number);
    return n_found ? 0
                   : error_set(err, ERROR_UNSUPPORTED, "'%s': config.json does not say at its top "
                               "how many layers there are; they cannot be sliced", model->name);
}

/* ---- layers that must stay what they are ---- */

struct layer_kind {
    bool slides, is_sparse;
};

static const struct stack_spec *stack_of(const struct stack *stack, const struct model_spec *spec)
{
    return stack->module && !is_decoder(stack->module) ? &spec->encoder : &spec->stack;
}

static struct layer_kind layer_kind(const struct stack_spec *stack, size_t layer)
{
    return (struct layer_kind){stack->slides && stack->slides[layer] && stack->window,
                               stack->is_sparse && stack->is_sparse[layer]};
}

/* The kinds of the parts' layers, to be freed; NULL when a part is of no known family. */
static struct layer_kind *list_kinds(const struct stack *stack)
{
    struct layer_kind *kinds = memory_zalloc(total_layers(stack), sizeof *kinds);
    size_t at = 0;

    for (size_t i = 0; i < stack->n_parts; i++) {
        const struct stack_part *part = &stack->parts[i];
        struct model_spec spec;

        if (load_spec(part->model, &spec)) {
            free(kinds);
            return NULL;
        }
        for (size_t k = 0; k < part->n_layers; k++)
            kinds[at++] = layer_kind(stack_of(stack, &spec), part->first + k);
        model_spec_release(&spec);
    }
    return kinds;
}

/* The first layer that config.json makes another one of; SIZE_MAX: none. */
static size_t find_changed(const struct stack *stack, const struct layer_kind *kinds,
                           bool *slides_differ)
{
    size_t changed = SIZE_MAX;
    struct model_spec spec;

    if (load_spec(stack->model, &spec))
        return SIZE_MAX;
    for (size_t i = 0; i < stack_of(stack, &spec)->n_layers && changed == SIZE_MAX; i++) {
        struct layer_kind kind = layer_kind(stack_of(stack, &spec), i);

        *slides_differ = kind.slides != kinds[i].slides;
        if (*slides_differ || kind.is_sparse != kinds[i].is_sparse)
            changed = i;
    }
    model_spec_release(&spec);
    return changed;
}

static int add_layer_types(const struct stack *stack, const struct layer_kind *kinds,
                           struct error *err)
{
    struct buffer list = {0}, text = {0};

    buffer_add_char(&list, '[');
    for (size_t i = 0; i < total_layers(stack); i++)
        add_item(&list, kinds[i].slides ? "\"sliding_attention\"" : "\"full_attention\"");
    buffer_add_char(&list, ']');
    buffer_add(&text, stack->model->config.text, stack->model->config.size);
    json_edit_member(&text, "layer_types", list.data);
    buffer_release(&list);
    return model_folder_set_config(stack->model, &text, err);
}

/* Gives config.json the rules by which the layers have experts: so many in front without, or a list. */
static int set_sparse_rules(const struct stack *stack, const struct layer_kind *kinds,
                            struct error *err)
{
    const cJSON *json = stack->model->config.json;
    struct buffer list = {0}, text = {0};
    size_t n_layers = total_layers(stack), n_dense = 0;
    char *number;

    while (n_dense < n_layers && !kinds[n_dense].is_sparse)
        n_dense++;
    buffer_add(&text, stack->model->config.text, stack->model->config.size);
    number = memory_format("%zu", n_dense);
    if (json_find(json, "first_k_dense_replace"))
        json_edit_member(&text, "first_k_dense_replace", number);
    free(number);
    if (json_find(json, "decoder_sparse_step") || json_find(json, "mlp_only_layers")) {
        buffer_add_char(&list, '[');
        for (size_t i = 0; i < n_layers; i++) {
            number = memory_format("%zu", i);
            if (!kinds[i].is_sparse)
                add_item(&list, number);
            free(number);
        }
        buffer_add_char(&list, ']');
        json_edit_member(&text, "decoder_sparse_step", "1");
        json_edit_member(&text, "mlp_only_layers", list.data);
        buffer_release(&list);
    }
    return model_folder_set_config(stack->model, &text, err);
}

/* Where a rule counts layers (every second one slides, the first three have no experts), another
 * number is another layer. */
static int keep_kinds(const struct stack *stack, struct error *err)
{
    struct layer_kind *kinds = list_kinds(stack);
    bool slides_differ = false;
    size_t changed = kinds ? find_changed(stack, kinds, &slides_differ) : SIZE_MAX;
    int rc = 0;

    if (changed != SIZE_MAX && slides_differ) {
        rc = add_layer_types(stack, kinds, err);
        changed = rc ? SIZE_MAX : find_changed(stack, kinds, &slides_differ);
    }
    if (changed != SIZE_MAX && !slides_differ) {
        rc = set_sparse_rules(stack, kinds, err);
        changed = rc ? SIZE_MAX : find_changed(stack, kinds, &slides_differ);
    }
    if (changed != SIZE_MAX)
        rc = error_set(err, ERROR_INCOMPATIBLE, "layer %zu of the stack %s: config.json of '%s' "
                       "has a rule for that, by which it would %s", changed,
                       slides_differ                ? "sees all keys, or only those near it"
                       : kinds[changed].is_sparse   ? "has experts"
                                                    : "has no experts",
                       stack->model->name, slides_differ              ? "do the other"
                                           : kinds[changed].is_sparse ? "have none"
                                                                      : "have them");
    free(kinds);
    return rc;
}

static int edit_config(const struct stack *stack, struct error *err)
{
    struct buffer text = {0};

    buffer_add(&text, stack->model->config.text, stack->model->config.size);
    if (model_stack_set_n_layers(stack->model, &text, stack->module, total_layers(stack), err) ||
        edit_lists(stack, &text, err)) {
        buffer_release(&text);
        return -1;
    }
    return model_folder_set_config(stack->model, &text, err) || keep_kinds(stack, err) ? -1 : 0;
}

static int check_parts(struct stack *stack, struct error *err)
{
    struct model_spec spec;
    bool is_encoder_decoder;

    if (!stack->model->has_config || stack->model->config.is_consolidated)
        return error_set(err, ERROR_FORMAT, "'%s': no config.json; layers cannot be counted "
                         "without one", stack->model->name);
    if (load_spec(stack->model, &spec))
        return 0;
    is_encoder_decoder = spec.is_encoder_decoder;
    stack->shares_bias = shares_bias(stack_of(stack, &spec));
    model_spec_release(&spec);
    return is_encoder_decoder && !stack->module
               ? error_set(err, ERROR_FORMAT, "'%s' has layers of an encoder and of a decoder: "
                           "their slices must stand in the modules 'encoder' and 'decoder'",
                           stack->model->name)
               : 0;
}

/* ---- parts that fit ---- */

/* A name without prefixes and without the number of its layer. Replaces what `out` holds. */
static void name_of_kind(const char *name, struct buffer *out)
{
    struct name_layer layer;

    tensor_names_plain(name, out);
    if (tensor_names_find_layer(out->data, &layer))
        buffer_splice(out, layer.start, layer.length, "*");
}

/* Tensors of a layer, by the name of their kind; the names are the arena's. */
static void list_layer_tensors(const struct checkpoint *weights, struct arena *arena,
                               struct hash_map *kinds)
{
    struct name_layer layer;
    struct buffer name = {0};

    for (size_t i = 0; i < weights->n_tensors; i++) {
        if (!tensor_names_find_layer(weights->tensors[i].name, &layer))
            continue;
        name_of_kind(weights->tensors[i].name, &name);
        if (!hash_map_find(kinds, name.data, name.size))
            hash_map_add(kinds, arena_copy(arena, name.data, name.size), name.size, i);
    }
    buffer_release(&name);
}

/* Why a tensor of a layer does not stand beside those of the first part; NULL: it does. */
static const char *find_misfit(const struct checkpoint *first, const struct hash_map *kinds,
                               const struct tensor *tensor)
{
    struct buffer name = {0};
    const size_t *found;
    const char *why = NULL;

    name_of_kind(tensor->name, &name);
    found = hash_map_find(kinds, name.data, name.size);
    if (!found)
        why = "there is none like it";
    else if (!tensor_same_shape(tensor, &first->tensors[*found]))
        why = "it has another shape";
    buffer_release(&name);
    return why;
}

static int check_part(const struct stack *stack, size_t index, const struct hash_map *kinds,
                      struct notices *notices, struct error *err)
{
    const struct stack_part *part = &stack->parts[index];
    struct model_folder *donor = stack->parts[0].model;
    const struct checkpoint *first = model_folder_weights(donor, notices, err);
    const struct checkpoint *weights = model_folder_weights(part->model, notices, err);

    for (size_t i = 0; weights && i < weights->n_tensors; i++) {
        const struct tensor *tensor = &weights->tensors[i];
        struct name_layer layer;
        const char *why;

        if (!is_of(stack, tensor->name) || !find_layer(stack, tensor->name, &layer) ||
            layer.number < part->first || layer.number - part->first >= part->n_layers)
            continue;
        why = find_misfit(first, kinds, tensor);
        if (why)
            return error_set(err, ERROR_INCOMPATIBLE, "tensor '" ERROR_NAME "' of '" ERROR_NAME "' "
                             "cannot stand beside the layers of '" ERROR_NAME "': %s there",
                             tensor->name, part->model->name, donor->name, why);
    }
    return weights ? 0 : -1;
}

/* The layers of all parts must have the tensors of those of the first. */
static int check_layers(const struct stack *stack, struct notices *notices, struct error *err)
{
    const struct checkpoint *first = model_folder_weights(stack->parts[0].model, notices, err);
    struct arena names = {0};
    struct hash_map kinds = {0};
    int rc = first ? 0 : -1;

    if (first)
        list_layer_tensors(first, &names, &kinds);
    for (size_t i = 1; rc == 0 && i < stack->n_parts; i++)
        rc = check_part(stack, i, &kinds, notices, err);
    hash_map_release(&kinds);
    arena_release(&names);
    return rc;
}

int model_stack(struct model_folder *model, const struct stack_part *parts, size_t n_parts,
                const char *module, struct notices *notices, struct error *err)
{
    struct stack stack = {.model = model, .module = module, .parts = parts, .n_parts = n_parts};

    if (check_parts(&stack, err) || check_layers(&stack, notices, err))
        return -1;
    stack.checkpoint = model_folder_own(model, model_folder_weights(model, notices, err));
    if (!stack.checkpoint)
        return -1;
    if (add_tensors(&stack, notices, err) || stack.n_tensors == 0) {
        free(stack.tensors);
        return err->code ? -1
                         : error_set(err, ERROR_FORMAT, "'%s': no tensors in these layers",
                                     model->name);
    }
    if (checkpoint_replace_tensors(stack.checkpoint, stack.tensors, stack.n_tensors, err))
        return error_context(err, "'%s'", model->name);
    return edit_config(&stack, err);
}
