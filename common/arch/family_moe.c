/* family_moe.c - mixtures of experts. */
#include "family_moe.h"

#include <math.h>
#include <string.h>

#include "arch/config_keys.h"
#include "arch/config_value.h"
#include "arch/family_adjust.h"
#include "arch/llama_params.h"
#include "base/json.h"
#include "base/memory.h"

/* The first of the spellings that is there and obeyed. */
static const char *find_spelling(const struct family *family, const cJSON *config,
                                 const char *const *names)
{
    for (; *names; names++)
        if (config_keys_obeyed(family, *names) && json_find(config, *names))
            return *names;
    return NULL;
}

static int read_count(const struct family *family, const cJSON *config, const char *const *names,
                      size_t fallback, size_t *out, struct error *err)
{
    const char *name = find_spelling(family, config, names);

    *out = fallback;
    return name ? config_value_count(config, name, fallback, 65536, out, err) : 0;
}

int family_moe_read_counts(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const struct family *family = spec->family;
    const struct moe_defaults *defaults = &family->defaults.moe;
    struct moe_spec *moe = &spec->stack.moe;

    if (read_count(family, config, config_n_experts, defaults->n_experts, &moe->n_experts, err) ||
        read_count(family, config, config_n_chosen, defaults->n_chosen, &moe->n_chosen, err))
        return -1;
    if (family->fixed_n_chosen)
        moe->n_chosen = family->fixed_n_chosen;
    return 0;
}

/* Whether the weights of the experts that are chosen are divided by their sum. */
static enum router_kind read_router(const struct family *family, const cJSON *config)
{
    bool is_sigmoid = family->router == ROUTER_SIGMOID_SUM_1;

    if (!config_keys_obeyed(family, "norm_topk_prob"))
        return family->router;
    if (json_bool(config, "norm_topk_prob", is_sigmoid))
        return is_sigmoid ? ROUTER_SIGMOID_SUM_1 : ROUTER_TOP_P_SUM_1;
    return is_sigmoid ? ROUTER_SIGMOID : ROUTER_TOP_P;
}

int family_moe_read(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const struct family *family = spec->family;
    struct stack_spec *stack = &spec->stack;
    struct moe_spec *moe = &stack->moe;

    moe->intermediate_size = stack->intermediate_size;
    if (family_moe_read_counts(spec, config, err) ||
        (config_keys_obeyed(family, "moe_intermediate_size") &&
         config_value_count(config, "moe_intermediate_size",
                            family->defaults.moe.intermediate_size, 100000000,
                            &moe->intermediate_size, err)))
        return -1;
    if (moe->n_experts == 0)
        return error_set(err, ERROR_FORMAT, "num_experts is missing");
    if (moe->n_chosen > moe->n_experts)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token, of %zu", moe->n_chosen,
                         moe->n_experts);
    moe->router = read_router(family, config);
    stack->is_sparse = memory_zalloc(stack->n_layers, 1);
    memset(stack->is_sparse, 1, stack->n_layers);
    return 0;
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
            return error_set(err, ERROR_FORMAT, "no %s; is it one of Mistral's or Llama's?",
                             needed[i][0]);
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
    if (!moe && find_spelling(spec->family, config, config_n_chosen))
        moe = config;
    return moe ? family_moe_read(spec, moe, err) : 0;
}

/* Layers that mlp_only_layers lists, and those between the steps, have an MLP. */
static int read_sparse_layers(struct stack_spec *stack, const cJSON *config, struct error *err)
{
    const cJSON *dense = json_find(config, "mlp_only_layers"), *item;
    double step;

    if (config_value_number(config, "decoder_sparse_step", 1, 1, &step, err))
        return -1;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = (i + 1) % (size_t)step == 0;
    cJSON_ArrayForEach(item, dense)
        if (cJSON_IsNumber(item) && item->valuedouble >= 0 &&
            item->valuedouble < (double)stack->n_layers)
            stack->is_sparse[(size_t)item->valuedouble] = 0;
    return 0;
}

/* As in Qwen3, whose class has no max_window_layers: where windows are used, all layers slide. */
int adjust_qwen_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    if (family_moe_read(spec, config, err))
        return -1;
    return read_sparse_layers(&spec->stack, config, err);
}

/* Not as in Qwen2: of the layers below max_window_layers every other one slides. */
int adjust_qwen2_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    double end;

    if (adjust_qwen_moe(spec, config, err) ||
        config_value_count(config, "shared_expert_intermediate_size",
                           spec->family->defaults.moe.shared_size, 100000000,
                           &stack->moe.shared_size, err) ||
        config_value_number(config, "max_window_layers", 28, 0, &end, err))
        return -1;
    stack->moe.has_shared_gate = true;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && i % 2 == 0 && (double)i < end;
    return 0;
}

int adjust_olmoe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double clip;

    if (family_moe_read(spec, config, err) ||
        config_value_number(config, "clip_qkv", 0, 0, &clip, err))
        return -1;
    spec->stack.qkv_clip = (float)clip;
    spec->stack.has_flat_qk_norm = true;
    return 0;
}

int adjust_phi_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double jitter;

    if (family_moe_read(spec, config, err) ||
        config_value_number(config, "router_jitter_noise", 0.01, 0, &jitter, err))
        return -1;
    if (spec->stack.moe.n_chosen != 2)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token; its router chooses 2",
                         spec->stack.moe.n_chosen);
    spec->stack.moe.jitter = (float)jitter;
    return 0;
}

int adjust_jetmoe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    size_t n_kv_heads = stack->n_kv_heads;

    if (family_moe_read(spec, config, err))
        return -1;
    /* Each chosen expert has a query head for each key and value. */
    stack->n_heads = n_kv_heads * stack->moe.n_chosen;
    if (stack->n_heads > 1000000)
        return config_value_bad(err, "num_key_value_heads", (double)n_kv_heads);
    stack->norm_eps = 1e-6f; /* fixed, but for the last norm */
    stack->moe.has_bias = true;
    stack->attention_moe = stack->moe;
    return 0;
}

int adjust_gpt_oss(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    double limit, alpha;

    if (family_moe_read(spec, config, err) ||
        config_value_number(config, "swiglu_limit", 7, 1e-6, &limit, err) ||
        config_value_number(config, "swiglu_alpha", 1.702, -1e6, &alpha, err))
        return -1;
    stack->has_sinks = stack->moe.has_router_bias = true;
    stack->moe.swiglu_limit = (float)limit;
    stack->moe.swiglu_alpha = (float)alpha;
    return 0;
}

int adjust_granite_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double attention, embedding, residual, logits;

    if (family_moe_read(spec, config, err) ||
        config_value_number(config, "attention_multiplier", 1, -1e6, &attention, err) ||
        config_value_number(config, "embedding_multiplier", 1, -1e6, &embedding, err) ||
        config_value_number(config, "residual_multiplier", 1, -1e6, &residual, err) ||
        config_value_number(config, "logits_scaling", 1, -1e6, &logits, err))
        return -1;
    if (logits == 0)
        return config_value_bad(err, "logits_scaling", logits);
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
        {"gating_size", 256, 1000000, SIZE(moe.gate_size)},
        {"n_att_experts", 32, 65536, SIZE(attention_moe.n_experts)},
        {"k_att", 2, 65536, SIZE(attention_moe.n_chosen)},
        {"att_hidden", 512, 10000000, SIZE(attention_moe.intermediate_size)},
        {"gating_size", 256, 1000000, SIZE(attention_moe.gate_size)},
#undef SIZE
    };
    const struct moe_spec *both[] = {&stack->moe, &stack->attention_moe};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t *out = (size_t *)(void *)((char *)stack + rows[i].offset);

        if (config_value_count(config, rows[i].name, rows[i].fallback, rows[i].max, out, err))
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
    stack->head_dim = stack->v_head_dim = width / n;
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
    stack->moe.routed_scaling_factor = stack->attention_moe.routed_scaling_factor = 1;
    stack->norm_eps = stack->final_norm_eps = 1e-5f;
    stack->has_stick_breaking = true;
    stack->moe.intermediate_size = stack->intermediate_size;
    if (family_moe_read_counts(spec, config, err) || read_molm_sizes(stack, config, err) ||
        read_molm_heads(stack, err))
        return -1;
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

    if (family_moe_read(spec, config, err) ||
        config_value_number(config, "moe_layer_interval", 4, 1, &step, err) ||
        config_value_number(config, "router_capacity_factor_eval", 2, 1e-6, &moe->capacity_factor,
                            err) ||
        config_value_number(config, "router_min_capacity", 4, 0, &least, err))
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
