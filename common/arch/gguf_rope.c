/* gguf_rope.c - rotary embeddings: from scaling.* and tensors of factors to rope_scaling.
 *
 * llama.cpp's converter writes the frequencies of Llama 3 as factors, one for each, that do not say
 * what they were made of. Where they are what Llama 3 itself has, config.json says so; else
 * longrope with these factors for short and for long texts divides by the same. */
#include "gguf_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/tensor_source.h"

static const double llama3_low = 1, llama3_high = 4, llama3_positions = 8192;

struct scaling {
    const char *kind; /* rope.scaling.type, or what it means where it is absent */
    double factor;    /* 1: none */
    double attention; /* rope.scaling.attn_factor; 1: none */
    double positions; /* that the model was made for before */
    size_t n_dims;    /* that rotate */
};

/* ---- reading ---- */

static int read_scaling(const struct gguf_model *model, struct scaling *scaling, struct error *err)
{
    char *key = memory_format("%s.rope.scaling.type", model->architecture->name);
    const char *kind = gguf_model_word(model->gguf, key);
    double old;

    free(key);
    scaling->kind = kind ? kind : "linear";
    if (gguf_model_number(model, "rope.scale_linear", 0, 0, &old, err) ||
        gguf_model_number(model, "rope.scaling.factor", old, 0, &scaling->factor, err) ||
        gguf_model_number(model, "rope.scaling.attn_factor", 1, 0, &scaling->attention, err) ||
        gguf_model_number(model, "rope.scaling.original_context_length", (double)model->n_positions,
                          1, &scaling->positions, err) ||
        gguf_model_count(model, "rope.dimension_count", model->head_dim, 1, 100000,
                         &scaling->n_dims, err))
        return -1;
    scaling->factor = scaling->factor == 0 ? 1 : scaling->factor;
    return 0;
}

/* The factors of a tensor, one for each pair; to be freed. */
static float *read_factors(const struct gguf_model *model, const struct tensor *tensor,
                           size_t n_dims, struct error *err)
{
    float *factors;

    if (tensor->n_dims != 1 || tensor->n_items != n_dims / 2) {
        error_set(err, ERROR_FORMAT,
                  "tensor '" ERROR_NAME "': %zu factors, but by %s.rope.dimension_count "
                  "there are %zu frequencies",
                  tensor->name, tensor->n_items, model->architecture->name, n_dims / 2);
        return NULL;
    }
    factors = memory_alloc(tensor->n_items * sizeof *factors);
    if (tensor_read_floats(tensor, factors, err)) {
        free(factors);
        return NULL;
    }
    for (size_t i = 0; i < tensor->n_items; i++)
        if (!(factors[i] > 0 && factors[i] < 1e9f)) {
            error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': factor %zu is %g", tensor->name,
                      i, (double)factors[i]);
            free(factors);
            return NULL;
        }
    return factors;
}

/* ---- writing ---- */

static void begin(struct json_writer *json, const char *kind)
{
    json_writer_object(json, "rope_scaling");
    json_writer_string(json, "rope_type", kind);
}

static void add_factors(struct json_writer *json, const char *name, const float *factors, size_t n)
{
    json_writer_array(json, name);
    for (size_t i = 0; i < n; i++)
        json_writer_float(json, NULL, factors[i]);
    json_writer_end(json);
}

/* How many times slower frequency f turns. */
static double llama3_factor(double f, double factor)
{
    double length = 2 * M_PI / f, smooth;

    if (length < llama3_positions / llama3_high)
        return 1;
    if (length > llama3_positions / llama3_low)
        return factor;
    smooth = (llama3_positions / length - llama3_low) / (llama3_high - llama3_low);
    return 1 / ((1 - smooth) / factor + smooth);
}

static bool is_llama3(const float *factors, size_t n, double theta)
{
    double factor = (double)factors[n - 1];

    for (size_t i = 0; i < n; i++) {
        double f = pow(theta, -(double)i / (double)n), expected = llama3_factor(f, factor);

        if (fabs(expected - (double)factors[i]) > 1e-5 * expected)
            return false;
    }
    return true;
}

static int add_freqs(struct json_writer *json, const struct gguf_model *model,
                     const struct scaling *scaling, struct error *err)
{
    size_t n = scaling->n_dims / 2, n_ones = 0;
    float *factors = read_factors(model, model->rope_freqs, scaling->n_dims, err);
    double theta;

    if (!factors)
        return -1;
    if (gguf_model_number(model, "rope.freq_base", 10000, 0, &theta, err)) {
        free(factors);
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        n_ones += factors[i] == 1;
    if (n_ones < n && is_llama3(factors, n, theta)) {
        begin(json, "llama3");
        gguf_config_add_number(json, "factor", (double)factors[n - 1]);
        gguf_config_add_number(json, "low_freq_factor", llama3_low);
        gguf_config_add_number(json, "high_freq_factor", llama3_high);
        gguf_config_add_number(json, "original_max_position_embeddings", llama3_positions);
    } else if (n_ones < n) {
        begin(json, "longrope");
        add_factors(json, "short_factor", factors, n);
        add_factors(json, "long_factor", factors, n);
        gguf_config_add_number(json, "attention_factor", 1);
        gguf_config_add_number(json, "original_max_position_embeddings", (double)model->n_positions);
    }
    if (n_ones < n)
        json_writer_end(json);
    free(factors);
    return 0;
}

/* The attention factor that follows from the others need not be said. */
static bool is_usual_attention(const struct gguf_model *model, const struct scaling *scaling)
{
    double longer = (double)model->n_positions / scaling->positions;
    double usual = longer > 1 ? sqrt(1 + log(longer) / log(scaling->positions)) : 1;

    return fabs(usual - scaling->attention) <= 1e-6 * usual;
}

static int add_longrope(struct json_writer *json, const struct gguf_model *model,
                        const struct scaling *scaling, struct error *err)
{
    bool is_phi3 = model->architecture->set & GGUF_PHI3;
    float *short_factors, *long_factors = NULL;

    if (!model->rope_short || !model->rope_long)
        return error_set(err, ERROR_FORMAT, "no tensor 'rope_factors_%s.weight'",
                         model->rope_short ? "long" : "short");
    short_factors = read_factors(model, model->rope_short, scaling->n_dims, err);
    if (short_factors)
        long_factors = read_factors(model, model->rope_long, scaling->n_dims, err);
    if (long_factors) {
        begin(json, "longrope");
        add_factors(json, "short_factor", short_factors, scaling->n_dims / 2);
        add_factors(json, "long_factor", long_factors, scaling->n_dims / 2);
        if (!is_usual_attention(model, scaling))
            gguf_config_add_number(json, "attention_factor", scaling->attention);
        if (!is_phi3)
            gguf_config_add_number(json, "original_max_position_embeddings", scaling->positions);
        json_writer_end(json);
    }
    free(short_factors);
    free(long_factors);
    return long_factors ? 0 : -1;
}

static int add_yarn(struct json_writer *json, const struct gguf_model *model,
                    const struct scaling *scaling, struct error *err)
{
    double fast, slow, multiplier;

    if (gguf_model_number(model, "rope.scaling.yarn_beta_fast", 32, 0, &fast, err) ||
        gguf_model_number(model, "rope.scaling.yarn_beta_slow", 1, 0, &slow, err))
        return -1;
    begin(json, "yarn");
    gguf_config_add_number(json, "factor", scaling->factor);
    gguf_config_add_number(json, "original_max_position_embeddings", scaling->positions);
    gguf_config_add_number(json, "beta_fast", fast);
    gguf_config_add_number(json, "beta_slow", slow);
    if (model->architecture->set & GGUF_DEEPSEEK2) {
        if (gguf_model_number(model, "rope.scaling.yarn_log_multiplier", 0, 0, &multiplier, err))
            return -1;
        gguf_config_add_number(json, "mscale", (double)(float)(10 * multiplier));
        gguf_config_add_number(json, "mscale_all_dim", (double)(float)(10 * multiplier));
    } else if (scaling->attention != 1) {
        gguf_config_add_number(json, "attention_factor",
                               scaling->attention * (1 + 0.1 * log(scaling->factor)));
    }
    json_writer_end(json);
    return 0;
}

static int check_kind(const struct gguf_model *model, const char *kind, struct error *err)
{
    static const char *const kinds[] = {"none", "linear", "yarn", "longrope"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i]) == 0)
            return 0;
    return error_set(err, ERROR_UNSUPPORTED,
                     "%s.rope.scaling.type is '" ERROR_NAME "', which is not supported",
                     model->architecture->name, kind);
}

static int add_scaling(struct json_writer *json, const struct gguf_model *model,
                       const struct scaling *scaling, struct error *err)
{
    const char *kind = scaling->kind;
    bool is_scaled = scaling->factor != 1 && strcmp(kind, "none") != 0;

    if (check_kind(model, kind, err))
        return -1;
    if (model->rope_freqs && (is_scaled || model->rope_long))
        return error_set(err, ERROR_UNSUPPORTED,
                         "tensor 'rope_freqs.weight' beside another scaling of rotary embeddings");
    if (model->rope_freqs)
        return add_freqs(json, model, scaling, err);
    if (model->rope_long || model->rope_short || strcmp(kind, "longrope") == 0)
        return add_longrope(json, model, scaling, err);
    if (!is_scaled)
        return 0;
    if (strcmp(kind, "yarn") == 0)
        return add_yarn(json, model, scaling, err);
    begin(json, "linear");
    gguf_config_add_number(json, "factor", scaling->factor);
    json_writer_end(json);
    return 0;
}

int gguf_rope_add(struct json_writer *json, const struct gguf_model *model, struct error *err)
{
    struct scaling scaling;

    if (read_scaling(model, &scaling, err))
        return -1;
    if (model->architecture->set & GGUF_DEEPSEEK2)
        return add_scaling(json, model, &scaling, err);
    if (scaling.n_dims > model->head_dim || scaling.n_dims % 2)
        return error_set(err, ERROR_FORMAT, "%s.rope.dimension_count is %zu, of %zu in a head",
                         model->architecture->name, scaling.n_dims, model->head_dim);
    if (model->architecture->set & GGUF_PHI3) {
        gguf_config_add_number(json, "original_max_position_embeddings", scaling.positions);
        if (scaling.n_dims != model->head_dim)
            gguf_config_add_number(json, "partial_rotary_factor",
                                   (double)scaling.n_dims / (double)model->head_dim);
    } else if (scaling.n_dims != model->head_dim) {
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s.rope.dimension_count is %zu, of %zu in a head, "
                         "which cannot be obeyed",
                         model->architecture->name, scaling.n_dims, model->head_dim);
    }
    return add_scaling(json, model, &scaling, err);
}
