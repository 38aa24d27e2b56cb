/* family_deepseek.c - DeepSeek: experts beside shared ones; from V2 on latent attention and groups. */
#include "family_adjust.h"

#include <math.h>
#include <string.h>

#include "arch/config_value.h"
#include "arch/family_moe.h"
#include "base/json.h"

/* As config_value_count, but null is no default: the class has a number there. */
static int need_count(const cJSON *config, const char *name, size_t fallback, size_t *out,
                      struct error *err)
{
    if (cJSON_HasObjectItem(config, name))
        fallback = 0;
    if (config_value_count(config, name, fallback, 100000, out, err))
        return -1;
    return *out ? 0 : error_set(err, ERROR_FORMAT, "%s is missing", name);
}

/* Another way to choose or to attend than this version of the model has. */
static int need_value(const cJSON *config, const char *name, const char *value, struct error *err)
{
    const char *given = json_find_string(config, name);

    if (!given || strcmp(given, value) == 0)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "%s '" ERROR_NAME "'; only '%s' is supported", name,
                     given, value);
}

static int read_mla(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    struct mla_spec *mla = &stack->mla;
    const struct rope_spec *rope = &stack->rope[0];

    if (need_count(config, "kv_lora_rank", 512, &mla->kv_lora_rank, err) ||
        need_count(config, "qk_nope_head_dim", 128, &mla->qk_nope_head_dim, err) ||
        need_count(config, "v_head_dim", 128, &stack->v_head_dim, err) ||
        config_value_count(config, "q_lora_rank",
                           cJSON_HasObjectItem(config, "q_lora_rank") ? 0 : 1536, 100000,
                           &mla->q_lora_rank, err))
        return -1;
    if (rope->n_dims != stack->head_dim)
        return error_set(err, ERROR_UNSUPPORTED, "partial_rotary_factor of a latent head");
    stack->head_dim += mla->qk_nope_head_dim;
    stack->n_kv_heads = stack->n_heads; /* each has its own, whatever num_key_value_heads says */
    if (stack->n_heads * (stack->head_dim + stack->v_head_dim) > 100000000)
        return error_set(err, ERROR_FORMAT, "%zu heads of %zu and %zu dimensions", stack->n_heads,
                         stack->head_dim, stack->v_head_dim);
    stack->score_scale = (float)(1 / sqrt((double)stack->head_dim));
    if (rope->mscale_all_dim != 0 && rope->factor > 1) {
        double factor = 0.1 * rope->mscale_all_dim * log(rope->factor) + 1;

        stack->score_scale = (float)(1 / sqrt((double)stack->head_dim) * factor * factor);
    }
    return 0;
}

static int read_groups(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const struct moe_defaults *defaults = &spec->family->defaults.moe;
    struct moe_spec *moe = &spec->stack.moe;
    size_t size;

    if (need_count(config, "n_group", defaults->n_groups, &moe->n_groups, err) ||
        need_count(config, "topk_group", defaults->n_kept_groups, &moe->n_kept_groups, err))
        return -1;
    if (moe->n_experts % moe->n_groups)
        return error_set(err, ERROR_FORMAT, "%zu experts cannot be divided into %zu groups",
                         moe->n_experts, moe->n_groups);
    if (moe->n_kept_groups > moe->n_groups)
        return error_set(err, ERROR_FORMAT, "topk_group is %zu, of %zu groups", moe->n_kept_groups,
                         moe->n_groups);
    size = moe->n_experts / moe->n_groups;
    if (moe->n_chosen > moe->n_kept_groups * size)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token, of %zu in %zu groups",
                         moe->n_chosen, moe->n_kept_groups * size, moe->n_kept_groups);
    if (moe->router != ROUTER_TOP_P && size < 2)
        return error_set(err, ERROR_FORMAT, "groups of one expert; they are judged by their best "
                         "two");
    return 0;
}

/* Experts but in the first layers; some more, which together are one, for every token. */
static int read_deepseek_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const struct moe_defaults *defaults = &spec->family->defaults.moe;
    struct stack_spec *stack = &spec->stack;
    struct moe_spec *moe = &stack->moe;
    bool has_shared = cJSON_HasObjectItem(config, "n_shared_experts"); /* null: there are none */
    double n_shared, n_dense, step, factor;

    if (family_moe_read(spec, config, err) ||
        config_value_number(config, "n_shared_experts",
                            has_shared ? 0 : (double)defaults->n_shared, 0, &n_shared, err) ||
        config_value_number(config, "first_k_dense_replace", (double)defaults->n_dense_layers, 0,
                            &n_dense, err) ||
        config_value_number(config, "moe_layer_freq", 1, 1, &step, err) ||
        config_value_number(config, "routed_scaling_factor", defaults->routed_scaling_factor, -1e6,
                            &factor, err))
        return -1;
    if (moe->n_chosen == 0)
        return error_set(err, ERROR_FORMAT, "num_experts_per_tok is missing");
    if (n_shared != floor(n_shared) || n_shared * (double)moe->intermediate_size > 1e8)
        return config_value_bad(err, "n_shared_experts", n_shared);
    if (stack->has_mlp_bias)
        return error_set(err, ERROR_UNSUPPORTED, "mlp_bias is true");
    moe->has_choice_bias = router_scores_each(moe->router);
    moe->shared_size = (size_t)n_shared * moe->intermediate_size;
    moe->routed_scaling_factor = (float)factor;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = (double)i >= n_dense && i % (size_t)step == 0;
    return 0;
}

/* One expert alone keeps its share, whatever norm_topk_prob says. */
int adjust_deepseek(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct moe_spec *moe = &spec->stack.moe;

    if (read_deepseek_moe(spec, config, err) || need_value(config, "scoring_func", "softmax", err))
        return -1;
    if (moe->n_chosen == 1)
        moe->router = ROUTER_TOP_P;
    return 0;
}

/* norm_topk_prob is not looked at, as in transformers; no release has it. */
int adjust_deepseek_v2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const char *method = json_find_string(config, "topk_method");

    if (read_mla(spec, config, err) || read_deepseek_moe(spec, config, err) ||
        need_value(config, "scoring_func", "softmax", err))
        return -1;
    if (method && strcmp(method, "group_limited_greedy") == 0)
        return read_groups(spec, config, err);
    return need_value(config, "topk_method", "greedy", err);
}

int adjust_deepseek_v3(struct model_spec *spec, const cJSON *config, struct error *err)
{
    if (read_mla(spec, config, err) || read_deepseek_moe(spec, config, err) ||
        need_value(config, "scoring_func", "sigmoid", err) ||
        need_value(config, "topk_method", "noaux_tc", err))
        return -1;
    return read_groups(spec, config, err);
}
