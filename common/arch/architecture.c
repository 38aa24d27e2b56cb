#include "architecture.h"

#include <string.h>

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

/* `natural` is what the bare model (BertModel, LlamaModel) is used as. */
static const struct family {
    const char *class_prefix, *model_type;
    unsigned natural;
    int tied_by_default;
} families[] = {
    {"Bert", "bert", ENCODER, 1},
    {"Roberta", "roberta", ENCODER, 1},
    {"XLMRoberta", "xlm-roberta", ENCODER, 1},
    {"DistilBert", "distilbert", ENCODER, 1},
    {"Camembert", "camembert", ENCODER, 1},
    {"MPNet", "mpnet", ENCODER, 1},
    {"Electra", "electra", ENCODER, 1},
    {"Albert", "albert", ENCODER, 1},
    {"DebertaV2", "deberta-v2", ENCODER, 1},
    {"ModernBert", "modernbert", ENCODER, 1},
    {"NomicBert", "nomic_bert", ENCODER, 1},
    {"Llama", "llama", DECODER, 0},
    {"Mistral", "mistral", DECODER, 0},
    {"Qwen2", "qwen2", DECODER, 0},
    {"Qwen3", "qwen3", DECODER, 0},
    {"Gemma", "gemma", DECODER, 1},
    {"Gemma2", "gemma2", DECODER, 1},
    {"Gemma3", "gemma3_text", DECODER, 1},
    {"Gemma3", "gemma3", DECODER, 1},
    {"GPT2", "gpt2", DECODER, 1},
    {"GPTNeoX", "gpt_neox", DECODER, 0},
    {"Phi", "phi", DECODER, 0},
    {"Phi3", "phi3", DECODER, 0},
    {"Mixtral", "mixtral", DECODER, 0},
    {"Qwen2Moe", "qwen2_moe", DECODER, 0},
    {"Qwen3Moe", "qwen3_moe", DECODER, 0},
    {"Olmoe", "olmoe", DECODER, 0},
    {"DeepseekV2", "deepseek_v2", DECODER, 0},
    {"DeepseekV3", "deepseek_v3", DECODER, 0},
    {"GptOss", "gpt_oss", DECODER, 0},
    {"PhiMoE", "phimoe", DECODER, 0},
    {"GraniteMoe", "granitemoe", DECODER, 0},
    {"JetMoe", "jetmoe", DECODER, 1},
    {"Moduleformer", "moduleformer", DECODER, 0},
    {"OpenMoe", "openmoe", DECODER, 0},
    {"T5", "t5", ENCODER_DECODER, 1},
    {"MT5", "mt5", ENCODER_DECODER, 1},
    {"UMT5", "umt5", ENCODER_DECODER, 1},
    {"SwitchTransformers", "switch_transformers", ENCODER_DECODER, 1},
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

static const struct family *find_family(const struct config *config)
{
    const char *class_name = config->architecture;
    const struct ending *ending = class_name ? find_ending(class_name) : NULL;

    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const struct family *family = &families[i];

        if (ending ? strncmp(class_name, family->class_prefix,
                             strlen(class_name) - strlen(ending->text)) == 0 &&
                         strlen(family->class_prefix) == strlen(class_name) - strlen(ending->text)
                   : !class_name && config->model_type &&
                         strcmp(config->model_type, family->model_type) == 0)
            return family;
    }
    return NULL;
}

/* What the checkpoint can be (a set of types) and usually is (0: cannot be told). */
static void find_types(const struct config *config, unsigned *usual, unsigned *possible)
{
    static const struct ending bare = {"", NATURAL, NATURAL | ENCODER | RERANKER};
    const struct family *family = find_family(config);
    const struct ending *ending =
        config->architecture ? find_ending(config->architecture) : &bare;
    unsigned natural = family ? family->natural : 0;

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
    const struct family *family = find_family(config);

    return family ? family->tied_by_default : -1;
}

bool architecture_has_experts(const struct config *config)
{
    static const char *const names[] = {"num_local_experts", "num_experts",     "n_routed_experts",
                                        "moe_num_experts",   "num_experts_per_tok", NULL};

    return config_number(config, names) > 0;
}
