#include "arch/model_spec.h"

#include <math.h>

#include "arch/families.h"
#include "arch/model_folder.h"
#include "model/model.h"
#include "model/position.h"
#include "scratch.h"

static int load(struct model_spec *spec, const char *text, enum model_type type,
                struct error *err)
{
    struct config config = {0};
    struct folder *folder;
    int rc;

    *spec = (struct model_spec){0};
    *err = (struct error){0};
    scratch_text("model/config.json", text);
    folder = folder_open(scratch_path("model"), false, err);
    rc = config_load(&config, folder, "", false, err);
    if (rc == 0)
        rc = model_spec_load(spec, &config, type, "model", err);
    config_release(&config);
    folder_close(folder);
    return rc;
}

static void what_config_json_leaves_out_is_the_default_of_the_class(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"architectures\":[\"MistralForCausalLM\"]}", MODEL_DECODER, &err) == 0);
    CHECK(spec.hidden_size == 4096 && spec.stack.n_layers == 32 && spec.stack.n_heads == 32);
    CHECK(spec.stack.n_kv_heads == 8 && spec.stack.head_dim == 128);
    CHECK(spec.stack.window == 4096 && spec.stack.slides[0] && spec.stack.slides[31]);
    CHECK(spec.stack.norm_eps == 1e-6f && spec.stack.rope[0].theta == 1e4);
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"model_type\":\"t5\"}", MODEL_ENCODER_DECODER, &err) == 0);
    CHECK(spec.stack.n_layers == 6 && spec.encoder.n_layers == 6 && spec.stack.head_dim == 64);
    CHECK(spec.logit_scale == (float)(1 / sqrt(512)) && spec.max_tokens == 0);
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"architectures\":[\"GPTNeoXForCausalLM\"]}", MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.head_dim == 96 && spec.stack.rope[0].n_dims == 24); /* a quarter rotates */
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"architectures\":[\"BertModel\"]}", MODEL_ENCODER, &err) == 0);
    CHECK(spec.pad_id == 0);
    model_spec_release(&spec);
}

static void null_is_absent_but_for_what_it_switches_off(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"architectures\":[\"MistralForCausalLM\"],\"head_dim\":null,"
                      "\"num_key_value_heads\":null,\"sliding_window\":null}", MODEL_DECODER,
               &err) == 0);
    CHECK(spec.stack.n_kv_heads == 32 && spec.stack.head_dim == 128);
    CHECK(spec.stack.window == 0 && !spec.stack.slides[0]);
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"architectures\":[\"Gemma2ForCausalLM\"],\"final_logit_softcapping\":null}",
               MODEL_DECODER, &err) == 0);
    CHECK(spec.logit_softcap == 0 && spec.stack.score_softcap == 50);
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"architectures\":[\"BertModel\"],\"pad_token_id\":null}", MODEL_ENCODER,
               &err) == 0);
    CHECK(spec.pad_id == -1);
    model_spec_release(&spec);
}

static void dynamic_rotation_sets_no_limit_to_a_text(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"architectures\":[\"LlamaForCausalLM\"]}", MODEL_DECODER, &err) == 0);
    CHECK(spec.max_tokens == 2048);
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"architectures\":[\"LlamaForCausalLM\"],"
                      "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}}", MODEL_DECODER,
               &err) == 0);
    CHECK(spec.max_tokens == 0);
    model_spec_release(&spec);
}

static void the_part_about_the_text_model_counts(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"architectures\":[\"Gemma3ForConditionalGeneration\"],\"text_config\":"
                      "{\"hidden_size\":2560,\"num_hidden_layers\":34,\"sliding_window\":1024,"
                      "\"rope_scaling\":{\"factor\":8.0,\"rope_type\":\"linear\"}}}",
               MODEL_DECODER, &err) == 0);
    CHECK(spec.hidden_size == 2560 && spec.stack.n_heads == 8 && spec.stack.head_dim == 256);
    CHECK(spec.stack.slides[0] && !spec.stack.slides[5] && spec.stack.slides[33]);
    CHECK(spec.stack.rope[0].kind == ROPE_LINEAR && spec.stack.rope[0].factor == 8);
    CHECK(spec.stack.rope[1].kind == ROPE_DEFAULT && spec.stack.rope[1].theta == 1e4);
    CHECK(spec.embedding_scale == sqrtf(2560));
    model_spec_release(&spec);
}

static void a_yarn_factor_follows_from_the_lengths(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"architectures\":[\"LlamaForCausalLM\"],\"max_position_embeddings\":8192,"
                      "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":null,"
                      "\"original_max_position_embeddings\":2048}}", MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.rope[0].factor == 4);
    CHECK(spec.stack.rope[0].attention_factor == 0.1 * log(4) + 1);
    model_spec_release(&spec);
}

/* Which tokens see which in transformers 5.24. */
static void attention_is_causal_where_config_json_says_so(void)
{
    static const struct {
        const char *config;
        bool is_causal;
        size_t window;
    } cases[] = {
        {"\"LlamaModel\"]", true, 0},
        {"\"LlamaModel\"],\"is_causal\":true", true, 0},
        {"\"LlamaModel\"],\"is_causal\":false", false, 0},
        {"\"GPT2Model\"],\"is_causal\":false", false, 0},
        {"\"GPTNeoXModel\"],\"is_causal\":false,\"is_decoder\":true", false, 0},
        {"\"MistralModel\"],\"sliding_window\":4", true, 4},
        {"\"MistralModel\"],\"sliding_window\":4,\"is_causal\":false", false, 5},
        {"\"Gemma3TextModel\"],\"sliding_window\":6", true, 6},
        {"\"Gemma3TextModel\"],\"sliding_window\":6,\"use_bidirectional_attention\":true", false,
         4},
        {"\"Gemma3TextModel\"],\"sliding_window\":6,\"use_bidirectional_attention\":true,"
         "\"is_causal\":false", false, 5},
        {"\"Gemma3TextModel\"],\"sliding_window\":6,\"is_causal\":false", false, 7},
        {"\"BertModel\"],\"is_causal\":false", false, 0},
        {"\"BertModel\"],\"is_decoder\":true", true, 0},
        {"\"XLMRobertaModel\"],\"is_decoder\":true,\"is_causal\":true", true, 0},
        {"\"RobertaModel\"],\"is_decoder\":true,\"is_causal\":false", false, 0},
        {"\"DistilBertModel\"],\"is_decoder\":true", false, 0},
    };
    static const char *const refused[] = {
        "\"BertModel\"],\"is_causal\":true", "\"DistilBertModel\"],\"is_causal\":true",
        "\"T5EncoderModel\"],\"is_causal\":false", "\"ModuleFormerModel\"],\"is_causal\":false",
        "\"OpenMoeModel\"],\"num_experts\":4,\"is_causal\":false",
    };
    struct model_spec spec;
    struct error err;
    char text[256];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "{\"architectures\":[%s}", cases[i].config);
        CHECK(load(&spec, text, MODEL_ENCODER, &err) == 0);
        CHECK(spec.stack.is_causal == cases[i].is_causal && spec.stack.window == cases[i].window);
        if (spec.stack.is_causal != cases[i].is_causal || spec.stack.window != cases[i].window)
            printf("# %s: %d, %zu\n", text, spec.stack.is_causal, spec.stack.window);
        model_spec_release(&spec);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(text, sizeof text, "{\"architectures\":[%s}", refused[i]);
        CHECK(load(&spec, text, MODEL_ENCODER, &err) == -1 && err.code == ERROR_UNSUPPORTED);
        CHECK_CONTAINS(err.text, "is_causal is ");
        model_spec_release(&spec);
    }
}

static void bad_values_are_named(void)
{
    static const struct {
        const char *members, *text;
        enum error_code code;
    } cases[] = {
        {"\"hidden_size\":0", "hidden_size must be a whole number from 1 to", ERROR_FORMAT},
        {"\"hidden_size\":1e30", "hidden_size must be a whole number", ERROR_FORMAT},
        {"\"hidden_size\":12.5", "hidden_size must be a whole number", ERROR_FORMAT},
        {"\"hidden_size\":\"12\"", "hidden_size must be a whole number", ERROR_FORMAT},
        {"\"hidden_size\":100,\"num_attention_heads\":3", "is no multiple of 3 heads",
         ERROR_FORMAT},
        {"\"num_attention_heads\":8,\"num_key_value_heads\":3",
         "8 heads are no multiple of 3 key-value heads", ERROR_FORMAT},
        {"\"num_hidden_layers\":1000000", "num_hidden_layers must be", ERROR_FORMAT},
        {"\"rms_norm_eps\":-1", "rms_norm_eps must be a number from 0 to 1", ERROR_FORMAT},
        {"\"hidden_act\":\"mish\"", "unknown activation 'mish'", ERROR_UNSUPPORTED},
        {"\"pad_token_id\":\"x\"", "pad_token_id is no token id", ERROR_FORMAT},
        {"\"rope_theta\":0", "rope_theta is 0", ERROR_FORMAT},
        {"\"rope_scaling\":{\"type\":\"spiral\",\"factor\":2}", "unknown rope_type 'spiral'",
         ERROR_UNSUPPORTED},
        {"\"rope_scaling\":{\"type\":\"linear\"}", "factor is missing", ERROR_FORMAT},
        {"\"rope_scaling\":{\"type\":\"linear\",\"factor\":-2}", "factor is -2; it must be from",
         ERROR_FORMAT},
        {"\"rope_scaling\":{\"type\":\"longrope\",\"factor\":2,\"short_factor\":[1],"
         "\"long_factor\":[1]}", "short_factor must be a list of 64 numbers", ERROR_FORMAT},
        {"\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,"
         "\"high_freq_factor\":1}", "high_freq_factor must be above low_freq_factor",
         ERROR_FORMAT},
        {"\"head_dim\":5", "5 of 5 dimensions of a head would rotate", ERROR_FORMAT},
        {"\"layer_types\":[\"full_attention\"]", "layer_types must be a list of 32 names",
         ERROR_FORMAT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_spec spec;
        struct error err;
        char text[512];

        snprintf(text, sizeof text, "{\"architectures\":[\"LlamaForCausalLM\"],%s}",
                 cases[i].members);
        CHECK(load(&spec, text, MODEL_DECODER, &err) == -1);
        CHECK(err.code == cases[i].code);
        CHECK_CONTAINS(err.text, cases[i].text);
        CHECK_CONTAINS(err.text, "'model");
        CHECK(!spec.stack.slides);
    }
}

static void numbers_of_experts_are_checked(void)
{
    static const struct {
        const char *members, *text;
    } cases[] = {
        {"\"num_local_experts\":0", "num_local_experts must be a whole number from 1 to 65536"},
        {"\"num_local_experts\":1000000", "num_local_experts must be a whole number"},
        {"\"num_local_experts\":1.5", "num_local_experts must be a whole number"},
        {"\"num_experts_per_tok\":0", "num_experts_per_tok must be a whole number"},
        {"\"num_local_experts\":4,\"num_experts_per_tok\":5", "5 experts for each token, of 4"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_spec spec;
        struct error err;
        char text[512];

        snprintf(text, sizeof text, "{\"architectures\":[\"MixtralForCausalLM\"],%s}",
                 cases[i].members);
        CHECK(load(&spec, text, MODEL_DECODER, &err) == -1);
        CHECK(err.code == ERROR_FORMAT);
        CHECK_CONTAINS(err.text, cases[i].text);
    }
}

/* Whatever a family calls them. */
static void numbers_of_experts_are_checked_in_all_families(void)
{
    static const struct {
        const char *name, *count, *chosen; /* chosen NULL: always one */
    } families[] = {
        {"MixtralForCausalLM", "num_local_experts", "num_experts_per_tok"},
        {"Qwen2MoeForCausalLM", "num_experts", "num_experts_per_tok"},
        {"Qwen3MoeForCausalLM", "num_experts", "num_experts_per_tok"},
        {"OlmoeForCausalLM", "num_experts", "num_experts_per_tok"},
        {"DeepseekForCausalLM", "n_routed_experts", "num_experts_per_tok"},
        {"DeepseekV2ForCausalLM", "n_routed_experts", "num_experts_per_tok"},
        {"DeepseekV3ForCausalLM", "n_routed_experts", "num_experts_per_tok"},
        {"GptOssForCausalLM", "num_local_experts", "experts_per_token"},
        {"PhiMoEForCausalLM", "num_local_experts", "num_experts_per_tok"},
        {"GraniteMoeForCausalLM", "num_local_experts", "num_experts_per_tok"},
        {"JetMoeForCausalLM", "moe_num_experts", "moe_top_k"},
        {"ModuleFormerForCausalLM", "n_mlp_experts", "k_mlp"},
        {"ModuleFormerForCausalLM", "n_att_experts", "k_att"},
        {"OpenMoeForCausalLM", "num_experts", "router_topk"},
        {"SwitchTransformersForConditionalGeneration", "num_experts", NULL},
    };
    static const struct {
        const char *count, *chosen, *text;
    } cases[] = {
        {"0", "1", "must be a whole number from 1 to 65536"},
        {"1000000", "1", "must be a whole number from 1 to 65536"},
        {"-1", "1", "must be a whole number from 1 to 65536"},
        {"\"8\"", "1", "must be a whole number from 1 to 65536"},
        {"8", "0", "must be a whole number from 1 to 65536"},
        {"8", "9", "9 experts for each token, of 8"},
    };

    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (size_t i = 0; i < (families[f].chosen ? 6 : 4); i++) {
            struct model_spec spec;
            struct error err;
            char text[512];

            snprintf(text, sizeof text, "{\"architectures\":[\"%s\"],\"%s\":%s,\"%s\":%s}",
                     families[f].name, families[f].count, cases[i].count,
                     families[f].chosen ? families[f].chosen : "other", cases[i].chosen);
            CHECK(load(&spec, text, MODEL_DECODER, &err) == -1);
            CHECK(err.code == ERROR_FORMAT);
            CHECK_CONTAINS(err.text, cases[i].text);
            CHECK(!spec.stack.slides && !spec.stack.is_sparse);
        }
}

static void what_does_not_fit_in_molm_or_openmoe_is_named(void)
{
    static const struct {
        const char *name, *members, *text;
        enum error_code code;
    } cases[] = {
        {"ModuleFormer", "\"gate_type\":\"spiral\"", "unknown gate_type 'spiral'",
         ERROR_UNSUPPORTED},
        {"ModuleFormer", "\"att_hidden\":9,\"n_head\":2", "att_hidden 9 is no multiple of 2 heads",
         ERROR_FORMAT},
        {"ModuleFormer", "\"att_hidden\":10000000,\"k_att\":32",
         "att_hidden 10000000, with 32 experts", ERROR_FORMAT},
        {"ModuleFormer", "\"gating_size\":0", "gating_size must be a whole number", ERROR_FORMAT},
        {"ModuleFormer", "\"activation_function\":\"swiglu\"", "the activation 'swiglu'",
         ERROR_UNSUPPORTED},
        {"OpenMoe", "\"other\":0", "num_experts is missing", ERROR_FORMAT},
        {"OpenMoe", "\"num_experts\":8,\"router_topk\":3", "its router chooses 1 or 2",
         ERROR_FORMAT},
        {"OpenMoe", "\"num_experts\":8,\"moe_layer_interval\":0", "moe_layer_interval is 0",
         ERROR_FORMAT},
        {"OpenMoe", "\"num_experts\":8,\"router_capacity_factor_eval\":0",
         "router_capacity_factor_eval is 0", ERROR_FORMAT},
        {"OpenMoe", "\"num_experts\":8,\"hidden_act\":\"silu\"",
         "the activation 'silu' in place of 'swiglu'", ERROR_UNSUPPORTED},
        {"OpenMoe", "\"num_experts\":8,\"mlp_gated\":false", "mlp_gated is false",
         ERROR_UNSUPPORTED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_spec spec;
        struct error err;
        char text[512];

        snprintf(text, sizeof text, "{\"architectures\":[\"%sForCausalLM\"],%s}", cases[i].name,
                 cases[i].members);
        CHECK(load(&spec, text, MODEL_DECODER, &err) == -1);
        CHECK(err.code == cases[i].code);
        CHECK_CONTAINS(err.text, cases[i].text);
    }
}

static void of_molm_and_openmoe_what_the_original_ignores_does_not_count(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"architectures\":[\"ModuleFormerForCausalLM\"],\"n_ctx\":27,"
                      "\"layer_norm_epsilon\":0.01}", MODEL_DECODER, &err) == 0);
    CHECK(spec.max_tokens == 0 && spec.stack.norm_eps == 1e-5f);
    CHECK(spec.stack.final_norm_eps == 1e-5f && spec.stack.head_dim == 64);
    CHECK(spec.stack.n_heads == 16 && spec.stack.n_kv_heads == 8 && !spec.stack.lacks_kv);
    CHECK(spec.stack.attention_moe.n_experts == 32 && spec.stack.moe.intermediate_size == 2048);
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"architectures\":[\"OpenMoeForCausalLM\"],\"model_type\":\"llama\","
                      "\"num_experts\":32,\"rope_theta\":5,\"rope_scaling\":{\"type\":\"linear\","
                      "\"factor\":2},\"attention_bias\":true,\"hidden_size\":2048,"
                      "\"num_attention_heads\":24,\"head_dim\":128}", MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.rope[0].theta == 1e4 && spec.stack.rope[0].kind == ROPE_DEFAULT);
    CHECK(!spec.stack.has_qkv_bias && spec.stack.score_scale == 1);
    CHECK(!spec.stack.is_sparse[2] && spec.stack.is_sparse[3]);
    CHECK(spec.stack.moe.capacity_factor == 2 && spec.stack.moe.min_capacity == 4);
    model_spec_release(&spec);
}

static void latent_attention_is_what_the_class_has_by_default(void)
{
    static const char yarn[] =
        "{\"architectures\":[\"DeepseekV3ForCausalLM\"],\"rope_scaling\":{\"type\":\"yarn\","
        "\"factor\":40,\"original_max_position_embeddings\":4096,\"mscale\":1.0,"
        "\"mscale_all_dim\":1.0},\"q_lora_rank\":null,\"n_shared_experts\":null,"
        "\"norm_topk_prob\":false,\"first_k_dense_replace\":4,\"moe_layer_freq\":3}";
    double factor = 0.1 * log(40) + 1;
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"model_type\":\"deepseek_v3\"}", MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.head_dim == 192 && spec.stack.v_head_dim == 128);
    CHECK(spec.stack.n_kv_heads == 128);
    CHECK(spec.stack.rope[0].n_dims == 64 && spec.stack.score_scale == (float)(1 / sqrt(192)));
    CHECK(spec.stack.mla.kv_lora_rank == 512 && spec.stack.mla.q_lora_rank == 1536);
    CHECK(spec.stack.mla.qk_nope_head_dim == 128 && spec.stack.has_interleaved_rope);
    CHECK(spec.stack.moe.n_experts == 256 && spec.stack.moe.n_chosen == 8);
    CHECK(spec.stack.moe.n_groups == 8 && spec.stack.moe.n_kept_groups == 4);
    CHECK(spec.stack.moe.shared_size == 2048 && spec.stack.moe.routed_scaling_factor == 2.5f);
    CHECK(spec.stack.moe.router == ROUTER_SIGMOID_SUM_1);
    CHECK(!spec.stack.is_sparse[2] && spec.stack.is_sparse[3]);
    model_spec_release(&spec);
    CHECK(load(&spec, yarn, MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.mla.q_lora_rank == 0 && spec.stack.moe.shared_size == 0);
    CHECK(spec.stack.rope[0].attention_factor == 1);
    CHECK(spec.stack.score_scale == (float)(1 / sqrt(192) * factor * factor));
    CHECK(spec.stack.moe.router == ROUTER_SIGMOID);
    CHECK(!spec.stack.is_sparse[3] && !spec.stack.is_sparse[5] && spec.stack.is_sparse[6]);
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"model_type\":\"deepseek_v2\",\"num_experts_per_tok\":6,\"n_group\":7}",
               MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.moe.n_groups == 0 && spec.stack.moe.router == ROUTER_TOP_P);
    CHECK(spec.stack.moe.shared_size == 2 * 1407 && spec.stack.is_sparse[0]);
    model_spec_release(&spec);
}

static void the_first_deepseek_has_llamas_attention(void)
{
    static const char plain[] =
        "{\"model_type\":\"deepseek\",\"n_routed_experts\":64,\"num_experts_per_tok\":6";
    struct model_spec spec;
    struct error err;
    char text[512];

    snprintf(text, sizeof text, "%s}", plain);
    CHECK(load(&spec, text, MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.qkv == QKV_SEPARATE && spec.stack.head_dim == 128);
    CHECK(spec.stack.n_layers == 30 && spec.vocab_size == 102400 && !spec.stack.has_o_bias);
    CHECK(spec.stack.moe.router == ROUTER_TOP_P && spec.stack.moe.shared_size == 0);
    CHECK(spec.stack.moe.intermediate_size == 1407 && spec.stack.is_sparse[0]);
    CHECK(spec.stack.moe.routed_scaling_factor == 1 && !spec.stack.moe.has_shared_gate);
    model_spec_release(&spec);
    snprintf(text, sizeof text, "%s,\"norm_topk_prob\":true,\"n_shared_experts\":2,"
             "\"first_k_dense_replace\":1,\"attention_bias\":true}", plain);
    CHECK(load(&spec, text, MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.moe.router == ROUTER_TOP_P_SUM_1 && spec.stack.moe.shared_size == 2814);
    CHECK(!spec.stack.is_sparse[0] && spec.stack.is_sparse[1]);
    CHECK(spec.stack.has_qkv_bias && spec.stack.has_o_bias);
    model_spec_release(&spec);
    CHECK(load(&spec, "{\"model_type\":\"deepseek\",\"n_routed_experts\":64,"
                      "\"num_experts_per_tok\":1,\"norm_topk_prob\":true}",
               MODEL_DECODER, &err) == 0);
    CHECK(spec.stack.moe.router == ROUTER_TOP_P);
    model_spec_release(&spec);
    snprintf(text, sizeof text, "%s,\"scoring_func\":\"sigmoid\"}", plain);
    CHECK(load(&spec, text, MODEL_DECODER, &err) == -1 && err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "scoring_func 'sigmoid'; only 'softmax' is supported");
    CHECK(load(&spec, "{\"model_type\":\"deepseek\"}", MODEL_DECODER, &err) == -1);
    CHECK_CONTAINS(err.text, "num_experts is missing");
}

static void what_does_not_fit_in_a_deepseek_is_named(void)
{
    static const struct {
        const char *members, *text;
        enum error_code code;
    } cases[] = {
        {"\"n_group\":3", "256 experts cannot be divided into 3 groups", ERROR_FORMAT},
        {"\"n_group\":null", "n_group is missing", ERROR_FORMAT},
        {"\"n_group\":0", "n_group must be a whole number from 1", ERROR_FORMAT},
        {"\"topk_group\":9", "topk_group is 9, of 8 groups", ERROR_FORMAT},
        {"\"topk_group\":1,\"num_experts_per_tok\":33",
         "33 experts for each token, of 32 in 1 groups", ERROR_FORMAT},
        {"\"n_group\":256,\"topk_group\":8", "groups of one expert", ERROR_FORMAT},
        {"\"num_experts_per_tok\":257", "257 experts for each token, of 256", ERROR_FORMAT},
        {"\"kv_lora_rank\":null", "kv_lora_rank is missing", ERROR_FORMAT},
        {"\"kv_lora_rank\":0", "kv_lora_rank must be a whole number from 1", ERROR_FORMAT},
        {"\"q_lora_rank\":-1", "q_lora_rank must be a whole number from 1", ERROR_FORMAT},
        {"\"qk_rope_head_dim\":7", "7 of 7 dimensions of a head would rotate", ERROR_FORMAT},
        {"\"qk_nope_head_dim\":0", "qk_nope_head_dim must be a whole number", ERROR_FORMAT},
        {"\"v_head_dim\":null", "v_head_dim is missing", ERROR_FORMAT},
        {"\"v_head_dim\":100000,\"num_attention_heads\":100000,\"num_key_value_heads\":1",
         "100000 heads of 192 and 100000 dimensions", ERROR_FORMAT},
        {"\"n_shared_experts\":1.5", "n_shared_experts is 1.5", ERROR_FORMAT},
        {"\"n_shared_experts\":1e9", "n_shared_experts is 1e+09", ERROR_FORMAT},
        {"\"moe_layer_freq\":0", "moe_layer_freq is 0", ERROR_FORMAT},
        {"\"partial_rotary_factor\":0.5", "partial_rotary_factor", ERROR_UNSUPPORTED},
        {"\"mlp_bias\":true", "mlp_bias is true", ERROR_UNSUPPORTED},
        {"\"scoring_func\":\"softmax\"", "scoring_func 'softmax'", ERROR_UNSUPPORTED},
        {"\"topk_method\":\"greedy\"", "topk_method 'greedy'", ERROR_UNSUPPORTED},
    };
    struct model_spec spec;
    struct error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];

        snprintf(text, sizeof text, "{\"model_type\":\"deepseek_v3\",%s}", cases[i].members);
        CHECK(load(&spec, text, MODEL_DECODER, &err) == -1);
        CHECK(err.code == cases[i].code);
        CHECK_CONTAINS(err.text, cases[i].text);
        CHECK(!spec.stack.slides && !spec.stack.is_sparse);
    }
    CHECK(load(&spec, "{\"model_type\":\"deepseek_v2\"}", MODEL_DECODER, &err) == -1);
    CHECK_CONTAINS(err.text, "num_experts_per_tok is missing");
    CHECK(load(&spec, "{\"model_type\":\"deepseek_v2\",\"num_experts_per_tok\":6,"
                      "\"topk_method\":\"group_limited_greedy\",\"n_group\":8}",
               MODEL_DECODER, &err) == -1);
    CHECK_CONTAINS(err.text, "topk_group is missing");
}

static void an_unknown_architecture_is_named_with_those_that_are_known(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"architectures\":[\"FalconForCausalLM\"]}", MODEL_DECODER, &err) == -1);
    CHECK(err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "cannot run the architecture 'FalconForCausalLM'; supported are BERT, "
                             "RoBERTa, XLM-RoBERTa, DistilBERT, Llama, Mistral, consolidated Mistral, "
                             "Qwen2, Qwen3, Gemma, Gemma 2, Gemma 3, GPT-2, GPT-NeoX, Phi-3, Mixtral, ");
    CHECK_CONTAINS(err.text, ", T5, mT5, umT5");
    CHECK_CONTAINS(err.text, ", MoLM, OpenMoE, ");
}

static void relative_positions_of_bert_are_refused(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load(&spec, "{\"architectures\":[\"BertModel\"],\"position_embedding_type\":"
                      "\"relative_key\"}", MODEL_ENCODER, &err) == -1);
    CHECK(err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "position_embedding_type 'relative_key'");
}

/* Of the table in the original, transformers' T5Attention._relative_position_bucket. */
static void distances_fall_into_the_buckets_of_the_original(void)
{
    static const struct {
        long distance;
        size_t bucket;
    } encoder[] = {{0, 0}, {-1, 1}, {1, 17}, {-8, 8}, {8, 24}, {-16, 10}, {16, 26}, {128, 31}},
      decoder[] = {{-15, 15}, {-16, 16}, {-31, 21}, {-64, 26}, {-127, 31}, {3, 0}};
    struct stack_spec stack = {.n_buckets = 32, .max_distance = 128};

    for (size_t i = 0; i < sizeof encoder / sizeof *encoder; i++)
        CHECK(position_bucket(encoder[i].distance, &stack) == encoder[i].bucket);
    stack.is_causal = true;
    for (size_t i = 0; i < sizeof decoder / sizeof *decoder; i++)
        CHECK(position_bucket(decoder[i].distance, &stack) == decoder[i].bucket);
}

/* ---- tensors that contradict config.json ---- */

/* In a text that may hold anything, a string and one of the same length. */
static void replace(char *bytes, size_t n, const char *old, const char *new)
{
    size_t length = strlen(old), n_found = 0;

    CHECK(strlen(new) == length);
    for (size_t i = 0; i + length <= n; i++)
        if (memcmp(bytes + i, old, length) == 0) {
            memcpy(bytes + i, new, length);
            n_found++;
        }
    CHECK(n_found > 0);
}

struct contradiction {
    const char *model, *old, *new; /* text of its config.json */
    const char *expected;
    const char *old_header, *new_header; /* names of its tensors; or NULL */
};

/* The weights of a fixture, with another config.json. */
static void check_contradiction(struct threads *threads, const struct contradiction *other)
{
    const char *model = other->model, *old = other->old, *new = other->new;
    char *path = memory_format("fixtures/models/%s", model);
    struct error err = {0};
    struct notices notices = {0};
    struct model_folder folder;
    struct folder *fixture = folder_open(path, false, &err);
    char *config = folder_read_text(fixture, "config.json", 100000, NULL, &err);
    struct file *file = folder_open_file(fixture, "model.safetensors", &err);
    char *weights = memory_alloc(file->size_bytes), *at = strstr(config, old);
    char *text = memory_format("%.*s%s%s", (int)(at ? at - config : 0), config, new,
                               at ? at + strlen(old) : "");

    CHECK(at != NULL);
    CHECK(file_read(file, 0, weights, file->size_bytes, &err) == 0);
    if (other->old_header)
        replace(weights, file->size_bytes, other->old_header, other->new_header);
    scratch_write("other/model.safetensors", weights, file->size_bytes);
    scratch_text("other/config.json", text);
    CHECK(model_folder_open(&folder, scratch_path("other"), NULL, false, &err) == 0);
    CHECK(!model_load(&folder, MODEL_DECODER, threads, &notices, &err));
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, other->expected);
    model_folder_release(&folder);
    notices_release(&notices);
    free(text);
    free(weights);
    free(config);
    free(path);
    file_close(file);
    folder_close(fixture);
}

static void a_tensor_of_another_shape_is_named(void)
{
    static const struct contradiction cases[] = {
        {"llama-gqa", "\"vocab_size\": 61", "\"vocab_size\": 62",
         "embed_tokens.weight': has the shape [61, 28]; by config.json it is [62, 28]", NULL, NULL},
        {"llama-gqa", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3",
         "no tensor 'layers.2.input_layernorm.weight' (with any prefix), which a Llama needs", NULL,
         NULL},
        {"llama-gqa", "\"intermediate_size\": ", "\"intermediate_size\": 1",
         "mlp.up_proj.weight': has the shape [", NULL, NULL},
    };
    struct error err = {0};
    struct threads *threads = threads_new(1, &err);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_contradiction(threads, &cases[i]);
    threads_free(threads);
}

static void routers_and_experts_must_be_as_many_as_config_json_says(void)
{
    static const char experts_5[] = "\"num_local_experts\": 5";
    static const struct contradiction cases[] = {
        {"mixtral", experts_5, "\"num_local_experts\": 4",
         "block_sparse_moe.gate.weight': has the shape [5, 20]; by config.json it is [4, 20]", NULL,
         NULL},
        {"mixtral", experts_5, "\"num_local_experts\": 65536",
         "block_sparse_moe.gate.weight': has the shape [5, 20]; by config.json it is [65536, 20]",
         NULL, NULL},
        {"mixtral", experts_5, experts_5,
         "no tensor 'layers.0.block_sparse_moe.experts.4.w1.weight'", "experts.4.", "experts.7."},
        {"mixtral", experts_5, experts_5,
         "no tensor 'layers.1.block_sparse_moe.experts.4.w3.weight'",
         "layers.1.block_sparse_moe.experts.4.w3", "layers.0.block_sparse_moe.experts.5.w3"},
        {"mixtral", "\"intermediate_size\": ", "\"intermediate_size\": 1",
         "experts.0.w1.weight': has the shape [", NULL, NULL},
        {"mixtral-fused-bf16", "\"intermediate_size\": ", "\"intermediate_size\": 1",
         "mlp.experts.gate_up_proj': has the shape [4, 36, 24]; by config.json it is [4, 236, 24]",
         NULL, NULL},
        {"mixtral-fused-bf16", "\"num_local_experts\": 4", "\"num_local_experts\": 5",
         "mlp.gate.weight': has the shape [4, 24]; by config.json it is [5, 24]", NULL, NULL},
        {"qwen3-moe-f16", "\"num_experts\": 8", "\"num_experts\": 9",
         "mlp.gate.weight': has the shape [8, 24]; by config.json it is [9, 24]", NULL, NULL},
        {"gpt-oss", "\"num_local_experts\": 4", "\"num_local_experts\": 3",
         "mlp.router.weight': has the shape [4, 16]", NULL, NULL},
        {"gpt-oss", "\"num_local_experts\": 4", "\"num_local_experts\": 4",
         "no tensor 'layers.0.mlp.experts.down_proj_bias'", "down_proj_bias", "down_proj_lost"},
        {"jetmoe-bf16", "\"num_local_experts\": 5", "\"num_local_experts\": 6",
         "experts.router.layer.weight': has the shape [5, 20]", NULL, NULL},
        {"deepseek-v3-bf16", "\"n_routed_experts\": 8", "\"n_routed_experts\": 12",
         "mlp.gate.weight': has the shape [8, 24]", NULL, NULL},
        {"molm", "\"n_att_experts\": 4", "\"n_att_experts\": 5",
         "attn.q_proj.gate.w_gate.3.weight': has the shape [4, 20]; by config.json it is [5, 20]",
         NULL, NULL},
        {"molm", "\"n_mlp_experts\": 6", "\"n_mlp_experts\": 5",
         "mlpf.gate.w_gate.3.weight': has the shape [6, 20]; by config.json it is [5, 20]", NULL,
         NULL},
        {"molm", "\"ffd_hidden\": 28", "\"ffd_hidden\": 27",
         "mlpf.experts.weight': has the shape [6, 30, 28]; by config.json it is [6, 30, 27]", NULL,
         NULL},
        {"molm", "\"gate_type\": \"mlp\"", "\"gate_type\": \"gmm\"",
         "no tensor 'h.0.attn.q_proj.gate.w_gate.weight'", NULL, NULL},
        {"openmoe", "\"num_experts\": 6", "\"num_experts\": 7",
         "mlp.gate_weight': has the shape [6, 32]; by config.json it is [7, 32]", NULL, NULL},
        {"openmoe", "\"moe_layer_interval\": 2", "\"moe_layer_interval\": 1",
         "no tensor 'layers.0.mlp.gate_weight'", NULL, NULL},
        {"openmoe", "\"num_experts\": 6", "\"num_experts\": 6",
         "no tensor 'layers.1.extra_mlp.up_proj.weight'", "extra_mlp.up", "extra_mlp.un"},
    };
    struct error err = {0};
    struct threads *threads = threads_new(1, &err);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_contradiction(threads, &cases[i]);
    threads_free(threads);
}

TESTS(TEST(what_config_json_leaves_out_is_the_default_of_the_class),
      TEST(null_is_absent_but_for_what_it_switches_off),
      TEST(dynamic_rotation_sets_no_limit_to_a_text), TEST(the_part_about_the_text_model_counts),
      TEST(a_yarn_factor_follows_from_the_lengths),
      TEST(attention_is_causal_where_config_json_says_so), TEST(bad_values_are_named),
      TEST(numbers_of_experts_are_checked), TEST(numbers_of_experts_are_checked_in_all_families),
      TEST(what_does_not_fit_in_molm_or_openmoe_is_named),
      TEST(of_molm_and_openmoe_what_the_original_ignores_does_not_count),
      TEST(latent_attention_is_what_the_class_has_by_default),
      TEST(the_first_deepseek_has_llamas_attention),
      TEST(what_does_not_fit_in_a_deepseek_is_named),
      TEST(an_unknown_architecture_is_named_with_those_that_are_known),
      TEST(relative_positions_of_bert_are_refused),
      TEST(distances_fall_into_the_buckets_of_the_original),
      TEST(a_tensor_of_another_shape_is_named),
      TEST(routers_and_experts_must_be_as_many_as_config_json_says))
