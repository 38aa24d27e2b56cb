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
    scratch_must(made.checkpoint != NULL, "open the weights of", name);
    return made;
}

static void end(struct made *made)
{
    model_folder_release(&made->folder);
}

/* Whether a model with these two tensors is refused, and both are named. */
static bool is_scaled(const char *numbers, enum dtype dtype, const char *scale)
{
    struct made made;
    bool is_refused, is_told;

    SAFETENSORS("pair/model.safetensors", TENSOR(numbers, dtype, 0, 2, 2),
                TENSOR(scale, DTYPE_F32, 1, 1));
    made = open_model("pair");
    is_refused = quantized_check(&made.folder, made.checkpoint, &made.err) == -1;
    is_told = is_refused && made.err.code == ERROR_UNSUPPORTED && strstr(made.err.text, numbers) &&
              strstr(made.err.text, scale) && strstr(made.err.text, "pair'");
    CHECK(is_refused == is_told);
    end(&made);
    return is_told;
}

static void numbers_beside_their_scales_are_refused(void)
{
    static const char *const pairs[][2] = {
        {"l.q_proj.weight", "l.q_proj.weight_scale"},
        {"l.q_proj.weight", "l.q_proj.weight_scale_inv"},
        {"l.q_proj.weight", "l.q_proj.input_scale"},
        {"l.q_proj.weight", "l.q_proj.scale"},
        {"l.q_proj.weight", "l.q_proj.weight_scale_2"},
        {"l.q_proj.weight", "l.q_proj.scale_weight"},
        {"l.q_proj.weight", "l.q_proj.qscale_act"},
        {"l.q_proj.weight", "l.q_proj.weight.scale"},
        {"l.q_proj.weight", "l.q_proj.weights_scaling_factor"},
        {"l.q_proj.weight._data", "l.q_proj.weight._scale"},
        {"l.experts.up_proj", "l.experts.up_proj_scale_inv"},
        {"weight", "weight_scale"},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CHECK(is_scaled(pairs[i][0], DTYPE_F8_E4M3, pairs[i][1]));
        CHECK(is_scaled(pairs[i][0], DTYPE_F8_E5M2, pairs[i][1]));
        CHECK(is_scaled(pairs[i][0], DTYPE_I8, pairs[i][1]));
        CHECK(is_scaled(pairs[i][0], DTYPE_U32, pairs[i][1]));
    }
}

static void numbers_without_scales_are_numbers(void)
{
    CHECK(!is_scaled("l.q_proj.weight", DTYPE_F8_E4M3, "l.k_proj.weight_amax"));
    CHECK(!is_scaled("l.q_proj.weight", DTYPE_F8_E4M3, "l.k_proj.weight_scale"));
    CHECK(!is_scaled("l.q_proj.weight", DTYPE_F8_E4M3, "l.layer_scalar"));
    CHECK(!is_scaled("l.k_proj.weight", DTYPE_F8_E4M3, "l.k_scale"));
    CHECK(!is_scaled("l.norm.weight", DTYPE_F32, "l.norm.scale"));
    CHECK(!is_scaled("l.norm.weight", DTYPE_BF16, "l.norm.weight_scale"));
}

/* The message for a model that has nothing but these files. */
static bool is_refused(const char *name, const char *text)
{
    struct made made = open_model(name);
    bool is = quantized_check(&made.folder, made.checkpoint, &made.err) == -1 &&
              quantized_check_folder(&made.folder, &made.err) == -1 &&
              made.err.code == ERROR_UNSUPPORTED && strstr(made.err.text, text);

    if (!is)
        printf("# '%s': %s\n", name, made.err.text);
    end(&made);
    return is;
}

static void files_that_say_so_are_named(void)
{
    struct made made;
    char *method;

    SAFETENSORS("by-config/model.safetensors", TENSOR("a.weight", DTYPE_F32, 0, 2));
    scratch_text("by-config/config.json", "{\"quantization_config\":{\"quant_method\":\"fp8\"}}");
    CHECK(is_refused("by-config", "by-config/config.json': is quantised (fp8)"));

    SAFETENSORS("by-modelopt/model.safetensors", TENSOR("a.weight", DTYPE_F32, 0, 2));
    scratch_text("by-modelopt/config.json", "{}");
    scratch_text("by-modelopt/hf_quant_config.json",
                 "{\"quantization\":{\"quant_algo\":\"NVFP4\"}}");
    CHECK(is_refused("by-modelopt", "by-modelopt/hf_quant_config.json': is quantised (NVFP4)"));
    scratch_text("by-modelopt/hf_quant_config.json",
                 "{\"quantization\":{\"quantized_layers\":{\"a\":{\"quant_algo\":\"FP8\"}}}}");
    CHECK(is_refused("by-modelopt", "is quantised (several methods)"));

    scratch_text("by-modelopt/hf_quant_config.json",
                 "{\"quantization\":{\"quant_algo\":null,\"kv_cache_quant_algo\":\"FP8\"}}");
    made = open_model("by-modelopt");
    CHECK(quantized_check(&made.folder, made.checkpoint, &made.err) == 0);
    method = quantized_method(&made.folder, made.checkpoint);
    CHECK(method == NULL);
    free(method);
    end(&made);

    scratch_text("by-modelopt/hf_quant_config.json", "{");
    made = open_model("by-modelopt");
    CHECK(quantized_check_folder(&made.folder, &made.err) == -1 && made.err.code == ERROR_FORMAT);
    CHECK_CONTAINS(made.err.text, "hf_quant_config.json");
    end(&made);
}

static bool has_method(const char *name, const char *expected)
{
    struct made made = open_model(name);
    char *method = quantized_method(&made.folder, made.checkpoint);
    bool has = method && strcmp(method, expected) == 0;

    free(method);
    end(&made);
    return has;
}

static void how_it_is_quantised_has_a_name(void)
{
    SAFETENSORS("m/model.safetensors", TENSOR("a.weight", DTYPE_F8_E4M3, 0, 2),
                TENSOR("a.weight_scale", DTYPE_F32, 0, 1));
    CHECK(has_method("m", "F8_E4M3 with scales"));
    scratch_text("m/hf_quant_config.json", "{\"quantization\":{\"quant_algo\":\"FP8\"}}");
    CHECK(has_method("m", "FP8"));
    scratch_text("m/config.json", "{\"quantization_config\":{\"quant_method\":\"modelopt\"}}");
    CHECK(has_method("m", "modelopt"));
    SAFETENSORS("packed/model.safetensors", TENSOR("a.qweight", DTYPE_I32, 0, 2));
    CHECK(has_method("packed", "packed"));
}

TESTS(TEST(numbers_beside_their_scales_are_refused), TEST(numbers_without_scales_are_numbers),
      TEST(files_that_say_so_are_named), TEST(how_it_is_quantised_has_a_name))
