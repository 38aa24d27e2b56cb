/* gguf_latent.c - what deepseek2 says of latent attention and of its router.
 *
 * Recent files hold attention as one head of keys and values, and say how wide heads are under
 * names that end in _mla; older ones say it under the usual names. */
#include "gguf_config.h"

#include <math.h>

static int read_widths(const struct gguf_model *model, size_t *keys, size_t *values, size_t *rotary,
                       struct error *err)
{
    bool is_new = gguf_model_find(model, "attention.key_length_mla") != NULL;
    const char *key = is_new ? "attention.key_length_mla" : "attention.key_length";
    const char *value = is_new ? "attention.value_length_mla" : "attention.value_length";

    if (gguf_model_count(model, key, 0, 2, 100000, keys, err) ||
        gguf_model_count(model, value, 0, 1, 100000, values, err) ||
        gguf_model_count(model, "rope.dimension_count", 0, 2, 100000, rotary, err))
        return -1;
    if (*rotary >= *keys)
        return error_set(err, ERROR_FORMAT, "%s.rope.dimension_count is %zu, of %zu in a head",
                         model->architecture->name, *rotary, *keys);
    return 0;
}

static int add_attention(struct buffer *out, const struct gguf_model *model, struct error *err)
{
    size_t keys, values, rotary, rank = 0;

    if (read_widths(model, &keys, &values, &rotary, err) ||
        gguf_model_count(model, "attention.q_lora_rank", 0, 0, 1000000, &rank, err))
        return -1;
    gguf_config_add_number(out, "num_key_value_heads", (double)model->n_heads);
    gguf_config_add_number(out, "head_dim", (double)rotary);
    gguf_config_add_number(out, "qk_rope_head_dim", (double)rotary);
    gguf_config_add_number(out, "qk_nope_head_dim", (double)(keys - rotary));
    gguf_config_add_number(out, "v_head_dim", (double)values);
    if (rank)
        gguf_config_add_number(out, "q_lora_rank", (double)rank);
    else
        buffer_add_text(out, ",\n  \"q_lora_rank\": null");
    return 0;
}

static int add_router(struct buffer *out, const struct gguf_model *model, struct error *err)
{
    bool is_sigmoid = gguf_model_is_sigmoid(model);
    size_t n_groups, n_kept;
    double norm;

    if (gguf_model_number(model, "expert_weights_norm", is_sigmoid, 0, &norm, err) ||
        gguf_model_count(model, "expert_group_count", 1, 0, 65536, &n_groups, err) ||
        gguf_model_count(model, "expert_group_used_count", 1, 0, 65536, &n_kept, err))
        return -1;
    if (!is_sigmoid && norm != 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s.expert_weights_norm is true, which cannot be "
                         "obeyed without sigmoids",
                         model->architecture->name);
    buffer_format(out, ",\n  \"norm_topk_prob\": %s", norm != 0 ? "true" : "false");
    buffer_format(out, ",\n  \"scoring_func\": \"%s\"", is_sigmoid ? "sigmoid" : "softmax");
    buffer_format(out, ",\n  \"topk_method\": \"%s\"",
                  is_sigmoid     ? "noaux_tc"
                  : n_groups > 1 ? "group_limited_greedy"
                                 : "greedy");
    gguf_config_add_number(out, "n_group", n_groups ? (double)n_groups : 1);
    gguf_config_add_number(out, "topk_group", n_kept ? (double)n_kept : 1);
    return 0;
}

int gguf_latent_add(struct buffer *out, const struct gguf_model *model, struct error *err)
{
    size_t gate;

    if (gguf_model_count(model, "expert_gating_func", 1, 0, 100, &gate, err))
        return -1;
    if (gate > 2)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s.expert_gating_func is %zu, which is not supported",
                         model->architecture->name, gate);
    return add_attention(out, model, err) || add_router(out, model, err) ? -1 : 0;
}
