/* gguf_names.c - the table of names, and look-ups in it in both directions. */
#include "gguf_names.h"

#include <string.h>

static const struct gguf_architecture architectures[] = {
    {"llama", "llama", "LlamaForCausalLM", false, GGUF_LLAMA},
    {"llama", "mixtral", "MixtralForCausalLM", true, GGUF_MIXTRAL},
    {"qwen2", "qwen2", "Qwen2ForCausalLM", false, GGUF_QWEN2},
    {"qwen3", "qwen3", "Qwen3ForCausalLM", false, GGUF_QWEN3},
    {"qwen2moe", "qwen2_moe", "Qwen2MoeForCausalLM", true, GGUF_QWEN2_MOE},
    {"qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM", true, GGUF_QWEN3_MOE},
    {"gemma", "gemma", "GemmaForCausalLM", false, GGUF_GEMMA},
    {"gemma2", "gemma2", "Gemma2ForCausalLM", false, GGUF_GEMMA2},
    {"gemma3", "gemma3_text", "Gemma3ForCausalLM", false, GGUF_GEMMA3},
    {"phi3", "phi3", "Phi3ForCausalLM", false, GGUF_PHI3},
    {"gpt2", "gpt2", "GPT2LMHeadModel", false, GGUF_GPT2},
    {"bert", "bert", "BertModel", false, GGUF_BERT},
    {"granitemoe", "granitemoe", "GraniteMoeForCausalLM", true, GGUF_GRANITE_MOE},
    {"olmoe", "olmoe", "OlmoeForCausalLM", true, GGUF_OLMOE},
    {"deepseek2", "deepseek_v2", "DeepseekV2ForCausalLM", true, GGUF_DEEPSEEK2},
};

enum { N_ARCHITECTURES = sizeof architectures / sizeof *architectures };

static const struct { /* the same by other names */
    const char *model_type, *ours;
} model_types[] = {
    {"mistral", "llama"},
    {"deepseek_v3", "deepseek_v2"}, /* by expert_gating_func */
    {"gemma3", "gemma3_text"},
};

#define LAYER "model.layers.#."
#define ATTENTION LAYER "self_attn."
#define BERT_LAYER "encoder.layer.#."
#define GPT2_LAYER "transformer.h.#."

enum { /* sets that rows share */
    DECODERS = GGUF_ROTARY,
    /* llama.cpp rotates items 2i and 2i + 1 of a head. */
    PAIRED = GGUF_LLAMA | GGUF_MIXTRAL | GGUF_GRANITE_MOE,
    HALVES = DECODERS & ~(PAIRED | GGUF_PHI3 | GGUF_DEEPSEEK2),
    NORMS = DECODERS & ~GGUF_GEMMAS,
    DENSE = DECODERS & ~(GGUF_EXPERTS | GGUF_PHI3),
    QK_NORMS = GGUF_QWEN3 | GGUF_QWEN3_MOE | GGUF_OLMOE,
    POST_NORMS = GGUF_GEMMA2 | GGUF_GEMMA3,
    W123 = GGUF_MIXTRAL, /* what experts are called */
    PROJ = GGUF_QWEN2_MOE | GGUF_QWEN3_MOE | GGUF_OLMOE,
    /* biases */
    QKV_AND_O = GGUF_LLAMA | GGUF_QWEN3 | GGUF_QWEN3_MOE | GGUF_GEMMAS | GGUF_OLMOE |
                GGUF_GRANITE_MOE,
    ONLY_QKV = GGUF_QWEN2 | GGUF_QWEN2_MOE,
    QKV = QKV_AND_O | ONLY_QKV,
};

/* Of rows that give one name of transformers, the one that is written stands first. */
static const struct gguf_name names[] = {
    {"token_embd", "model.embed_tokens", GGUF_AS_IS, DECODERS, true, 0},
    {"output_norm", "model.norm", GGUF_AS_IS, NORMS, true, 0},
    {"output_norm", "model.norm", GGUF_PLUS_1, GGUF_GEMMAS, true, 0},
    {"output", "lm_head", GGUF_AS_IS, DECODERS | GGUF_GPT2, false, 0},
    {"blk.#.attn_norm", LAYER "input_layernorm", GGUF_AS_IS, NORMS, true, 0},
    {"blk.#.attn_norm", LAYER "input_layernorm", GGUF_PLUS_1, GGUF_GEMMAS, true, 0},
    {"blk.#.ffn_norm", LAYER "post_attention_layernorm", GGUF_AS_IS, NORMS, true, 0},
    {"blk.#.ffn_norm", LAYER "post_attention_layernorm", GGUF_PLUS_1, GGUF_GEMMA, true, 0},
    {"blk.#.post_attention_norm", LAYER "post_attention_layernorm", GGUF_PLUS_1, POST_NORMS, true,
     0},
    {"blk.#.ffn_norm", LAYER "pre_feedforward_layernorm", GGUF_PLUS_1, POST_NORMS, true, 0},
    {"blk.#.post_ffw_norm", LAYER "post_feedforward_layernorm", GGUF_PLUS_1, POST_NORMS, true, 0},
    /* attention */
    {"blk.#.attn_q", ATTENTION "q_proj", GGUF_PAIRS_OF_Q, PAIRED, true, QKV},
    {"blk.#.attn_k", ATTENTION "k_proj", GGUF_PAIRS_OF_K, PAIRED, true, QKV},
    {"blk.#.attn_q", ATTENTION "q_proj", GGUF_AS_IS, HALVES, true, QKV},
    {"blk.#.attn_k", ATTENTION "k_proj", GGUF_AS_IS, HALVES, true, QKV},
    {"blk.#.attn_v", ATTENTION "v_proj", GGUF_AS_IS, PAIRED | HALVES, true, QKV},
    {"blk.#.attn_qkv", NULL, GGUF_QKV, PAIRED | HALVES, false, QKV},
    {"blk.#.attn_qkv", ATTENTION "qkv_proj", GGUF_AS_IS, GGUF_PHI3, true, 0},
    {"blk.#.attn_output", ATTENTION "o_proj", GGUF_AS_IS, DECODERS, true, QKV_AND_O},
    {"blk.#.attn_q_norm", ATTENTION "q_norm", GGUF_AS_IS, QK_NORMS, true, 0},
    {"blk.#.attn_k_norm", ATTENTION "k_norm", GGUF_AS_IS, QK_NORMS, true, 0},
    {"blk.#.attn_q_norm", ATTENTION "q_norm", GGUF_PLUS_1, GGUF_GEMMA3, true, 0},
    {"blk.#.attn_k_norm", ATTENTION "k_norm", GGUF_PLUS_1, GGUF_GEMMA3, true, 0},
    {"blk.#.attn_q", ATTENTION "q_proj", GGUF_AS_IS, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.attn_q_a", ATTENTION "q_a_proj", GGUF_AS_IS, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.attn_q_a_norm", ATTENTION "q_a_layernorm", GGUF_AS_IS, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.attn_q_b", ATTENTION "q_b_proj", GGUF_AS_IS, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.attn_kv_a_mqa", ATTENTION "kv_a_proj_with_mqa", GGUF_AS_IS, GGUF_DEEPSEEK2, true, 0},
    {"blk.#.attn_kv_a_norm", ATTENTION "kv_a_layernorm", GGUF_AS_IS, GGUF_DEEPSEEK2, true, 0},
    {"blk.#.attn_kv_b", ATTENTION "kv_b_proj", GGUF_AS_IS, GGUF_DEEPSEEK2, true, 0},
    {"blk.#.attn_k_b", NULL, GGUF_K_B, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.attn_v_b", NULL, GGUF_V_B, GGUF_DEEPSEEK2, false, 0},
    {"rope_freqs", NULL, GGUF_ROPE, GGUF_ROTARY, false, 0},
    {"rope_factors_long", NULL, GGUF_ROPE, GGUF_ROTARY, false, 0},
    {"rope_factors_short", NULL, GGUF_ROPE, GGUF_ROTARY, false, 0},
    {"blk.#.attn_rot_embd", NULL, GGUF_DROPPED, GGUF_ROTARY, false, 0},
     /* of old files: frequencies */
    /* one MLP */
    {"blk.#.ffn_gate", LAYER "mlp.gate_proj", GGUF_AS_IS, DENSE, true, GGUF_LLAMA},
    {"blk.#.ffn_up", LAYER "mlp.up_proj", GGUF_AS_IS, DENSE, true, GGUF_LLAMA},
    {"blk.#.ffn_down", LAYER "mlp.down_proj", GGUF_AS_IS, DENSE | GGUF_PHI3, true, GGUF_LLAMA},
    {"blk.#.ffn_up", LAYER "mlp.gate_up_proj", GGUF_AS_IS, GGUF_PHI3, true, 0},
    /* Layers without experts. */
    {"blk.#.ffn_gate", LAYER "mlp.gate_proj", GGUF_AS_IS, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.ffn_up", LAYER "mlp.up_proj", GGUF_AS_IS, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.ffn_down", LAYER "mlp.down_proj", GGUF_AS_IS, GGUF_DEEPSEEK2, false, 0},
    /* experts */
    {"blk.#.ffn_gate_inp", LAYER "block_sparse_moe.gate", GGUF_AS_IS, W123, true, 0},
    {"blk.#.ffn_gate_exps", LAYER "block_sparse_moe.experts.@.w1", GGUF_STACKED, W123, true, 0},
    {"blk.#.ffn_down_exps", LAYER "block_sparse_moe.experts.@.w2", GGUF_STACKED, W123, true, 0},
    {"blk.#.ffn_up_exps", LAYER "block_sparse_moe.experts.@.w3", GGUF_STACKED, W123, true, 0},
    {"blk.#.ffn_gate.@", LAYER "block_sparse_moe.experts.@.w1", GGUF_AS_IS, W123, false, 0},
    {"blk.#.ffn_down.@", LAYER "block_sparse_moe.experts.@.w2", GGUF_AS_IS, W123, false, 0},
    {"blk.#.ffn_up.@", LAYER "block_sparse_moe.experts.@.w3", GGUF_AS_IS, W123, false, 0},
    {"blk.#.ffn_gate_inp", LAYER "mlp.gate", GGUF_AS_IS, PROJ, true, 0},
    {"blk.#.ffn_gate_exps", LAYER "mlp.experts.@.gate_proj", GGUF_STACKED, PROJ, true, 0},
    {"blk.#.ffn_down_exps", LAYER "mlp.experts.@.down_proj", GGUF_STACKED, PROJ, true, 0},
    {"blk.#.ffn_up_exps", LAYER "mlp.experts.@.up_proj", GGUF_STACKED, PROJ, true, 0},
    /* Not in the first layers: */
    {"blk.#.ffn_gate_inp", LAYER "mlp.gate", GGUF_AS_IS, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.ffn_gate_exps", LAYER "mlp.experts.@.gate_proj", GGUF_STACKED, GGUF_DEEPSEEK2, false,
     0},
    {"blk.#.ffn_down_exps", LAYER "mlp.experts.@.down_proj", GGUF_STACKED, GGUF_DEEPSEEK2, false,
     0},
    {"blk.#.ffn_up_exps", LAYER "mlp.experts.@.up_proj", GGUF_STACKED, GGUF_DEEPSEEK2, false, 0},
    {"blk.#.ffn_gate_up_exps", NULL, GGUF_GATE_UP, W123 | PROJ | GGUF_DEEPSEEK2, false, 0},
    {"blk.#.ffn_gate_inp", LAYER "block_sparse_moe.router.layer", GGUF_AS_IS, GGUF_GRANITE_MOE,
     true, 0},
    {"blk.#.ffn_gate_exps", LAYER "block_sparse_moe.input_linear", GGUF_GATE_ROWS, GGUF_GRANITE_MOE,
     true, 0},
    {"blk.#.ffn_up_exps", LAYER "block_sparse_moe.input_linear", GGUF_UP_ROWS, GGUF_GRANITE_MOE,
     true, 0},
    {"blk.#.ffn_gate_up_exps", LAYER "block_sparse_moe.input_linear", GGUF_AS_IS, GGUF_GRANITE_MOE,
     false, 0},
    {"blk.#.ffn_down_exps", LAYER "block_sparse_moe.output_linear", GGUF_AS_IS, GGUF_GRANITE_MOE,
     true, 0},
    {"blk.#.ffn_gate_shexp", LAYER "mlp.shared_expert.gate_proj", GGUF_AS_IS, GGUF_QWEN2_MOE,
     false, 0},
    {"blk.#.ffn_up_shexp", LAYER "mlp.shared_expert.up_proj", GGUF_AS_IS, GGUF_QWEN2_MOE, false, 0},
    {"blk.#.ffn_down_shexp", LAYER "mlp.shared_expert.down_proj", GGUF_AS_IS, GGUF_QWEN2_MOE,
     false, 0},
    {"blk.#.ffn_gate_inp_shexp", LAYER "mlp.shared_expert_gate", GGUF_AS_IS, GGUF_QWEN2_MOE, false,
     0},
    {"blk.#.ffn_gate_shexp", LAYER "mlp.shared_experts.gate_proj", GGUF_AS_IS, GGUF_DEEPSEEK2,
     false, 0},
    {"blk.#.ffn_up_shexp", LAYER "mlp.shared_experts.up_proj", GGUF_AS_IS, GGUF_DEEPSEEK2, false,
     0},
    {"blk.#.ffn_down_shexp", LAYER "mlp.shared_experts.down_proj", GGUF_AS_IS, GGUF_DEEPSEEK2,
     false, 0},
    {"blk.#.exp_probs_b.bias", LAYER "mlp.gate.e_score_correction_bias", GGUF_AS_IS, GGUF_DEEPSEEK2,
     false, 0},
    /* GPT-2 */
    {"token_embd", "transformer.wte", GGUF_AS_IS, GGUF_GPT2, true, 0},
    {"position_embd", "transformer.wpe", GGUF_AS_IS, GGUF_GPT2, true, 0},
    {"output_norm", "transformer.ln_f", GGUF_AS_IS, GGUF_GPT2, true, GGUF_GPT2},
    {"blk.#.attn_norm", GPT2_LAYER "ln_1", GGUF_AS_IS, GGUF_GPT2, true, GGUF_GPT2},
    {"blk.#.attn_qkv", GPT2_LAYER "attn.c_attn", GGUF_TURNED, GGUF_GPT2, true, GGUF_GPT2},
    {"blk.#.attn_output", GPT2_LAYER "attn.c_proj", GGUF_TURNED, GGUF_GPT2, true, GGUF_GPT2},
    {"blk.#.ffn_norm", GPT2_LAYER "ln_2", GGUF_AS_IS, GGUF_GPT2, true, GGUF_GPT2},
    {"blk.#.ffn_up", GPT2_LAYER "mlp.c_fc", GGUF_TURNED, GGUF_GPT2, true, GGUF_GPT2},
    {"blk.#.ffn_down", GPT2_LAYER "mlp.c_proj", GGUF_TURNED, GGUF_GPT2, true, GGUF_GPT2},
    /* BERT */
    {"token_embd", "embeddings.word_embeddings", GGUF_AS_IS, GGUF_BERT, true, 0},
    {"position_embd", "embeddings.position_embeddings", GGUF_AS_IS, GGUF_BERT, true, 0},
    {"token_types", "embeddings.token_type_embeddings", GGUF_AS_IS, GGUF_BERT, true, 0},
    {"token_embd_norm", "embeddings.LayerNorm", GGUF_AS_IS, GGUF_BERT, true, GGUF_BERT},
    {"blk.#.attn_q", BERT_LAYER "attention.self.query", GGUF_AS_IS, GGUF_BERT, true, GGUF_BERT},
    {"blk.#.attn_k", BERT_LAYER "attention.self.key", GGUF_AS_IS, GGUF_BERT, true, GGUF_BERT},
    {"blk.#.attn_v", BERT_LAYER "attention.self.value", GGUF_AS_IS, GGUF_BERT, true, GGUF_BERT},
    {"blk.#.attn_qkv", NULL, GGUF_QKV, GGUF_BERT, false, GGUF_BERT},
    {"blk.#.attn_output", BERT_LAYER "attention.output.dense", GGUF_AS_IS, GGUF_BERT, true,
     GGUF_BERT},
    {"blk.#.attn_output_norm", BERT_LAYER "attention.output.LayerNorm", GGUF_AS_IS, GGUF_BERT,
     true, GGUF_BERT},
    {"blk.#.ffn_up", BERT_LAYER "intermediate.dense", GGUF_AS_IS, GGUF_BERT, true, GGUF_BERT},
    {"blk.#.ffn_down", BERT_LAYER "output.dense", GGUF_AS_IS, GGUF_BERT, true, GGUF_BERT},
    {"blk.#.layer_output_norm", BERT_LAYER "output.LayerNorm", GGUF_AS_IS, GGUF_BERT, true,
     GGUF_BERT},
};

enum { N_NAMES = sizeof names / sizeof *names };

/* ---- architectures ---- */

const struct gguf_architecture *gguf_architecture_find(const char *name, bool has_experts)
{
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(architectures[i].name, name) == 0 &&
            architectures[i].has_experts == has_experts)
            return &architectures[i];
    return NULL;
}

const struct gguf_architecture *gguf_architecture_of(const char *model_type)
{
    for (size_t i = 0; i < sizeof model_types / sizeof *model_types; i++)
        if (strcmp(model_type, model_types[i].model_type) == 0)
            model_type = model_types[i].ours;
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(architectures[i].model_type, model_type) == 0)
            return &architectures[i];
    return NULL;
}

void gguf_architecture_list(struct buffer *out)
{
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (i == 0 || strcmp(architectures[i].name, architectures[i - 1].name) != 0)
            buffer_format(out, "%s%s", i ? ", " : "", architectures[i].name);
}

/* ---- names ---- */

const struct gguf_name *gguf_names_next(const struct gguf_architecture *architecture, size_t *i)
{
    while (*i < N_NAMES) {
        const struct gguf_name *name = &names[(*i)++];

        if (name->set & architecture->set)
            return name;
    }
    return NULL;
}

/* Reads a number as it is written, without needless zeros. */
static bool read_number(const char **at, size_t *number)
{
    const char *first = *at;

    for (*number = 0; **at >= '0' && **at <= '9' && *at - first < 9; ++*at)
        *number = 10 * *number + (size_t)(**at - '0');
    return *at > first && (*first != '0' || *at - first == 1);
}

static bool matches(const char *pattern, const char *text, struct gguf_place *place)
{
    const char *const endings[] = {".weight", ".bias"};

    place->layer = place->expert = 0;
    place->ending = "";
    for (; *pattern; pattern++) {
        if (*pattern == '#' || *pattern == '@') {
            if (!read_number(&text, *pattern == '#' ? &place->layer : &place->expert))
                return false;
        } else if (*pattern != *text++) {
            return false;
        }
    }
    for (size_t i = 0; i < 2; i++)
        if (strcmp(text, endings[i]) == 0)
            place->ending = endings[i];
    return strcmp(text, place->ending) == 0;
}

/* Whether names that the row gives are whole as they are, and not to be followed by an ending. */
static bool is_whole(const struct gguf_name *name)
{
    size_t length = strlen(name->gguf);

    return length > 5 && strcmp(name->gguf + length - 5, ".bias") == 0;
}

static bool find(const struct gguf_architecture *architecture, const char *text, bool is_hf,
                 struct gguf_place *place)
{
    const struct gguf_name *name;

    for (size_t i = 0; (name = gguf_names_next(architecture, &i));) {
        const char *pattern = is_hf ? name->hf : name->gguf;

        place->name = name;
        if (pattern && matches(pattern, text, place) && is_whole(name) == !*place->ending)
            return true;
    }
    return false;
}

bool gguf_names_find(const struct gguf_architecture *architecture, const char *gguf,
                     struct gguf_place *place)
{
    return find(architecture, gguf, false, place);
}

bool gguf_names_find_hf(const struct gguf_architecture *architecture, const char *hf,
                        struct gguf_place *place)
{
    return find(architecture, hf, true, place);
}

void gguf_names_add(struct buffer *out, const char *pattern, const struct gguf_place *place)
{
    for (; *pattern; pattern++)
        if (*pattern == '#' || *pattern == '@')
            buffer_format(out, "%zu", *pattern == '#' ? place->layer : place->expert);
        else
            buffer_add(out, pattern, 1);
    buffer_add_text(out, place->ending);
}
