/* family_t5.c - encoder-decoders: T5 and what is built like it. */
#include "family_adjust.h"

#include <math.h>
#include <string.h>

#include "arch/config_value.h"
#include "arch/family_moe.h"
#include "base/json.h"
#include "base/memory.h"

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

static int read_t5(struct model_spec *spec, const cJSON *config, const char *projection,
                   struct error *err)
{
    const struct family *family = spec->family;
    struct stack_spec *stack = &spec->stack;
    double buckets, distance, n_layers, start;
    int scales = json_find_bool(config, "scale_decoder_outputs");

    if (config_value_number(config, "relative_attention_num_buckets", 32, 4, &buckets, err) ||
        config_value_number(config, "relative_attention_max_distance", 128, 1, &distance, err) ||
        config_value_number(config, "num_decoder_layers", (double)stack->n_layers, 1, &n_layers,
                            err) ||
        config_value_number(config, "decoder_start_token_id",
                            spec->pad_id < 0 ? 0 : (double)spec->pad_id, 0, &start, err) ||
        read_projection(stack, projection ? projection : family->defaults.activation, err))
        return -1;
    if (buckets > 1e6 || distance > 1e9 || distance <= buckets / 2)
        return error_set(err, ERROR_FORMAT, "relative_attention_max_distance is %g, with %g "
                         "buckets", distance, buckets);
    if (n_layers > 10000 || start >= (double)spec->vocab_size)
        return n_layers > 10000 ? config_value_bad(err, "num_decoder_layers", n_layers)
                                : config_value_bad(err, "decoder_start_token_id", start);
    /* One array for both stacks; nothing slides. */
    stack->slides = memory_resize(stack->slides, stack->n_layers + (size_t)n_layers, 1);
    memset(stack->slides, 0, stack->n_layers + (size_t)n_layers);
    stack->n_buckets = (size_t)buckets;
    stack->max_distance = (size_t)distance;
    stack->score_scale = 1;
    spec->decoder_start_id = (uint32_t)start;
    /* The flag is older than the key: it said whether the head's input is scaled. */
    if (scales < 0)
        scales = family->scales_head_input && json_bool(config, "tie_word_embeddings", true);
    spec->logit_scale = scales ? (float)(1 / sqrt((double)spec->hidden_size)) : 1;
    spec->encoder = *stack;
    spec->encoder.names = family->names->encoder_layers;
    spec->encoder.is_causal = false;
    stack->n_layers = (size_t)n_layers;
    stack->has_cross_attention = true;
    return 0;
}

int adjust_t5(struct model_spec *spec, const cJSON *config, struct error *err)
{
    return read_t5(spec, config, json_find_string(config, "feed_forward_proj"), err);
}

/* Of n layers so many have experts, at equal distances; the first of them is the second layer. */
static int read_switch_layers(struct stack_spec *stack, const cJSON *config, const char *key,
                              struct error *err)
{
    double n_sparse;
    size_t step;

    if (config_value_number(config, key, 3, 0, &n_sparse, err))
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
    struct moe_spec *moe = &spec->stack.moe;
    double capacity;

    if (family_moe_read_counts(spec, config, err) ||
        config_value_number(config, "expert_capacity", 64, 1, &capacity, err))
        return -1;
    moe->capacity = (size_t)capacity;
    moe->intermediate_size = spec->stack.intermediate_size;
    moe->router = spec->family->router;
    if (read_t5(spec, config, json_find_string(config, "dense_act_fn"), err))
        return -1;
    if (spec->stack.is_gated)
        return error_set(err, ERROR_UNSUPPORTED, "gated experts");
    return read_switch_layers(&spec->stack, config, "num_sparse_decoder_layers", err) ||
                   read_switch_layers(&spec->encoder, config, "num_sparse_encoder_layers", err)
               ? -1
               : 0;
}
