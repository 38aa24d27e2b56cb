#include "arch/config.h"

#include "scratch.h"

static int load(struct config *config, const char *text, struct error *err)
{
    struct folder *folder;
    int rc;

    *config = (struct config){0};
    if (text)
        scratch_text("model/config.json", text);
    folder = folder_open(scratch_path("model"), false, err);
    rc = folder ? config_load(config, folder, "", false, err) : -1;
    folder_close(folder);
    return rc;
}

static void the_class_and_the_type_are_found(void)
{
    static const char text[] = "{ \"architectures\": [\"A\", \"B\"], \"model_type\": \"a\" }\n";
    struct config config;
    struct error err = {0};

    CHECK(load(&config, text, &err) == 0);
    CHECK(strcmp(config.architecture, "A") == 0 && strcmp(config.model_type, "a") == 0);
    CHECK(config.size == sizeof text - 1 && strcmp(config.text, text) == 0);
    config_release(&config);
    CHECK(!config.text && !config.json);
}

static void absent_and_null_are_the_same(void)
{
    static const char *const texts[] = {
        "{}", "{\"architectures\":[]}",
        "{\"architectures\":null,\"model_type\":null,\"quantization_config\":null}"};

    for (size_t i = 0; i < 3; i++) {
        struct config config;
        struct error err = {0};

        CHECK(load(&config, texts[i], &err) == 0);
        CHECK(!config.architecture && !config.model_type);
        CHECK(config_tied(&config) == -1);
        CHECK(config_number(&config, config_hidden_size) == -1);
        config_release(&config);
    }
}

static void malformed_ones_are_refused(void)
{
    static const char *const table[][2] = {
        {"[]", "not an object"},
        {"", "is empty"},
        {"{\"architectures\":\"A\"}", "architectures is not a list"},
        {"{\"architectures\":[1]}", "architectures[0] is not a string"},
        {"{\"model_type\":1}", "model_type is not a string"},
        {"{\"a\":1}}", "after the JSON"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct config config;
        struct error err = {0};

        CHECK(load(&config, table[i][0], &err) == -1 && err.code == ERROR_FORMAT);
        CHECK_CONTAINS(err.text, table[i][1]);
        CHECK_CONTAINS(err.text, "config.json");
        CHECK(!config.text && !config.json);
    }
}

static void numbers_have_several_names_and_may_be_nested(void)
{
    static const struct {
        const char *text;
        double hidden, positions;
    } table[] = {
        {"{\"hidden_size\":8,\"max_position_embeddings\":16}", 8, 16},
        {"{\"d_model\":8,\"n_positions\":16}", 8, 16},
        {"{\"n_embd\":8,\"n_ctx\":16}", 8, 16},
        {"{\"dim\":8}", 8, -1},
        {"{\"text_config\":{\"hidden_size\":8,\"n_positions\":16}}", 8, 16},
        {"{\"hidden_size\":4,\"text_config\":{\"hidden_size\":8}}", 4, -1},
        {"{\"hidden_size\":null,\"d_model\":8}", 8, -1},
        {"{\"hidden_size\":\"8\"}", -1, -1},
        {"{\"Hidden_Size\":8}", -1, -1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct config config;
        struct error err = {0};

        CHECK(load(&config, table[i].text, &err) == 0);
        CHECK(config_number(&config, config_hidden_size) == table[i].hidden);
        CHECK(config_number(&config, config_max_positions) == table[i].positions);
        config_release(&config);
    }
}

static void whether_the_head_is_tied(void)
{
    static const struct {
        const char *text;
        int is_tied;
    } table[] = {
        {"{\"tie_word_embeddings\":true}", 1},
        {"{\"tie_word_embeddings\":false}", 0},
        {"{\"tie_word_embeddings\":1}", -1},
        {"{\"text_config\":{\"tie_word_embeddings\":true}}", 1},
        {"{\"tie_word_embeddings\":false,\"text_config\":{\"tie_word_embeddings\":true}}", 0},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct config config;
        struct error err = {0};

        CHECK(load(&config, table[i].text, &err) == 0);
        CHECK(config_tied(&config) == table[i].is_tied);
        config_release(&config);
    }
}

TESTS(TEST(the_class_and_the_type_are_found), TEST(absent_and_null_are_the_same),
      TEST(malformed_ones_are_refused), TEST(numbers_have_several_names_and_may_be_nested),
      TEST(whether_the_head_is_tied))
