#include "mix/model_card.h"

#include "test.h"

static void the_card_is_written_so(void)
{
    static const char *const names[] = {"a", "org/b@refs/pr/1", "org/b"};
    static const char *const ids[] = {NULL, "org/b", "org/b"};
    struct plan_input inputs[] = {{.weight = 0.7}, {.weight = 0.2}, {.weight = 0.1}};
    struct plan plan = {.method = &combine_linear, .inputs = inputs, .n_inputs = 3};
    struct buffer out = {0};

    model_card_add(&out, &(struct model_card){
        .title = "mixed", .names = names, .ids = ids, .terms = "license: \"mit\"\n",
        .plan = &plan, .library = "transformers", .dtype = "BF16",
        .command = "cocktail mix --weights 0.7,0.2,0.1 a org/b@refs/pr/1 org/b -o mixed"});
    CHECK(strcmp(out.data,
                 "---\n"
                 "base_model:\n"
                 "- \"org/b\"\n"
                 "base_model_relation: merge\n"
                 "license: \"mit\"\n"
                 "library_name: transformers\n"
                 "tags:\n"
                 "- merge\n"
                 "- cocktail\n"
                 "---\n"
                 "\n"
                 "# mixed\n"
                 "\n"
                 "A weighted average of the models below, made with `cocktail`.\n"
                 "\n"
                 "| model | weight |\n"
                 "| --- | ---: |\n"
                 "| a | 0.7000000000 |\n"
                 "| org/b@refs/pr/1 | 0.2000000000 |\n"
                 "| org/b | 0.1000000000 |\n"
                 "\n"
                 "Method: linear. Stored as: BF16. Config and tokenizer: those of the first "
                 "model.\n"
                 "\n"
                 "```sh\n"
                 "cocktail mix --weights 0.7,0.2,0.1 a org/b@refs/pr/1 org/b -o mixed\n"
                 "```\n") == 0);
    buffer_release(&out);
}

static const char *const no_ids[3] = {NULL, NULL, NULL};

/* The Hub refuses what is no repository. */
static void without_a_model_of_the_hub_there_is_no_base_model(void)
{
    static const char *const names[] = {"a", "b"};
    struct plan_input inputs[] = {{.weight = 0.5}, {.weight = 0.5}};
    struct plan plan = {.method = &combine_linear, .inputs = inputs, .n_inputs = 2};
    struct buffer out = {0};

    model_card_add(&out, &(struct model_card){
        .title = "mixed", .names = names, .ids = no_ids, .terms = "", .plan = &plan,
        .library = "transformers", .dtype = "BF16", .command = "x"});
    CHECK(strncmp(out.data, "---\nbase_model_relation: merge\nlibrary_name: transformers\n", 57) == 0);
    buffer_release(&out);
}

static void a_name_can_break_neither_yaml_nor_the_table(void)
{
    static const char *const names[] = {"a: [b]\n- \"c\"", "x|y*_`<i>\\", "\xff\x1b[31m"};
    struct plan_input inputs[] = {{.weight = 0.5}, {.weight = 0.25}, {.weight = 0.25}};
    struct plan plan = {.method = &combine_linear, .inputs = inputs, .n_inputs = 3};
    struct buffer out = {0};

    model_card_add(&out, &(struct model_card){
        .title = "t|<b>\n# other", .names = names, .ids = names, .terms = "",
        .plan = &plan, .library = "sentence-transformers", .dtype = "F32", .command = "x"});
    CHECK_CONTAINS(out.data, "\n- \"a: [b]\\n- \\\"c\\\"\"\n");
    CHECK_CONTAINS(out.data, "\n- \"\xef\xbf\xbd\\u001b[31m\"\n");
    CHECK_CONTAINS(out.data, "\n| x\\|y\\*\\_\\`\\<i>\\\\ | ");
    CHECK_CONTAINS(out.data, "\n| a: \\[b]\\\\x0a- \"c\" | ");
    CHECK_CONTAINS(out.data, "\n# t\\|\\<b>\\\\x0a# other\n");
    CHECK_CONTAINS(out.data, "library_name: sentence-transformers\n");
    for (size_t i = 0; i < out.size; i++)
        CHECK(out.data[i] == '\n' || (unsigned char)out.data[i] >= 0x20);
    buffer_release(&out);
}

static void small_and_negative_weights_keep_their_digits(void)
{
    static const char *const names[] = {"a", "b"};
    struct plan_input inputs[] = {{.weight = 1.000000123}, {.weight = -1.23e-7}};
    struct plan plan = {.method = &combine_linear, .inputs = inputs, .n_inputs = 2};
    struct buffer out = {0};

    model_card_add(&out, &(struct model_card){
        .title = "t", .names = names, .ids = no_ids, .terms = "", .plan = &plan, .library = "x",
        .dtype = "F32", .command = "x"});
    CHECK_CONTAINS(out.data, "| a | 1.000000123 |");
    CHECK_CONTAINS(out.data, "| b | -1.230000000e-07 |");
    buffer_release(&out);
}

TESTS(TEST(the_card_is_written_so), TEST(without_a_model_of_the_hub_there_is_no_base_model),
      TEST(a_name_can_break_neither_yaml_nor_the_table),
      TEST(small_and_negative_weights_keep_their_digits))
