#include "arch/gguf_limits.h"

#include "arch/gguf_settings.h"
#include "scratch.h"

static const struct {
    const char *class_name, *model_type;
} classes[] = {
    {"LlamaForCausalLM", "llama"},          {"MistralForCausalLM", "mistral"},
    {"MixtralForCausalLM", "mixtral"},      {"Qwen2ForCausalLM", "qwen2"},
    {"Qwen3ForCausalLM", "qwen3"},          {"Qwen2MoeForCausalLM", "qwen2_moe"},
    {"Qwen3MoeForCausalLM", "qwen3_moe"},   {"GemmaForCausalLM", "gemma"},
    {"Gemma2ForCausalLM", "gemma2"},        {"Gemma3ForCausalLM", "gemma3_text"},
    {"Phi3ForCausalLM", "phi3"},            {"GPT2LMHeadModel", "gpt2"},
    {"GraniteMoeForCausalLM", "granitemoe"}, {"OlmoeForCausalLM", "olmoe"},
    {"BertModel", "bert"},
};

static const struct gguf_architecture *find_architecture(const char *class_name)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].class_name, class_name) == 0)
            return gguf_architecture_of(classes[i].model_type);
    return NULL;
}

/* A config of the class with these members; whether what it says is within the limits. */
static int check(const char *class_name, const char *members, struct error *err)
{
    char text[2000];
    struct config config = {0};
    struct model_spec spec = {0};
    struct folder *folder;
    enum model_type type = strcmp(class_name, "BertModel") == 0 ? MODEL_ENCODER : MODEL_DECODER;
    int rc;

    *err = (struct error){0};
    snprintf(text, sizeof text, "{\"architectures\":[\"%s\"],%s\"vocab_size\":100}", class_name,
             members);
    scratch_text("model/config.json", text);
    folder = folder_open(scratch_path("model"), false, err);
    rc = config_load(&config, folder, "", false, err) ||
         model_spec_load(&spec, &config, type, "model", err);
    if (rc)
        printf("# %s: %s\n", text, err->text);
    CHECK(rc == 0);
    if (rc == 0)
        rc = gguf_limits_check(find_architecture(class_name), &spec, err);
    model_spec_release(&spec);
    config_release(&config);
    folder_close(folder);
    return rc;
}

static void check_within(const char *class_name, const char *members)
{
    struct error err;

    CHECK(check(class_name, members, &err) == 0);
    if (err.code)
        printf("# %s %s: %s\n", class_name, members, err.text);
}

static void check_beyond(const char *class_name, const char *members, const char *part)
{
    struct error err;

    CHECK(check(class_name, members, &err) == -1 && err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, part);
    CHECK_CONTAINS(err.text, "llama.cpp");
}

#define NO_WINDOW "\"sliding_window\":null,"
#define SCALING(text) "\"rope_scaling\":{" text "},"
#define YARN "\"rope_type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":64"
#define LLAMA3 "\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4," \
               "\"original_max_position_embeddings\":64"

static void what_the_classes_have_by_default_can_be_said(void)
{
    check_within("LlamaForCausalLM", "");
    check_within("MistralForCausalLM", NO_WINDOW);
    check_within("MixtralForCausalLM", NO_WINDOW);
    check_within("Qwen2ForCausalLM", "");
    check_within("Qwen3ForCausalLM", "");
    check_within("Qwen2MoeForCausalLM", "");
    check_within("Qwen3MoeForCausalLM", "\"norm_topk_prob\":true,");
    check_within("GemmaForCausalLM", "");
    check_within("Gemma2ForCausalLM", "");
    check_within("Gemma3ForCausalLM", "");
    check_within("Phi3ForCausalLM", "");
    check_within("GPT2LMHeadModel", "");
    check_within("BertModel", "");
    check_within("GraniteMoeForCausalLM", "\"attention_multiplier\":0.3,\"embedding_multiplier\":12,");
    check_within("OlmoeForCausalLM", "");
}

static void scalings_that_llama_cpp_reads_there_can_be_said(void)
{
    check_within("LlamaForCausalLM", SCALING("\"rope_type\":\"linear\",\"factor\":4"));
    check_within("Qwen2ForCausalLM", SCALING("\"rope_type\":\"linear\",\"factor\":4"));
    check_within("LlamaForCausalLM", SCALING(LLAMA3));
    check_within("Qwen3ForCausalLM", SCALING(YARN));
    check_within("MistralForCausalLM", "\"sliding_window\":131072,\"max_position_embeddings\":4096,");
}

static void scalings_that_it_does_not_are_refused(void)
{
    check_beyond("LlamaForCausalLM", SCALING("\"rope_type\":\"dynamic\",\"factor\":4"), "dynamic");
    check_beyond("Qwen2ForCausalLM", SCALING(LLAMA3), "this scaling");
    check_beyond("Qwen3ForCausalLM", SCALING(YARN ",\"beta_fast\":16"), "this scaling");
    check_beyond("LlamaForCausalLM", SCALING(YARN ",\"beta_slow\":2"), "this scaling");
    check_beyond("LlamaForCausalLM", SCALING(YARN ",\"truncate\":false"), "this scaling");
    check_beyond("Gemma3ForCausalLM",
                 "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\",\"rope_theta\":1e6},"
                 "\"sliding_attention\":{\"rope_type\":\"linear\",\"factor\":2,\"rope_theta\":1e4}},",
                 "sliding layers");
    check_beyond("MistralForCausalLM", "", "window");
    check_beyond("Phi3ForCausalLM", "\"sliding_window\":2047,", "window");
}

static void attention_that_it_builds_otherwise_is_refused(void)
{
    check_beyond("Qwen2ForCausalLM", "\"head_dim\":256,", "heads");
    check_beyond("OlmoeForCausalLM", "\"num_key_value_heads\":4,", "heads");
    check_beyond("Gemma2ForCausalLM", "\"query_pre_attn_scalar\":100,", "query_pre_attn_scalar");
    check_within("Gemma2ForCausalLM", "\"num_hidden_layers\":46,\"hidden_size\":2304,"
                                      "\"num_attention_heads\":8,\"query_pre_attn_scalar\":288,");
    check_beyond("Gemma2ForCausalLM", "\"num_hidden_layers\":46,", "query_pre_attn_scalar");
    check_beyond("GPT2LMHeadModel", "\"scale_attn_weights\":false,", "scale_attn_weights");
    check_beyond("GPT2LMHeadModel", "\"scale_attn_by_inverse_layer_idx\":true,", "inverse_layer");
    check_beyond("Gemma2ForCausalLM", "\"attn_logit_softcapping\":null,", "softcapping");
    check_beyond("Gemma3ForCausalLM", "\"attn_logit_softcapping\":50,", "softcapping");
    check_within("Gemma3ForCausalLM", "\"final_logit_softcapping\":30,");
    check_beyond("OlmoeForCausalLM", "\"clip_qkv\":8,", "clip_qkv");
    check_beyond("LlamaForCausalLM", "\"is_causal\":false,", "is_causal");
}

static void the_rest_that_is_fixed_there_is_refused(void)
{
    check_beyond("LlamaForCausalLM", "\"hidden_act\":\"gelu\",", "activation");
    check_beyond("GPT2LMHeadModel", "\"activation_function\":\"gelu\",", "activation");
    check_beyond("GemmaForCausalLM", "\"hidden_act\":\"silu\",", "activation");
    check_beyond("BertModel", "\"hidden_act\":\"relu\",", "activation");
    check_beyond("GemmaForCausalLM", "\"tie_word_embeddings\":false,", "head");
    check_beyond("Qwen2MoeForCausalLM", "\"tie_word_embeddings\":true,", "head");
    check_beyond("Qwen3MoeForCausalLM", "\"norm_topk_prob\":false,", "norm_topk_prob");
    check_beyond("Qwen2MoeForCausalLM", "\"norm_topk_prob\":true,", "norm_topk_prob");
    check_beyond("Qwen3MoeForCausalLM", "\"norm_topk_prob\":true,\"mlp_only_layers\":[1],",
                 "layers without experts");
}

static void factors_of_llama3_are_those_of_its_frequencies(void)
{
    const struct rope_spec rope = {.kind = ROPE_LLAMA3, .n_dims = 8, .theta = 10000, .factor = 8,
                                   .low_freq_factor = 1, .high_freq_factor = 4,
                                   .original_positions = 128};
    float factors[4], frequencies[4], plain[4] = {1, 0.1f, 0.01f, 0.001f};

    gguf_settings_rope_freqs(&rope, factors);
    rope_spec_frequencies(&rope, 1, frequencies);
    CHECK(factors[0] == 1 && factors[2] == 8 && factors[3] == 8);
    CHECK(factors[1] > 1 && factors[1] < 8); /* in between */
    for (size_t i = 0; i < 4; i++)
        CHECK(plain[i] / factors[i] > frequencies[i] * 0.999999f &&
              plain[i] / factors[i] < frequencies[i] * 1.000001f);
}

TESTS(TEST(what_the_classes_have_by_default_can_be_said),
      TEST(scalings_that_llama_cpp_reads_there_can_be_said),
      TEST(scalings_that_it_does_not_are_refused),
      TEST(attention_that_it_builds_otherwise_is_refused),
      TEST(the_rest_that_is_fixed_there_is_refused),
      TEST(factors_of_llama3_are_those_of_its_frequencies))
