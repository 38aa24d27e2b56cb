/* test_model_folder.c - what a folder was made for. */
#include "arch/model_folder.h"

#include <dirent.h>

#include "scratch.h"

#define TRANSFORMER "{\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"}"
#define POOLING ",{\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"}"
#define SCORE ",{\"path\":\"1_Score\",\"type\":\"sentence_transformers.cross_encoder.LogitScore\"}"
#define CROSS "{\"model_type\":\"CrossEncoder\"}"

/* The type, or minus the error code. */
static int type_of(const char *architecture, const char *modules, const char *kind,
                   const char *wanted)
{
    struct model_folder folder;
    enum model_type type = N_MODEL_TYPES;
    struct error err = {0};
    char config[200];

    snprintf(config, sizeof config, "{\"architectures\":[\"%s\"]}", architecture);
    scratch_text("folder/config.json", config);
    scratch_text("folder/1_Pooling/config.json", "{\"pooling_mode\":\"mean\"}");
    scratch_text("folder/modules.json", modules);
    scratch_text("folder/config_sentence_transformers.json", kind);
    if (model_folder_open(&folder, scratch_path("folder"), NULL, false, &err))
        return -(int)err.code;
    if (model_folder_type(&folder, wanted, &type, &err))
        type = N_MODEL_TYPES;
    model_folder_release(&folder);
    return err.code ? -(int)err.code : (int)type;
}

static void its_modules_decide_before_its_class(void)
{
    static const struct {
        const char *architecture, *modules, *kind, *wanted;
        int type;
    } table[] = {
        {"Qwen3ForCausalLM", "[" TRANSFORMER POOLING "]", "{}", NULL, MODEL_ENCODER},
        {"Qwen3ForCausalLM", "[" TRANSFORMER POOLING "]", "{}", "encoder", MODEL_ENCODER},
        {"Qwen3ForCausalLM", "[" TRANSFORMER POOLING "]", "{}", "decoder", MODEL_DECODER},
        {"Qwen3ForCausalLM", "[" TRANSFORMER POOLING "]", "{}", "reranker", -ERROR_INCOMPATIBLE},
        {"T5ForConditionalGeneration", "[" TRANSFORMER POOLING "]", "{}", NULL, MODEL_ENCODER},
        {"T5ForConditionalGeneration", "[" TRANSFORMER POOLING "]", "{}", "encoder", MODEL_ENCODER},
        {"BertForSequenceClassification", "[" TRANSFORMER POOLING "]", "{}", NULL, MODEL_ENCODER},
        /* nothing pools */
        {"Qwen3ForCausalLM", "[" TRANSFORMER "]", "{}", NULL, MODEL_DECODER},
        {"BertForSequenceClassification", "[" TRANSFORMER "]", "{}", NULL, MODEL_RERANKER},
        {"BertForSequenceClassification", "[" TRANSFORMER "]", CROSS, NULL, MODEL_RERANKER},
        {"BertForSequenceClassification", "[" TRANSFORMER "]", CROSS, "encoder", MODEL_ENCODER},
        {"ModernBertModel", "[" TRANSFORMER POOLING "]", CROSS, NULL, MODEL_RERANKER},
        {"Qwen3ForCausalLM", "[" TRANSFORMER SCORE "]", CROSS, NULL, MODEL_DECODER},
        {"BertModel", "[" TRANSFORMER POOLING "]", "[]", NULL, -ERROR_FORMAT},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (type_of(table[i].architecture, table[i].modules, table[i].kind, table[i].wanted) !=
            table[i].type) {
            printf("# row %zu\n", i);
            CHECK(false);
        }
}

static void weights_are_opened_once(void)
{
    struct model_folder folder;
    struct notices notices = {0};
    struct error err = {0};
    const struct checkpoint *weights;

    SAFETENSORS("once/model.safetensors", TENSOR("x", DTYPE_F32, 0, 4));
    SAFETENSORS("once/2_Dense/model.safetensors", TENSOR("linear.weight", DTYPE_F32, 0, 4));
    CHECK(model_folder_open(&folder, scratch_path("once"), NULL, false, &err) == 0);
    CHECK(!model_folder_checkpoint(&folder, "3_Dense", NULL, &notices, &err) &&
          err.code == ERROR_FORMAT && folder.n_opened == 0);
    weights = model_folder_weights(&folder, &notices, &err);
    CHECK(weights && checkpoint_find(weights, "x"));
    CHECK(model_folder_checkpoint(&folder, "2_Dense", NULL, &notices, &err) != weights);
    CHECK(model_folder_checkpoint(&folder, "", NULL, &notices, &err) == weights);
    CHECK(model_folder_weights(&folder, &notices, &err) == weights && folder.n_opened == 2);
    model_folder_release(&folder);
    CHECK(folder.n_opened == 0);
}

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t n = 0;

    while (directory && readdir(directory))
        n++;
    closedir(directory);
    return n;
}

static void reopened_it_opens_no_file_again(void)
{
    struct model_folder folder, again;
    struct notices notices = {0};
    struct error err = {0};
    struct buffer config = {0};
    size_t n_before;

    scratch_text("again/config.json", "{\"num_hidden_layers\": 2}");
    scratch_text("again/modules.json", "[" TRANSFORMER POOLING "]");
    scratch_text("again/1_Pooling/config.json", "{\"pooling_mode\":\"mean\"}");
    SAFETENSORS("again/model.safetensors", TENSOR("x", DTYPE_F32, 0, 4));
    SAFETENSORS("again/2_Dense/model.safetensors", TENSOR("linear.weight", DTYPE_F32, 0, 4));
    CHECK(model_folder_open(&folder, scratch_path("again"), NULL, false, &err) == 0);
    CHECK(model_folder_weights(&folder, &notices, &err) != NULL);
    n_before = count_descriptors();
    CHECK(model_folder_reopen(&again, &folder, "another", &err) == 0);
    CHECK(model_folder_weights(&again, &notices, &err) &&
          checkpoint_find(model_folder_weights(&again, &notices, &err), "x"));
    CHECK(count_descriptors() == n_before);
    CHECK(strcmp(again.name, "another") == 0 && strcmp(again.folder->path, "another") == 0);
    CHECK(again.sentence.pooling && strcmp(again.sentence.pooling, "mean") == 0);
    buffer_add_text(&config, "{\"num_hidden_layers\": 7}");
    CHECK(model_folder_set_config(&again, &config, &err) == 0);
    CHECK(cJSON_GetObjectItem(again.config.json, "num_hidden_layers")->valuedouble == 7);
    CHECK(cJSON_GetObjectItem(folder.config.json, "num_hidden_layers")->valuedouble == 2);
    /* What only the copy asks for is the other's, too. */
    CHECK(model_folder_checkpoint(&again, "2_Dense", NULL, &notices, &err) != NULL);
    CHECK(folder.n_opened == 2 && count_descriptors() == n_before + 1);
    model_folder_release(&again);
    CHECK(count_descriptors() == n_before + 1);
    model_folder_release(&folder);
}

TESTS(TEST(reopened_it_opens_no_file_again), TEST(its_modules_decide_before_its_class), TEST(weights_are_opened_once))
