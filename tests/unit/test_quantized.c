#include "arch/quantized.h"

#include "scratch.h"

struct made {
    struct model_folder folder;
    const struct checkpoint *checkpoint;
    struct error err;
};

static struct made open_model(const char *name)
{
    struct made made = {.checkpoint = NULL};

    scratch_must(model_folder_open(&made.folder, scratch_path(name), NULL, false, &made.err) == 0,
                 "open", name);
    made.checkpoint = model_folder_weights(&made.folder, NULL, &made.err);
    if (made.checkpoint)
        quantized_check(&made.folder, &made.err);
    return made;
}

static void end(struct made *made)
{
    model_folder_release(&made->folder);
}

/* Whether a model with these two tensors is refused, and both are named. */
static bool is_refused_scale(const char *numbers, enum dtype dtype, const char *scale)
{
    struct made made;
    bool is_told;

    SAFETENSORS("pair/model.safetensors", TENSOR(numbers, dtype, 0, 2, 2),
                TENSOR(scale, DTYPE_F32, 1, 1));
    made = open_model("pair");
    is_told = made.err.code == ERROR_UNSUPPORTED && strstr(made.err.text, numbers) &&
              strstr(made.err.text, scale) && strstr(made.err.text, "pair'");
    CHECK(is_told == (made.err.code != ERROR_NONE));
    end(&made);
    return is_told;
}

static void scales_that_are_not_known_are_named(void)
{
    static const char *const pairs[][2] = {
        {"l.q_proj.weight", "l.q_proj.scale_weight"},
        {"l.q_proj.weight", "l.q_proj.weight.scale"},
        {"l.q_proj.weight", "l.q_proj.weights_scaling_factor"},
        {"l.q_proj.weight", "l.q_proj.weight_scaler"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CHECK(is_refused_scale(pairs[i][0], DTYPE_F8_E4M3, pairs[i][1]));
        CHECK(is_refused_scale(pairs[i][0], DTYPE_F8_E5M2, pairs[i][1]));
        CHECK(is_refused_scale(pairs[i][0], DTYPE_I8, pairs[i][1]));
        CHECK(is_refused_scale(pairs[i][0], DTYPE_U32, pairs[i][1]));
    }
}

static void numbers_without_scales_are_numbers(void)
{
    CHECK(!is_refused_scale("l.q_proj.weight", DTYPE_F8_E4M3, "l.k_proj.weight_amax"));
    CHECK(!is_refused_scale("l.q_proj.weight", DTYPE_F8_E4M3, "l.layer_scalar"));
    CHECK(!is_refused_scale("l.k_proj.weight", DTYPE_F8_E4M3, "l.k_scale"));
    CHECK(!is_refused_scale("l.norm.weight", DTYPE_F32, "l.norm.scale"));
    CHECK(!is_refused_scale("l.norm.weight", DTYPE_BF16, "l.norm.weight_scale"));
}

/* Numbers with a scale of a name that is known, without a word of settings: they say it themselves. */
static void scales_that_are_known_are_used(void)
{
    static const char *const pairs[][2] = {
        {"l.q_proj.weight", "l.q_proj.weight_scale"}, {"l.q_proj.weight", "l.q_proj.weight_scale_inv"},
        {"l.q_proj.weight", "l.q_proj.scale"},        {"l.q_proj.weight", "l.q_proj.qscale_weight"},
        {"l.experts.up_proj", "l.experts.up_proj_scale_inv"},
        {"l.experts.up_proj", "l.experts.up_proj_scale"}, {"weight", "weight_scale"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct made made;
        float values[4] = {0};

        SAFETENSORS("known/model.safetensors", TENSOR(pairs[i][0], DTYPE_F8_E4M3, 1, 2, 2),
                    TENSOR(pairs[i][1], DTYPE_F32, 3, 1));
        made = open_model("known");
        CHECK(made.err.code == ERROR_NONE && made.checkpoint->n_tensors == 1);
        CHECK(tensor_read_floats(made.checkpoint->tensors, values, &made.err) == 0);
        CHECK(strcmp(made.checkpoint->tensors->name, pairs[i][0]) == 0);
        CHECK(values[0] == 3 && values[3] == 12);
        end(&made);
    }
}

/* ---- settings ---- */

static void settings_are_checked(void)
{
    static const struct {
        const char *settings, *text;
        enum error_code code;
    } cases[] = {
        {"\"quantization_config\":7", "quantization_config is not an object", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"aqlm\"}", "is quantised (aqlm)",
         ERROR_UNSUPPORTED},
        {"\"quantization_config\":{}", "is quantised (unknown)", ERROR_UNSUPPORTED},
        {"\"text_config\":{\"quantization_config\":{\"quant_method\":\"hqq\"}}", "(hqq)",
         ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":0}", "bits must be",
         ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":9}", "bits must be",
         ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4.5}", "bits must be",
         ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":\"4\"}", "bits must be",
         ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":5}", "with 5 bits",
         ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"group_size\":0}",
         "group_size must be", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"group_size\":-2}",
         "group_size must be", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"desc_act\":1}",
         "desc_act must be true or false", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"dynamic\":[1]}",
         "dynamic must be an object", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"checkpoint_format\":\"gptq_p\"}",
         "checkpoint_format 'gptq_p'", ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"checkpoint_format\":2}",
         "checkpoint_format must be a text", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"is_marlin_format\":true}",
         "'marlin'", ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"gptq\",\"pack_dtype\":\"int16\"}",
         "pack_dtype 'int16'", ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"awq\",\"version\":\"GEMV\"}",
         "version 'GEMV'", ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"awq\",\"bits\":8}", "(awq) with 8 bits",
         ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"auto-round\",\"packing_format\":"
         "\"auto_round:fp8\"}", "packing_format 'auto_round:fp8'", ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":"
         "\"marlin-24\"}", "format 'marlin-24'", ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"config_groups\":[]}",
         "config_groups must be an object", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"config_groups\":"
         "{\"g\":{\"weights\":{\"num_bits\":9}}}}", "'g': num_bits", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"config_groups\":"
         "{\"g\":{\"weights\":{\"strategy\":\"group\"}}}}", "group_size is not said", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"config_groups\":"
         "{\"g\":{\"weights\":{\"strategy\":\"block\",\"block_structure\":\"4x\"}}}}",
         "block_structure must be two", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"config_groups\":"
         "{\"g\":{\"weights\":{\"type\":\"complex\"}}}}", "type must be", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"transform_config\":"
         "{\"a\":1}}", "transform_config", ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[128]}",
         "weight_block_size must be two", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[128,0]}",
         "weight_block_size must be two", ERROR_FORMAT},
        {"\"quantization_config\":{\"quant_method\":\"modelopt\",\"quant_algo\":\"W4A8_AWQ\"}",
         "quant_algo 'W4A8_AWQ'", ERROR_UNSUPPORTED},
        {"\"quantization_config\":{\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":\"yes\"}",
         "load_in_4bit must be true or false", ERROR_FORMAT},
        {"\"quantization\":{\"bits\":7}", "bits must be 2", ERROR_FORMAT},
        {"\"quantization\":{\"bits\":5}", "bits must be 2", ERROR_UNSUPPORTED},
        {"\"quantization\":{\"bits\":4,\"group_size\":-1}", "group_size must be", ERROR_FORMAT},
        {"\"quantization\":{\"bits\":4,\"lm_head\":{\"bits\":1}}", "'lm_head': bits",
         ERROR_FORMAT},
        {"\"quantization\":{\"mode\":\"nf4\"}", "mode 'nf4'", ERROR_UNSUPPORTED},
        {"\"quantization\":4", "quantization is not an object", ERROR_FORMAT},
    };

    SAFETENSORS("set/model.safetensors", TENSOR("a.weight", DTYPE_F32, 0, 2));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = memory_format("{%s}", cases[i].settings);
        struct made made;

        scratch_text("set/config.json", text);
        made = open_model("set");
        if (made.err.code != cases[i].code)
            printf("# %s: %d, '%s'\n", text, made.err.code, made.err.text);
        CHECK(made.err.code == cases[i].code);
        CHECK_CONTAINS(made.err.text, cases[i].text);
        CHECK_CONTAINS(made.err.text, "set/config.json'");
        CHECK(!made.checkpoint == (cases[i].code == ERROR_FORMAT));
        end(&made);
        free(text);
    }
}

static void files_of_their_own_are_read(void)
{
    static const char *const names[] = {"quantize_config.json", "quant_config.json",
                                        "hf_quant_config.json"};
    static const struct {
        const char *text, *expected;
        enum error_code code;
    } cases[] = {
        {"{\"bits\":9}", "bits must be", ERROR_FORMAT},
        {"{\"w_bit\":9}", "bits must be", ERROR_FORMAT},
        {"{\"quantization\":{\"quant_algo\":\"INT4_AWQ\"}}", "quant_algo 'INT4_AWQ'",
         ERROR_UNSUPPORTED},
    };

    SAFETENSORS("side/model.safetensors", TENSOR("a.weight", DTYPE_F32, 0, 2));
    scratch_text("side/config.json", "{}");
    for (size_t i = 0; i < 3; i++) {
        char *path = memory_format("side/%s", names[i]);
        struct made made;

        scratch_text(path, cases[i].text);
        made = open_model("side");
        CHECK(made.err.code == cases[i].code);
        CHECK_CONTAINS(made.err.text, cases[i].expected);
        CHECK_CONTAINS(made.err.text, path);
        end(&made);
        scratch_text(path, "{");
        made = open_model("side");
        CHECK(made.err.code == ERROR_FORMAT);
        CHECK_CONTAINS(made.err.text, path);
        end(&made);
        scratch_text(path, "[]");
        made = open_model("side");
        CHECK(made.err.code == ERROR_FORMAT);
        end(&made);
        unlink(scratch_path(path));
        free(path);
    }
}

/* ---- names ---- */

static bool has_method(const char *name, const char *expected)
{
    struct made made = open_model(name);
    char *method = quantized_method(&made.folder, made.checkpoint);
    bool has = expected ? method && strcmp(method, expected) == 0 : !method;

    if (!has)
        printf("# '%s'\n", method ? method : "none");
    free(method);
    end(&made);
    return has;
}

static void how_it_is_quantised_has_a_name(void)
{
    SAFETENSORS("m/model.safetensors", TENSOR("a.weight", DTYPE_F8_E4M3, 0, 2, 2),
                TENSOR("a.weight_scale", DTYPE_F32, 0, 1));
    CHECK(has_method("m", "FP8"));
    scratch_text("m/hf_quant_config.json", "{\"quantization\":{\"quant_algo\":\"FP8\"}}");
    CHECK(has_method("m", "FP8"));
    scratch_text("m/config.json", "{\"quantization_config\":{\"quant_method\":\"modelopt\"}}");
    CHECK(has_method("m", "modelopt"));
    SAFETENSORS("other/model.safetensors", TENSOR("a.trellis", DTYPE_I32, 0, 2));
    CHECK(has_method("other", "unknown"));
    SAFETENSORS("plain/model.safetensors", TENSOR("a.weight", DTYPE_F8_E4M3, 0, 2, 2));
    CHECK(has_method("plain", NULL));
}

static void the_dtype_that_it_had_is_told(void)
{
    static const struct {
        const char *text;
        enum dtype dtype;
    } cases[] = {
        {"{}", DTYPE_BF16},
        {"{\"torch_dtype\":\"float16\"}", DTYPE_F16},
        {"{\"dtype\":\"float32\",\"torch_dtype\":\"float16\"}", DTYPE_F32},
        {"{\"torch_dtype\":\"float64\"}", DTYPE_BF16},
        {"{\"text_config\":{\"dtype\":\"float16\"}}", DTYPE_F16},
    };

    SAFETENSORS("dtype/model.safetensors", TENSOR("a.weight", DTYPE_F32, 0, 2));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made made;

        scratch_text("dtype/config.json", cases[i].text);
        made = open_model("dtype");
        CHECK(quantized_dtype(&made.folder.config) == cases[i].dtype);
        end(&made);
    }
}

TESTS(TEST(scales_that_are_not_known_are_named), TEST(numbers_without_scales_are_numbers),
      TEST(scales_that_are_known_are_used), TEST(settings_are_checked),
      TEST(files_of_their_own_are_read), TEST(how_it_is_quantised_has_a_name),
      TEST(the_dtype_that_it_had_is_told))
