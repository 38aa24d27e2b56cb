#include "architecture.h"

#include <string.h>

#include "arch/families.h"

enum {
    DECODER = 1 << MODEL_DECODER,
    ENCODER = 1 << MODEL_ENCODER,
    RERANKER = 1 << MODEL_RERANKER,
    ENCODER_DECODER = 1 << MODEL_ENCODER_DECODER,
};

static const char *const type_names[N_MODEL_TYPES] = {
    [MODEL_DECODER] = "decoder",
    [MODEL_ENCODER] = "encoder",
    [MODEL_RERANKER] = "reranker",
    [MODEL_ENCODER_DECODER] = "encoder-decoder",
};

/* `body` stands in front of the names of all tensors but those of heads (NULL: not known).
 * `natural` is what the bare model (BertModel, LlamaModel) is used as, `family` how it is run (NULL:
 * it cannot be). Rows of one family stand together. */
static const struct row {
    const char *class_prefix, *model_type, *body;
    unsigned natural;
    int tied_by_default;
    const struct family *family;
} rows[] = {
    {"Bert", "bert", "bert.", ENCODER, 1, &family_bert},
    {"Roberta", "roberta", "roberta.", ENCODER, 1, &family_roberta},
    {"XLMRoberta", "xlm-roberta", "roberta.", ENCODER, 1, &family_roberta},
    {"Camembert", "camembert", "roberta.", ENCODER, 1, &family_roberta},
    {"DistilBert", "distilbert", "distilbert.", ENCODER, 1, &family_distilbert},
    {"MPNet", "mpnet", "mpnet.", ENCODER, 1, NULL},
    {"Electra", "electra", "electra.", ENCODER, 1, NULL},
    {"Albert", "albert", "albert.", ENCODER, 1, NULL},
    {"DebertaV2", "deberta-v2", "deberta.", ENCODER, 1, NULL},
    {"ModernBert", "modernbert", "model.", ENCODER, 1, NULL},
    {"NomicBert", "nomic_bert", NULL, ENCODER, 1, NULL},
    {"Llama", "llama", "model.", DECODER, 0, &family_llama},
    {"Mistral", "mistral", "model.", DECODER, 0, &family_mistral},
    {"MistralConsolidated", "consolidated", "", DECODER, 0, &family_consolidated},
    {"Qwen2", "qwen2", "model.", DECODER, 0, &family_qwen2},
    {"Qwen3", "qwen3", "model.", DECODER, 0, &family_qwen3},
    {"Gemma", "gemma", "model.", DECODER, 1, &family_gemma},
    {"Gemma2", "gemma2", "model.", DECODER, 1, &family_gemma2},
    {"Gemma3", "gemma3_text", "model.", DECODER, 1, &family_gemma3},
    {"Gemma3", "gemma3", "model.", DECODER, 1, &family_gemma3},
    {"Gemma3Text", "gemma3_text", "model.", DECODER, 1, &family_gemma3},
    {"GPT2", "gpt2", "transformer.", DECODER, 1, &family_gpt2},
    {"GPTNeoX", "gpt_neox", "gpt_neox.", DECODER, 0, &family_gpt_neox},
    {"Phi", "phi", "model.", DECODER, 0, NULL},
    {"Phi3", "phi3", "model.", DECODER, 0, &family_phi3},
    {"Mixtral", "mixtral", "model.", DECODER, 0, &family_mixtral},
    {"Qwen2Moe", "qwen2_moe", "model.", DECODER, 0, &family_qwen2_moe},
    {"Qwen3Moe", "qwen3_moe", "model.", DECODER, 0, &family_qwen3_moe},
    {"Olmoe", "olmoe", "model.", DECODER, 0, &family_olmoe},
    {"Deepseek", "deepseek", "model.", DECODER, 0, &family_deepseek},
    {"DeepseekV2", "deepseek_v2", "model.", DECODER, 0, &family_deepseek_v2},
    {"DeepseekV3", "deepseek_v3", "model.", DECODER, 0, &family_deepseek_v3},
    {"GptOss", "gpt_oss", "model.", DECODER, 0, &family_gpt_oss},
    {"PhiMoE", "phimoe", "model.", DECODER, 0, &family_phi_moe},
    {"Phimoe", "phimoe", "model.", DECODER, 0, &family_phi_moe},
    {"GraniteMoe", "granitemoe", "model.", DECODER, 0, &family_granite_moe},
    {"JetMoe", "jetmoe", "model.", DECODER, 1, &family_jetmoe},
    {"ModuleFormer", "moduleformer", "transformer.", DECODER, 0, &family_molm},
    {"OpenMoe", "openmoe", "model.", DECODER, 0, &family_openmoe},
    {"Megatron", "megatron", "model.", DECODER, 0, &family_megatron},
    {"T5", "t5", "", ENCODER_DECODER, 1, &family_t5},
    {"MT5", "mt5", "", ENCODER_DECODER, 1, &family_mt5},
    {"UMT5", "umt5", "", ENCODER_DECODER, 1, &family_umt5},
    {"SwitchTransformers", "switch_transformers", "", ENCODER_DECODER, 1, &family_switch},
};

/* The ending of a class name: what the checkpoint can be used as, and which of these it is when
 * the user does not say. Longer endings first. `natural` stands for the family's own. */
enum { NATURAL = 1 << N_MODEL_TYPES };

static const struct ending {
    const char *text;
    unsigned usual, possible;
} endings[] = {
    {"ForCausalLM", DECODER, DECODER | ENCODER},
    {"LMHeadModel", DECODER, DECODER | ENCODER},
    {"DoubleHeadsModel", DECODER, DECODER | ENCODER},
    {"ForSequenceClassification", RERANKER, RERANKER | ENCODER},
    {"ForConditionalGeneration", NATURAL, NATURAL},
    {"ForMaskedLM", ENCODER, ENCODER},
    {"ForPreTraining", NATURAL, NATURAL | ENCODER},
    {"EncoderModel", ENCODER, ENCODER},
    {"ForTextEncoding", ENCODER, ENCODER},
    {"Model", NATURAL, NATURAL | ENCODER},
};

const char *model_type_name(enum model_type type)
{
    return type_names[type];
}

int model_type_find(const char *name, enum model_type *type)
{
    for (int i = 0; i < N_MODEL_TYPES; i++)
        if (strcmp(type_names[i], name) == 0) {
            *type = (enum model_type)i;
            return 0;
        }
    return -1;
}

static const struct ending *find_ending(const char *class_name)
{
    size_t length = strlen(class_name);

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i].text);

        if (length >= n && strcmp(class_name + length - n, endings[i].text) == 0)
            return &endings[i];
    }
    return NULL;
}

static const struct row *find_row(const struct config *config)
{
    const char *class_name = config->architecture;
    const struct ending *ending = class_name ? find_ending(class_name) : NULL;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];

        if (ending ? strncmp(class_name, row->class_prefix,
                             strlen(class_name) - strlen(ending->text)) == 0 &&
                         strlen(row->class_prefix) == strlen(class_name) - strlen(ending->text)
                   : !class_name && config->model_type &&
                         strcmp(config->model_type, row->model_type) == 0)
            return row;
    }
    return NULL;
}

/* What the checkpoint can be (a set of types) and usually is (0: cannot be told). */
static void find_types(const struct config *config, unsigned *usual, unsigned *possible)
{
    static const struct ending bare = {"", NATURAL, NATURAL | ENCODER | RERANKER};
    const struct row *row = find_row(config);
    const struct ending *ending =
        config->architecture ? find_ending(config->architecture) : &bare;
    unsigned natural = row ? row->natural : 0;

    *usual = *possible = 0;
    if (!ending)
        return;
    *usual = ending->usual == NATURAL ? natural : ending->usual;
    *possible = ending->possible;
    if (ending->possible & NATURAL) /* an unknown family can be anything */
        *possible = natural ? (*possible & ~(unsigned)NATURAL) | natural : 0;
    /* A decoder without its head cannot generate, but is an embedding model (e5-mistral). */
    if (ending->usual == NATURAL && config->architecture && natural == DECODER &&
        strcmp(ending->text, "Model") == 0)
        *usual = *possible = ENCODER;
}

int architecture_type(const struct config *config, const char *wanted, const char *where,
                      enum model_type *type, struct error *err)
{
    const char *name = config->architecture ? config->architecture : config->model_type;
    unsigned usual, possible;

    if (wanted && model_type_find(wanted, type))
        return error_set(err, ERROR_USAGE, "unknown type '%s'", wanted);
    if (!name)
        return wanted ? 0
                      : error_set(err, ERROR_FORMAT, "'%s/config.json': neither architectures nor "
                                  "model_type; say what it is with --type", where);
    find_types(config, &usual, &possible);
    if (wanted) {
        if (possible && !(possible & 1u << *type))
            return error_set(err, ERROR_INCOMPATIBLE, "'%s': " ERROR_NAME " cannot be used as %s "
                             "%s", where, name, *wanted == 'e' ? "an" : "a", wanted);
        return 0;
    }
    if (!usual)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': unknown architecture '" ERROR_NAME "'; say "
                         "what it is with --type", where, name);
    for (int i = 0; i < N_MODEL_TYPES; i++)
        if (usual & 1u << i)
            *type = (enum model_type)i;
    return 0;
}

int architecture_tied_by_default(const struct config *config)
{
    const struct row *row = find_row(config);

    return row ? row->tied_by_default : -1;
}

static bool find_experts(const struct config *config, const char *const *counts,
                         const char *const *chosen, size_t *n_experts, size_t *n_chosen)
{
    double n = config_number(config, counts), k = config_number(config, chosen);

    if (n_experts)
        *n_experts = n >= 1 && n <= 1e9 ? (size_t)n : 0;
    if (n_chosen)
        *n_chosen = k >= 1 && k <= 1e9 ? (size_t)k : 0;
    return n > 0 || k > 0;
}

bool architecture_has_experts(const struct config *config, size_t *n_experts, size_t *n_chosen)
{
    const struct family *family = architecture_family(config);
    bool has_experts = find_experts(config, config_n_experts, config_n_chosen, n_experts, n_chosen);

    if (has_experts && n_chosen && *n_chosen == 0 && family)
        *n_chosen = family->fixed_n_chosen;
    return has_experts;
}

bool architecture_has_attention_experts(const struct config *config, size_t *n_experts,
                                        size_t *n_chosen)
{
    return find_experts(config, config_n_attention_experts, config_n_attention_chosen, n_experts,
                        n_chosen);
}

struct name_style architecture_name_style(const struct config *config)
{
    const struct row *row = find_row(config);
    const struct ending *ending =
        config->architecture ? find_ending(config->architecture) : NULL;
    bool is_bare = !ending || strcmp(ending->text, "Model") == 0 ||
                   strcmp(ending->text, "EncoderModel") == 0;

    /* Models with more than text have had their text in several places. */
    if (!row || json_find(config->json, "text_config"))
        return (struct name_style){.is_bare = is_bare};
    return (struct name_style){row->body, row->family ? row->family->names->before_layers : NULL,
                               is_bare};
}

static size_t prefix_length(const char *name, const char *prefix)
{
    size_t length = *name == *prefix ? strlen(prefix) : 0; /* most differ in the first character */

    return strncmp(name, prefix, length) == 0 ? length : 0;
}

size_t architecture_body_length(const char *name)
{
    size_t length = prefix_length(name, "language_model."); /* around text_config */

    for (size_t i = 0; length == 0 && i < sizeof rows / sizeof *rows; i++)
        if (rows[i].body)
            length = prefix_length(name, rows[i].body);
    return length;
}

const struct family *architecture_family(const struct config *config)
{
    const struct row *row = find_row(config);

    return row ? row->family : NULL;
}

void architecture_list_families(struct buffer *out)
{
    const struct family *last = NULL;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].family && rows[i].family != last) {
            buffer_add_text(out, last ? ", " : "");
            last = rows[i].family;
            buffer_add_text(out, last->name);
        }
}

bool architecture_is_decoder(const struct config *config)
{
    const struct row *row = find_row(config);
    const struct ending *ending = config->architecture ? find_ending(config->architecture) : NULL;

    return row ? row->natural == DECODER : ending && ending->usual == DECODER;
}
