/* test_config_keys.c - which settings are obeyed, refused, said to be unknown, or of no matter. */
#include "arch/config_keys.h"

#include <dirent.h>

#include "arch/architecture.h"
#include "arch/model_spec.h"
#include "scratch.h"

static int load_config(struct config *config, const char *text, bool is_params, struct error *err)
{
    struct folder *folder;
    int rc;

    scratch_text(is_params ? "model/params.json" : "model/config.json", text);
    folder = folder_open(scratch_path("model"), false, err);
    rc = config_load(config, folder, "", is_params, err);
    folder_close(folder);
    return rc;
}

/* Of a config that holds `members`: the names that are said to be unknown, or "". */
static const char *told(const char *class_name, const char *members)
{
    static char text[4096];
    struct config config = {0};
    struct notices notices = {0};
    struct error err = {0};
    bool is_params = !class_name;

    if (is_params)
        snprintf(text, sizeof text, "{%s}", members);
    else
        snprintf(text, sizeof text, "{\"architectures\":[\"%s\"],%s}", class_name, members);
    CHECK(load_config(&config, text, is_params, &err) == 0);
    config_keys_tell(&config, "m", &notices);
    CHECK(notices.n_texts <= 1);
    snprintf(text, sizeof text, "%s", notices.n_texts ? notices.texts[0] : "");
    notices_release(&notices);
    config_release(&config);
    return text;
}

static void an_unknown_setting_is_named(void)
{
    static const char all[] = "'m/config.json': settings that are not known, and not obeyed: "
                              "'foo', 'bar'";

    CHECK(strcmp(told("LlamaForCausalLM", "\"foo\":1,\"hidden_size\":8,\"bar\":false"), all) == 0);
    CHECK_CONTAINS(told("LlamaForCausalLM", "\"rope_scaling\":{\"factor\":2,\"turns\":3}"),
                   ": 'rope_scaling.turns'");
    CHECK_CONTAINS(told("Gemma3ForCausalLM", "\"rope_parameters\":{\"full_attention\":{\"x\":1,"
                        "\"rope_theta\":2},\"sliding_attention\":{},\"y\":1}"),
                   ": 'rope_parameters.x', 'rope_parameters.y'");
    CHECK_CONTAINS(told("Gemma3ForConditionalGeneration", "\"vision_config\":{\"a\":1},\"foo\":1,"
                        "\"is_causal\":false,\"text_config\":{\"hidden_size\":8,\"bar\":1}"),
                   ": 'foo', 'is_causal', 'text_config.bar'");
    CHECK_CONTAINS(told(NULL, "\"dim\":8,\"moe\":{\"num_experts\":2,\"wheels\":3},\"foo\":1"),
                   "'m/params.json': settings that are not known, and not obeyed: 'moe.wheels', "
                   "'foo'");
}

static void what_is_null_or_of_no_matter_is_not_named(void)
{
    CHECK(!*told("LlamaForCausalLM", "\"foo\":null,\"use_cache\":true,\"attention_dropout\":0.5,"
                 "\"unsloth_version\":\"1\",\"output_attentions\":true,\"image_token_id\":3,"
                 "\"router_aux_loss_coef\":1,\"torch_dtype\":\"float16\",\"add_cross_attention\":"
                 "false,\"pruned_heads\":{},\"auto_map\":{\"x\":\"y\"}"));
    CHECK(!*told("FancyForCausalLM", "\"foo\":1"));
}

/* What transformers 5.24 does with them: nothing. */
static void a_setting_of_another_family_is_named(void)
{
    CHECK_CONTAINS(told("LlamaForCausalLM", "\"sliding_window\":4"), ": 'sliding_window'");
    CHECK_CONTAINS(told("MistralForCausalLM", "\"layer_types\":[\"full_attention\"]"),
                   ": 'layer_types'");
    CHECK_CONTAINS(told("BertModel", "\"rms_norm_eps\":1"), ": 'rms_norm_eps'");
}

/* Running refuses it; whoever mixes must know that it is not looked at. */
static void what_running_refuses_is_named_as_well(void)
{
    CHECK_CONTAINS(told("LlamaForCausalLM", "\"attn_temperature_tuning\":true"),
                   ": 'attn_temperature_tuning'");
}

static void many_names_are_cut_short(void)
{
    char members[1024] = "";

    for (int i = 0; i < 23; i++)
        snprintf(members + strlen(members), sizeof members - strlen(members), "%s\"x%d\":1",
                 i ? "," : "", i);
    CHECK_CONTAINS(told("LlamaForCausalLM", members), "'x18', 'x19' and 3 more");
}

static void check_folder(const char *path)
{
    struct error err = {0};
    struct folder *folder = folder_open(path, false, &err);
    struct config config = {0};
    struct notices notices = {0};
    bool is_params = folder && folder_look(folder, "config.json") == FOLDER_ABSENT;

    if (folder && folder_look(folder, is_params ? "params.json" : "config.json") != FOLDER_ABSENT) {
        CHECK(config_load(&config, folder, "", is_params, &err) == 0);
        config_keys_tell(&config, path, &notices);
        CHECK(notices.n_texts == 0);
        if (notices.n_texts)
            printf("# %s\n", notices.texts[0]);
    }
    notices_release(&notices);
    config_release(&config);
    folder_close(folder);
}

static void all_settings_of_the_fixtures_are_known(void)
{
    static const char *const places[] = {"fixtures", "fixtures/models", "fixtures/routers"};
    size_t n = 0;

    for (size_t p = 0; p < 3; p++) {
        DIR *directory = opendir(places[p]);
        const struct dirent *entry;
        char path[512];

        CHECK(directory);
        while (directory && (entry = readdir(directory))) {
            snprintf(path, sizeof path, "%s/%s", places[p], entry->d_name);
            if (entry->d_name[0] != '.' && entry->d_type == DT_DIR) {
                check_folder(path);
                n++;
            }
        }
        if (directory)
            closedir(directory);
    }
    CHECK(n > 100);
}

static int load_spec(struct model_spec *spec, const char *class_name, const char *members,
                     enum model_type type, struct error *err)
{
    struct config config = {0};
    char text[2048];
    int rc;

    *err = (struct error){0};
    *spec = (struct model_spec){0};
    snprintf(text, sizeof text, "{\"architectures\":[\"%s\"],%s}", class_name, members);
    rc = load_config(&config, text, false, err);
    if (rc == 0)
        rc = model_spec_load(spec, &config, type, "model", err);
    config_release(&config);
    return rc;
}

static void check_refused(const char *class_name, const char *members, enum error_code code,
                          const char *part)
{
    struct model_spec spec;
    struct error err;
    int rc = load_spec(&spec, class_name, members, MODEL_ENCODER, &err);

    CHECK(rc == -1 && err.code == code);
    CHECK_CONTAINS(err.text, part);
    if (rc == 0)
        printf("# %s takes %s\n", class_name, members);
    model_spec_release(&spec);
}

static void what_cannot_be_obeyed_is_refused(void)
{
    static const char *const everywhere[] = {
        "add_cross_attention", "cross_attention_hidden_size", "tie_encoder_decoder",
        "per_layer_config", "compression_config", "mlp_bias", "lm_head_bias", "use_qk_norm",
        "qk_norm", "qk_layernorm", "attn_temperature_tuning", "attention_chunk_size",
        "no_rope_layer_interval", "alibi", "use_alibi", "rope_interleaved", "attention_bias",
        "use_bidirectional_attention", "attn_logit_softcapping", "final_logit_softcapping",
        "parallel_attn", "scale_embedding", "scale_embeddings", "kv_lora_rank", "q_lora_rank",
        "n_shared_experts", "num_shared_experts", "shared_intermediate_size",
        "first_k_dense_replace", "use_parallel_residual",
    };
    static const char *const unless_one[] = {
        "partial_rotary_factor", "rotary_pct", "attention_multiplier", "embedding_multiplier",
        "residual_multiplier", "logits_scaling", "logit_scale", "routed_scaling_factor",
    };
    char members[128], part[128];
    struct model_spec spec;
    struct error err;

    for (size_t i = 0; i < sizeof everywhere / sizeof *everywhere; i++) {
        snprintf(members, sizeof members, "\"%s\":7", everywhere[i]);
        snprintf(part, sizeof part, "'model/config.json': %s is 7, which cannot be obeyed",
                 everywhere[i]);
        check_refused("MistralForCausalLM", members, ERROR_UNSUPPORTED, part);
        snprintf(members, sizeof members, "\"%s\":false", everywhere[i]);
        CHECK(load_spec(&spec, "MistralForCausalLM", members, MODEL_ENCODER, &err) == 0);
        model_spec_release(&spec);
    }
    for (size_t i = 0; i < sizeof unless_one / sizeof *unless_one; i++) {
        snprintf(members, sizeof members, "\"%s\":0.5", unless_one[i]);
        snprintf(part, sizeof part, "%s is 0.5, which cannot be obeyed", unless_one[i]);
        check_refused("LlamaForCausalLM", members, ERROR_UNSUPPORTED, part);
        snprintf(members, sizeof members, "\"%s\":1", unless_one[i]);
        CHECK(load_spec(&spec, "LlamaForCausalLM", members, MODEL_ENCODER, &err) == 0);
        model_spec_release(&spec);
    }
    check_refused("BertModel", "\"pruned_heads\":{\"1\":[0]}", ERROR_UNSUPPORTED,
                  "pruned_heads is {");
    check_refused("LlamaModel", "\"no_rope_layers\":[1]", ERROR_UNSUPPORTED,
                  "no_rope_layers is [1]");
    check_refused("LlamaModel", "\"rope_parameters\":{\"partial_rotary_factor\":0.5}",
                  ERROR_UNSUPPORTED, "partial_rotary_factor is not 1");
    check_refused("T5EncoderModel", "\"is_decoder\":true", ERROR_UNSUPPORTED, "is_decoder is true");
    /* transformers: causal or not, by the kind of attention and by the padding */
    check_refused("GemmaModel", "\"use_bidirectional_attention\":true", ERROR_UNSUPPORTED,
                  "use_bidirectional_attention is true");
}

static void a_value_of_another_type_is_named(void)
{
    check_refused("LlamaModel", "\"is_causal\":\"no\"", ERROR_FORMAT,
                  "is_causal is neither true nor false");
    check_refused("LlamaModel", "\"hidden_act\":7", ERROR_FORMAT, "hidden_act is not a string");
    check_refused("LlamaModel", "\"rope_theta\":\"1\"", ERROR_FORMAT, "rope_theta is not a number");
    check_refused("LlamaModel", "\"rope_scaling\":[2]", ERROR_FORMAT,
                  "rope_scaling is not an object");
    check_refused("Qwen3MoeModel", "\"mlp_only_layers\":3", ERROR_FORMAT,
                  "mlp_only_layers is not a list");
}

static void a_setting_of_another_family_changes_nothing(void)
{
    struct model_spec spec;
    struct error err;

    CHECK(load_spec(&spec, "LlamaModel", "\"sliding_window\":4,\"num_hidden_layers\":1,"
                    "\"layer_types\":[\"sliding_attention\"],\"layer_norm_eps\":0.5,"
                    "\"rms_norm_eps\":1e-5", MODEL_ENCODER, &err) == 0);
    CHECK(spec.stack.window == 0 && !spec.stack.slides[0] && spec.stack.norm_eps == 1e-5f);
    model_spec_release(&spec);
    CHECK(load_spec(&spec, "MistralModel", "\"sliding_window\":4,\"num_hidden_layers\":1,"
                    "\"layer_types\":[\"full_attention\"]", MODEL_ENCODER, &err) == 0);
    CHECK(spec.stack.window == 4 && spec.stack.slides[0]);
    model_spec_release(&spec);
    CHECK(load_spec(&spec, "GPT2Model", "\"n_ctx\":5", MODEL_ENCODER, &err) == 0);
    CHECK(spec.n_positions == 1024);
    model_spec_release(&spec);
    CHECK(load_spec(&spec, "Gemma2Model", "\"hidden_act\":\"relu\",\"sliding_window_pattern\":3,"
                    "\"num_hidden_layers\":3", MODEL_ENCODER, &err) == 0);
    CHECK(spec.stack.activation == ACTIVATION_GELU_TANH);
    CHECK(spec.stack.slides[0] && !spec.stack.slides[1] && spec.stack.slides[2]);
    model_spec_release(&spec);
    CHECK(load_spec(&spec, "SwitchTransformersForConditionalGeneration",
                    "\"dense_act_fn\":\"gelu_new\",\"feed_forward_proj\":\"relu\"",
                    MODEL_ENCODER_DECODER, &err) == 0);
    CHECK(spec.stack.activation == ACTIVATION_GELU_TANH);
    model_spec_release(&spec);
}

TESTS(TEST(an_unknown_setting_is_named), TEST(what_is_null_or_of_no_matter_is_not_named),
      TEST(a_setting_of_another_family_is_named), TEST(what_running_refuses_is_named_as_well),
      TEST(many_names_are_cut_short), TEST(all_settings_of_the_fixtures_are_known),
      TEST(what_cannot_be_obeyed_is_refused), TEST(a_value_of_another_type_is_named),
      TEST(a_setting_of_another_family_changes_nothing))
