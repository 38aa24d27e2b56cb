#include "rope_spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

static const struct {
    const char *name;
    enum rope_kind kind;
} kinds[] = {
    {"default", ROPE_DEFAULT}, {"linear", ROPE_LINEAR},     {"dynamic", ROPE_DYNAMIC},
    {"llama3", ROPE_LLAMA3},   {"yarn", ROPE_YARN},         {"longrope", ROPE_LONGROPE},
    {"su", ROPE_LONGROPE},
};

/* ---- reading ---- */

static int read_number(const cJSON *parameters, const char *name, double fallback, double min,
                       double max, double *out, struct error *err)
{
    const cJSON *member = json_find(parameters, name);

    *out = fallback;
    if (!member)
        return 0;
    if (!cJSON_IsNumber(member))
        return error_set(err, ERROR_FORMAT, "%s is not a number", name);
    *out = member->valuedouble;
    if (!(*out >= min && *out <= max))
        return error_set(err, ERROR_FORMAT, "%s is %g; it must be from %g to %g", name, *out, min,
                         max);
    return 0;
}

static int read_kind(const cJSON *parameters, enum rope_kind *kind, struct error *err)
{
    const char *name = json_find_string(parameters, "rope_type");

    if (!name)
        name = json_find_string(parameters, "type");
    *kind = ROPE_DEFAULT;
    if (!name)
        return 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = kinds[i].kind;
            /* Phi-3's first files call longrope "yarn", or the other way round. */
            if (*kind == ROPE_YARN && json_find(parameters, "short_factor"))
                *kind = ROPE_LONGROPE;
            return 0;
        }
    return error_set(err, ERROR_UNSUPPORTED, "unknown rope_type '" ERROR_NAME "'", name);
}

static double *read_factors(const cJSON *parameters, const char *name, size_t n, struct error *err)
{
    const cJSON *list = json_find(parameters, name), *item;
    double *factors;
    size_t i = 0;

    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != n) {
        error_set(err, ERROR_FORMAT, "%s must be a list of %zu numbers", name, n);
        return NULL;
    }
    factors = memory_zalloc(n, sizeof *factors);
    cJSON_ArrayForEach(item, list) {
        factors[i] = cJSON_IsNumber(item) ? item->valuedouble : 0;
        if (!(factors[i] > 0 && factors[i] < 1e9)) {
            error_set(err, ERROR_FORMAT, "%s[%zu] is not a positive number", name, i);
            free(factors);
            return NULL;
        }
        i++;
    }
    return factors;
}

static int read_yarn(struct rope_spec *rope, const cJSON *parameters, struct error *err)
{
    double mscale, mscale_all = rope->mscale_all_dim;

    if (read_number(parameters, "beta_fast", 32, 0, 1e9, &rope->beta_fast, err) ||
        read_number(parameters, "beta_slow", 1, 0, 1e9, &rope->beta_slow, err) ||
        read_number(parameters, "mscale", 0, -1e6, 1e6, &mscale, err))
        return -1;
    rope->beta_fast = rope->beta_fast > 0 ? rope->beta_fast : 32;
    rope->beta_slow = rope->beta_slow > 0 ? rope->beta_slow : 1;
    rope->truncates = json_bool(parameters, "truncate", true);
    if (rope->attention_factor == 0) {
        double log_factor = rope->factor > 1 ? 0.1 * log(rope->factor) : 0;

        rope->attention_factor = mscale != 0 && mscale_all != 0
                                     ? (mscale * log_factor + 1) / (mscale_all * log_factor + 1)
                                     : log_factor + 1;
    }
    return 0;
}

static int read_longrope(struct rope_spec *rope, const cJSON *parameters, struct error *err)
{
    rope->short_factors = read_factors(parameters, "short_factor", rope->n_dims / 2, err);
    if (rope->short_factors)
        rope->long_factors = read_factors(parameters, "long_factor", rope->n_dims / 2, err);
    if (!rope->long_factors ||
        read_number(parameters, "short_mscale", 0, 1e-6, 1e6, &rope->short_mscale, err) ||
        read_number(parameters, "long_mscale", 0, 1e-6, 1e6, &rope->long_mscale, err))
        return -1;
    if (rope->attention_factor == 0)
        rope->attention_factor =
            rope->factor > 1 ? sqrt(1 + log(rope->factor) / log((double)rope->original_positions))
                             : 1;
    return 0;
}

static int read_scaling(struct rope_spec *rope, const struct rope_source *source,
                        struct error *err)
{
    const cJSON *parameters = source->parameters;
    double original, no_factor = -1;

    /* Phi-3 has it beside the scaling, and there it has the last word. */
    if (read_number(parameters, "original_max_position_embeddings", (double)source->max_positions,
                    1, 1e12, &original, err))
        return -1;
    rope->original_positions = source->original_positions ? source->original_positions
                                                          : (size_t)original;
    if (rope->original_positions < 2)
        return error_set(err, ERROR_FORMAT, "original_max_position_embeddings is %zu",
                         rope->original_positions);
    if (rope->kind == ROPE_YARN || rope->kind == ROPE_LONGROPE)
        no_factor = (double)source->max_positions / (double)rope->original_positions;
    if (read_number(parameters, "factor", no_factor, 1e-6, 1e9, &rope->factor, err) ||
        read_number(parameters, "attention_factor", 0, 0, 1e6, &rope->attention_factor, err) ||
        read_number(parameters, "mscale_all_dim", 0, -1e6, 1e6, &rope->mscale_all_dim, err))
        return -1;
    if (rope->factor <= 0)
        return error_set(err, ERROR_FORMAT, "factor is missing");
    switch (rope->kind) {
    case ROPE_YARN:
        return read_yarn(rope, parameters, err);
    case ROPE_LONGROPE:
        return read_longrope(rope, parameters, err);
    case ROPE_LLAMA3:
        rope->attention_factor = 1;
        if (read_number(parameters, "low_freq_factor", -1, 1e-6, 1e9, &rope->low_freq_factor,
                        err) ||
            read_number(parameters, "high_freq_factor", -1, 1e-6, 1e9, &rope->high_freq_factor,
                        err))
            return -1;
        if (rope->low_freq_factor < 0 || rope->high_freq_factor <= rope->low_freq_factor)
            return error_set(err, ERROR_FORMAT, "high_freq_factor must be above low_freq_factor");
        return 0;
    case ROPE_DYNAMIC:
        if (rope->n_dims == 2)
            return error_set(err, ERROR_UNSUPPORTED, "rope_type dynamic on two dimensions");
        /* fallthrough */
    default:
        rope->attention_factor = 1;
        return 0;
    }
}

int rope_spec_load(struct rope_spec *rope, const struct rope_source *source, struct error *err)
{
    const cJSON *parameters = source->parameters;
    struct rope_spec loaded = {.factor = 1, .attention_factor = 1};
    double partial;

    if (read_kind(parameters, &loaded.kind, err) ||
        read_number(parameters, "rope_theta", source->theta, 1e-3, 1e15, &loaded.theta, err) ||
        read_number(parameters, "partial_rotary_factor", source->partial, 0, 1, &partial, err))
        return -1;
    if (!(loaded.theta >= 1e-3 && loaded.theta <= 1e15) || loaded.theta == 1)
        return error_set(err, ERROR_FORMAT, "rope_theta is %g", loaded.theta);
    loaded.n_dims = (size_t)((double)source->head_dim * partial);
    loaded.max_positions = source->max_positions;
    if (loaded.n_dims == 0 || loaded.n_dims % 2)
        return error_set(err, ERROR_FORMAT, "%zu of %zu dimensions of a head would rotate; it must "
                         "be an even number", loaded.n_dims, source->head_dim);
    if (loaded.kind != ROPE_DEFAULT && read_scaling(&loaded, source, err)) {
        rope_spec_release(&loaded);
        return -1;
    }
    *rope = loaded;
    return 0;
}

void rope_spec_release(struct rope_spec *rope)
{
    free(rope->short_factors);
    free(rope->long_factors);
    *rope = (struct rope_spec){0};
}

/* ---- frequencies ---- */

/* As in torch: powers and quotients rounded to float one by one. */
static float frequency(double theta, size_t i, size_t n_dims)
{
    return 1.0f / (float)pow((double)(float)theta, (double)((float)(2 * i) / (float)n_dims));
}

static float llama3_frequency(const struct rope_spec *rope, float f)
{
    double length = 2 * M_PI / (double)f, original = (double)rope->original_positions;
    double smooth;

    if (length < original / rope->high_freq_factor)
        return f;
    if (length > original / rope->low_freq_factor)
        return (float)((double)f / rope->factor);
    smooth = (original / length - rope->low_freq_factor) /
             (rope->high_freq_factor - rope->low_freq_factor);
    return (float)((1 - smooth) * (double)f / rope->factor + smooth * (double)f);
}

/* The dimension that turns `n_turns` times over the original length. */
static double yarn_dimension(const struct rope_spec *rope, double n_turns)
{
    return (double)rope->n_dims *
           log((double)rope->original_positions / (n_turns * 2 * M_PI)) / (2 * log(rope->theta));
}

static void yarn_frequencies(const struct rope_spec *rope, float *frequencies)
{
    double low = yarn_dimension(rope, rope->beta_fast);
    double high = yarn_dimension(rope, rope->beta_slow);

    if (rope->truncates) {
        low = floor(low);
        high = ceil(high);
    }
    low = low > 0 ? low : 0;
    high = high < (double)rope->n_dims - 1 ? high : (double)rope->n_dims - 1;
    if (low == high)
        high += 0.001;
    for (size_t i = 0; i < rope->n_dims / 2; i++) {
        double ramp = ((double)i - low) / (high - low);
        double f = (double)frequency(rope->theta, i, rope->n_dims);

        ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
        frequencies[i] = (float)(f / rope->factor * ramp + f * (1 - ramp));
    }
}

void rope_spec_frequencies(const struct rope_spec *rope, size_t n_tokens, float *frequencies)
{
    const double *factors =
        n_tokens > rope->original_positions ? rope->long_factors : rope->short_factors;
    double theta = rope->theta;

    if (rope->kind == ROPE_YARN) {
        yarn_frequencies(rope, frequencies);
        return;
    }
    if (rope->kind == ROPE_DYNAMIC && n_tokens > rope->max_positions) {
        double stretch = rope->factor * (double)n_tokens / (double)rope->max_positions;

        theta *= pow(stretch - (rope->factor - 1),
                     (double)rope->n_dims / (double)(rope->n_dims - 2));
    }
    for (size_t i = 0; i < rope->n_dims / 2; i++) {
        float f = frequency(theta, i, rope->n_dims);

        frequencies[i] = rope->kind == ROPE_LINEAR     ? (float)((double)f / rope->factor)
                         : rope->kind == ROPE_LLAMA3   ? llama3_frequency(rope, f)
                         : rope->kind == ROPE_LONGROPE ? (float)((double)f / factors[i])
                                                       : f;
    }
}

double rope_spec_attention_factor(const struct rope_spec *rope, size_t n_tokens)
{
    double mscale = n_tokens > rope->original_positions ? rope->long_mscale : rope->short_mscale;

    return mscale > 0 ? mscale : rope->attention_factor;
}

size_t rope_spec_switch(const struct rope_spec *rope)
{
    return rope->kind == ROPE_LONGROPE ? rope->original_positions : 0;
}
