/* family_megatron.c - what Megatron-LM can build and no class of transformers is: the config.json
 * that megatron_settings.c makes, under Megatron's names. Source: docs/models.md, "Megatron-LM". */
#include "family_adjust.h"

#include <math.h>
#include <string.h>

#include "arch/config_value.h"
#include "arch/family_moe.h"
#include "base/json.h"

/* One of `choices`, the first when it is absent, as its index. */
static int read_choice(const cJSON *config, const char *name, const char *const *choices,
                       size_t *out, struct error *err)
{
    const char *text = json_find_string(config, name);

    for (*out = 0; text && choices[*out]; (*out)++)
        if (strcmp(text, choices[*out]) == 0)
            return 0;
    return text ? error_set(err, ERROR_UNSUPPORTED, "unknown %s '" ERROR_NAME "'", name, text) : 0;
}

static int read_norm(struct stack_spec *stack, const cJSON *config, struct error *err)
{
    static const char *const kinds[] = {"LayerNorm", "RMSNorm", NULL};
    bool has_offset = json_bool(config, "layernorm_zero_centered_gamma", false);
    size_t kind;

    if (read_choice(config, "normalization", kinds, &kind, err))
        return -1;
    if (kind == 0)
        stack->norm = has_offset ? NORM_LAYER_OFFSET : NORM_LAYER;
    else
        stack->norm = has_offset ? NORM_RMS_OFFSET : NORM_RMS;
    return 0;
}

static int read_positions(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const kinds[] = {"rope", "learned_absolute", "none", NULL};
    static const enum position_kind positions[] = {POSITION_ROTARY, POSITION_LEARNED,
                                                   POSITION_NONE};
    size_t kind;

    if (read_choice(config, "position_embedding_type", kinds, &kind, err))
        return -1;
    spec->stack.position = positions[kind];
    if (spec->stack.position == POSITION_LEARNED)
        spec->n_positions = spec->max_tokens;
    return 0;
}

static void read_parts(struct stack_spec *stack, const cJSON *config)
{
    bool has_bias = json_bool(config, "add_bias_linear", true);

    stack->has_qkv_bias = has_bias || json_bool(config, "add_qkv_bias", false);
    stack->has_o_bias = stack->has_mlp_bias = has_bias;
    stack->has_qk_norm = json_bool(config, "qk_layernorm", false);
    stack->is_gated = json_bool(config, "gated_linear_unit", false);
    stack->has_interleaved_rope = json_bool(config, "rotary_interleaved", false);
}

/* ---- experts ---- */

static int read_router(struct moe_spec *moe, const cJSON *config, struct error *err)
{
    static const char *const scores[] = {"softmax", "sigmoid", "sqrtsoftplus", NULL};
    static const enum router_kind alone[] = {ROUTER_TOP_P, ROUTER_SIGMOID, ROUTER_SQRT_SOFTPLUS};
    static const enum router_kind summed[] = {ROUTER_TOP_LOGITS, ROUTER_SIGMOID_SUM_1,
                                              ROUTER_SQRT_SOFTPLUS_SUM_1};
    size_t score;
    double factor;

    if (read_choice(config, "moe_router_score_function", scores, &score, err) ||
        config_value_number(config, "routed_scaling_factor", 1, -1e9, &factor, err))
        return -1;
    if (score == 0)
        moe->router = json_bool(config, "norm_topk_prob", true) ? summed[0] : alone[0];
    else
        moe->router = moe->n_chosen > 1 ? summed[score] : alone[score];
    moe->routed_scaling_factor = (float)factor;
    moe->has_choice_bias = json_bool(config, "moe_router_enable_expert_bias", false);
    if (moe->has_choice_bias && score == 0)
        return error_set(err, ERROR_UNSUPPORTED, "moe_router_enable_expert_bias with a softmax "
                         "router");
    return 0;
}

static int read_groups(struct moe_spec *moe, const cJSON *config, struct error *err)
{
    if (config_value_count(config, "n_group", 0, 65536, &moe->n_groups, err) ||
        config_value_count(config, "topk_group", 0, 65536, &moe->n_kept_groups, err))
        return -1;
    if (moe->n_groups == 0 || moe->n_kept_groups == 0) {
        moe->n_groups = moe->n_kept_groups = 0;
        return 0;
    }
    if (moe->n_experts % moe->n_groups || moe->n_kept_groups > moe->n_groups ||
        moe->n_chosen % moe->n_kept_groups ||
        moe->n_chosen > moe->n_experts / moe->n_groups * moe->n_kept_groups)
        return error_set(err, ERROR_FORMAT, "%zu of %zu experts from %zu of %zu groups",
                         moe->n_chosen, moe->n_experts, moe->n_kept_groups, moe->n_groups);
    moe->n_judging = moe->n_chosen / moe->n_kept_groups;
    return 0;
}

static int read_experts(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    struct moe_spec *moe = &stack->moe;
    const cJSON *dense = json_find(config, "mlp_only_layers"), *item;

    if (family_moe_read(spec, config, err) || read_router(moe, config, err) ||
        read_groups(moe, config, err) ||
        config_value_count(config, "shared_expert_intermediate_size", 0, 100000000,
                           &moe->shared_size, err))
        return -1;
    if (moe->n_chosen == 0 || moe->intermediate_size == 0)
        return error_set(err, ERROR_FORMAT, "%s is missing",
                         moe->n_chosen ? "moe_intermediate_size" : "num_experts_per_tok");
    moe->has_shared_gate = moe->shared_size && json_bool(config, "moe_shared_expert_gate", false);
    moe->has_expert_bias = stack->has_mlp_bias;
    if (moe->shared_size && stack->has_mlp_bias)
        return error_set(err, ERROR_UNSUPPORTED, "a shared expert with biases");
    cJSON_ArrayForEach(item, dense)
        if (cJSON_IsNumber(item) && item->valuedouble >= 0 &&
            item->valuedouble < (double)stack->n_layers)
            stack->is_sparse[(size_t)item->valuedouble] = 0;
    return 0;
}

int adjust_megatron(struct model_spec *spec, const cJSON *config, struct error *err)
{
    if (read_norm(&spec->stack, config, err) || read_positions(spec, config, err))
        return -1;
    read_parts(&spec->stack, config);
    return json_find(config, "num_experts") ? read_experts(spec, config, err) : 0;
}
