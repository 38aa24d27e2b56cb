/* test_sentence_transformers.c - the folder layout of embedding models, read and made. */
#include "arch/sentence_transformers.h"

#include "scratch.h"

static int load(struct sentence_folder *sentence, const char *name, struct error *err)
{
    struct folder *folder = folder_open(scratch_path(name), false, err);
    int rc = folder ? sentence_folder_load(sentence, folder, err) : -1;

    folder_close(folder);
    return rc;
}

static void modules_are_known_by_the_last_part_of_their_type(void)
{
    struct sentence_folder sentence;
    struct error err = {0};

    scratch_text("classic/modules.json",
                 "[{\"idx\":0,\"name\":\"0\",\"path\":\"\","
                 "\"type\":\"sentence_transformers.models.Transformer\"},"
                 "{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\","
                 "\"type\":\"sentence_transformers.models.Pooling\"},"
                 "{\"idx\":2,\"name\":\"2\",\"path\":\"2_Dense\",\"type\":\"Dense\"}]");
    scratch_text("classic/1_Pooling/config.json", "{\"pooling_mode_cls_token\":true}");
    CHECK(load(&sentence, "classic", &err) == 0);
    CHECK(sentence.n_modules == 3);
    CHECK(strcmp(sentence.modules[0].kind, "Transformer") == 0 && !*sentence.modules[0].path);
    CHECK(strcmp(sentence.modules[1].kind, "Pooling") == 0);
    CHECK(strcmp(sentence.modules[2].kind, "Dense") == 0);
    CHECK(strcmp(sentence.modules[2].path, "2_Dense") == 0);
    CHECK(strcmp(sentence.pooling, "cls") == 0);
    CHECK(!*sentence.transformer);
    sentence_folder_release(&sentence);
}

static void pooling_is_named_as_the_config_says(void)
{
    static const char *const table[][2] = {
        {"{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}", "cls"},
        {"{\"pooling_mode_mean_tokens\":true}", "mean"},
        {"{\"pooling_mode_max_tokens\":true}", "max"},
        {"{\"pooling_mode_lasttoken\":true}", "lasttoken"},
        {"{\"pooling_mode_weightedmean_tokens\":true}", "weightedmean"},
        {"{\"pooling_mode_mean_sqrt_len_tokens\":true}", "mean_sqrt_len_tokens"},
        /* Several are concatenated in this order, whatever the order of the keys. */
        {"{\"pooling_mode_mean_tokens\":true,\"pooling_mode_max_tokens\":true,"
         "\"pooling_mode_cls_token\":true}", "cls+max+mean"},
        {"{\"pooling_mode\":\"mean\",\"embedding_dimension\":96,\"include_prompt\":true}", "mean"},
        {"{\"pooling_mode\":\"lasttoken\"}", "lasttoken"},
        {"{\"pooling_mode\":[\"mean\",\"cls\"]}", "mean+cls"},
        {"{}", "mean"},
        {"{\"word_embedding_dimension\":384}", "mean"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sentence_folder sentence;
        struct error err = {0};

        scratch_text("pooling/modules.json", "[{\"path\":\"\",\"type\":\"a.Transformer\"},"
                                             "{\"path\":\"1_Pooling\",\"type\":\"a.Pooling\"}]");
        scratch_text("pooling/1_Pooling/config.json", table[i][0]);
        CHECK(load(&sentence, "pooling", &err) == 0);
        CHECK(sentence.pooling && strcmp(sentence.pooling, table[i][1]) == 0);
        sentence_folder_release(&sentence);
    }
}

static void the_transformer_may_lie_in_a_folder_of_its_own(void)
{
    struct sentence_folder sentence;
    struct error err = {0};

    scratch_text("old/modules.json", "[{\"path\":\"0_Transformer\",\"type\":\"x.Transformer\"}]");
    CHECK(load(&sentence, "old", &err) == 0);
    CHECK(strcmp(sentence.transformer, "0_Transformer") == 0 && !sentence.pooling);
    sentence_folder_release(&sentence);

    scratch_text("older/0_Transformer/config.json", "{}");
    CHECK(load(&sentence, "older", &err) == 0);
    CHECK(strcmp(sentence.transformer, "0_Transformer") == 0 && sentence.n_modules == 0);
    sentence_folder_release(&sentence);

    scratch_text("older/config.json", "{}");
    CHECK(load(&sentence, "older", &err) == 0);
    CHECK(!*sentence.transformer);
    sentence_folder_release(&sentence);
}

static void a_plain_folder_has_no_modules(void)
{
    struct sentence_folder sentence;
    struct error err = {0};

    scratch_text("plain/config.json", "{}");
    CHECK(load(&sentence, "plain", &err) == 0);
    CHECK(sentence.n_modules == 0 && !sentence.pooling && !*sentence.transformer);
    sentence_folder_release(&sentence);
    sentence_folder_release(&sentence);
    CHECK(sentence.transformer);
}

static void pooling_without_a_list_of_modules_counts(void)
{
    struct sentence_folder sentence;
    struct error err = {0};

    scratch_text("half/config.json", "{}");
    scratch_text("half/1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true}");
    CHECK(load(&sentence, "half", &err) == 0);
    CHECK(sentence.n_modules == 0 && sentence.pooling && strcmp(sentence.pooling, "mean") == 0);
    sentence_folder_release(&sentence);
}

static void malformed_lists_are_refused(void)
{
    static const char *const table[][2] = {
        {"{}", "not a list"},
        {"[{}]", "without path or type"},
        {"[{\"path\":\"\"}]", "without path or type"},
        {"[1]", "without path or type"},
        {"[{\"path\":1,\"type\":\"x\"}]", "without path or type"},
        {"[{\"path\":\"../secret\",\"type\":\"x.Transformer\"}]", "../secret"},
        {"[{\"path\":\"..\",\"type\":\"x.Transformer\"}]", "not a plain name"},
        {"[{\"path\":\"/etc\",\"type\":\"x.Transformer\"}]", "not a plain name"},
        {"[{\"path\":\"a\\\\b\",\"type\":\"x.Transformer\"}]", "not a plain name"},
        {"[", "ends too early"},
        {"[{\"path\":\"3_Pooling\",\"type\":\"x.Pooling\"}]", "3_Pooling"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sentence_folder sentence;
        struct error err = {0};

        scratch_text("bad/modules.json", table[i][0]);
        CHECK(load(&sentence, "bad", &err) == -1 && err.code == ERROR_FORMAT);
        CHECK_CONTAINS(err.text, table[i][1]);
        sentence_folder_release(&sentence);
    }
}

static int load_settings(struct sentence_settings *settings, const char *name, struct error *err)
{
    struct folder *folder = folder_open(scratch_path(name), false, err);
    struct sentence_folder sentence = {0};
    int rc = -1;

    if (folder && sentence_folder_load(&sentence, folder, err) == 0)
        rc = sentence_settings_load(settings, &sentence, folder, err);
    sentence_folder_release(&sentence);
    folder_close(folder);
    return rc;
}

static void limits_come_from_the_wrapper_or_else_from_the_tokenizer(void)
{
    static const struct {
        const char *wrapper, *tokenizer;
        size_t max_tokens;
        bool lowers_case;
    } table[] = {
        {"{\"max_seq_length\":256,\"do_lower_case\":true}", "{\"model_max_length\":512}", 256,
         true},
        {"{\"max_seq_length\":null}", "{\"model_max_length\":512}", 512, false},
        {"{}", "{\"model_max_length\":1000000000000000019884624838656}", 0, false},
        {"{\"max_seq_length\":-1}", "{}", 0, false},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sentence_settings settings;
        struct error err = {0};

        scratch_text("limits/sentence_bert_config.json", table[i].wrapper);
        scratch_text("limits/tokenizer_config.json", table[i].tokenizer);
        CHECK(load_settings(&settings, "limits", &err) == 0);
        CHECK(settings.max_tokens == table[i].max_tokens);
        CHECK(settings.lowers_case == table[i].lowers_case);
        CHECK(settings.n_prompts == 0 && !settings.default_prompt);
        sentence_settings_release(&settings);
    }
}

static void settings_lie_beside_the_transformer(void)
{
    struct sentence_settings settings;
    struct error err = {0};

    scratch_text("below/modules.json",
                 "[{\"path\":\"0_Transformer\",\"type\":\"x.Transformer\"}]");
    scratch_text("below/0_Transformer/sentence_roberta_config.json", "{\"max_seq_length\":75}");
    CHECK(load_settings(&settings, "below", &err) == 0 && settings.max_tokens == 75);
    sentence_settings_release(&settings);
}

static void prompts_are_found_by_name(void)
{
    struct sentence_settings settings;
    const struct sentence_prompt *prompt;
    struct error err = {0};

    scratch_text("prompts/config_sentence_transformers.json",
                 "{\"prompts\":{\"query\":\"search: \",\"document\":\"\"},"
                 "\"default_prompt_name\":\"query\"}");
    CHECK(load_settings(&settings, "prompts", &err) == 0 && settings.n_prompts == 2);
    prompt = sentence_settings_prompt(&settings, "query", &err);
    CHECK(prompt && strcmp(prompt->text, "search: ") == 0 && prompt == settings.default_prompt);
    prompt = sentence_settings_prompt(&settings, "document", &err);
    CHECK(prompt && !*prompt->text);
    CHECK(!sentence_settings_prompt(&settings, "passage", &err) && err.code == ERROR_USAGE);
    CHECK_CONTAINS(err.text, "no prompt 'passage'; the model has 'query', 'document'");
    sentence_settings_release(&settings);
}

static void malformed_settings_are_refused(void)
{
    static const char *const table[][3] = {
        {"sentence_bert_config.json", "[]", "is not an object"},
        {"tokenizer_config.json", "{", "ends too early"},
        {"config_sentence_transformers.json", "{\"default_prompt_name\":\"find\"}",
         "is none of the prompts"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sentence_settings settings;
        struct error err = {0};
        char name[100];

        snprintf(name, sizeof name, "malformed%zu/%s", i, table[i][0]);
        scratch_text(name, table[i][1]);
        snprintf(name, sizeof name, "malformed%zu", i);
        CHECK(load_settings(&settings, name, &err) == -1 && err.code == ERROR_FORMAT);
        CHECK_CONTAINS(err.text, table[i][0]);
        CHECK_CONTAINS(err.text, table[i][2]);
    }
}

static void dense_modules_say_what_they_compute(void)
{
    static const struct {
        const char *config;
        bool has_bias;
        enum activation activation;
        const char *wrong; /* part of the message, or NULL */
    } table[] = {
        {"\"activation_function\":\"torch.nn.modules.linear.Identity\"", true, ACTIVATION_IDENTITY,
         NULL},
        {"\"bias\":false,\"activation_function\":\"torch.nn.modules.activation.GELU\"", false,
         ACTIVATION_GELU, NULL},
        {"\"module_input_name\":\"sentence_embedding\",\"module_output_name\":null", true,
         ACTIVATION_TANH, NULL},
        {"\"activation_function\":\"a.Softplus\"", true, ACTIVATION_TANH, "a.Softplus"},
        {"\"module_input_name\":\"token_embeddings\"", true, ACTIVATION_TANH, "token_embeddings"},
        {"\"use_residual\":true", true, ACTIVATION_TANH, "use_residual"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct folder *folder;
        struct sentence_dense dense;
        struct error err = {0};
        char text[200];
        int rc;

        snprintf(text, sizeof text, "{\"in_features\":24,\"out_features\":10,%s}", table[i].config);
        scratch_text("dense/2_Dense/config.json", text);
        folder = folder_open(scratch_path("dense"), false, &err);
        rc = sentence_dense_load(&dense, folder, "2_Dense", &err);
        folder_close(folder);
        CHECK(rc == (table[i].wrong ? -1 : 0));
        if (table[i].wrong) {
            CHECK(err.code == ERROR_UNSUPPORTED);
            CHECK_CONTAINS(err.text, table[i].wrong);
            continue;
        }
        CHECK(dense.n_in == 24 && dense.n_out == 10);
        CHECK(dense.has_bias == table[i].has_bias && dense.activation == table[i].activation);
    }
}

static int make(const char *config_text, const char *transformer, const char *pooling,
                struct sentence_file files[SENTENCE_FILES], struct error *err)
{
    struct config config = {.json = json_parse(config_text, strlen(config_text), err)};
    int rc;

    config.model_type = json_find_string(config.json, "model_type");
    rc = sentence_folder_make(&config, transformer, pooling, files, err);
    cJSON_Delete(config.json);
    return rc;
}

static void free_files(struct sentence_file files[SENTENCE_FILES])
{
    for (size_t i = 0; i < SENTENCE_FILES; i++)
        free(files[i].text);
}

static void what_is_made_is_read_back(void)
{
    static const char *const poolings[] = {"cls", "mean"};

    for (size_t p = 0; p < 2; p++) {
        struct sentence_file files[SENTENCE_FILES];
        struct sentence_folder sentence;
        struct error err = {0};

        CHECK(make("{\"hidden_size\":384,\"max_position_embeddings\":512,\"model_type\":\"bert\"}",
                   "", poolings[p], files, &err) == 0);
        for (size_t i = 0; i < SENTENCE_FILES; i++) {
            char name[64];

            snprintf(name, sizeof name, "made/%s", files[i].name);
            scratch_text(name, files[i].text);
        }
        free_files(files);
        CHECK(load(&sentence, "made", &err) == 0);
        CHECK(sentence.n_modules == 3 && strcmp(sentence.pooling, poolings[p]) == 0);
        CHECK(sentence.n_modules == 3 && strcmp(sentence.modules[2].kind, "Normalize") == 0);
        CHECK(!*sentence.transformer);
        sentence_folder_release(&sentence);
        CHECK(scratch_holds("made/sentence_bert_config.json",
                            "{\n  \"max_seq_length\": 512,\n  \"do_lower_case\": false\n}\n"));
        CHECK(scratch_holds("made/1_Pooling/config.json",
                            p == 0 ? "{\n  \"word_embedding_dimension\": 384,\n"
                                     "  \"pooling_mode_cls_token\": true,\n"
                                     "  \"pooling_mode_mean_tokens\": false,\n"
                                     "  \"pooling_mode_max_tokens\": false,\n"
                                     "  \"pooling_mode_mean_sqrt_len_tokens\": false\n}\n"
                                   : "{\n  \"word_embedding_dimension\": 384,\n"
                                     "  \"pooling_mode_cls_token\": false,\n"
                                     "  \"pooling_mode_mean_tokens\": true,\n"
                                     "  \"pooling_mode_max_tokens\": false,\n"
                                     "  \"pooling_mode_mean_sqrt_len_tokens\": false\n}\n"));
        CHECK(scratch_holds("made/modules.json",
                            "[\n  {\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
                            "\"sentence_transformers.models.Transformer\"},\n"
                            "  {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": "
                            "\"sentence_transformers.models.Pooling\"},\n"
                            "  {\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", \"type\": "
                            "\"sentence_transformers.models.Normalize\"}\n]\n"));
    }
}

static void a_later_mode_is_named_where_it_is_meant(void)
{
    struct sentence_file files[SENTENCE_FILES];
    struct error err = {0};

    CHECK(make("{\"hidden_size\":8}", "", "lasttoken", files, &err) == 0);
    CHECK_CONTAINS(files[1].text, "_sqrt_len_tokens\": false,\n"
                                  "  \"pooling_mode_lasttoken\": true\n}");
    free_files(files);
}

static void positions_of_roberta_begin_behind_the_padding(void)
{
    static const char *const table[][2] = {
        {"{\"hidden_size\":8,\"max_position_embeddings\":514,\"model_type\":\"roberta\","
         "\"pad_token_id\":1}", "\"max_seq_length\": 512,"},
        {"{\"hidden_size\":8,\"max_position_embeddings\":514,\"model_type\":\"xlm-roberta\"}",
         "\"max_seq_length\": 512,"},
        {"{\"hidden_size\":8,\"max_position_embeddings\":512,\"model_type\":\"bert\"}",
         "\"max_seq_length\": 512,"},
        {"{\"dim\":8,\"max_position_embeddings\":512}", "\"max_seq_length\": 512,"},
        {"{\"hidden_size\":8}", "{\n  \"do_lower_case\": false\n}\n"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sentence_file files[SENTENCE_FILES];
        struct error err = {0};

        CHECK(make(table[i][0], "", "cls", files, &err) == 0);
        CHECK_CONTAINS(files[2].text, table[i][1]);
        free_files(files);
    }
}

static void the_list_names_the_folder_of_the_transformer(void)
{
    struct sentence_file files[SENTENCE_FILES];
    struct error err = {0};

    CHECK(make("{\"hidden_size\":8}", "0_Transformer", "cls", files, &err) == 0);
    CHECK_CONTAINS(files[0].text, "\"path\": \"0_Transformer\"");
    CHECK(strcmp(files[2].name, "0_Transformer/sentence_bert_config.json") == 0);
    free_files(files);
}

static void without_a_width_nothing_is_made(void)
{
    struct sentence_file files[SENTENCE_FILES];
    struct error err = {0};

    CHECK(make("{\"max_position_embeddings\":512}", "", "cls", files, &err) == -1);
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "hidden_size");
    free_files(files);
}

static void other_ways_to_run_a_transformer_are_refused(void)
{
    static const char *const table[][2] = {
        {"{\"transformer_task\":\"text-generation\"}", "transformer_task 'text-generation'"},
        {"{\"module_output_name\":\"sentence_embedding\"}",
         "module_output_name 'sentence_embedding'"},
        {"{\"modality_config\":{\"message\":{}}}", "modality_config has no text"},
        {"{\"modality_config\":{\"text\":{\"method\":\"get_text_features\"}}}",
         "method 'get_text_features'"},
        {"{\"modality_config\":{\"text\":{\"method_output_name\":\"pooler_output\"}}}",
         "method_output_name 'pooler_output'"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sentence_settings settings;
        struct error err = {0};

        scratch_text("task/sentence_bert_config.json", table[i][0]);
        CHECK(load_settings(&settings, "task", &err) == -1 && err.code == ERROR_UNSUPPORTED);
        CHECK_CONTAINS(err.text, table[i][1]);
    }
}

static void what_is_not_obeyed_is_noted(void)
{
    struct sentence_settings settings;
    struct error err = {0};

    scratch_text("noted/sentence_bert_config.json",
                 "{\"max_seq_length\":5,\"unpad_inputs\":true,\"model_args\":{},"
                 "\"query_length\":null,\"config_args\":{\"is_causal\":false},\"new\":0,"
                 "\"transformer_task\":\"feature-extraction\",\"modality_config\":{\"text\":"
                 "{\"method\":\"forward\",\"method_output_name\":\"last_hidden_state\"}}}");
    scratch_text("noted/config_sentence_transformers.json",
                 "{\"__version__\":{\"pytorch\":\"2\"},\"prompts\":{\"query\":null},"
                 "\"default_prompt_name\":\"query\",\"similarity_fn_name\":\"dot\","
                 "\"truncate_dim\":3,\"activation_fn\":\"torch.nn.modules.activation.Tanh\","
                 "\"flavour\":\"sweet\"}");
    CHECK(load_settings(&settings, "noted", &err) == 0);
    CHECK(settings.notices.n_texts == 2);
    CHECK_CONTAINS(settings.notices.texts[0],
                   "noted/sentence_bert_config.json': not used: config_args, new");
    CHECK_CONTAINS(settings.notices.texts[1],
                   "noted/config_sentence_transformers.json': not used: flavour");
    CHECK(settings.n_dimensions == 3 && strcmp(settings.similarity, "dot") == 0);
    CHECK(strcmp(settings.activation, "Tanh") == 0);
    CHECK(settings.n_prompts == 0 && !settings.default_prompt);
    sentence_settings_release(&settings);
}

static void older_cross_encoders_name_their_activation_in_the_config(void)
{
    static const char *const table[][2] = {
        {"{\"sentence_transformers\":{\"activation_fn\":\"torch.nn.modules.linear.Identity\"}}",
         "Identity"},
        {"{\"sbert_ce_default_activation_function\":\"torch.nn.modules.activation.Sigmoid\"}",
         "Sigmoid"},
    };

    for (size_t i = 0; i < 2; i++) {
        struct sentence_settings settings = {0};
        struct error err = {0};
        struct config config = {.json = json_parse(table[i][0], strlen(table[i][0]), &err)};

        CHECK(strcmp(sentence_settings_activation(&settings, &config), table[i][1]) == 0);
        settings.activation = memory_copy("Tanh");
        CHECK(strcmp(sentence_settings_activation(&settings, &config), "Tanh") == 0);
        sentence_settings_release(&settings);
        cJSON_Delete(config.json);
    }
}

TESTS(TEST(modules_are_known_by_the_last_part_of_their_type),
      TEST(pooling_is_named_as_the_config_says),
      TEST(the_transformer_may_lie_in_a_folder_of_its_own), TEST(a_plain_folder_has_no_modules),
      TEST(pooling_without_a_list_of_modules_counts), TEST(malformed_lists_are_refused),
      TEST(limits_come_from_the_wrapper_or_else_from_the_tokenizer),
      TEST(settings_lie_beside_the_transformer), TEST(prompts_are_found_by_name),
      TEST(malformed_settings_are_refused), TEST(dense_modules_say_what_they_compute),
      TEST(what_is_made_is_read_back), TEST(a_later_mode_is_named_where_it_is_meant),
      TEST(positions_of_roberta_begin_behind_the_padding),
      TEST(the_list_names_the_folder_of_the_transformer), TEST(without_a_width_nothing_is_made),
      TEST(other_ways_to_run_a_transformer_are_refused),
      TEST(what_is_not_obeyed_is_noted),
      TEST(older_cross_encoders_name_their_activation_in_the_config))
