/* megatron_settings.c - args, of which there are hundreds, boiled down to what changes the model.
 *
 * Most say how it was trained. What changes what it computes is read here, or stands in the table
 * of what is refused; both kinds must be alike on all ranks. */
#include "megatron_settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/memory.h"

/* ---- what is refused ---- */

/* Settings that change what a model computes in a way that we have not, with the value that does
 * nothing: NULL: none, false, 0, or empty; else this text or number. */
static const struct {
    const char *name, *harmless;
} refused[] = {
    {"apply_residual_connection_post_layernorm", NULL},
    {"multi_latent_attention", NULL},
    {"experimental_attention_variant", NULL},
    {"attention_output_gate", NULL},
    {"qk_l2_norm", NULL},
    {"softmax_type", "vanilla"},
    {"window_size", NULL},
    {"no_rope_freq", NULL},
    {"rotary_scaling_factor", "1"},
    {"rope_type", "rope"},
    {"quick_geglu", NULL},
    {"geglu", NULL},
    {"reglu", NULL},
    {"activation_func_clamp_value", NULL},
    {"glu_linear_offset", NULL},
    {"moe_expert_capacity_factor", NULL},
    {"moe_apply_probs_on_input", NULL},
    {"moe_extended_tp", NULL},
    {"moe_latent_size", NULL},
    {"mtp_num_layers", NULL},
    {"heterogeneous_layers_config_path", NULL},
    {"hybrid_attention_ratio", NULL},
    {"hybrid_mlp_ratio", NULL},
    {"hybrid_override_pattern", NULL},
    {"is_hybrid_model", NULL},
    {"retro_add_retriever", NULL},
    {"spec", NULL},
};

/* What is read, and must be alike on all ranks, as must be the above. */
static const char *const alike[] = {
    "num_layers", "hidden_size", "num_attention_heads", "group_query_attention",
    "num_query_groups", "kv_channels", "ffn_hidden_size", "moe_ffn_hidden_size", "num_experts",
    "moe_router_topk", "moe_layer_freq", "moe_shared_expert_intermediate_size",
    "moe_shared_expert_gate", "max_position_embeddings", "position_embedding_type",
    "use_rotary_position_embeddings", "rotary_base", "rotary_percent", "rotary_interleaved",
    "rotary_seq_len_interpolation_factor", "use_rope_scaling", "rope_scaling_factor",
    "normalization", "norm_epsilon", "layernorm_epsilon", "apply_layernorm_1p",
    "layernorm_zero_centered_gamma", "add_bias_linear", "add_qkv_bias", "qk_layernorm",
    "untie_embeddings_and_output_weights", "swiglu", "squared_relu", "openai_gelu",
    "bias_gelu_fusion", "tokenizer_type", "vocab_size", "padded_vocab_size",
    "moe_router_score_function", "moe_router_pre_softmax", "moe_router_load_balancing_type",
    "moe_router_enable_expert_bias", "moe_router_topk_scaling_factor", "moe_router_num_groups",
    "moe_router_group_topk", "expert_tensor_parallel_size", "moe_grouped_gemm",
    "data_parallel_size", "context_parallel_size", "world_size", "sequence_parallel",
};

static bool is_harmless(const cJSON *value, const char *harmless)
{
    if (!value || cJSON_IsNull(value) || cJSON_IsFalse(value))
        return true;
    if (cJSON_IsNumber(value))
        return value->valuedouble == (harmless ? strtod(harmless, NULL) : 0);
    if (cJSON_IsString(value))
        return !*value->valuestring || (harmless && strcmp(value->valuestring, harmless) == 0);
    return (cJSON_IsArray(value) || cJSON_IsObject(value)) && !value->child;
}

static int check_refused(const struct megatron_files *files, struct error *err)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const cJSON *value = json_find(files->args, refused[i].name);
        char *text;

        if (is_harmless(value, refused[i].harmless))
            continue;
        text = cJSON_PrintUnformatted(value);
        if (!text)
            memory_exhausted();
        error_set(err, ERROR_UNSUPPORTED, "args.%s is %.80s, which is not supported",
                  refused[i].name, text);
        free(text);
        return -1;
    }
    return 0;
}

int megatron_settings_check_alike(const struct megatron_files *files, struct error *err)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (megatron_files_agree(files, &refused[i].name, 1, err))
            return -1;
    return megatron_files_agree(files, alike, sizeof alike / sizeof *alike, err);
}

/* ---- values ---- */

static int read_flag(const cJSON *args, const char *name, bool fallback, bool *out,
                     struct error *err)
{
    const cJSON *member = json_find(args, name);

    *out = member ? cJSON_IsTrue(member) : fallback;
    if (member && !cJSON_IsBool(member))
        return error_set(err, ERROR_FORMAT, "args.%s is neither true nor false", name);
    return 0;
}

static int read_number(const cJSON *args, const char *name, double fallback, double least,
                       double most, double *out, struct error *err)
{
    const cJSON *member = json_find(args, name);

    *out = member ? member->valuedouble : fallback;
    if (member && !cJSON_IsNumber(member))
        return error_set(err, ERROR_FORMAT, "args.%s is not a number", name);
    if (!(*out >= least && *out <= most))
        return error_set(err, ERROR_FORMAT, "args.%s is %g, not from %g to %g", name, *out, least,
                         most);
    return 0;
}

/* One of the texts, as its index. */
static int read_choice(const cJSON *args, const char *name, const char *fallback,
                       const char *const *choices, size_t *out, struct error *err)
{
    const cJSON *member = json_find(args, name);
    const char *text = member ? cJSON_GetStringValue(member) : fallback;

    if (!text)
        return error_set(err, ERROR_FORMAT, "args.%s is not a text", name);
    for (*out = 0; choices[*out]; (*out)++)
        if (strcmp(text, choices[*out]) == 0)
            return 0;
    return error_set(err, ERROR_UNSUPPORTED, "args.%s is '" ERROR_NAME "', which is not supported",
                     name, text);
}

/* ---- the tensors' part in it ---- */

static bool any_name(const struct megatron_files *files, const char *part)
{
    for (size_t i = 0; i < files->checkpoint->n_tensors; i++)
        if (strstr(files->checkpoint->tensors[i].name, part))
            return true;
    return false;
}

static int find_stack(struct megatron_settings *settings, const struct megatron_files *files,
                      struct error *err)
{
    static const struct {
        const char *stack;
        bool is_legacy;
    } stacks[] = {
        {"decoder.", false},
        {"language_model.encoder.", true},
        {"language_model.transformer.", true},
    };

    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++) {
        char *name = memory_format(".%slayers.", stacks[i].stack);
        bool is_there = any_name(files, name);

        free(name);
        if (!is_there)
            continue;
        settings->stack = stacks[i].stack;
        settings->is_legacy = stacks[i].is_legacy;
        return 0;
    }
    return error_set(err, ERROR_UNSUPPORTED, "no layers of a GPT of Megatron's in it");
}

/* ---- sizes ---- */

enum { SIZE_MAX_OF_ANY = 100000000 };

static int read_sizes(struct megatron_settings *settings, const cJSON *args, struct error *err)
{
    bool has_groups;

    if (megatron_args_count(args, "hidden_size", 0, 1, 10000000, &settings->hidden_size, err) ||
        megatron_args_count(args, "num_layers", 0, 1, 10000, &settings->n_layers, err) ||
        megatron_args_count(args, "num_attention_heads", 0, 1, 100000, &settings->n_heads, err) ||
        megatron_args_count(args, "max_position_embeddings", 0, 1, SIZE_MAX_OF_ANY,
                            &settings->max_positions, err))
        return -1;
    if (!settings->hidden_size || !settings->n_layers || !settings->n_heads ||
        !settings->max_positions)
        return error_set(err, ERROR_FORMAT, "args.%s is missing",
                         !settings->hidden_size ? "hidden_size"
                         : !settings->n_layers  ? "num_layers"
                         : !settings->n_heads   ? "num_attention_heads"
                                                : "max_position_embeddings");
    if (megatron_args_count(args, "kv_channels", settings->hidden_size / settings->n_heads, 1,
                            100000, &settings->head_dim, err) ||
        megatron_args_count(args, "ffn_hidden_size", 4 * settings->hidden_size, 1,
                            SIZE_MAX_OF_ANY, &settings->intermediate_size, err) ||
        read_flag(args, "group_query_attention", false, &has_groups, err))
        return -1;
    settings->n_kv_heads = settings->n_heads;
    if (has_groups && megatron_args_count(args, "num_query_groups", 1, 1, 100000,
                                          &settings->n_kv_heads, err))
        return -1;
    if (settings->head_dim == 0 || settings->n_heads % settings->n_kv_heads)
        return error_set(err, ERROR_FORMAT, "args: %zu heads in %zu groups, hidden size %zu",
                         settings->n_heads, settings->n_kv_heads, settings->hidden_size);
    return 0;
}

/* The tokenizer that only counts has a token for the end behind its vocab_size. For others the true
 * size is not said. */
static int read_vocabulary(struct megatron_settings *settings, const cJSON *args,
                           struct error *err)
{
    const char *tokenizer = json_find_string(args, "tokenizer_type");
    size_t size;

    if (megatron_args_count(args, "padded_vocab_size", 0, 1, SIZE_MAX_OF_ANY,
                            &settings->padded_vocab_size, err) ||
        megatron_args_count(args, "vocab_size", 0, 1, SIZE_MAX_OF_ANY - 1, &size, err))
        return -1;
    if (settings->padded_vocab_size == 0)
        return error_set(err, ERROR_FORMAT, "args.padded_vocab_size is missing");
    settings->vocab_size = settings->padded_vocab_size;
    settings->is_padded = true;
    if (!tokenizer || strcmp(tokenizer, "NullTokenizer") != 0 || size == 0)
        return 0;
    if (size + 1 > settings->padded_vocab_size)
        return error_set(err, ERROR_FORMAT, "args: vocab_size %zu and a token for the end are more "
                         "than padded_vocab_size %zu", size, settings->padded_vocab_size);
    settings->vocab_size = size + 1;
    settings->is_padded = false;
    return 0;
}

/* ---- the rest, into config.json ---- */

/* What a class of transformers may lack, and how a message calls it. */
enum feature {
    EXPERTS,
    DENSE_LAYERS,
    LAYER_NORM,
    NORM_OFFSET,
    NO_GATE,
    BIASES,
    QKV_BIAS,
    QK_NORM,
    LEARNED_POSITIONS,
    NO_POSITIONS,
    PARTIAL_ROTARY,
    PAIRED_ROTARY,
    PRE_SOFTMAX,
    SIGMOID,
    SQRT_SOFTPLUS,
    ROUTER_BIAS,
    CHOICE_BIAS,
    SCALED_EXPERTS,
    EXPERT_GROUPS,
    SHARED_EXPERT,
    SHARED_GATE,
    N_FEATURES,
};

static const char *const feature_names[N_FEATURES] = {
    [EXPERTS] = "experts",
    [DENSE_LAYERS] = "layers without experts",
    [LAYER_NORM] = "layer norms",
    [NORM_OFFSET] = "norm weights that are less by 1",
    [NO_GATE] = "MLPs without a gate",
    [BIASES] = "biases",
    [QKV_BIAS] = "biases of queries, keys and values",
    [QK_NORM] = "norms of queries and keys",
    [LEARNED_POSITIONS] = "learned positions",
    [NO_POSITIONS] = "layers that know no positions",
    [PARTIAL_ROTARY] = "heads of which only a part rotates",
    [PAIRED_ROTARY] = "rotating pairs of neighbours",
    [PRE_SOFTMAX] = "weights of experts that are not divided by their sum",
    [SIGMOID] = "a sigmoid router",
    [SQRT_SOFTPLUS] = "a router of square roots of softplus",
    [ROUTER_BIAS] = "a router with a bias",
    [CHOICE_BIAS] = "a bias by which experts are chosen",
    [SCALED_EXPERTS] = "a factor of the experts' weights",
    [EXPERT_GROUPS] = "groups of experts",
    [SHARED_EXPERT] = "a shared expert",
    [SHARED_GATE] = "a gate of the shared expert",
};

#define HAS(feature) (1u << (feature))

static const struct view {
    const char *class_name, *model_type;
    const struct family *family;
    unsigned needs, may_have; /* sets of features */
} views[] = {
    {"LlamaForCausalLM", "llama", &family_llama, 0, 0},
    {"Qwen2ForCausalLM", "qwen2", &family_qwen2, HAS(QKV_BIAS), 0},
    {"Qwen3ForCausalLM", "qwen3", &family_qwen3, HAS(QK_NORM), 0},
    {"MixtralForCausalLM", "mixtral", &family_mixtral, HAS(EXPERTS), 0},
    {"Qwen3MoeForCausalLM", "qwen3_moe", &family_qwen3_moe, HAS(EXPERTS) | HAS(QK_NORM),
     HAS(DENSE_LAYERS) | HAS(PRE_SOFTMAX)},
    {"Qwen2MoeForCausalLM", "qwen2_moe", &family_qwen2_moe,
     HAS(EXPERTS) | HAS(QKV_BIAS) | HAS(SHARED_EXPERT) | HAS(SHARED_GATE),
     HAS(DENSE_LAYERS) | HAS(PRE_SOFTMAX)},
};

static const struct view own_view = {"MegatronForCausalLM", "megatron", &family_megatron, 0, 0};

struct reader {
    struct megatron_settings *settings;
    const struct megatron_files *files;
    const cJSON *args;
    unsigned features;
    cJSON *config;  /* all but the names of the class, which come first */
    struct error *err;
};

static void note(struct reader *reader, enum feature feature, bool has)
{
    if (has)
        reader->features |= HAS(feature);
}

static void put_number(struct reader *reader, const char *name, double value)
{
    if (!cJSON_AddNumberToObject(reader->config, name, value))
        memory_exhausted();
}

static void put_size(struct reader *reader, const char *name, size_t value)
{
    put_number(reader, name, (double)value);
}

static void put_text(struct reader *reader, const char *name, const char *value)
{
    if (!cJSON_AddStringToObject(reader->config, name, value))
        memory_exhausted();
}

static void put_flag(struct reader *reader, const char *name, bool value)
{
    if (!cJSON_AddBoolToObject(reader->config, name, value))
        memory_exhausted();
}

static void put_null(struct reader *reader, const char *name)
{
    if (!cJSON_AddNullToObject(reader->config, name))
        memory_exhausted();
}

static cJSON *put_object(struct reader *reader, const char *name)
{
    cJSON *object = cJSON_AddObjectToObject(reader->config, name);

    if (!object)
        memory_exhausted();
    return object;
}

/* ---- norms ---- */

static int read_norms(struct reader *reader)
{
    static const char *const kinds[] = {"LayerNorm", "RMSNorm", NULL};
    bool has_offset, has_old_offset;
    double eps;
    size_t kind;

    /* Two names for one thing: since 0.16 the second of each. */
    if (read_choice(reader->args, "normalization", kinds[0], kinds, &kind, reader->err) ||
        read_flag(reader->args, "apply_layernorm_1p", false, &has_old_offset, reader->err) ||
        read_flag(reader->args, "layernorm_zero_centered_gamma", has_old_offset, &has_offset,
                  reader->err) ||
        read_number(reader->args, "norm_epsilon", 1e-5, 0, 1, &eps, reader->err) ||
        read_number(reader->args, "layernorm_epsilon", eps, 0, 1, &eps, reader->err))
        return -1;
    reader->settings->has_norm_bias = kind == 0;
    note(reader, LAYER_NORM, kind == 0);
    note(reader, NORM_OFFSET, has_offset);
    put_number(reader, kind == 0 ? "layer_norm_eps" : "rms_norm_eps", eps);
    return 0;
}

/* ---- positions ---- */

static int read_scaling(struct reader *reader)
{
    double linear, factor;
    bool is_llama3;
    cJSON *scaling;

    if (read_number(reader->args, "rotary_seq_len_interpolation_factor", 1, 1e-6, 1e9, &linear,
                    reader->err) ||
        read_flag(reader->args, "use_rope_scaling", false, &is_llama3, reader->err) ||
        read_number(reader->args, "rope_scaling_factor", 8, 1, 1e9, &factor, reader->err))
        return -1;
    if (linear != 1 && is_llama3)
        return error_set(reader->err, ERROR_UNSUPPORTED, "args.use_rope_scaling beside "
                         "rotary_seq_len_interpolation_factor is not supported");
    if (linear == 1 && !is_llama3)
        return 0;
    scaling = put_object(reader, "rope_scaling");
    if (!cJSON_AddStringToObject(scaling, "rope_type", is_llama3 ? "llama3" : "linear") ||
        !cJSON_AddNumberToObject(scaling, "factor", is_llama3 ? factor : linear))
        memory_exhausted();
    if (is_llama3 && (!cJSON_AddNumberToObject(scaling, "low_freq_factor", 1) ||
                      !cJSON_AddNumberToObject(scaling, "high_freq_factor", 4) ||
                      !cJSON_AddNumberToObject(scaling, "original_max_position_embeddings", 8192)))
        memory_exhausted();
    return 0;
}

static int read_rotary(struct reader *reader)
{
    double base, percent;
    bool is_paired;

    if (read_number(reader->args, "rotary_base", 10000, 1, 1e15, &base, reader->err) ||
        read_number(reader->args, "rotary_percent", 1, 1e-6, 1, &percent, reader->err) ||
        read_flag(reader->args, "rotary_interleaved", false, &is_paired, reader->err))
        return -1;
    note(reader, PARTIAL_ROTARY, percent != 1);
    note(reader, PAIRED_ROTARY, is_paired);
    put_number(reader, "rope_theta", base);
    if (percent != 1)
        put_number(reader, "partial_rotary_factor", percent);
    return read_scaling(reader);
}

static int read_positions(struct reader *reader)
{
    static const char *const kinds[] = {"learned_absolute", "rope", "none", NULL};
    bool is_rotary;
    size_t kind;

    if (read_flag(reader->args, "use_rotary_position_embeddings", false, &is_rotary,
                  reader->err) ||
        read_choice(reader->args, "position_embedding_type", kinds[is_rotary], kinds, &kind,
                    reader->err))
        return -1;
    reader->settings->has_positions = kind == 0;
    note(reader, LEARNED_POSITIONS, kind == 0);
    note(reader, NO_POSITIONS, kind == 2);
    put_size(reader, "max_position_embeddings", reader->settings->max_positions);
    return kind == 1 ? read_rotary(reader) : 0;
}

/* ---- attention and the MLP ---- */

static int read_parts(struct reader *reader)
{
    struct megatron_settings *settings = reader->settings;
    bool is_untied;

    if (read_flag(reader->args, "add_bias_linear", true, &settings->has_bias, reader->err) ||
        read_flag(reader->args, "add_qkv_bias", false, &settings->has_qkv_bias, reader->err) ||
        read_flag(reader->args, "qk_layernorm", false, &settings->has_qk_norm, reader->err) ||
        read_flag(reader->args, "swiglu", false, &settings->is_gated, reader->err) ||
        read_flag(reader->args, "untie_embeddings_and_output_weights", false, &is_untied,
                  reader->err))
        return -1;
    settings->is_tied = !is_untied;
    note(reader, BIASES, settings->has_bias);
    note(reader, QKV_BIAS, settings->has_qkv_bias && !settings->has_bias);
    note(reader, QK_NORM, settings->has_qk_norm);
    note(reader, NO_GATE, !settings->is_gated);
    settings->has_qkv_bias = settings->has_qkv_bias || settings->has_bias;
    return 0;
}

/* The fused kernel of bias and gelu approximates; it is used by default, and only with a bias. */
static int read_activation(struct reader *reader)
{
    bool is_squared, is_openai, is_fused;
    const char *name;

    if (read_flag(reader->args, "squared_relu", false, &is_squared, reader->err) ||
        read_flag(reader->args, "openai_gelu", false, &is_openai, reader->err) ||
        read_flag(reader->args, "bias_gelu_fusion", true, &is_fused, reader->err))
        return -1;
    if (reader->settings->is_gated && (is_squared || is_openai))
        return error_set(reader->err, ERROR_FORMAT, "args.swiglu is true, and so is %s",
                         is_squared ? "squared_relu" : "openai_gelu");
    is_fused = is_fused && reader->settings->has_bias;
    name = reader->settings->is_gated    ? "silu"
           : is_squared                  ? "relu2"
           : is_openai || is_fused       ? "gelu_pytorch_tanh"
                                         : "gelu";
    put_text(reader, "hidden_act", name);
    return 0;
}

/* ---- experts ---- */

/* Every n-th layer from the first on, or 0 and 1 for each. */
static int read_layers(struct reader *reader)
{
    struct megatron_settings *settings = reader->settings;
    const cJSON *list = json_find(reader->args, "moe_layer_freq"), *item;
    size_t step = 1, i = 0;

    settings->is_sparse = memory_zalloc(settings->n_layers, 1);
    if (!cJSON_IsArray(list)) {
        if (megatron_args_count(reader->args, "moe_layer_freq", 1, 1, 10000, &step, reader->err))
            return -1;
        for (; i < settings->n_layers; i++)
            settings->is_sparse[i] = i % step == 0;
    } else if ((size_t)cJSON_GetArraySize(list) != settings->n_layers) {
        return error_set(reader->err, ERROR_FORMAT, "args.moe_layer_freq speaks of %d layers, "
                         "num_layers of %zu", cJSON_GetArraySize(list), settings->n_layers);
    }
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsNumber(item) || (item->valuedouble != 0 && item->valuedouble != 1))
            return error_set(reader->err, ERROR_FORMAT, "args.moe_layer_freq[%zu] is neither 0 nor "
                             "1", i);
        settings->is_sparse[i++] = item->valuedouble == 1;
    }
    for (i = 0; i < settings->n_layers; i++)
        note(reader, DENSE_LAYERS, !settings->is_sparse[i]);
    return 0;
}

/* One name, or a list of those that were used together. */
static bool is_sinkhorn(const cJSON *args)
{
    const cJSON *kind = json_find(args, "moe_router_load_balancing_type"), *item;

    if (cJSON_IsString(kind))
        return strcmp(kind->valuestring, "sinkhorn") == 0;
    cJSON_ArrayForEach(item, kind)
        if (cJSON_IsString(item) && strcmp(item->valuestring, "sinkhorn") == 0)
            return true;
    return false;
}

/* The router of one expert, before there were others: a sigmoid, or, with a bias, in the release of
 * August 2023 a softmax. In between it had biases, too, and chose differently in each batch. */
static int read_switch(struct reader *reader)
{
    struct megatron_settings *settings = reader->settings;
    bool has_old_names = any_name(reader->files, ".mlp.experts.0.dense_h_to_4h.");

    settings->n_chosen = 1;
    settings->has_router_bias = any_name(reader->files, ".mlp.router.bias");
    if (settings->has_router_bias && !has_old_names)
        return error_set(reader->err, ERROR_UNSUPPORTED, "a router with a bias for local_experts: "
                         "how it chose between August and October 2023 cannot be told");
    note(reader, ROUTER_BIAS, settings->has_router_bias);
    note(reader, has_old_names ? PRE_SOFTMAX : SIGMOID, true);
    return 0;
}

static int read_groups(struct reader *reader)
{
    size_t n_groups, n_kept, n_chosen = reader->settings->n_chosen;
    size_t n_experts = reader->settings->n_experts;

    if (megatron_args_count(reader->args, "moe_router_num_groups", 0, 1, 65536, &n_groups,
                            reader->err) ||
        megatron_args_count(reader->args, "moe_router_group_topk", 0, 1, 65536, &n_kept,
                            reader->err))
        return -1;
    if (n_groups == 0 || n_kept == 0)
        return 0;
    if (n_experts % n_groups || n_kept > n_groups || n_chosen % n_kept ||
        n_chosen / n_kept > n_experts / n_groups || n_chosen > n_kept * (n_experts / n_groups))
        return error_set(reader->err, ERROR_FORMAT, "args: %zu of %zu experts from %zu of %zu "
                         "groups", n_chosen, n_experts, n_kept, n_groups);
    note(reader, EXPERT_GROUPS, true);
    put_size(reader, "n_group", n_groups);
    put_size(reader, "topk_group", n_kept);
    return 0;
}

static int read_router(struct reader *reader)
{
    static const char *const scores[] = {"softmax", "sigmoid", "sqrtsoftplus", NULL};
    struct megatron_settings *settings = reader->settings;
    bool is_pre;
    size_t score;
    double factor;

    if (megatron_args_count(reader->args, "moe_router_topk", 2, 1, 65536, &settings->n_chosen,
                            reader->err) ||
        read_choice(reader->args, "moe_router_score_function", scores[0], scores, &score,
                    reader->err) ||
        read_flag(reader->args, "moe_router_pre_softmax", false, &is_pre, reader->err) ||
        read_flag(reader->args, "moe_router_enable_expert_bias", false,
                  &settings->has_choice_bias, reader->err) ||
        read_number(reader->args, "moe_router_topk_scaling_factor", 1, -1e9, 1e9, &factor,
                    reader->err))
        return -1;
    if (is_sinkhorn(reader->args)) {
        score = settings->n_chosen == 1;
        is_pre = true;
        factor = 1;
    } else if (read_groups(reader)) {
        return -1;
    }
    if (settings->has_choice_bias && score == 0)
        return error_set(reader->err, ERROR_UNSUPPORTED, "args.moe_router_enable_expert_bias with "
                         "a softmax router is not supported");
    note(reader, PRE_SOFTMAX, score == 0 && is_pre);
    note(reader, SIGMOID, score == 1);
    note(reader, SQRT_SOFTPLUS, score == 2);
    note(reader, CHOICE_BIAS, settings->has_choice_bias);
    note(reader, SCALED_EXPERTS, factor != 1);
    if (factor != 1)
        put_number(reader, "routed_scaling_factor", factor);
    return 0;
}

static int read_shared(struct reader *reader)
{
    struct megatron_settings *settings = reader->settings;

    if (megatron_args_count(reader->args, "moe_shared_expert_intermediate_size", 0, 0,
                            SIZE_MAX_OF_ANY, &settings->shared_size, reader->err) ||
        read_flag(reader->args, "moe_shared_expert_gate", false, &settings->has_shared_gate,
                  reader->err))
        return -1;
    settings->has_shared_gate = settings->has_shared_gate && settings->shared_size;
    if (settings->shared_size && settings->has_bias)
        return error_set(reader->err, ERROR_UNSUPPORTED, "a shared expert with biases is not "
                         "supported");
    note(reader, SHARED_EXPERT, settings->shared_size > 0);
    note(reader, SHARED_GATE, settings->has_shared_gate);
    if (settings->shared_size)
        put_size(reader, "shared_expert_intermediate_size", settings->shared_size);
    return 0;
}

static int check_experts(const struct megatron_settings *settings,
                         const struct megatron_files *files, struct error *err)
{
    size_t n_tensor;

    if (settings->n_chosen > settings->n_experts)
        return error_set(err, ERROR_FORMAT, "args: %zu experts for each token, of %zu",
                         settings->n_chosen, settings->n_experts);
    if (settings->n_experts % files->n_expert)
        return error_set(err, ERROR_FORMAT, "args: %zu experts cannot be divided among %zu expert "
                         "parallel ranks: each must hold as many as the others",
                         settings->n_experts, files->n_expert);
    if (megatron_args_count(files->args, "expert_tensor_parallel_size", files->n_tensor, 1, 65536,
                            &n_tensor, err))
        return -1;
    return n_tensor == files->n_tensor
               ? 0
               : error_set(err, ERROR_UNSUPPORTED, "args: experts cut among %zu tensor parallel "
                           "ranks, the rest among %zu, is not supported", n_tensor,
                           files->n_tensor);
}

static int read_experts(struct reader *reader)
{
    struct megatron_settings *settings = reader->settings;
    bool is_switch = any_name(reader->files, ".mlp.local_experts.") ||
                     any_name(reader->files, ".mlp.experts.0.dense_h_to_4h.");

    if (megatron_args_count(reader->args, "num_experts", 0, 0, 65536, &settings->n_experts,
                            reader->err))
        return -1;
    if (settings->n_experts == 0)
        return reader->files->n_expert > 1
                   ? error_set(reader->err, ERROR_FORMAT, "args: %zu expert parallel ranks, but no "
                               "experts", reader->files->n_expert)
                   : 0;
    note(reader, EXPERTS, true);
    if (megatron_args_count(reader->args, "moe_ffn_hidden_size", settings->intermediate_size, 1,
                            SIZE_MAX_OF_ANY, &settings->expert_size, reader->err) ||
        read_layers(reader) || (is_switch ? read_switch(reader) : read_router(reader)) ||
        read_shared(reader))
        return -1;
    return check_experts(settings, reader->files, reader->err);
}

/* ---- which class ---- */

static const struct view *find_view(const struct reader *reader)
{
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if ((reader->features & views[i].needs) == views[i].needs &&
            !(reader->features & ~(views[i].needs | views[i].may_have)))
            return &views[i];
    return &own_view;
}

/* All that a plain Llama or Mixtral has not. */
static char *list_features(unsigned features)
{
    struct buffer text = {0};
    char *list;

    for (size_t i = EXPERTS + 1; i < N_FEATURES; i++)
        if (features & HAS(i))
            buffer_format(&text, "%s%s", text.size ? ", " : "", feature_names[i]);
    list = memory_copy(text.data);
    buffer_release(&text);
    return list;
}

static void put_dense_layers(struct reader *reader)
{
    const struct megatron_settings *settings = reader->settings;
    cJSON *list = cJSON_AddArrayToObject(reader->config, "mlp_only_layers");

    for (size_t i = 0; list && i < settings->n_layers; i++)
        if (!settings->is_sparse[i] && !cJSON_AddItemToArray(list, cJSON_CreateNumber((double)i)))
            list = NULL;
    if (!list)
        memory_exhausted();
}

/* Of a class of transformers. */
static void put_experts(struct reader *reader)
{
    const struct megatron_settings *settings = reader->settings;
    bool is_mixtral = settings->family == &family_mixtral;

    put_size(reader, is_mixtral ? "num_local_experts" : "num_experts", settings->n_experts);
    put_size(reader, "num_experts_per_tok", settings->n_chosen);
    if (is_mixtral) {
        put_null(reader, "sliding_window");
        return;
    }
    put_size(reader, "moe_intermediate_size", settings->expert_size);
    put_dense_layers(reader);
    if (!(reader->features & (HAS(SIGMOID) | HAS(SQRT_SOFTPLUS))))
        put_flag(reader, "norm_topk_prob", !(reader->features & HAS(PRE_SOFTMAX)));
}

/* What only our own family has. */
static void put_own(struct reader *reader)
{
    static const struct {
        const char *name;
        enum feature feature;
        bool is_not; /* said of its absence */
    } flags[] = {
        {"layernorm_zero_centered_gamma", NORM_OFFSET, false},
        {"gated_linear_unit", NO_GATE, true},
        {"add_bias_linear", BIASES, false},
        {"add_qkv_bias", QKV_BIAS, false},
        {"qk_layernorm", QK_NORM, false},
        {"rotary_interleaved", PAIRED_ROTARY, false},
        {"moe_router_enable_expert_bias", CHOICE_BIAS, false},
        {"moe_shared_expert_gate", SHARED_GATE, false},
        {"router_bias", ROUTER_BIAS, false},
    };
    unsigned features = reader->features;

    put_text(reader, "normalization", features & HAS(LAYER_NORM) ? "LayerNorm" : "RMSNorm");
    put_text(reader, "position_embedding_type",
             features & HAS(LEARNED_POSITIONS) ? "learned_absolute"
             : features & HAS(NO_POSITIONS)    ? "none"
                                               : "rope");
    put_text(reader, "moe_router_score_function",
             features & HAS(SIGMOID)         ? "sigmoid"
             : features & HAS(SQRT_SOFTPLUS) ? "sqrtsoftplus"
                                             : "softmax");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        put_flag(reader, flags[i].name,
                 !(features & HAS(flags[i].feature)) == flags[i].is_not);
}

/* Of the embedding, which is everywhere. */
static const char *find_dtype(const struct megatron_files *files)
{
    for (size_t i = 0; i < files->checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &files->checkpoint->tensors[i];

        if (strstr(tensor->name, "word_embeddings.weight"))
            return dtype_info(tensor->dtype)->torch_name;
    }
    return NULL;
}

static void put_sizes(struct reader *reader, const struct view *view)
{
    const struct megatron_settings *settings = reader->settings;
    bool is_mixtral = view->family == &family_mixtral;
    const char *dtype = find_dtype(reader->files);

    put_size(reader, "vocab_size", settings->vocab_size);
    put_size(reader, "hidden_size", settings->hidden_size);
    put_size(reader, "intermediate_size",
             is_mixtral ? settings->expert_size : settings->intermediate_size);
    put_size(reader, "num_hidden_layers", settings->n_layers);
    put_size(reader, "num_attention_heads", settings->n_heads);
    put_size(reader, "num_key_value_heads", settings->n_kv_heads);
    put_size(reader, "head_dim", settings->head_dim);
    put_flag(reader, "tie_word_embeddings", settings->is_tied);
    put_null(reader, "bos_token_id");
    put_null(reader, "eos_token_id");
    if (dtype)
        put_text(reader, "torch_dtype", dtype);
}

static char *write_config(const struct reader *reader, const struct view *view)
{
    struct buffer text = {0};
    struct json_writer json = {.out = &text, .is_spaced = true, .n_indented = 1};
    const cJSON *item;
    char *copy;

    json_writer_object(&json, NULL);
    json_writer_array(&json, "architectures");
    json_writer_string(&json, NULL, view->class_name);
    json_writer_end(&json);
    json_writer_string(&json, "model_type", view->model_type);
    cJSON_ArrayForEach(item, reader->config) {
        char *printed = cJSON_PrintUnformatted(item);

        if (!printed)
            memory_exhausted();
        json_writer_raw(&json, item->string, printed);
        free(printed);
    }
    json_writer_end(&json);
    buffer_add_char(&text, '\n');
    copy = memory_copy(text.data);
    buffer_release(&text);
    return copy;
}

static void choose_view(struct reader *reader)
{
    struct megatron_settings *settings = reader->settings;
    const struct view *view = find_view(reader);

    settings->family = view->family;
    if (view == &own_view) {
        settings->no_place = list_features(reader->features);
        put_own(reader);
    }
    put_sizes(reader, view);
    if (settings->n_experts)
        put_experts(reader);
    settings->config = write_config(reader, view);
}

int megatron_settings_read(struct megatron_settings *settings, const struct megatron_files *files,
                           struct error *err)
{
    struct reader reader = {.settings = settings, .files = files, .args = files->args,
                            .config = cJSON_CreateObject(), .err = err};
    int rc;

    if (!reader.config)
        memory_exhausted();
    *settings = (struct megatron_settings){0};
    rc = check_refused(files, err) || find_stack(settings, files, err) ||
         read_sizes(settings, files->args, err) || read_vocabulary(settings, files->args, err) ||
         read_norms(&reader) || read_positions(&reader) || read_parts(&reader) ||
         read_activation(&reader) || read_experts(&reader);
    if (rc == 0)
        choose_view(&reader);
    else
        megatron_settings_release(settings);
    cJSON_Delete(reader.config);
    return rc ? -1 : 0;
}

void megatron_settings_release(struct megatron_settings *settings)
{
    free(settings->is_sparse);
    free(settings->config);
    free(settings->no_place);
    *settings = (struct megatron_settings){0};
}
