/* model_spec.c - from config.json to struct model_spec.
 *
 * First the sizes, by a table of their spellings; then what the family says; then what the family
 * lets config.json change. Every size is bounded here; that the tensors have these shapes is
 * checked when they are loaded. */
#include "model_spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/config_keys.h"
#include "arch/config_spellings.h"
#include "arch/config_value.h"
#include "arch/families.h"
#include "base/json.h"
#include "base/memory.h"

enum { NAMES_MAX = 6 };

static const size_t positions_max = (size_t)1 << 40;

struct sizes {
    size_t vocab_size, hidden_size, n_layers, n_heads, n_kv_heads, head_dim, intermediate_size,
        max_positions, n_token_types, window;
};

static const struct size_row { /* docs/models.md, "Settings" */
    size_t offset;
    size_t max;
    const char *names[NAMES_MAX];
} size_rows[] = {
#define SIZE(field) offsetof(struct sizes, field)
    {SIZE(vocab_size), 100000000, {"vocab_size"}},
    {SIZE(hidden_size), 10000000, {HIDDEN_SIZE_SPELLINGS(SPELLING)}},
    {SIZE(n_layers), 10000, {N_LAYERS_SPELLINGS(SPELLING)}},
    {SIZE(n_heads), 100000, {N_HEADS_SPELLINGS(SPELLING)}},
    {SIZE(n_kv_heads), 100000, {N_KV_HEADS_SPELLINGS(SPELLING)}},
    {SIZE(head_dim), 100000, {HEAD_DIM_SPELLINGS(SPELLING)}},
    {SIZE(intermediate_size), 100000000, {INTERMEDIATE_SIZE_SPELLINGS(SPELLING)}},
    {SIZE(max_positions), (size_t)1 << 40, {MAX_POSITIONS_SPELLINGS(SPELLING)}},
    {SIZE(n_token_types), 1000000, {"type_vocab_size"}},
    {SIZE(window), (size_t)1 << 40, {"sliding_window"}},
#undef SIZE
};

static const struct {
    const char *name;
    enum activation activation;
} activations[] = {
    {"silu", ACTIVATION_SILU},
    {"swish", ACTIVATION_SILU},
    {"gelu", ACTIVATION_GELU},
    {"gelu_python", ACTIVATION_GELU},
    {"gelu_new", ACTIVATION_GELU_TANH},
    {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
    {"gelu_fast", ACTIVATION_GELU_TANH},
    {"quick_gelu", ACTIVATION_GELU_QUICK},
    {"relu", ACTIVATION_RELU},
    {"relu2", ACTIVATION_RELU_SQUARED},
    {"tanh", ACTIVATION_TANH},
    {"linear", ACTIVATION_IDENTITY},
    {"swiglu", ACTIVATION_SILU}, /* of half the gate: OpenMoE */
};

/* ---- values ---- */

/* A whole number from 1 to max; 0 when it is absent or null. */
static int read_size(const cJSON *config, const char *name, size_t max, size_t *out,
                     struct error *err)
{
    const cJSON *member = json_find(config, name);

    *out = 0;
    if (cJSON_IsNumber(member) && member->valuedouble == 0 && strcmp(name, "sliding_window") == 0)
        return 0; /* Qwen2-MoE's way to say that there is none */
    return config_value_count(config, name, 0, max, out, err);
}

static int read_sizes(const cJSON *config, const struct family *family, struct sizes *sizes,
                      struct error *err)
{
    for (size_t r = 0; r < sizeof size_rows / sizeof *size_rows; r++) {
        const struct size_row *row = &size_rows[r];
        size_t *out = (size_t *)(void *)((char *)sizes + row->offset);

        *out = 0;
        for (size_t i = 0; i < NAMES_MAX && row->names[i] && *out == 0; i++)
            if (config_keys_obeyed(family, row->names[i]) &&
                read_size(config, row->names[i], row->max, out, err))
                return -1;
    }
    return 0;
}

static size_t either(size_t value, size_t fallback)
{
    return value ? value : fallback;
}

static int complete_sizes(struct sizes *sizes, const cJSON *config, const struct family *family,
                          struct error *err)
{
    const struct family_defaults *defaults = &family->defaults;

    sizes->vocab_size = either(sizes->vocab_size, defaults->vocab_size);
    sizes->hidden_size = either(sizes->hidden_size, defaults->hidden_size);
    sizes->n_layers = either(sizes->n_layers, defaults->n_layers);
    sizes->n_heads = either(sizes->n_heads, defaults->n_heads);
    /* null means as many as there are heads; absent, the default of the class. */
    if (!sizes->n_kv_heads && !cJSON_HasObjectItem(config, "num_key_value_heads"))
        sizes->n_kv_heads = defaults->n_kv_heads;
    sizes->n_kv_heads = either(sizes->n_kv_heads, sizes->n_heads);
    sizes->head_dim = either(sizes->head_dim, defaults->head_dim);
    if (!sizes->head_dim && sizes->hidden_size % sizes->n_heads)
        return error_set(err, ERROR_FORMAT, "hidden size %zu is no multiple of %zu heads",
                         sizes->hidden_size, sizes->n_heads);
    sizes->head_dim = either(sizes->head_dim, sizes->hidden_size / sizes->n_heads);
    sizes->intermediate_size = either(sizes->intermediate_size, defaults->intermediate_size);
    sizes->intermediate_size = either(sizes->intermediate_size, 4 * sizes->hidden_size);
    sizes->max_positions = either(sizes->max_positions, defaults->max_positions);
    if (!sizes->n_token_types)
        sizes->n_token_types = defaults->n_token_types;
    if (!sizes->window && !cJSON_HasObjectItem(config, "sliding_window"))
        sizes->window = defaults->window;
    if (config_keys_obeyed(family, "use_sliding_window") &&
        !json_bool(config, "use_sliding_window", false))
        sizes->window = 0;
    if (sizes->n_heads % sizes->n_kv_heads)
        return error_set(err, ERROR_FORMAT, "%zu heads are no multiple of %zu key-value heads",
                         sizes->n_heads, sizes->n_kv_heads);
    if (sizes->n_heads * sizes->head_dim > 100000000)
        return error_set(err, ERROR_FORMAT, "%zu heads of %zu dimensions", sizes->n_heads,
                         sizes->head_dim);
    return 0;
}

static int read_eps(const cJSON *config, const struct family *family, float *eps,
                    struct error *err)
{
    static const char *const names[] = {NORM_EPS_SPELLINGS(SPELLING)};

    *eps = (float)family->defaults.norm_eps;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cJSON *member = json_find(config, names[i]);

        if (!member || !config_keys_obeyed(family, names[i]))
            continue;
        if (!cJSON_IsNumber(member) || !(member->valuedouble >= 0 && member->valuedouble <= 1))
            return error_set(err, ERROR_FORMAT, "%s must be a number from 0 to 1", names[i]);
        *eps = (float)member->valuedouble;
        break;
    }
    return 0;
}

static int read_activation(const cJSON *config, const struct family *family,
                           enum activation *activation, struct error *err)
{
    static const char *const names[] = {ACTIVATION_SPELLINGS(SPELLING)};
    const char *name = NULL, *fallback = family->defaults.activation;

    for (size_t i = 0; i < sizeof names / sizeof *names && !name; i++)
        if (config_keys_obeyed(family, names[i]))
            name = json_find_string(config, names[i]);
    name = name ? name : fallback;
    if ((strcmp(name, "swiglu") == 0) != (strcmp(fallback, "swiglu") == 0))
        return error_set(err, ERROR_UNSUPPORTED, "the activation '" ERROR_NAME "' in place of '%s'",
                         name, fallback);
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(name, activations[i].name) == 0) {
            *activation = activations[i].activation;
            return 0;
        }
    return error_set(err, ERROR_UNSUPPORTED, "unknown activation '" ERROR_NAME "'", name);
}

static int read_pad(const cJSON *config, long fallback, size_t vocab_size, int64_t *pad,
                    struct error *err)
{
    const cJSON *member = json_find(config, "pad_token_id");

    *pad = cJSON_HasObjectItem(config, "pad_token_id") ? -1 : fallback;
    if (!member)
        return 0;
    if (!cJSON_IsNumber(member) || member->valuedouble != floor(member->valuedouble) ||
        fabs(member->valuedouble) > 1e9)
        return error_set(err, ERROR_FORMAT, "pad_token_id is no token id");
    /* -1, or a token that the table lacks, has been used for "none". */
    if (member->valuedouble >= 0 && member->valuedouble < (double)vocab_size)
        *pad = (int64_t)member->valuedouble;
    return 0;
}

/* ---- rotary embeddings ---- */

static const cJSON *find_obeyed(const struct family *family, const cJSON *config, const char *name)
{
    return config_keys_obeyed(family, name) ? json_find(config, name) : NULL;
}

static double find_number(const struct family *family, const cJSON *config, const char *name,
                          double fallback)
{
    const cJSON *member = find_obeyed(family, config, name);

    return cJSON_IsNumber(member) ? member->valuedouble : fallback;
}

/* The parameters of one kind of layer: rope_parameters may hold an object for each. Old files have
 * rope_scaling, which sliding layers with embeddings of their own do not apply. */
static const cJSON *rope_parameters(const struct family *family, const cJSON *config,
                                    bool is_sliding)
{
    const char *layer_type = is_sliding ? "sliding_attention" : "full_attention";
    bool has_two = family->defaults.sliding_theta > 0;
    const cJSON *parameters = find_obeyed(family, config, "rope_parameters");
    const cJSON *nested = json_find(parameters, layer_type);

    if (cJSON_IsObject(nested))
        return nested;
    if (cJSON_IsObject(json_find(parameters, "full_attention")))
        return NULL;
    if (!parameters)
        parameters = find_obeyed(family, config, "rope_scaling");
    /* What transformers puts rope_scaling into has a rope_type already: "type" is not looked at. */
    if (has_two && !json_find(parameters, "rope_type"))
        return NULL;
    return has_two && is_sliding ? NULL : parameters;
}

static double read_theta(const struct family *family, const cJSON *config, bool has_window,
                         bool is_sliding)
{
    const struct family_defaults *defaults = &family->defaults;
    double theta = has_window && defaults->windowed_theta > 0 ? defaults->windowed_theta
                                                              : defaults->theta;

    if (is_sliding && defaults->sliding_theta > 0)
        return find_number(family, config, "rope_local_base_freq", defaults->sliding_theta);
    theta = find_number(family, config, "rope_theta", theta);
    return find_number(family, config, "rotary_emb_base", theta);
}

static double read_partial(const struct family *family, const cJSON *config)
{
    double partial = family->defaults.partial_rotary_factor;

    partial = find_number(family, config, "partial_rotary_factor", partial > 0 ? partial : 1);
    return find_number(family, config, "rotary_pct", partial);
}

static int read_rope(struct model_spec *spec, const cJSON *config, const struct sizes *sizes,
                     struct error *err)
{
    const struct family *family = spec->family;

    for (size_t i = 0; i < 2; i++) {
        struct rope_source source = {
            .parameters = rope_parameters(family, config, i == 1),
            .theta = read_theta(family, config, sizes->window > 0, i == 1),
            .partial = read_partial(family, config),
            .head_dim = sizes->head_dim,
            .max_positions = sizes->max_positions,
        };

        if (read_size(config, "original_max_position_embeddings", positions_max,
                      &source.original_positions, err))
            return -1;
        source.original_positions =
            either(source.original_positions, family->defaults.original_positions);
        if (rope_spec_load(&spec->stack.rope[i], &source, err))
            return -1;
        if (spec->stack.rope[i].n_dims != sizes->head_dim &&
            !config_keys_obeyed(family, "partial_rotary_factor"))
            return error_set(err, ERROR_UNSUPPORTED, "partial_rotary_factor is not 1, which cannot "
                             "be obeyed in a %s", family->name);
        if (rope_spec_switch(&spec->stack.rope[i]))
            spec->cache_limit = rope_spec_switch(&spec->stack.rope[i]);
    }
    /* Dynamic scaling has no end. */
    spec->max_tokens = spec->stack.rope[0].kind == ROPE_DYNAMIC ? 0 : sizes->max_positions;
    return 0;
}

/* ---- layers ---- */

/* layer_types, where config.json has it, overrides the pattern of the family. */
static int read_layer_types(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const cJSON *list = json_find(config, "layer_types"), *item;
    struct stack_spec *stack = &spec->stack;
    bool counts = config_keys_obeyed(spec->family, "layer_types");
    size_t i = 0;

    if (!list)
        return 0;
    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != stack->n_layers)
        return error_set(err, ERROR_FORMAT, "layer_types must be a list of %zu names, one for each "
                         "layer", stack->n_layers);
    cJSON_ArrayForEach(item, list) {
        const char *name = cJSON_IsString(item) ? item->valuestring : "";

        if (strcmp(name, "full_attention") != 0 && strcmp(name, "sliding_attention") != 0)
            return error_set(err, ERROR_UNSUPPORTED, "layer_types[%zu]: unknown '" ERROR_NAME "'",
                             i, name);
        if (counts)
            stack->slides[i] = *name == 's';
        i++;
    }
    return 0;
}

/* A decoder whose tokens see those that follow, too: masks that know no order, where the window
 * reaches as far ahead as back, and one token further than in a causal one. What is true of an
 * encoder transformers understands in two ways, by the kind of attention and the padding. */
static int read_causal(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const struct family *family = spec->family;
    struct stack_spec *stack = &spec->stack;
    int is_causal = json_find_bool(config, "is_causal");

    if (is_causal < 0 || (is_causal && family->is_causal && !spec->is_encoder_decoder))
        return 0;
    if (spec->is_encoder_decoder || (!is_causal && family->has_fixed_mask))
        return error_set(err, ERROR_UNSUPPORTED, "is_causal is %s, which cannot be obeyed in a %s",
                         is_causal ? "true" : "false", family->name);
    if (is_causal && !stack->is_causal)
        return error_set(err, ERROR_UNSUPPORTED, "is_causal is true in an encoder, which cannot be "
                         "obeyed; is_decoder makes one causal");
    if (!is_causal) {
        stack->is_causal = false;
        stack->window += stack->window > 0;
    }
    return 0;
}

static void fill_stack(struct model_spec *spec, const struct sizes *sizes)
{
    const struct family *family = spec->family;
    struct stack_spec *stack = &spec->stack;

    stack->names = family->names->layers;
    stack->n_layers = sizes->n_layers;
    stack->hidden_size = sizes->hidden_size;
    stack->n_heads = sizes->n_heads;
    stack->n_kv_heads = sizes->n_kv_heads;
    stack->head_dim = stack->v_head_dim = sizes->head_dim;
    stack->intermediate_size = sizes->intermediate_size;
    stack->norm = family->norm;
    stack->block = family->block;
    stack->position = family->position;
    stack->qkv = family->qkv;
    stack->is_gated = family->is_gated;
    stack->is_conv1d = family->is_conv1d;
    stack->is_causal = family->is_causal;
    stack->has_final_norm = !family->lacks_final_norm;
    stack->has_qkv_bias = family->has_qkv_bias;
    stack->has_o_bias = family->has_o_bias;
    stack->has_mlp_bias = family->has_mlp_bias;
    stack->has_qk_norm = family->has_qk_norm;
    stack->has_bias_per_layer = family->has_bias_per_layer;
    stack->has_interleaved_rope = family->has_interleaved_rope;
    stack->has_post_norms = family->has_post_norms;
    stack->score_scale = (float)(1 / sqrt((double)sizes->head_dim));
    stack->window = sizes->window;
    stack->slides = memory_zalloc(sizes->n_layers, 1);
}

/* What is yes or no and stands as such in config.json: of a family that obeys it, what config.json
 * says, else what the class does. */
static void read_flags(struct model_spec *spec, const cJSON *config)
{
    static const struct {
        const char *name;
        size_t offset;
    } rows[] = {
#define FLAG(field) offsetof(struct model_spec, field)
        {"is_decoder", FLAG(stack.is_causal)},
        {"attention_bias", FLAG(stack.has_qkv_bias)},
        {"attention_bias", FLAG(stack.has_o_bias)},
        {"qkv_bias", FLAG(stack.has_qkv_bias)},
        {"mlp_bias", FLAG(stack.has_mlp_bias)},
        {"lm_head_bias", FLAG(has_head_bias)},
        {"router_bias", FLAG(stack.moe.has_router_bias)},
        {"rope_interleave", FLAG(stack.has_interleaved_rope)},
        {"scale_attn_by_inverse_layer_idx", FLAG(stack.scales_by_layer)},
#undef FLAG
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool *out = (bool *)(void *)((char *)spec + rows[i].offset);

        if (config_keys_obeyed(spec->family, rows[i].name))
            *out = json_bool(config, rows[i].name, *out);
    }
}

/* Which layers slide, by the pattern of the class; a family's adjust may have another. */
static int read_pattern(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    double pattern = (double)spec->family->defaults.sliding_pattern;

    if (config_keys_obeyed(spec->family, "sliding_window_pattern") &&
        config_value_number(config, "sliding_window_pattern", pattern, 1, &pattern, err))
        return -1;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && (pattern == 0 || (i + 1) % (size_t)pattern != 0);
    return 0;
}

static int fill(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const struct family *family = spec->family;
    struct sizes sizes;

    if (config_keys_check(family, config, err) || read_sizes(config, family, &sizes, err) ||
        complete_sizes(&sizes, config, family, err))
        return -1;
    spec->vocab_size = sizes.vocab_size;
    spec->hidden_size = sizes.hidden_size;
    spec->embedding_scale = spec->logit_scale = spec->stack.residual_scale = 1;
    spec->stack.moe.routed_scaling_factor = 1;
    spec->has_embedding_norm = family->names->embedding_norm != NULL;
    spec->n_token_types = family->names->token_types ? sizes.n_token_types : 0;
    fill_stack(spec, &sizes);
    read_flags(spec, config);
    if (read_pattern(spec, config, err) ||
        read_eps(config, family, &spec->stack.norm_eps, err) ||
        read_pad(config, family->defaults.pad_id, sizes.vocab_size, &spec->pad_id, err))
        return -1;
    if (family->position != POSITION_RELATIVE &&
        read_activation(config, family, &spec->stack.activation, err))
        return -1;
    if (family->position == POSITION_LEARNED)
        spec->n_positions = spec->max_tokens = sizes.max_positions;
    if (family->position == POSITION_ROTARY && read_rope(spec, config, &sizes, err))
        return -1;
    spec->stack.final_norm_eps = spec->stack.norm_eps;
    if (family->adjust && family->adjust(spec, config, err))
        return -1;
    return read_layer_types(spec, config, err) || read_causal(spec, config, err) ? -1 : 0;
}

/* T5's encoder alone, as an encoder. */
static void keep_encoder(struct model_spec *spec)
{
    uint8_t *slides = spec->stack.slides;

    free(spec->stack.is_sparse);
    spec->stack = spec->encoder;
    spec->stack.slides = slides;
    spec->encoder = (struct stack_spec){0};
    spec->is_encoder_decoder = false;
}

static int unknown(const struct config *config, struct error *err)
{
    const char *name = config->architecture ? config->architecture : config->model_type;
    struct buffer known = {0};

    architecture_list_families(&known);
    error_set(err, ERROR_UNSUPPORTED, "cannot run the architecture '" ERROR_NAME "'; supported are "
              "%s", name ? name : "", known.data);
    buffer_release(&known);
    return -1;
}

int model_spec_load(struct model_spec *spec, const struct config *config, enum model_type type,
                    const char *where, struct error *err)
{
    const cJSON *text = json_find(config->json, "text_config");
    struct model_spec loaded = {.family = architecture_family(config),
                                .config_name = config_name(config)};
    int tied = config_tied(config);
    int rc;

    if (!loaded.family) {
        unknown(config, err);
        return error_context(err, "'%s'", where);
    }
    loaded.is_encoder_decoder = loaded.family->is_encoder_decoder;
    loaded.has_tied_head = (tied >= 0 ? tied : architecture_tied_by_default(config)) != 0;
    if (type == MODEL_RERANKER)
        loaded.classifier = loaded.family->classifier;
    rc = fill(&loaded, cJSON_IsObject(text) ? text : config->json, err);
    if (rc == 0 && loaded.is_encoder_decoder && type == MODEL_ENCODER)
        keep_encoder(&loaded);
    if (rc) {
        model_spec_release(&loaded);
        return error_context(err, "'%s/%s'", where, config_name(config));
    }
    *spec = loaded;
    return 0;
}

void model_spec_release(struct model_spec *spec)
{
    free(spec->stack.slides); /* the encoder's is the same */
    free(spec->stack.is_sparse);
    free(spec->encoder.is_sparse);
    rope_spec_release(&spec->stack.rope[0]);
    rope_spec_release(&spec->stack.rope[1]);
    *spec = (struct model_spec){0};
}

bool router_scores_each(enum router_kind kind)
{
    return kind == ROUTER_SIGMOID || kind == ROUTER_SIGMOID_SUM_1 || kind == ROUTER_SQRT_SOFTPLUS ||
           kind == ROUTER_SQRT_SOFTPLUS_SUM_1;
}

bool model_spec_has_head(const struct model_spec *spec, enum model_type type)
{
    return spec->family->names->head &&
           (type == MODEL_DECODER || (type == MODEL_ENCODER_DECODER && spec->is_encoder_decoder));
}
