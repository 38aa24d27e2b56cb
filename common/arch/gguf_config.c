#include "gguf_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/gguf_keys.h"
#include "base/json.h"
#include "base/memory.h"

/* ---- members ---- */

static void write_number(char *text, size_t size, double value)
{
    if (value == floor(value) && fabs(value) < 1e15) {
        snprintf(text, size, "%.0f", value);
        return;
    }
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, size, "%.*g", digits, value);
        if ((float)strtod(text, NULL) == (float)value)
            break;
    }
}

void gguf_config_add_number(struct json_writer *json, const char *name, double value)
{
    char text[40];

    write_number(text, sizeof text, value);
    json_writer_raw(json, name, text);
}

/* ---- what the class has always ---- */

static const struct {
    unsigned set;
    const char *name, *value;
} words[] = {
    {GGUF_ROTARY & ~(GGUF_GEMMA2 | GGUF_GEMMA3), "hidden_act", NULL},
    {GGUF_GEMMAS, "hidden_activation", "gelu_pytorch_tanh"},
    {GGUF_GPT2, "activation_function", "gelu_new"},
    {GGUF_BERT, "hidden_act", "gelu"},
};

static void add_words(struct json_writer *json, const struct gguf_architecture *architecture)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].set & architecture->set)
            json_writer_string(json, words[i].name,
                     words[i].value                    ? words[i].value
                     : architecture->set & GGUF_GEMMAS ? "gelu_pytorch_tanh"
                                                       : "silu");
}

/* ---- settings of the table ---- */

/* Where classes of transformers differ in what they take for absent, config.json says it. */
static double fallback_of(const struct gguf_model *model, const struct gguf_key *key)
{
    if (strcmp(key->gguf, "attention.head_count_kv") == 0)
        return (double)model->n_kv_heads;
    if (strcmp(key->gguf, "attention.key_length") == 0)
        return (double)model->head_dim;
    if (strcmp(key->gguf, "attention.scale") == 0)
        return 1 / sqrt((double)model->head_dim);
    return key->value;
}

static int add_settings(struct json_writer *json, const struct gguf_model *model, struct error *err)
{
    const struct gguf_key *key;
    double value;

    for (size_t i = 0; (key = gguf_keys_next(model->architecture, &i));) {
        const char *name = key->gguf;

        if (key->role != GGUF_NEEDED && key->role != GGUF_OPTIONAL)
            continue;
        if (gguf_model_number(model, name, -1, 0, &value, err))
            return -1;
        if (value < 0 && key->role == GGUF_NEEDED)
            return error_set(err, ERROR_FORMAT, "%s.%s is missing", model->architecture->name,
                             name);
        if (key->type == GGUF_COUNT && value != floor(value))
            return error_set(err, ERROR_FORMAT, "%s.%s is %g", model->architecture->name, name,
                             value);
        if (value < 0)
            value = fallback_of(model, key);
        if (value >= 0)
            gguf_config_add_number(json, key->config, value);
    }
    return 0;
}

/* ---- what the tensors say ---- */

static bool has(const struct checkpoint *checkpoint, const char *name)
{
    return checkpoint_find(checkpoint, name) != NULL;
}

static size_t n_rows(const struct checkpoint *checkpoint, const char *name)
{
    const struct tensor *tensor = checkpoint_find(checkpoint, name);

    return tensor && tensor->n_dims == 2 ? tensor->shape[0] : 0;
}

static const char *embedding_name(const struct gguf_model *model)
{
    return model->architecture->set & GGUF_GPT2   ? "transformer.wte.weight"
           : model->architecture->set & GGUF_BERT ? "embeddings.word_embeddings.weight"
                                                  : "model.embed_tokens.weight";
}

static int add_vocabulary(struct json_writer *json, const struct gguf_model *model,
                          const struct checkpoint *checkpoint, struct error *err)
{
    const struct tensor *table = checkpoint_find(checkpoint, embedding_name(model));
    const struct gguf_value *tokens = gguf_find(model->gguf, "tokenizer.ggml.tokens");
    size_t n, said;

    if (table->n_dims != 2 || table->shape[1] != model->hidden_size)
        return error_set(err, ERROR_FORMAT,
                         "tensor 'token_embd.weight': its rows are not of the %zu "
                         "items that %s.embedding_length says",
                         model->hidden_size, model->architecture->name);
    n = table->shape[0];
    if (gguf_model_count(model, "vocab_size", n, 1, (size_t)1 << 40, &said, err))
        return -1;
    if (said != n)
        return error_set(err, ERROR_FORMAT,
                         "%s.vocab_size is %zu, but tensor 'token_embd.weight' has "
                         "%zu rows",
                         model->architecture->name, said, n);
    if (tokens && tokens->n_items != n)
        return error_set(err, ERROR_FORMAT,
                         "tokenizer.ggml.tokens has %zu tokens, but tensor "
                         "'token_embd.weight' %zu rows",
                         tokens->n_items, n);
    gguf_config_add_number(json, "vocab_size", (double)n);
    if (!(model->architecture->set & GGUF_BERT))
        json_writer_bool(json, "tie_word_embeddings", !has(checkpoint, "lm_head.weight"));
    else
        gguf_config_add_number(json, "type_vocab_size",
                               (double)n_rows(checkpoint, "embeddings.token_type_embeddings."
                                                          "weight"));
    return 0;
}

static int add_biases(struct json_writer *json, const struct gguf_model *model,
                      const struct checkpoint *checkpoint, struct error *err)
{
    enum {
        SAYS_SO =
            GGUF_ROTARY & ~(GGUF_QWEN2 | GGUF_QWEN2_MOE | GGUF_PHI3 | GGUF_MIXTRAL | GGUF_DEEPSEEK2)
    };
    bool has_q = has(checkpoint, "model.layers.0.self_attn.q_proj.bias");
    bool has_o = has(checkpoint, "model.layers.0.self_attn.o_proj.bias");

    if (!(model->architecture->set & SAYS_SO))
        return 0;
    if (has_q != has_o)
        return error_set(err, ERROR_UNSUPPORTED,
                         "biases of %s without those of %s are not supported "
                         "in a model of architecture %s",
                         has_q ? "attn_q" : "attn_output", has_q ? "attn_output" : "attn_q",
                         model->architecture->name);
    json_writer_bool(json, "attention_bias", has_q);
    if (model->architecture->set & GGUF_LLAMA)
        json_writer_bool(json, "mlp_bias", has(checkpoint, "model.layers.0.mlp.up_proj.bias"));
    return 0;
}

/* ---- what is to be made of other settings ---- */

/* The value that GPT-2's files have is wrong where the MLP is not 4 H wide: the matrix says it. */
static int add_gpt2(struct json_writer *json, const struct gguf_model *model,
                    const struct checkpoint *checkpoint, struct error *err)
{
    const struct tensor *up = checkpoint_find(checkpoint, "transformer.h.0.mlp.c_fc.weight");
    size_t width = up && up->n_dims == 2 ? up->shape[1] : 0, said;

    if (gguf_model_count(model, "feed_forward_length", 0, 1, (size_t)1 << 40, &said, err))
        return -1;
    if (said != width && said != 4 * model->hidden_size)
        return error_set(err, ERROR_FORMAT,
                         "%s.feed_forward_length is %zu, but tensor "
                         "'blk.0.ffn_up.weight' has %zu rows",
                         model->architecture->name, said, width);
    gguf_config_add_number(json, "n_inner", (double)width);
    return 0;
}

static bool is_27b(const struct gguf_model *model)
{
    return model->n_layers == (model->architecture->set & GGUF_GEMMA2 ? 46 : 62);
}

/* Of Gemma 3's layers every sixth does not slide; a number says another one, a list says which do. */
static int add_layer_types(struct json_writer *json, const struct gguf_model *model, double window,
                           struct error *err)
{
    const struct gguf_value *pattern = gguf_model_find(model, "attention.sliding_window_pattern");
    bool is_list = pattern && pattern->is_array;
    size_t n = 6;

    if (is_list && pattern->n_items != model->n_layers)
        return error_set(err, ERROR_FORMAT, "%s has %zu items, for %zu layers", pattern->key,
                         pattern->n_items, model->n_layers);
    if (!is_list &&
        gguf_model_count(model, "attention.sliding_window_pattern", n, 1, 10000, &n, err))
        return -1;
    json_writer_array(json, "layer_types");
    for (size_t i = 0; i < model->n_layers; i++) {
        bool slides = is_list ? gguf_number(pattern, i) != 0 : i % n < n - 1;

        json_writer_string(json, NULL, slides && window > 0 ? "sliding_attention"
                                                            : "full_attention");
    }
    json_writer_end(json);
    return 0;
}

static int add_gemma(struct json_writer *json, const struct gguf_model *model, double window,
                     struct error *err)
{
    double scalar = is_27b(model) ? (double)model->hidden_size / (double)model->n_heads
                                  : (double)model->head_dim;

    gguf_config_add_number(json, "query_pre_attn_scalar", scalar);
    if (model->architecture->set & GGUF_GEMMA2)
        return 0;
    return add_layer_types(json, model, window, err);
}

/* Architectures whose windows llama.cpp does not know must not need one. */
static int add_window(struct json_writer *json, const struct gguf_model *model, struct error *err)
{
    unsigned set = model->architecture->set;
    double window;

    if (gguf_model_number(model, "attention.sliding_window", set & GGUF_GEMMA2 ? 4096 : 0, 0,
                          &window, err))
        return -1;
    if (!(set & (GGUF_GEMMA2 | GGUF_GEMMA3 | GGUF_PHI3)))
        return window == 0 || window >= (double)model->n_positions
                   ? 0
                   : error_set(err, ERROR_UNSUPPORTED,
                               "%s.attention.sliding_window is %g, which cannot "
                               "be obeyed",
                               model->architecture->name, window);
    if (window > 0)
        gguf_config_add_number(json, "sliding_window", window);
    else
        json_writer_null(json, "sliding_window");
    return set & GGUF_PHI3 ? 0 : add_gemma(json, model, window, err);
}

static int add_experts(struct json_writer *json, const struct gguf_model *model, struct error *err)
{
    enum { SAYS_SO = GGUF_QWEN2_MOE | GGUF_QWEN3_MOE | GGUF_OLMOE };
    unsigned set = model->architecture->set;
    bool is_fixed = set & (GGUF_MIXTRAL | GGUF_GRANITE_MOE | GGUF_QWEN3_MOE);
    double norm, size, feed_forward;

    if (!(set & GGUF_EXPERTS))
        return 0;
    if (gguf_model_number(model, "expert_weights_norm", is_fixed, 0, &norm, err) ||
        gguf_model_number(model, "feed_forward_length", 0, 0, &feed_forward, err) ||
        gguf_model_number(model, "expert_feed_forward_length", feed_forward, 0, &size, err))
        return -1;
    if (set & SAYS_SO)
        json_writer_bool(json, "norm_topk_prob", norm != 0);
    else if (norm != is_fixed && !(set & GGUF_DEEPSEEK2))
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s.expert_weights_norm is %s, which cannot be obeyed",
                         model->architecture->name, norm != 0 ? "true" : "false");
    if (set & (GGUF_MIXTRAL | GGUF_GRANITE_MOE | GGUF_OLMOE) && size != feed_forward)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s.expert_feed_forward_length is %g, another than "
                         "feed_forward_length, %g",
                         model->architecture->name, size, feed_forward);
    return 0;
}

/* Decoders see what is behind only if they are told to, BERT if it is not told otherwise. */
static int add_causal(struct json_writer *json, const struct gguf_model *model, struct error *err)
{
    bool is_bert = model->architecture->set & GGUF_BERT;
    double causal;

    if (gguf_model_number(model, "attention.causal", !is_bert, 0, &causal, err))
        return -1;
    if (is_bert && causal != 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s.attention.causal is true, which cannot be obeyed",
                         model->architecture->name);
    if (!is_bert && causal == 0)
        json_writer_bool(json, "is_causal", false);
    return 0;
}

/* Heads of one width, and heads of keys that are said where there can be none. */
static int check_heads(const struct gguf_model *model, struct error *err)
{
    const char *name = model->architecture->name;
    size_t value_length;

    if (model->architecture->set & GGUF_DEEPSEEK2)
        return 0;
    if (gguf_model_count(model, "attention.value_length", model->head_dim, 1, 100000, &value_length,
                         err))
        return -1;
    if (value_length != model->head_dim)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s.attention.value_length is %zu, another than that "
                         "of keys, %zu",
                         name, value_length, model->head_dim);
    if (!(model->architecture->set & (GGUF_GPT2 | GGUF_BERT)))
        return 0;
    if (model->n_kv_heads != model->n_heads ||
        model->head_dim * model->n_heads != model->hidden_size)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%zu heads of keys and values, of %zu items, in a model "
                         "of architecture %s with %zu heads",
                         model->n_kv_heads, model->head_dim, name, model->n_heads);
    return 0;
}

static void add_tokens(struct json_writer *json, const struct gguf_model *model)
{
    static const char *const names[][2] = {
        {"tokenizer.ggml.bos_token_id", "bos_token_id"},
        {"tokenizer.ggml.eos_token_id", "eos_token_id"},
        {"tokenizer.ggml.padding_token_id", "pad_token_id"},
    };

    for (size_t i = 0; i < 3; i++) {
        double token = gguf_model_token(model, names[i][0]);

        if (token >= 0 && token < 2147483648.0)
            gguf_config_add_number(json, names[i][1], token);
    }
}

/* ---- all ---- */

static int add_all(struct json_writer *json, const struct gguf_model *model,
                   const struct checkpoint *checkpoint, struct error *err)
{
    unsigned set = model->architecture->set;

    if (check_heads(model, err) || add_settings(json, model, err) ||
        add_vocabulary(json, model, checkpoint, err))
        return -1;
    add_words(json, model->architecture);
    if (add_biases(json, model, checkpoint, err) || add_causal(json, model, err) ||
        add_experts(json, model, err))
        return -1;
    if (set & GGUF_ROTARY && (add_window(json, model, err) || gguf_rope_add(json, model, err)))
        return -1;
    if ((set & GGUF_GPT2 && add_gpt2(json, model, checkpoint, err)) ||
        (set & GGUF_DEEPSEEK2 && gguf_latent_add(json, model, err)))
        return -1;
    add_tokens(json, model);
    return 0;
}

int gguf_config_make(struct buffer *out, const struct gguf_model *model,
                     const struct checkpoint *checkpoint, const char *dtype, struct error *err)
{
    const struct gguf_architecture *architecture = model->architecture;
    struct json_writer json = {.out = out, .is_spaced = true, .n_indented = 1};
    bool is_v3 = architecture->set & GGUF_DEEPSEEK2 && gguf_model_is_sigmoid(model);

    json_writer_object(&json, NULL);
    json_writer_array(&json, "architectures");
    json_writer_string(&json, NULL, is_v3 ? "DeepseekV3ForCausalLM" : architecture->class_name);
    json_writer_end(&json);
    json_writer_string(&json, "model_type", is_v3 ? "deepseek_v3" : architecture->model_type);
    if (add_all(&json, model, checkpoint, err))
        return -1;
    json_writer_string(&json, "torch_dtype", dtype);
    json_writer_end(&json);
    buffer_add_char(out, '\n');
    return 0;
}

void gguf_config_add_generation(struct buffer *out, const struct gguf_model *model)
{
    static const char *const ends[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    double begin = gguf_model_token(model, "tokenizer.ggml.bos_token_id");
    double seen[3] = {0};
    struct json_writer json = {.out = out, .is_spaced = true, .n_indented = 1};
    size_t n = 0;

    json_writer_object(&json, NULL);
    if (begin >= 0)
        json_writer_size(&json, "bos_token_id", (size_t)begin);
    for (size_t i = 0; i < 3; i++) {
        double end = gguf_model_token(model, ends[i]);
        bool is_new = end >= 0;

        for (size_t k = 0; k < n; k++)
            is_new = is_new && seen[k] != end;
        if (is_new)
            seen[n++] = end;
    }
    if (n)
        json_writer_array(&json, "eos_token_id");
    for (size_t i = 0; i < n; i++)
        json_writer_size(&json, NULL, (size_t)seen[i]);
    if (n)
        json_writer_end(&json);
    json_writer_end(&json);
    buffer_add_char(out, '\n');
}
