#include "family_adjust.h"

#include <math.h>
#include <string.h>

#include "arch/llama_params.h"
#include "base/json.h"
#include "base/memory.h"

static int bad(struct error *err, const char *key, double value)
{
    return error_set(err, ERROR_FORMAT, "%s is %g", key, value);
}

/* A number of at least `min`, or `fallback` when it is absent or null. */
static int number(const cJSON *config, const char *key, double fallback, double min, double *out,
                  struct error *err)
{
    const cJSON *member = json_find(config, key);

    *out = fallback;
    if (!member)
        return 0;
    if (!cJSON_IsNumber(member))
        return error_set(err, ERROR_FORMAT, "%s is not a number", key);
    *out = member->valuedouble;
    return *out >= min && *out <= 1e15 ? 0 : bad(err, key, *out);
}

static void read_attention_bias(struct model_spec *spec, const cJSON *config)
{
    bool has_bias = json_bool(config, "attention_bias", false);

    spec->stack.has_qkv_bias = spec->stack.has_o_bias = has_bias;
}

int adjust_bert(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const char *kind = json_find_string(config, "position_embedding_type");

    spec->stack.is_causal = json_bool(config, "is_decoder", false);
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

int adjust_llama(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)err;
    read_attention_bias(spec, config);
    spec->stack.has_mlp_bias = json_bool(config, "mlp_bias", false);
    return 0;
}

/* Layers from max_window_layers on slide, when windows are used at all. */
int adjust_qwen2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    double first;

    if (number(config, "max_window_layers", 28, 0, &first, err))
        return -1;
    if (!json_bool(config, "use_sliding_window", false))
        stack->window = 0;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && (double)i >= first;
    return 0;
}

int adjust_qwen3(struct model_spec *spec, const cJSON *config, struct error *err)
{
    read_attention_bias(spec, config);
    return adjust_qwen2(spec, config, err);
}

int adjust_gemma(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const char *activation = json_find_string(config, "hidden_act");

    (void)err;
    spec->embedding_scale = (float)sqrt((double)spec->hidden_size);
    read_attention_bias(spec, config);
    /* The files of the first release say "gelu" and mean the approximation. */
    if (activation && strcmp(activation, "gelu") == 0)
        spec->stack.activation = ACTIVATION_GELU_TANH;
    return 0;
}

int adjust_gemma2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    bool is_third = spec->family == &family_gemma3;
    double scalar, score_cap, logit_cap, pattern;

    if (number(config, "query_pre_attn_scalar", 256, 1e-6, &scalar, err) ||
        number(config, "attn_logit_softcapping", 0, 1e-6, &score_cap, err) ||
        number(config, "final_logit_softcapping", 0, 1e-6, &logit_cap, err) ||
        number(config, "sliding_window_pattern", 6, 1, &pattern, err))
        return -1;
    if (!is_third)
        pattern = 2; /* fixed in its class */
    /* Absent, the second Gemma has its class's caps; null means none. */
    if (!is_third && !cJSON_HasObjectItem(config, "attn_logit_softcapping"))
        score_cap = 50;
    if (!is_third && !cJSON_HasObjectItem(config, "final_logit_softcapping"))
        logit_cap = 30;
    spec->embedding_scale = (float)sqrt((double)spec->hidden_size);
    spec->logit_cap = (float)logit_cap;
    stack->score_cap = (float)score_cap;
    stack->score_scale = (float)(1 / sqrt(scalar));
    read_attention_bias(spec, config);
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && (i + 1) % (size_t)pattern != 0;
    if (is_third && json_bool(config, "use_bidirectional_attention", false)) {
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
    spec->stack.scales_by_layer = json_bool(config, "scale_attn_by_inverse_layer_idx", false);
    return 0;
}

int adjust_gpt_neox(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)err;
    if (!json_bool(config, "use_parallel_residual", true))
        spec->stack.block = BLOCK_PRE_NORM;
    if (!json_bool(config, "attention_bias", true))
        spec->stack.has_qkv_bias = spec->stack.has_o_bias = false;
    return 0;
}

/* ---- mixtures of experts ---- */

static int read_count(const cJSON *config, const char *const *names, size_t fallback, size_t max,
                      size_t *out, struct error *err)
{
    *out = fallback;
    for (; *names; names++) {
        const cJSON *member = json_find(config, *names);
        double value = cJSON_IsNumber(member) ? member->valuedouble : 0;

        if (!member)
            continue;
        if (!(value >= 1 && value <= (double)max) || value != floor(value))
            return error_set(err, ERROR_FORMAT, "%s must be a whole number from 1 to %zu", *names,
                             max);
        *out = (size_t)value;
        break;
    }
    return 0;
}

/* Experts in every layer, as wide as the MLP of a dense model. */
static int read_moe(struct model_spec *spec, const cJSON *config, size_t n_experts,
                    size_t n_chosen, struct error *err)
{
    static const char *const counts[] = {"num_local_experts", "num_experts", "n_routed_experts",
                                         "moe_num_experts", NULL};
    static const char *const chosen[] = {"num_experts_per_tok", "moe_top_k", "router_topk",
                                         "experts_per_token", NULL};
    struct stack_spec *stack = &spec->stack;
    struct moe_spec *moe = &stack->moe;

    if (read_count(config, counts, n_experts, 65536, &moe->n_experts, err) ||
        read_count(config, chosen, n_chosen, 65536, &moe->n_chosen, err))
        return -1;
    if (moe->n_experts == 0)
        return error_set(err, ERROR_FORMAT, "num_experts is missing");
    if (moe->n_chosen > moe->n_experts)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token, of %zu", moe->n_chosen,
                         moe->n_experts);
    moe->intermediate_size = stack->intermediate_size;
    moe->router = spec->family->router;
    stack->is_sparse = memory_zalloc(stack->n_layers, 1);
    memset(stack->is_sparse, 1, stack->n_layers);
    return 0;
}

int adjust_mixtral(struct model_spec *spec, const cJSON *config, struct error *err)
{
    return read_moe(spec, config, 8, 2, err);
}

/* What params.json must say itself, in either spelling: there are other files of that name. */
static int check_params(const cJSON *params, struct error *err)
{
    static const char *const needed[][2] = {
        {"dim", "hidden_size"},         {"n_layers", "num_hidden_layers"},
        {"n_heads", "num_attention_heads"}, {"hidden_dim", "intermediate_size"},
        {"vocab_size", "vocab_size"},
    };
    static const char *const unknown[] = {"yarn", "q_lora_rank", "kv_lora_rank", "llama_4_scaling"};
    const cJSON *shared = json_find(json_find(params, "moe"), "num_shared_experts");

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!json_find(params, needed[i][0]) && !json_find(params, needed[i][1]))
            return error_set(err, ERROR_FORMAT, "no %s; is it one of Mistral's or Llama's?", needed[i][0]);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        if (json_find(params, unknown[i]))
            return error_set(err, ERROR_UNSUPPORTED, "%s is not supported", unknown[i]);
    if (cJSON_IsNumber(shared) && shared->valuedouble != 0)
        return error_set(err, ERROR_UNSUPPORTED, "moe.num_shared_experts is not supported");
    return llama_params_check(params, err);
}

int adjust_consolidated(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const cJSON *moe = json_find(config, "moe");

    if (check_params(config, err))
        return -1;
    /* The first release had the keys of config.json. */
    if (!moe && json_find(config, "num_experts_per_tok"))
        moe = config;
    return moe ? read_moe(spec, moe, 8, 2, err) : 0;
}

/* Layers that mlp_only_layers lists, and those between the steps, have an MLP. */
static int read_sparse_layers(struct stack_spec *stack, const cJSON *config, struct error *err)
{
    const cJSON *dense = json_find(config, "mlp_only_layers"), *item;
    double step;

    if (number(config, "decoder_sparse_step", 1, 1, &step, err))
        return -1;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = (i + 1) % (size_t)step == 0;
    cJSON_ArrayForEach(item, dense)
        if (cJSON_IsNumber(item) && item->valuedouble >= 0 &&
            item->valuedouble < (double)stack->n_layers)
            stack->is_sparse[(size_t)item->valuedouble] = 0;
    return 0;
}

static int read_qwen_moe(struct model_spec *spec, const cJSON *config, size_t n_experts,
                         size_t n_chosen, size_t size, struct error *err)
{
    static const char *const sizes[] = {"moe_intermediate_size", NULL};
    struct moe_spec *moe = &spec->stack.moe;

    if (read_moe(spec, config, n_experts, n_chosen, err) ||
        read_count(config, sizes, size, 100000000, &moe->intermediate_size, err))
        return -1;
    if (json_bool(config, "norm_topk_prob", false))
        moe->router = ROUTER_TOP_P_SUM_1;
    return read_sparse_layers(&spec->stack, config, err);
}

/* Not as in Qwen2: of the layers below max_window_layers every other one slides. */
static int read_qwen2_moe_windows(struct stack_spec *stack, const cJSON *config,
                                  struct error *err)
{
    double end;

    if (number(config, "max_window_layers", 28, 0, &end, err))
        return -1;
    if (!json_bool(config, "use_sliding_window", false))
        stack->window = 0;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && i % 2 == 0 && (double)i < end;
    return 0;
}

int adjust_qwen2_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const sizes[] = {"shared_expert_intermediate_size", NULL};

    if (read_qwen_moe(spec, config, 60, 4, 1408, err) ||
        read_count(config, sizes, 5632, 100000000, &spec->stack.moe.shared_size, err))
        return -1;
    spec->stack.moe.has_shared_gate = true;
    spec->stack.has_qkv_bias = json_bool(config, "qkv_bias", true);
    return read_qwen2_moe_windows(&spec->stack, config, err);
}

int adjust_qwen3_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    if (read_qwen_moe(spec, config, 128, 8, 768, err))
        return -1;
    read_attention_bias(spec, config);
    /* Its class has no max_window_layers: where windows are used, all layers slide. */
    if (!json_bool(config, "use_sliding_window", false)) {
        spec->stack.window = 0;
        memset(spec->stack.slides, 0, spec->stack.n_layers);
    }
    return 0;
}

int adjust_olmoe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double clip;

    if (read_moe(spec, config, 64, 8, err) || number(config, "clip_qkv", 0, 0, &clip, err))
        return -1;
    read_attention_bias(spec, config);
    if (json_bool(config, "norm_topk_prob", false))
        spec->stack.moe.router = ROUTER_TOP_P_SUM_1;
    spec->stack.qkv_clip = (float)clip;
    spec->stack.has_flat_qk_norm = true;
    return 0;
}

int adjust_phi_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double jitter;

    if (read_moe(spec, config, 16, 2, err) ||
        number(config, "router_jitter_noise", 0.01, 0, &jitter, err))
        return -1;
    if (spec->stack.moe.n_chosen != 2)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token; its router chooses 2",
                         spec->stack.moe.n_chosen);
    read_attention_bias(spec, config);
    spec->has_head_bias = json_bool(config, "lm_head_bias", false);
    spec->stack.moe.jitter = (float)jitter;
    return 0;
}

int adjust_jetmoe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const sizes[] = {"intermediate_size", "ffn_hidden_size", NULL};
    struct stack_spec *stack = &spec->stack;
    size_t n_kv_heads = stack->n_kv_heads;

    if (read_moe(spec, config, 8, 2, err) ||
        read_count(config, sizes, 5632, 100000000, &stack->moe.intermediate_size, err))
        return -1;
    /* Each chosen expert has a query head for each key and value. */
    stack->n_heads = n_kv_heads * stack->moe.n_chosen;
    if (stack->n_heads > 1000000)
        return bad(err, "num_key_value_heads", (double)n_kv_heads);
    stack->norm_eps = 1e-6f; /* fixed, but for the last norm */
    stack->moe.has_bias = true;
    stack->attention_moe = stack->moe;
    return 0;
}

int adjust_gpt_oss(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    double limit, alpha;

    if (read_moe(spec, config, 128, 4, err) ||
        number(config, "swiglu_limit", 7, 1e-6, &limit, err) ||
        number(config, "swiglu_alpha", 1.702, -1e6, &alpha, err))
        return -1;
    stack->has_qkv_bias = stack->has_o_bias = json_bool(config, "attention_bias", true);
    stack->has_sinks = stack->moe.has_router_bias = true;
    stack->moe.clamp = (float)limit;
    stack->moe.alpha = (float)alpha;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && i % 2 == 0;
    return 0;
}

/* ---- DeepSeek ---- */

/* As read_count, but null is no default: the class has a number there. */
static int need_count(const cJSON *config, const char *name, size_t fallback, size_t *out,
                      struct error *err)
{
    const char *const names[] = {name, NULL};

    if (cJSON_HasObjectItem(config, name))
        fallback = 0;
    if (read_count(config, names, fallback, 100000, out, err))
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
    static const char *const q_ranks[] = {"q_lora_rank", NULL};
    struct stack_spec *stack = &spec->stack;
    struct mla_spec *mla = &stack->mla;
    const struct rope_spec *rope = &stack->rope[0];

    if (need_count(config, "kv_lora_rank", 512, &mla->kv_rank, err) ||
        need_count(config, "qk_nope_head_dim", 128, &mla->still_dim, err) ||
        need_count(config, "v_head_dim", 128, &stack->value_dim, err) ||
        read_count(config, q_ranks, cJSON_HasObjectItem(config, q_ranks[0]) ? 0 : 1536, 100000,
                   &mla->q_rank, err))
        return -1;
    if (rope->n_dims != stack->head_dim)
        return error_set(err, ERROR_UNSUPPORTED, "partial_rotary_factor of a latent head");
    stack->head_dim += mla->still_dim;
    stack->n_kv_heads = stack->n_heads; /* each has its own, whatever num_key_value_heads says */
    if (stack->n_heads * (stack->head_dim + stack->value_dim) > 100000000)
        return error_set(err, ERROR_FORMAT, "%zu heads of %zu and %zu dimensions", stack->n_heads,
                         stack->head_dim, stack->value_dim);
    stack->score_scale = (float)(1 / sqrt((double)stack->head_dim));
    if (rope->mscale_all_dim != 0 && rope->factor > 1) {
        double factor = 0.1 * rope->mscale_all_dim * log(rope->factor) + 1;

        stack->score_scale = (float)(1 / sqrt((double)stack->head_dim) * factor * factor);
    }
    read_attention_bias(spec, config);
    return 0;
}

static int read_groups(struct moe_spec *moe, const cJSON *config, size_t n_groups, size_t n_kept,
                       struct error *err)
{
    size_t size;

    if (need_count(config, "n_group", n_groups, &moe->n_groups, err) ||
        need_count(config, "topk_group", n_kept, &moe->n_kept_groups, err))
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

struct deepseek_defaults {
    size_t n_experts, n_chosen, n_shared, size, n_dense;
    double factor;
};

/* Experts but in the first layers; some more, which together are one, for every token. */
static int read_deepseek_moe(struct model_spec *spec, const cJSON *config,
                             const struct deepseek_defaults *defaults, struct error *err)
{
    static const char *const sizes[] = {"moe_intermediate_size", NULL};
    struct stack_spec *stack = &spec->stack;
    struct moe_spec *moe = &stack->moe;
    bool has_shared = cJSON_HasObjectItem(config, "n_shared_experts"); /* null: there are none */
    double n_shared, n_dense, step, factor;

    if (read_moe(spec, config, defaults->n_experts, defaults->n_chosen, err) ||
        read_count(config, sizes, defaults->size, 100000000, &moe->intermediate_size, err) ||
        number(config, "n_shared_experts", has_shared ? 0 : (double)defaults->n_shared, 0,
               &n_shared, err) ||
        number(config, "first_k_dense_replace", (double)defaults->n_dense, 0, &n_dense, err) ||
        number(config, "moe_layer_freq", 1, 1, &step, err) ||
        number(config, "routed_scaling_factor", defaults->factor, -1e6, &factor, err))
        return -1;
    if (moe->n_chosen == 0)
        return error_set(err, ERROR_FORMAT, "num_experts_per_tok is missing");
    if (n_shared != floor(n_shared) || n_shared * (double)moe->intermediate_size > 1e8)
        return bad(err, "n_shared_experts", n_shared);
    if (json_bool(config, "mlp_bias", false))
        return error_set(err, ERROR_UNSUPPORTED, "mlp_bias is true");
    moe->shared_size = (size_t)n_shared * moe->intermediate_size;
    moe->weight_factor = (float)factor;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = (double)i >= n_dense && i % (size_t)step == 0;
    return 0;
}

/* norm_topk_prob is not looked at, as in transformers; no release has it. */
int adjust_deepseek_v2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const struct deepseek_defaults defaults = {.n_experts = 64, .n_shared = 2,
                                                      .size = 1407, .factor = 1};
    const char *method = json_find_string(config, "topk_method");

    if (read_mla(spec, config, err) || read_deepseek_moe(spec, config, &defaults, err) ||
        need_value(config, "scoring_func", "softmax", err))
        return -1;
    spec->stack.rotates_pairs = true;
    if (method && strcmp(method, "group_limited_greedy") == 0)
        return read_groups(&spec->stack.moe, config, 0, 0, err);
    return need_value(config, "topk_method", "greedy", err);
}

int adjust_deepseek_v3(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const struct deepseek_defaults defaults = {.n_experts = 256, .n_chosen = 8,
                                                      .n_shared = 1, .size = 2048, .n_dense = 3,
                                                      .factor = 2.5};
    struct moe_spec *moe = &spec->stack.moe;

    if (read_mla(spec, config, err) || read_deepseek_moe(spec, config, &defaults, err) ||
        need_value(config, "scoring_func", "sigmoid", err) ||
        need_value(config, "topk_method", "noaux_tc", err))
        return -1;
    if (!json_bool(config, "norm_topk_prob", true))
        moe->router = ROUTER_SIGMOID;
    spec->stack.rotates_pairs = json_bool(config, "rope_interleave", true);
    return read_groups(moe, config, 8, 4, err);
}

int adjust_granite_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double attention, embedding, residual, logits;

    if (read_moe(spec, config, 8, 2, err) ||
        number(config, "attention_multiplier", 1, -1e6, &attention, err) ||
        number(config, "embedding_multiplier", 1, -1e6, &embedding, err) ||
        number(config, "residual_multiplier", 1, -1e6, &residual, err) ||
        number(config, "logits_scaling", 1, -1e6, &logits, err))
        return -1;
    if (logits == 0)
        return bad(err, "logits_scaling", logits);
    read_attention_bias(spec, config);
    spec->embedding_scale = (float)embedding;
    spec->logit_scale = (float)(1 / logits);
    spec->stack.score_scale = (float)attention;
    spec->stack.residual_scale = (float)residual;
    return 0;
}

/* Experts of its two routers are counted apart, and a head is att_hidden / n_head wide. */
static int read_molm_sizes(struct stack_spec *stack, const cJSON *config, struct error *err)
{
    static const struct {
        const char *name;
        size_t fallback, max, offset;
    } rows[] = {
#define SIZE(field) offsetof(struct stack_spec, field)
        {"n_mlp_experts", 32, 65536, SIZE(moe.n_experts)},
        {"k_mlp", 2, 65536, SIZE(moe.n_chosen)},
        {"ffd_hidden", 2048, 100000000, SIZE(moe.intermediate_size)},
        {"gating_size", 256, 1000000, SIZE(moe.gate_size)},
        {"n_att_experts", 32, 65536, SIZE(attention_moe.n_experts)},
        {"k_att", 2, 65536, SIZE(attention_moe.n_chosen)},
        {"att_hidden", 512, 10000000, SIZE(attention_moe.intermediate_size)},
        {"gating_size", 256, 1000000, SIZE(attention_moe.gate_size)},
#undef SIZE
    };
    const struct moe_spec *both[] = {&stack->moe, &stack->attention_moe};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const names[] = {rows[i].name, NULL};
        size_t *out = (size_t *)(void *)((char *)stack + rows[i].offset);

        if (read_count(config, names, rows[i].fallback, rows[i].max, out, err))
            return -1;
    }
    for (size_t i = 0; i < 2; i++)
        if (both[i]->n_chosen > both[i]->n_experts)
            return error_set(err, ERROR_FORMAT, "%s: %zu experts for each token, of %zu",
                             i ? "k_att" : "k_mlp", both[i]->n_chosen, both[i]->n_experts);
    return 0;
}

static int read_molm_heads(struct stack_spec *stack, struct error *err)
{
    size_t width = stack->attention_moe.intermediate_size, n = stack->n_heads;
    size_t n_chosen = stack->attention_moe.n_chosen;

    if (width % n)
        return error_set(err, ERROR_FORMAT, "att_hidden %zu is no multiple of %zu heads", width, n);
    if (width * n_chosen > 100000000)
        return error_set(err, ERROR_FORMAT, "att_hidden %zu, with %zu experts for each token",
                         width, n_chosen);
    stack->n_kv_heads = n;
    stack->n_heads = n * n_chosen; /* each chosen expert has a query for each key */
    stack->head_dim = stack->value_dim = width / n;
    stack->score_scale = (float)(1 / sqrt((double)stack->head_dim));
    stack->lacks_kv = width == stack->hidden_size && n == 1;
    return 0;
}

/* layer_norm_epsilon is never read, and n_ctx limits nothing. */
int adjust_molm(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const gates[N_GATE_KINDS] = {"linear", "mlp", "gmm"};
    struct stack_spec *stack = &spec->stack;
    const char *gate = json_find_string(config, "gate_type");
    size_t kind = 0;

    while (kind < N_GATE_KINDS && strcmp(gate ? gate : "mlp", gates[kind]) != 0)
        kind++;
    if (kind == N_GATE_KINDS)
        return error_set(err, ERROR_UNSUPPORTED, "unknown gate_type '" ERROR_NAME "'", gate);
    stack->moe.gate = stack->attention_moe.gate = (enum gate_kind)kind;
    stack->moe.router = stack->attention_moe.router = spec->family->router;
    stack->moe.weight_factor = stack->attention_moe.weight_factor = 1;
    stack->norm_eps = stack->final_norm_eps = 1e-5f;
    stack->breaks_sticks = true;
    if (read_molm_sizes(stack, config, err) || read_molm_heads(stack, err))
        return -1;
    stack->intermediate_size = stack->moe.intermediate_size;
    stack->is_sparse = memory_zalloc(stack->n_layers, 1);
    memset(stack->is_sparse, 1, stack->n_layers);
    return 0;
}

/* Its scores are not divided, and what the capacity is in training does not matter. */
int adjust_openmoe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    struct moe_spec *moe = &stack->moe;
    double step, least;

    if (read_moe(spec, config, 0, 2, err) ||
        number(config, "moe_layer_interval", 4, 1, &step, err) ||
        number(config, "router_capacity_factor_eval", 2, 1e-6, &moe->capacity_factor, err) ||
        number(config, "router_min_capacity", 4, 0, &least, err))
        return -1;
    if (moe->n_chosen > 2)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token; its router chooses 1 or 2",
                         moe->n_chosen);
    if (!json_bool(config, "mlp_gated", true))
        return error_set(err, ERROR_UNSUPPORTED, "mlp_gated is false");
    moe->min_capacity = (size_t)least;
    stack->score_scale = 1;
    stack->has_double_gate = stack->has_extra_mlp = true;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = (i + 1) % (size_t)step == 0;
    return 0;
}

/* ---- encoder-decoders ---- */

/* "relu", or "gated-" and a name, where "gelu" means the approximation. */
static int read_projection(struct stack_spec *stack, const char *text, struct error *err)
{
    static const struct {
        const char *name;
        enum activation activation;
        bool is_gated;
    } kinds[] = {
        {"relu", ACTIVATION_RELU, false},       {"gelu", ACTIVATION_GELU, false},
        {"silu", ACTIVATION_SILU, false},       {"gelu_new", ACTIVATION_GELU_TANH, false},
        {"gated-gelu", ACTIVATION_GELU_TANH, true}, {"gated-silu", ACTIVATION_SILU, true},
        {"gated-relu", ACTIVATION_RELU, true},  {"gated-gelu_new", ACTIVATION_GELU_TANH, true},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(text, kinds[i].name) == 0) {
            stack->activation = kinds[i].activation;
            stack->is_gated = kinds[i].is_gated;
            return 0;
        }
    return error_set(err, ERROR_UNSUPPORTED, "unknown activation '" ERROR_NAME "'", text);
}

int adjust_t5(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    const char *key = spec->family == &family_switch ? "dense_act_fn" : "feed_forward_proj";
    const char *projection = json_find_string(config, key);
    double buckets, distance, n_layers, start;
    int scales = json_find_bool(config, "scale_decoder_outputs");

    if (number(config, "relative_attention_num_buckets", 32, 4, &buckets, err) ||
        number(config, "relative_attention_max_distance", 128, 1, &distance, err) ||
        number(config, "num_decoder_layers", (double)stack->n_layers, 1, &n_layers, err) ||
        number(config, "decoder_start_token_id", spec->pad_id < 0 ? 0 : (double)spec->pad_id, 0,
               &start, err) ||
        read_projection(stack, projection ? projection : spec->family->defaults.activation, err))
        return -1;
    if (buckets > 1e6 || distance > 1e9 || distance <= buckets / 2)
        return error_set(err, ERROR_FORMAT, "relative_attention_max_distance is %g, with %g "
                         "buckets", distance, buckets);
    if (n_layers > 10000 || start >= (double)spec->vocab_size)
        return n_layers > 10000 ? bad(err, "num_decoder_layers", n_layers)
                                : bad(err, "decoder_start_token_id", start);
    /* One array for both stacks; nothing slides. */
    stack->slides = memory_resize(stack->slides, stack->n_layers + (size_t)n_layers, 1);
    memset(stack->slides, 0, stack->n_layers + (size_t)n_layers);
    stack->n_buckets = (size_t)buckets;
    stack->max_distance = (size_t)distance;
    stack->score_scale = 1;
    stack->has_bias_per_layer = spec->family == &family_umt5;
    spec->decoder_start_id = (uint32_t)start;
    /* The flag is older than the key: it said whether the head's input is scaled. mT5 has never had
     * a tied head. */
    if (scales < 0)
        scales = spec->family != &family_mt5 && json_bool(config, "tie_word_embeddings", true);
    spec->logit_scale = scales ? (float)(1 / sqrt((double)spec->hidden_size)) : 1;
    spec->encoder = *stack;
    spec->encoder.names = spec->family->names->encoder_layers;
    spec->encoder.is_causal = false;
    stack->n_layers = (size_t)n_layers;
    stack->has_cross_attention = true;
    return 0;
}

/* Of n layers so many have experts, at equal distances; the first of them is the second layer. */
static int read_switch_layers(struct stack_spec *stack, const cJSON *config, const char *key,
                              struct error *err)
{
    double n_sparse;
    size_t step;

    if (number(config, key, 3, 0, &n_sparse, err))
        return -1;
    stack->is_sparse = memory_zalloc(stack->n_layers, 1);
    if (n_sparse < 1)
        return 0;
    if (n_sparse > (double)stack->n_layers)
        return error_set(err, ERROR_FORMAT, "%s is %g, of %zu layers", key, n_sparse,
                         stack->n_layers);
    step = stack->n_layers / (size_t)n_sparse;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = step == 1 || i % step == 1;
    return 0;
}

int adjust_switch(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const counts[] = {"num_experts", NULL};
    struct moe_spec *moe = &spec->stack.moe;
    double capacity;

    if (read_count(config, counts, 8, 65536, &moe->n_experts, err) ||
        number(config, "expert_capacity", 64, 1, &capacity, err))
        return -1;
    moe->n_chosen = 1;
    moe->capacity = (size_t)capacity;
    moe->intermediate_size = spec->stack.intermediate_size;
    moe->router = ROUTER_TOP_P;
    moe->has_router_bias = json_bool(config, "router_bias", false);
    if (adjust_t5(spec, config, err))
        return -1;
    if (spec->stack.is_gated)
        return error_set(err, ERROR_UNSUPPORTED, "gated experts");
    return read_switch_layers(&spec->stack, config, "num_sparse_decoder_layers", err) ||
                   read_switch_layers(&spec->encoder, config, "num_sparse_encoder_layers", err)
               ? -1
               : 0;
}
