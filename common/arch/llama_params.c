#include "llama_params.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

bool llama_params_is(const cJSON *params)
{
    return json_find(params, "multiple_of") != NULL;
}

static int read_number(const cJSON *params, const char *name, double fallback, double max,
                       double *out, struct error *err)
{
    const cJSON *member = json_find(params, name);

    *out = member ? (cJSON_IsNumber(member) ? member->valuedouble : 0) : fallback;
    if (!(*out > 0 && *out <= max))
        return error_set(err, ERROR_FORMAT, "%s must be a number above 0, up to %g", name, max);
    return 0;
}

static void add_number(cJSON *object, const char *name, double value)
{
    if (!cJSON_AddNumberToObject(object, name, value))
        memory_exhausted();
}

/* Two thirds of four times the width, by whole numbers and in this order. */
static int add_hidden_dim(cJSON *params, struct error *err)
{
    double dim, multiple, factor, hidden;

    if (read_number(params, "dim", 0, 1e7, &dim, err) ||
        read_number(params, "multiple_of", 0, 1e7, &multiple, err) ||
        read_number(params, "ffn_dim_multiplier", 1, 1e3, &factor, err))
        return -1;
    hidden = floor(factor * floor(2 * floor(4 * dim) / 3));
    add_number(params, "hidden_dim", multiple * floor((hidden + multiple - 1) / multiple));
    return 0;
}

static int add_scaling(cJSON *params, struct error *err)
{
    double factor, high;
    cJSON *scaling;

    if (json_find(params, "use_scaled_rope") && json_find_bool(params, "use_scaled_rope") < 0)
        return error_set(err, ERROR_FORMAT, "use_scaled_rope is not true or false");
    if (!json_bool(params, "use_scaled_rope", false))
        return 0;
    if (read_number(params, "rope_scaling_factor", 8, 1e6, &factor, err) ||
        read_number(params, "rope_high_freq_factor", 4, 1e6, &high, err))
        return -1;
    scaling = cJSON_AddObjectToObject(params, "rope_scaling");
    if (!scaling || !cJSON_AddStringToObject(scaling, "rope_type", "llama3"))
        memory_exhausted();
    add_number(scaling, "factor", factor);
    add_number(scaling, "low_freq_factor", 1);
    add_number(scaling, "high_freq_factor", high);
    add_number(scaling, "original_max_position_embeddings", 8192);
    return 0;
}

int llama_params_complete(cJSON *params, struct error *err)
{
    if (!llama_params_is(params) || json_find(params, "hidden_dim"))
        return 0;
    if (!json_find(params, "rope_theta"))
        add_number(params, "rope_theta", 10000);
    return add_hidden_dim(params, err) || add_scaling(params, err) ? -1 : 0;
}

int llama_params_check(const cJSON *params, struct error *err)
{
    static const char *const known[] = {
        "dim", "n_layers", "n_heads", "n_kv_heads", "head_dim", "hidden_dim", "vocab_size",
        "multiple_of", "ffn_dim_multiplier", "norm_eps", "rope_theta", "use_scaled_rope",
        "rope_scaling_factor", "rope_high_freq_factor", "rope_scaling",
        "max_batch_size", "max_seq_len", /* of one run */
    };
    const cJSON *member;

    if (!llama_params_is(params))
        return 0;
    cJSON_ArrayForEach(member, params) {
        size_t i = 0;

        while (i < sizeof known / sizeof *known && strcmp(member->string, known[i]) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            return error_set(err, ERROR_UNSUPPORTED, "'" ERROR_NAME "' is not supported",
                             member->string);
    }
    return 0;
}
