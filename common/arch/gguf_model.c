#include "gguf_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/gguf_keys.h"
#include "base/memory.h"

enum { SIZE_MAX_HERE = 100000000, LAYERS_MAX = 10000, HEADS_MAX = 100000 };

/* ---- values ---- */

const char *gguf_model_word(const struct gguf *gguf, const char *key)
{
    const struct gguf_value *value = gguf_find(gguf, key);
    struct gguf_text text = {0};

    if (value && value->type == GGUF_STRING && !value->is_array)
        text = gguf_text(value, 0);
    return text.bytes && strlen(text.bytes) == text.length ? text.bytes : NULL;
}

const struct gguf_value *gguf_model_find(const struct gguf_model *model, const char *name)
{
    char *key = memory_format("%s.%s", model->architecture->name, name);
    const struct gguf_value *value = gguf_find(model->gguf, key);

    free(key);
    return value;
}

/* One number; that of a list when all its items are the same. */
static int read_number(const struct gguf_model *model, const struct gguf_value *value,
                       double *number, struct error *err)
{
    if (!gguf_is_number(value))
        return error_set(err, ERROR_FORMAT, "%s is not a number", value->key);
    if (value->is_array && (value->n_items == 0 || value->n_items != model->n_layers))
        return error_set(err, ERROR_FORMAT, "%s has %zu numbers, for %zu layers", value->key,
                         value->n_items, model->n_layers);
    *number = gguf_number(value, 0);
    for (size_t i = 1; i < value->n_items; i++)
        if (gguf_number(value, i) != *number)
            return error_set(err, ERROR_UNSUPPORTED,
                             "%s differs from layer to layer (%g, %g), which "
                             "is not supported",
                             value->key, *number, gguf_number(value, i));
    return 0;
}

int gguf_model_number(const struct gguf_model *model, const char *name, double fallback, double min,
                      double *out, struct error *err)
{
    const struct gguf_value *value = gguf_model_find(model, name);

    *out = fallback;
    if (!value)
        return 0;
    if (read_number(model, value, out, err))
        return -1;
    return *out >= min && isfinite(*out)
               ? 0
               : error_set(err, ERROR_FORMAT, "%s is %g", value->key, *out);
}

int gguf_model_count(const struct gguf_model *model, const char *name, size_t fallback, size_t min,
                     size_t max, size_t *out, struct error *err)
{
    double number;

    if (gguf_model_number(model, name, (double)fallback, 0, &number, err))
        return -1;
    if (number < (double)min || number > (double)max || number != floor(number))
        return gguf_model_find(model, name)
                   ? error_set(err, ERROR_FORMAT,
                               "%s.%s is %g; it must be a whole number from %zu to "
                               "%zu",
                               model->architecture->name, name, number, min, max)
                   : error_set(err, ERROR_FORMAT, "%s.%s is missing", model->architecture->name,
                               name);
    *out = (size_t)number;
    return 0;
}

double gguf_model_token(const struct gguf_model *model, const char *name)
{
    const struct gguf_value *value = gguf_find(model->gguf, name);
    double number = value && !value->is_array && gguf_is_number(value) ? gguf_number(value, 0) : -1;

    return number >= 0 && number == floor(number) ? number : -1;
}

bool gguf_model_is_sigmoid(const struct gguf_model *model)
{
    const struct gguf_value *gate = gguf_model_find(model, "expert_gating_func");

    return gate && gguf_is_number(gate) && gate->n_items && gguf_number(gate, 0) == 2;
}

/* ---- architecture ---- */

/* The general.type of a file that is no model. */
static int check_kind(const struct gguf *gguf, struct error *err)
{
    const char *kind = gguf_model_word(gguf, "general.type");

    if (!kind || strcmp(kind, "model") == 0)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "general.type is '" ERROR_NAME "', not a model", kind);
}

static int refuse_architecture(const char *name, bool has_experts, struct error *err)
{
    struct buffer list = {0};

    if (gguf_architecture_find(name, !has_experts))
        return has_experts ? error_set(err, ERROR_UNSUPPORTED,
                                       "%s.expert_count: experts in a model of "
                                       "architecture %s are not supported",
                                       name, name)
                           : error_set(err, ERROR_FORMAT, "%s.expert_count is missing", name);
    gguf_architecture_list(&list);
    error_set(err, ERROR_UNSUPPORTED,
              "the architecture '" ERROR_NAME "' of GGUF is not supported; "
              "these are: %s",
              name, list.data);
    buffer_release(&list);
    return -1;
}

static int find_architecture(struct gguf_model *model, struct error *err)
{
    const char *name = gguf_model_word(model->gguf, "general.architecture");
    const struct gguf_value *experts;
    bool has_experts;
    char *key;

    if (check_kind(model->gguf, err))
        return -1;
    if (!name)
        return error_set(err, ERROR_FORMAT, "no general.architecture in its metadata");
    key = memory_format("%s.expert_count", name);
    experts = gguf_find(model->gguf, key);
    free(key);
    has_experts =
        experts && experts->n_items && gguf_is_number(experts) && gguf_number(experts, 0) != 0;
    model->architecture = gguf_architecture_find(name, has_experts);
    return model->architecture ? 0 : refuse_architecture(name, has_experts, err);
}

/* ---- all settings ---- */

static int check_type(const struct gguf_key *key, const struct gguf_value *value, struct error *err)
{
    static const char *const kinds[] = {[GGUF_COUNT] = "not a number",
                                        [GGUF_REAL] = "not a number",
                                        [GGUF_FLAG] = "neither true nor false",
                                        [GGUF_WORD] = "not a text"};
    bool fits = key->type == GGUF_WORD   ? value->type == GGUF_STRING && !value->is_array
                : key->type == GGUF_FLAG ? value->type == GGUF_BOOL && !value->is_array
                                         : gguf_is_number(value);

    return fits ? 0 : error_set(err, ERROR_FORMAT, "%s is %s", value->key, kinds[key->type]);
}

static int check_value(const struct gguf_model *model, const struct gguf_value *value,
                       const char *name, struct error *err)
{
    const struct gguf_key *key = gguf_keys_find(model->architecture, name);
    double number;

    if (!key)
        return error_set(err, ERROR_UNSUPPORTED,
                         "the setting '" ERROR_NAME "' is not known, and could "
                         "change what the model computes",
                         value->key);
    if (check_type(key, value, err))
        return -1;
    if (key->role != GGUF_MUST_BE)
        return 0;
    if (read_number(model, value, &number, err))
        return -1;
    return number == 0 || number == key->value
               ? 0
               : error_set(err, ERROR_UNSUPPORTED, "%s is %g, which cannot be obeyed", value->key,
                           number);
}

static int check_values(const struct gguf_model *model, struct error *err)
{
    const char *name = model->architecture->name;
    size_t length = strlen(name);

    for (size_t i = 0; i < model->gguf->n_values; i++) {
        const struct gguf_value *value = &model->gguf->values[i];

        if (strncmp(value->key, name, length) == 0 && value->key[length] == '.' &&
            check_value(model, value, value->key + length + 1, err))
            return -1;
    }
    return 0;
}

/* ---- sizes ---- */

/* A head's width follows from the others where it is not said. */
static int read_head_dim(struct gguf_model *model, struct error *err)
{
    size_t fallback = model->hidden_size / model->n_heads;

    if (!gguf_model_find(model, "attention.key_length") && model->hidden_size % model->n_heads)
        return error_set(err, ERROR_FORMAT, "%s.embedding_length is %zu, no multiple of %zu heads",
                         model->architecture->name, model->hidden_size, model->n_heads);
    return gguf_model_count(model, "attention.key_length", fallback, 1, HEADS_MAX, &model->head_dim,
                            err);
}

static int read_sizes(struct gguf_model *model, struct error *err)
{
    const struct gguf_architecture *architecture = model->architecture;
    size_t n_experts_min = architecture->has_experts;

    if (gguf_model_count(model, "block_count", 0, 1, LAYERS_MAX, &model->n_layers, err) ||
        gguf_model_count(model, "embedding_length", 0, 1, SIZE_MAX_HERE, &model->hidden_size,
                         err) ||
        gguf_model_count(model, "attention.head_count", 0, 1, HEADS_MAX, &model->n_heads, err) ||
        gguf_model_count(model, "attention.head_count_kv", model->n_heads, 1, HEADS_MAX,
                         &model->n_kv_heads, err) ||
        gguf_model_count(model, "expert_count", 0, n_experts_min, 65536, &model->n_experts, err) ||
        gguf_model_count(model, "context_length", 0, 1, (size_t)1 << 40, &model->n_positions, err))
        return -1;
    if (model->n_heads % model->n_kv_heads)
        return error_set(err, ERROR_FORMAT,
                         "%s.attention.head_count is %zu, no multiple of %zu heads "
                         "of keys and values",
                         architecture->name, model->n_heads, model->n_kv_heads);
    return read_head_dim(model, err);
}

int gguf_model_load(struct gguf_model *model, const struct gguf *gguf, struct error *err)
{
    *model = (struct gguf_model){.gguf = gguf};
    return find_architecture(model, err) || read_sizes(model, err) || check_values(model, err) ? -1
                                                                                               : 0;
}
