/* test_architecture.c - what a class name can be used as. */
#include "arch/architecture.h"

#include "test.h"

enum { WRONG_TYPE = -ERROR_INCOMPATIBLE, UNKNOWN = -ERROR_UNSUPPORTED, SILENT = -ERROR_FORMAT };
enum {
    DEC = MODEL_DECODER,
    ENC = MODEL_ENCODER,
    RER = MODEL_RERANKER,
    E_D = MODEL_ENCODER_DECODER,
};

/* The type, or minus the error code. */
static int type_of(const char *class_name, const char *model_type, const char *wanted)
{
    struct config config = {.architecture = class_name, .model_type = model_type};
    enum model_type type = N_MODEL_TYPES;
    struct error err = {0};

    if (architecture_type(&config, wanted, "here", &type, &err)) {
        CHECK(*err.text);
        return -(int)err.code;
    }
    return (int)type;
}

/* One row: what it is by itself, and as decoder, encoder, reranker, encoder-decoder. */
static void class_names_decide_what_a_checkpoint_is(void)
{
    enum { NO = WRONG_TYPE };
    static const struct {
        const char *name;
        int usual, wanted[N_MODEL_TYPES];
    } table[] = {
        {"LlamaForCausalLM", DEC, {DEC, ENC, NO, NO}},
        {"GPT2LMHeadModel", DEC, {DEC, ENC, NO, NO}},
        {"GPT2DoubleHeadsModel", DEC, {DEC, ENC, NO, NO}},
        {"Qwen2MoeForCausalLM", DEC, {DEC, ENC, NO, NO}},
        {"OpenMoeForCausalLM", DEC, {DEC, ENC, NO, NO}},
        {"BertLMHeadModel", DEC, {DEC, ENC, NO, NO}},
        {"LlamaModel", ENC, {NO, ENC, NO, NO}},
        {"MistralModel", ENC, {NO, ENC, NO, NO}},
        {"GPT2Model", ENC, {NO, ENC, NO, NO}},
        {"Gemma3ForConditionalGeneration", DEC, {DEC, NO, NO, NO}},
        {"BertModel", ENC, {NO, ENC, NO, NO}},
        {"XLMRobertaModel", ENC, {NO, ENC, NO, NO}},
        {"DistilBertModel", ENC, {NO, ENC, NO, NO}},
        {"BertForMaskedLM", ENC, {NO, ENC, NO, NO}},
        {"RobertaForMaskedLM", ENC, {NO, ENC, NO, NO}},
        {"BertForPreTraining", ENC, {NO, ENC, NO, NO}},
        {"BertForSequenceClassification", RER, {NO, ENC, RER, NO}},
        {"XLMRobertaForSequenceClassification", RER, {NO, ENC, RER, NO}},
        {"LlamaForSequenceClassification", RER, {NO, ENC, RER, NO}},
        {"T5ForConditionalGeneration", E_D, {NO, NO, NO, E_D}},
        {"UMT5ForConditionalGeneration", E_D, {NO, NO, NO, E_D}},
        {"SwitchTransformersForConditionalGeneration", E_D, {NO, NO, NO, E_D}},
        {"T5Model", E_D, {NO, ENC, NO, E_D}},
        {"T5EncoderModel", ENC, {NO, ENC, NO, NO}},
        {"MT5EncoderModel", ENC, {NO, ENC, NO, NO}},
        /* A family that is not in the table: the ending says it, or the user. */
        {"NovelForCausalLM", DEC, {DEC, ENC, NO, NO}},
        {"NovelForSequenceClassification", RER, {NO, ENC, RER, NO}},
        {"NovelForMaskedLM", ENC, {NO, ENC, NO, NO}},
        {"NovelModel", UNKNOWN, {DEC, ENC, RER, E_D}},
        {"NovelForConditionalGeneration", UNKNOWN, {DEC, ENC, RER, E_D}},
        {"NovelThing", UNKNOWN, {DEC, ENC, RER, E_D}},
        {"", UNKNOWN, {DEC, ENC, RER, E_D}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CHECK(type_of(table[i].name, NULL, NULL) == table[i].usual);
        for (int wanted = 0; wanted < N_MODEL_TYPES; wanted++) {
            int found = type_of(table[i].name, NULL, model_type_name((enum model_type)wanted));

            if (found != table[i].wanted[wanted])
                printf("# %s as %s: %d\n", table[i].name,
                       model_type_name((enum model_type)wanted), found);
            CHECK(found == table[i].wanted[wanted]);
        }
    }
}

static void the_class_name_stands_above_the_model_type(void)
{
    CHECK(type_of("OpenMoeForCausalLM", "llama", NULL) == DEC);
    CHECK(type_of("BertForSequenceClassification", "llama", NULL) == RER);
    CHECK(type_of("T5EncoderModel", "t5", NULL) == ENC);
}

static void without_a_class_name_the_model_type_decides(void)
{
    CHECK(type_of(NULL, "llama", NULL) == DEC);
    CHECK(type_of(NULL, "bert", NULL) == ENC);
    CHECK(type_of(NULL, "t5", NULL) == E_D);
    CHECK(type_of(NULL, "bert", "reranker") == RER);
    CHECK(type_of(NULL, "bert", "decoder") == WRONG_TYPE);
    CHECK(type_of(NULL, "novel", NULL) == UNKNOWN);
    CHECK(type_of(NULL, "novel", "decoder") == DEC);
}

static void without_either_the_user_has_to_say_it(void)
{
    CHECK(type_of(NULL, NULL, NULL) == SILENT);
    CHECK(type_of(NULL, NULL, "encoder") == ENC);
    CHECK(type_of("LlamaForCausalLM", NULL, "robot") == -ERROR_USAGE);
}

static void the_complaint_names_model_class_and_type(void)
{
    struct config config = {.architecture = "BertModel"};
    enum model_type type;
    struct error err = {0};

    CHECK(architecture_type(&config, "decoder", "models/a", &type, &err) == -1);
    CHECK(strcmp(err.text, "'models/a': BertModel cannot be used as a decoder") == 0);
    err = (struct error){0};
    CHECK(architecture_type(&config, "encoder-decoder", "models/a", &type, &err) == -1);
    CHECK(strcmp(err.text, "'models/a': BertModel cannot be used as an encoder-decoder") == 0);
    err = (struct error){0};
    config.architecture = "NovelThing";
    CHECK(architecture_type(&config, NULL, "models/a", &type, &err) == -1);
    CHECK_CONTAINS(err.text, "NovelThing");
    CHECK_CONTAINS(err.text, "--type");
}

static void names_of_types_go_both_ways(void)
{
    for (int i = 0; i < N_MODEL_TYPES; i++) {
        enum model_type type;

        CHECK(model_type_find(model_type_name((enum model_type)i), &type) == 0);
        CHECK((int)type == i);
    }
    CHECK(model_type_find("Decoder", &(enum model_type){0}) == -1);
    CHECK(model_type_find("", &(enum model_type){0}) == -1);
}

/* The defaults of transformers. */
static void heads_are_tied_by_default_as_in_transformers(void)
{
    static const struct {
        const char *name;
        int is_tied;
    } table[] = {
        {"GemmaForCausalLM", 1},     {"Gemma2ForCausalLM", 1},  {"GPT2LMHeadModel", 1},
        {"JetMoeForCausalLM", 1},    {"T5ForConditionalGeneration", 1},
        {"BertForMaskedLM", 1},      {"LlamaForCausalLM", 0},   {"MistralForCausalLM", 0},
        {"Qwen2ForCausalLM", 0},     {"Qwen3ForCausalLM", 0},   {"GPTNeoXForCausalLM", 0},
        {"GptOssForCausalLM", 0},    {"DeepseekV3ForCausalLM", 0}, {"OpenMoeForCausalLM", 0},
        {"NovelForCausalLM", -1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct config config = {.architecture = table[i].name};

        CHECK(architecture_tied_by_default(&config) == table[i].is_tied);
    }
}

static void experts_are_seen_in_the_config(void)
{
    static const char *const with[] = {"{\"num_local_experts\":8}", "{\"num_experts\":64}",
                                       "{\"n_routed_experts\":2}", "{\"n_mlp_experts\":6}",
                                       "{\"text_config\":{\"num_experts\":4}}"};
    static const char *const without[] = {"{}", "{\"num_experts\":0}", "{\"num_experts\":null}"};
    struct error err = {0};

    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
        struct config config = {.json = json_parse(with[i], strlen(with[i]), &err)};

        CHECK(architecture_has_experts(&config, NULL, NULL));
        CHECK(!architecture_has_attention_experts(&config, NULL, NULL));
        cJSON_Delete(config.json);
    }
    for (size_t i = 0; i < 3; i++) {
        struct config config = {.json = json_parse(without[i], strlen(without[i]), &err)};

        CHECK(!architecture_has_experts(&config, NULL, NULL));
        cJSON_Delete(config.json);
    }
}

static void a_family_may_say_how_many_experts_a_token_meets(void)
{
    static const char text[] = "{\"num_experts\":8}";
    struct error err = {0};
    struct config config = {.json = json_parse(text, sizeof text - 1, &err)};
    size_t n_experts, n_chosen;

    config.architecture = "SwitchTransformersForConditionalGeneration";
    CHECK(architecture_has_experts(&config, &n_experts, &n_chosen));
    CHECK(n_experts == 8 && n_chosen == 1);
    config.architecture = "MixtralForCausalLM";
    CHECK(architecture_has_experts(&config, &n_experts, &n_chosen));
    CHECK(n_experts == 8 && n_chosen == 0);
    cJSON_Delete(config.json);
}

static void what_any_architecture_has_in_front_of_names_is_known(void)
{
    CHECK(architecture_body_length("model.norm.weight") == 6);
    CHECK(architecture_body_length("deberta.encoder.x") == 8);
    CHECK(architecture_body_length("language_model.model.norm.weight") == 15);
    CHECK(architecture_body_length("module.model.norm.weight") == 0);
    CHECK(architecture_body_length("models.weight") == 0);
    CHECK(architecture_body_length("") == 0);
}

TESTS(TEST(class_names_decide_what_a_checkpoint_is),
      TEST(the_class_name_stands_above_the_model_type),
      TEST(without_a_class_name_the_model_type_decides),
      TEST(without_either_the_user_has_to_say_it), TEST(the_complaint_names_model_class_and_type),
      TEST(names_of_types_go_both_ways), TEST(heads_are_tied_by_default_as_in_transformers),
      TEST(experts_are_seen_in_the_config),
      TEST(a_family_may_say_how_many_experts_a_token_meets),
      TEST(what_any_architecture_has_in_front_of_names_is_known))
