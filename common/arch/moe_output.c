#include "moe_output.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "arch/families.h"
#include "base/json.h"
#include "base/memory.h"

enum { KIND_LLAMA = 1, KIND_MISTRAL = 2, KIND_QWEN2 = 4, KIND_QWEN3 = 8 };

/* ---- settings of one class ---- */

static void set_text(struct buffer *text, const char *key, const char *value)
{
    char *quoted = memory_format("\"%s\"", value);

    json_edit_member(text, key, quoted);
    free(quoted);
}

static void set_size(struct buffer *text, const char *key, size_t value)
{
    char *number = memory_format("%zu", value);

    json_edit_member(text, key, number);
    free(number);
}

static void edit_mixtral(struct buffer *text, const struct model_spec *spec, size_t n_experts,
                         bool has_shared)
{
    (void)spec;
    (void)has_shared;
    set_size(text, "num_local_experts", n_experts);
}

static void edit_deepseek(struct buffer *text, const struct model_spec *spec, size_t n_experts,
                          bool has_shared)
{
    static const char code[] = "deepseek-ai/deepseek-moe-16b-base--";
    char *map = memory_format("{\"AutoConfig\": \"%sconfiguration_deepseek.DeepseekConfig\", "
                              "\"AutoModel\": \"%smodeling_deepseek.DeepseekModel\", "
                              "\"AutoModelForCausalLM\": "
                              "\"%smodeling_deepseek.DeepseekForCausalLM\"}", code, code, code);

    set_size(text, "n_routed_experts", n_experts);
    json_edit_member(text, "n_shared_experts", has_shared ? "1" : "null");
    json_edit_member(text, "first_k_dense_replace", "0");
    json_edit_member(text, "moe_layer_freq", "1");
    json_edit_member(text, "scoring_func", "\"softmax\"");
    json_edit_member(text, "norm_topk_prob", "true");
    set_size(text, "moe_intermediate_size", spec->stack.intermediate_size);
    json_edit_member(text, "auto_map", map);
    free(map);
}

static void edit_qwen(struct buffer *text, const struct model_spec *spec, size_t n_experts,
                      bool has_shared)
{
    set_size(text, "num_experts", n_experts);
    json_edit_member(text, "decoder_sparse_step", "1");
    json_edit_member(text, "norm_topk_prob", "true");
    set_size(text, "moe_intermediate_size", spec->stack.intermediate_size);
    if (!has_shared)
        return;
    set_size(text, "shared_expert_intermediate_size", spec->stack.intermediate_size);
    json_edit_member(text, "use_sliding_window", "false");
}

/* ---- the classes ---- */

/* In the order in which they are tried. */
static const struct moe_output outputs[] = {
    {.name = "Mixtral", .class_name = "MixtralForCausalLM", .model_type = "mixtral",
     .kinds = KIND_LLAMA | KIND_MISTRAL, .is_fused = true, .router = "mlp.gate",
     .edit = edit_mixtral},
    {.name = "DeepSeek MoE", .class_name = "DeepseekForCausalLM", .model_type = "deepseek",
     .kinds = KIND_LLAMA | KIND_MISTRAL, .most_shared = 1, .has_o_bias = true,
     .has_plain_heads = true, .router = "mlp.gate", .shared_prefix = "mlp.shared_experts.",
     .edit = edit_deepseek},
    {.name = "Qwen MoE", .class_name = "Qwen2MoeForCausalLM", .model_type = "qwen2_moe",
     .kinds = KIND_LLAMA | KIND_MISTRAL | KIND_QWEN2, .least_shared = 1, .most_shared = 1,
     .gates_shared = true, .needs_qkv_bias = true, .router = "mlp.gate",
     .shared_router = "mlp.shared_expert_gate", .shared_prefix = "mlp.shared_expert.",
     .edit = edit_qwen},
    {.name = "Qwen3 MoE", .class_name = "Qwen3MoeForCausalLM", .model_type = "qwen3_moe",
     .kinds = KIND_QWEN3, .is_fused = true, .has_o_bias = true, .keeps_window = true,
     .router = "mlp.gate", .edit = edit_qwen},
};
enum { N_OUTPUTS = sizeof outputs / sizeof *outputs };

/* ---- which one ---- */

static const struct kind {
    const struct family *family;
    unsigned bit;
    const char *name;
} kinds[] = {
    {&family_llama, KIND_LLAMA, "llama"}, {&family_mistral, KIND_MISTRAL, "mistral"},
    {&family_qwen2, KIND_QWEN2, "qwen2"}, {&family_qwen3, KIND_QWEN3, "qwen3"},
};

static const struct kind *find_kind(const struct model_folder *model)
{
    const struct family *family = architecture_family(&model->config);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].family == family)
            return &kinds[i];
    return NULL;
}

static int check_kind(const struct model_folder *model, const struct kind *kind, struct error *err)
{
    enum model_type type;

    if (model->config.is_consolidated)
        return error_set(err, ERROR_UNSUPPORTED, "'%s' is in the consolidated layout of Mistral's and "
                         "Llama's own files: take the same model in the layout of Hugging Face",
                         model->name);
    if (!kind)
        return error_set(err, ERROR_UNSUPPORTED, "'%s' is a " ERROR_NAME "; experts are made of "
                         "llama, mistral, qwen2 and qwen3", model->name,
                         model->config.model_type     ? model->config.model_type
                         : model->config.architecture ? model->config.architecture
                                                      : "model of no known architecture");
    if (model_folder_type(model, NULL, &type, err))
        return -1;
    if (type != MODEL_DECODER)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' is used as %s %s; experts are made of "
                         "decoders", model->name, type == MODEL_RERANKER ? "a" : "an",
                         model_type_name(type));
    return 0;
}

/* The kind of all models; NULL with an error. */
static const struct kind *common_kind(const struct moe_wanted *wanted, struct error *err)
{
    const struct kind *first = NULL;

    for (size_t i = 0; i < wanted->n_models; i++) {
        const struct model_folder *model = wanted->models[i];
        const struct kind *kind;

        if (model_folder_need_config(model, err))
            return NULL;
        if (!model->has_config) {
            error_set(err, ERROR_FORMAT, "'%s' is a weights file; to make an expert of it, name the "
                      "directory that holds it with its config.json", model->name);
            return NULL;
        }
        kind = find_kind(model);
        if (check_kind(model, kind, err))
            return NULL;
        if (i > 0 && kind != first) {
            error_set(err, ERROR_INCOMPATIBLE, "'%s' is a %s and '%s' a %s: base and experts must be "
                      "of one kind", model->name, kind->name, wanted->models[0]->name, first->name);
            return NULL;
        }
        first = kind;
    }
    return first;
}

/* Why the architecture cannot hold it, but for the kind of its models; NULL: it can. */
static const char *find_fault(const struct moe_output *output, const struct moe_wanted *wanted)
{
    if (wanted->n_shared < output->least_shared)
        return "wants a shared expert";
    if (wanted->n_shared > output->most_shared)
        return output->most_shared ? "takes one shared expert" : "takes no shared experts";
    if (output->gates_shared && !wanted->shared_has_positive && !wanted->is_random)
        return "wants positive_prompts for its shared expert";
    if (wanted->n_shared && !output->gates_shared && wanted->shared_has_prompts)
        return "has no gate for its shared expert, whose prompts would mean nothing";
    return NULL;
}

static bool is_meant(const struct moe_output *output, const struct moe_wanted *wanted)
{
    return !wanted->architecture || strncasecmp(output->name, wanted->architecture,
                                                strlen(wanted->architecture)) == 0;
}

static const struct moe_output *refuse(const struct moe_wanted *wanted, const struct kind *kind,
                                       const struct moe_output *meant, const char *fault,
                                       struct error *err)
{
    if (fault)
        error_set(err, ERROR_FORMAT, "%s %s", meant->name, fault);
    else if (meant)
        error_set(err, ERROR_INCOMPATIBLE, "'%s' is a %s, of which no %s can be made",
                  wanted->models[0]->name, kind->name, meant->name);
    else
        error_set(err, ERROR_FORMAT, "architecture '" ERROR_NAME "' is none of Mixtral, DeepSeek "
                  "MoE, Qwen MoE and Qwen3 MoE", wanted->architecture);
    return NULL;
}

const struct moe_output *moe_output_choose(const struct moe_wanted *wanted,
                                           struct notices *notices, struct error *err)
{
    const struct kind *kind = common_kind(wanted, err);
    const struct moe_output *chosen = NULL, *meant = NULL;
    const char *fault = NULL;
    size_t n_fit = 0;

    if (!kind)
        return NULL;
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        const struct moe_output *output = &outputs[i];
        const char *why = find_fault(output, wanted);

        if (!is_meant(output, wanted))
            continue;
        if (output->kinds & kind->bit && !why) {
            n_fit++;
            chosen = chosen ? chosen : output;
        } else if (!meant || (output->kinds & kind->bit && !fault)) {
            /* The first of its kind says why, else the first. */
            meant = output;
            fault = output->kinds & kind->bit ? why : NULL;
        }
    }
    if (!chosen)
        return refuse(wanted, kind, meant, fault, err);
    if (n_fit > 1 && chosen != &outputs[0])
        notices_add(notices, "several architectures could hold this mixture: it becomes a %s; "
                    "'architecture' chooses another", chosen->name);
    return chosen;
}

/* ---- config.json ---- */

static void set_number(struct buffer *text, const char *key, double value)
{
    struct buffer number = {0};

    json_add_number(&number, value);
    json_edit_member(text, key, number.data);
    buffer_release(&number);
}

/* What config.json of the base leaves to its class, whose defaults are not those of the new one. */
static void set_defaults(struct buffer *text, const struct model_folder *base,
                         const struct model_spec *spec)
{
    const cJSON *json = base->config.json, *rope = json_find(json, "rope_parameters");
    const struct stack_spec *stack = &spec->stack;
    const struct {
        const char *key;
        size_t value;
    } sizes[] = {
        {"vocab_size", spec->vocab_size},
        {"hidden_size", stack->hidden_size},
        {"num_hidden_layers", stack->n_layers},
        {"num_attention_heads", stack->n_heads},
        {"num_key_value_heads", stack->n_kv_heads},
        {"intermediate_size", stack->intermediate_size},
        {"max_position_embeddings", stack->rope[0].max_positions},
    };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!json_find(json, sizes[i].key))
            set_size(text, sizes[i].key, sizes[i].value);
    if (!json_find(json, "head_dim") && stack->head_dim * stack->n_heads != stack->hidden_size)
        set_size(text, "head_dim", stack->head_dim);
    if (!json_find(json, "rms_norm_eps"))
        set_number(text, "rms_norm_eps", spec->family->defaults.norm_eps);
    if (!json_find(json, "rope_theta") && !json_find(rope, "rope_theta"))
        set_number(text, "rope_theta", stack->rope[0].theta);
    if (!json_find(json, "tie_word_embeddings"))
        json_edit_member(text, "tie_word_embeddings", model_folder_is_tied(base) ? "true" : "false");
}

static bool slides(const struct stack_spec *stack)
{
    for (size_t i = 0; stack->window && i < stack->n_layers; i++)
        if (stack->slides[i])
            return true;
    return false;
}

static void edit_window(const struct moe_output *output, const struct model_folder *base,
                        const struct model_spec *spec, struct buffer *text,
                        struct notices *notices)
{
    json_edit_member(text, "layer_types", NULL); /* all are full */
    if (output->keeps_window)
        return;
    if (slides(&spec->stack))
        notices_add(notices, "'%s': the sliding window of %zu tokens goes, as in mergekit: a %s sees "
                    "all of a text", base->name, spec->stack.window, output->name);
    json_edit_member(text, "sliding_window", "null");
}

/* What would be computed otherwise, or has no tensors there. */
static int check_place(const struct moe_output *output, const struct model_folder *base,
                       const struct model_spec *spec, struct error *err)
{
    const struct stack_spec *stack = &spec->stack;
    const struct {
        bool is_there;
        const char *what;
    } rows[] = {
        {stack->has_mlp_bias, "biases of the MLP (mlp_bias)"},
        {stack->has_o_bias && !output->has_o_bias,
         "a bias of attention's output (attention_bias)"},
        {output->has_plain_heads && stack->head_dim * stack->n_heads != stack->hidden_size,
         "heads of that width (head_dim)"},
        {output->keeps_window && slides(stack),
         "layers of which some slide (use_sliding_window)"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].is_there)
            return error_set(err, ERROR_INCOMPATIBLE, "'%s': a %s has no place for %s", base->name,
                             output->name, rows[i].what);
    return 0;
}

int moe_output_add_config(const struct moe_output *output, const struct model_folder *base,
                          const struct model_spec *spec, size_t n_experts, size_t n_chosen,
                          bool has_shared, struct buffer *text, struct notices *notices,
                          struct error *err)
{
    char *class_list = memory_format("[\"%s\"]", output->class_name);

    if (check_place(output, base, spec, err)) {
        free(class_list);
        return -1;
    }
    buffer_add(text, base->config.text, base->config.size);
    set_defaults(text, base, spec);
    json_edit_member(text, "architectures", class_list);
    set_text(text, "model_type", output->model_type);
    json_edit_member(text, "auto_map", NULL);
    set_size(text, "num_experts_per_tok", n_chosen);
    edit_window(output, base, spec, text, notices);
    output->edit(text, spec, n_experts, has_shared);
    free(class_list);
    return 0;
}
