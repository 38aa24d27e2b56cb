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

static int add_attention(struct json_writer *json, const struct gguf_model *model, struct error *err)
{
    size_t keys, values, rotary, rank = 0;

    if (read_widths(model, &keys, &values, &rotary, err) ||
        gguf_model_count(model, "attention.q_lora_rank", 0, 0, 1000000, &rank, err))
        return -1;
    gguf_config_add_number(json, "num_key_value_heads", (double)model->n_heads);
    gguf_config_add_number(json, "head_dim", (double)rotary);
    gguf_config_add_number(json, "qk_rope_head_dim", (double)rotary);
    gguf_config_add_number(json, "qk_nope_head_dim", (double)(keys - rotary));
    gguf_config_add_number(json, "v_head_dim", (double)values);
    if (rank)
        gguf_config_add_number(json, "q_lora_rank", (double)rank);
    else
        json_writer_null(json, "q_lora_rank");
    return 0;
}

static int add_router(struct json_writer *json, const struct gguf_model *model, struct error *err)
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
    json_writer_bool(json, "norm_topk_prob", norm != 0);
    json_writer_string(json, "scoring_func", is_sigmoid ? "sigmoid" : "softmax");
    json_writer_string(json, "topk_method",
                  is_sigmoid     ? "noaux_tc"
                  : n_groups > 1 ? "group_limited_greedy"
                                 : "greedy");
    gguf_config_add_number(json, "n_group", n_groups ? (double)n_groups : 1);
    gguf_config_add_number(json, "topk_group", n_kept ? (double)n_kept : 1);
    return 0;
}

int gguf_latent_add(struct json_writer *json, const struct gguf_model *model, struct error *err)
{
    size_t gate;

    if (gguf_model_count(model, "expert_gating_func", 1, 0, 100, &gate, err))
        return -1;
    if (gate > 2)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s.expert_gating_func is %zu, which is not supported",
                         model->architecture->name, gate);
    return add_attention(json, model, err) || add_router(json, model, err) ? -1 : 0;
}
