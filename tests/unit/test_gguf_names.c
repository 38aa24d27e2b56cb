/* test_gguf_names.c - names and settings of GGUF, and what transformers calls them. */
#include "arch/gguf_names.h"

#include <string.h>

#include "arch/gguf_keys.h"

#include "test.h"

static bool reads(const char *architecture, bool has_experts, const char *gguf, const char *hf,
                  enum gguf_how how)
{
    const struct gguf_architecture *found = gguf_architecture_find(architecture, has_experts);
    struct buffer text = {0};
    struct gguf_place place;
    bool same = found && gguf_names_find(found, gguf, &place) && place.name->how == how;

    if (same && place.name->hf)
        gguf_names_add(&text, place.name->hf, &place);
    same = same && (hf ? text.data && strcmp(text.data, hf) == 0 : !text.data);
    if (!same)
        printf("# %s %s: %s\n", architecture, gguf, text.data ? text.data : "none");
    buffer_release(&text);
    return same;
}

static bool writes(const char *model_type, const char *hf, const char *gguf, enum gguf_how how)
{
    const struct gguf_architecture *found = gguf_architecture_of(model_type);
    struct buffer text = {0};
    struct gguf_place place;
    bool same = found && gguf_names_find_hf(found, hf, &place) && place.name->how == how;

    if (same)
        gguf_names_add(&text, place.name->gguf, &place);
    same = same && strcmp(text.data, gguf) == 0;
    if (!same)
        printf("# %s %s: %s\n", model_type, hf, text.data ? text.data : "none");
    buffer_release(&text);
    return same;
}

static void finds_both_names(void)
{
    static const struct {
        const char *architecture, *model_type;
        bool has_experts;
        const char *gguf, *hf;
        enum gguf_how how;
    } rows[] = {
        {"llama", "llama", false, "token_embd.weight", "model.embed_tokens.weight", GGUF_AS_IS},
        {"llama", "mistral", false, "blk.12.attn_q.weight",
         "model.layers.12.self_attn.q_proj.weight", GGUF_PAIRS_OF_Q},
        {"llama", "llama", false, "blk.0.attn_k.bias", "model.layers.0.self_attn.k_proj.bias",
         GGUF_PAIRS_OF_K},
        {"llama", "mixtral", true, "blk.3.attn_v.weight", "model.layers.3.self_attn.v_proj.weight",
         GGUF_AS_IS},
        {"qwen2", "qwen2", false, "blk.3.attn_q.bias", "model.layers.3.self_attn.q_proj.bias",
         GGUF_AS_IS},
        {"gemma", "gemma", false, "blk.3.ffn_norm.weight",
         "model.layers.3.post_attention_layernorm.weight", GGUF_PLUS_1},
        {"gemma2", "gemma2", false, "blk.3.ffn_norm.weight",
         "model.layers.3.pre_feedforward_layernorm.weight", GGUF_PLUS_1},
        {"gemma3", "gemma3_text", false, "blk.3.attn_q_norm.weight",
         "model.layers.3.self_attn.q_norm.weight", GGUF_PLUS_1},
        {"phi3", "phi3", false, "blk.3.ffn_up.weight", "model.layers.3.mlp.gate_up_proj.weight",
         GGUF_AS_IS},
        {"gpt2", "gpt2", false, "blk.3.attn_qkv.bias", "transformer.h.3.attn.c_attn.bias",
         GGUF_TURNED},
        {"bert", "bert", false, "blk.3.layer_output_norm.bias",
         "encoder.layer.3.output.LayerNorm.bias", GGUF_AS_IS},
        {"qwen2moe", "qwen2_moe", true, "blk.3.ffn_gate_inp_shexp.weight",
         "model.layers.3.mlp.shared_expert_gate.weight", GGUF_AS_IS},
        {"granitemoe", "granitemoe", true, "blk.3.ffn_gate_exps.weight",
         "model.layers.3.block_sparse_moe.input_linear.weight", GGUF_GATE_ROWS},
        {"deepseek2", "deepseek_v2", true, "blk.3.exp_probs_b.bias",
         "model.layers.3.mlp.gate.e_score_correction_bias", GGUF_AS_IS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(reads(rows[i].architecture, rows[i].has_experts, rows[i].gguf, rows[i].hf,
                    rows[i].how));
        CHECK(writes(rows[i].model_type, rows[i].hf, rows[i].gguf, rows[i].how));
    }
}

static void counts_experts(void)
{
    CHECK(writes("mixtral", "model.layers.3.block_sparse_moe.experts.17.w1.weight",
                 "blk.3.ffn_gate_exps.weight", GGUF_STACKED));
    CHECK(writes("qwen3_moe", "model.layers.3.mlp.experts.17.down_proj.weight",
                 "blk.3.ffn_down_exps.weight", GGUF_STACKED));
    CHECK(reads("llama", true, "blk.3.ffn_up.17.weight",
                "model.layers.3.block_sparse_moe.experts.17.w3.weight", GGUF_AS_IS));
    CHECK(reads("llama", true, "blk.3.ffn_gate_up_exps.weight", NULL, GGUF_GATE_UP));
}

static void knows_what_it_does_not_know(void)
{
    const struct gguf_architecture *llama = gguf_architecture_find("llama", false);
    static const char *const others[] = {
        "token_embd", "token_embd.scale", "token_embdweight", "blk..attn_q.weight",
        "blk.01.attn_q.weight", "blk.1234567890.attn_q.weight", "blk.-1.attn_q.weight",
        "blk.0.attn_q.weight.weight", "blk.0.attn_q",
        "blk.0.ffn_gate_exps.weight", "blk.0.attn_q_norm.weight", "position_embd.weight", "",
    };
    struct gguf_place place;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(!gguf_names_find(llama, others[i], &place));
    CHECK(!gguf_architecture_find("qwen2", true) && !gguf_architecture_find("clip", false));
    CHECK(!gguf_architecture_of("gpt_neox"));
    CHECK(!gguf_names_find_hf(llama, "model.layers.0.self_attn.q_norm.weight", &place));
}

/* Two rows for one name would make the second one dead. */
static void has_one_row_for_each_name(void)
{
    static const char *const model_types[] = {
        "llama", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "gemma", "gemma2",
        "gemma3", "phi3", "gpt2", "bert", "granitemoe", "olmoe", "deepseek_v2"};

    for (size_t i = 0; i < sizeof model_types / sizeof *model_types; i++) {
        const struct gguf_architecture *architecture = gguf_architecture_of(model_types[i]);
        const struct gguf_name *a, *b;
        const struct gguf_key *x, *y;

        for (size_t k = 0; (a = gguf_names_next(architecture, &k));)
            for (size_t l = k; (b = gguf_names_next(architecture, &l));)
                CHECK(strcmp(a->gguf, b->gguf) != 0);
        for (size_t k = 0; (x = gguf_keys_next(architecture, &k));)
            for (size_t l = k; (y = gguf_keys_next(architecture, &l));)
                CHECK(strcmp(x->gguf, y->gguf) != 0);
    }
}

static void finds_settings(void)
{
    const struct gguf_architecture *gpt2 = gguf_architecture_of("gpt2");
    const struct gguf_architecture *mixtral = gguf_architecture_of("mixtral");

    CHECK(strcmp(gguf_keys_find(gpt2, "block_count")->config, "n_layer") == 0);
    CHECK(strcmp(gguf_keys_find(mixtral, "expert_count")->config, "num_local_experts") == 0);
    CHECK(gguf_keys_find(gpt2, "expert_count")->role == GGUF_MUST_BE);
    CHECK(!gguf_keys_find(gpt2, "rope.freq_base") && !gguf_keys_find(gpt2, "block_count2"));
}

TESTS(TEST(finds_both_names), TEST(counts_experts), TEST(knows_what_it_does_not_know),
      TEST(has_one_row_for_each_name), TEST(finds_settings))
