/* family_dense.c - encoders and decoders with one MLP in each layer. */
#include "family_adjust.h"

#include <math.h>
#include <string.h>

#include "arch/config_value.h"
#include "base/json.h"

int adjust_bert(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const char *kind = json_find_string(config, "position_embedding_type");

    (void)spec;
    if (kind && strcmp(kind, "absolute") != 0)
        return error_set(err, ERROR_UNSUPPORTED, "position_embedding_type '" ERROR_NAME "'; only "
                         "'absolute' is supported", kind);
    return 0;
}

int adjust_roberta(struct model_spec *spec, const cJSON *config, struct error *err)
{
    if (spec->pad_id < 0 || (size_t)spec->pad_id + 1 >= spec->n_positions)
        return error_set(err, ERROR_FORMAT, "pad_token_id is %lld, with %zu positions",
                         (long long)spec->pad_id, spec->n_positions);
    spec->position_offset = (size_t)spec->pad_id + 1;
    spec->max_tokens = spec->n_positions - spec->position_offset;
    return adjust_bert(spec, config, err);
}

int adjust_distilbert(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)config;
    (void)err;
    spec->stack.norm_eps = 1e-12f; /* fixed, whatever config.json says */
    return 0;
}

/* Layers from max_window_layers on slide, when windows are used at all. */
int adjust_qwen2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    double first;

    if (config_value_number(config, "max_window_layers", 28, 0, &first, err))
        return -1;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && (double)i >= first;
    return 0;
}

int adjust_gemma(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const char *activation = json_find_string(config, "hidden_act");

    (void)err;
    spec->embedding_scale = (float)sqrt((double)spec->hidden_size);
    /* The files of the first release say "gelu" and mean the approximation. */
    if (activation && strcmp(activation, "gelu") == 0)
        spec->stack.activation = ACTIVATION_GELU_TANH;
    return 0;
}

/* Absent, a cap is that of the class; null means none. */
static int read_softcap(const cJSON *config, const char *name, double fallback, float *out,
                        struct error *err)
{
    double cap;

    if (config_value_number(config, name, cJSON_HasObjectItem(config, name) ? 0 : fallback, 1e-6,
                            &cap, err))
        return -1;
    *out = (float)cap;
    return 0;
}

int adjust_gemma2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const struct family_defaults *defaults = &spec->family->defaults;
    struct stack_spec *stack = &spec->stack;
    double scalar;

    if (config_value_number(config, "query_pre_attn_scalar", 256, 1e-6, &scalar, err) ||
        read_softcap(config, "attn_logit_softcapping", defaults->score_softcap,
                     &stack->score_softcap, err) ||
        read_softcap(config, "final_logit_softcapping", defaults->logit_softcap,
                     &spec->logit_softcap, err))
        return -1;
    spec->embedding_scale = (float)sqrt((double)spec->hidden_size);
    stack->score_scale = (float)(1 / sqrt(scalar));
    if (json_bool(config, "use_bidirectional_attention", false)) {
        stack->is_causal = false;
        stack->window = stack->window ? stack->window / 2 + 1 : 0;
    }
    return 0;
}

int adjust_gpt2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)err;
    if (!json_bool(config, "scale_attn_weights", true))
        spec->stack.score_scale = 1;
    return 0;
}

int adjust_gpt_neox(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)err;
    if (!json_bool(config, "use_parallel_residual", true))
        spec->stack.block = BLOCK_PRE_NORM;
    return 0;
}
