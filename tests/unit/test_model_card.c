#include "mix/model_card.h"

#include "test.h"

static void the_card_is_written_so(void)
{
    static const char *const names[] = {"models/a", "org/b"};
    static const double weights[] = {0.7, 0.3};
    struct buffer out = {0};

    model_card_add(&out, &(struct model_card){
        .title = "mixed", .names = names, .weights = weights, .n_models = 2,
        .library = "transformers", .method = "linear", .dtype = "BF16",
        .command = "cocktail mix --weights 0.7,0.3 models/a org/b -o mixed"});
    CHECK(strcmp(out.data,
                 "---\n"
                 "base_model:\n"
                 "- \"models/a\"\n"
                 "- \"org/b\"\n"
                 "base_model_relation: merge\n"
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
                 "| models/a | 0.7000000000 |\n"
                 "| org/b | 0.3000000000 |\n"
                 "\n"
                 "Method: linear. Stored as: BF16. Config and tokenizer: those of the first "
                 "model.\n"
                 "\n"
                 "```sh\n"
                 "cocktail mix --weights 0.7,0.3 models/a org/b -o mixed\n"
                 "```\n") == 0);
    buffer_release(&out);
}

/* base_model takes repositories of the Hub, without a revision. */
static void a_revision_is_told_in_the_table_only(void)
{
    static const char *const names[] = {"org/b@refs/pr/1", "./a@b"};
    static const double weights[] = {0.5, 0.5};
    struct buffer out = {0};

    model_card_add(&out, &(struct model_card){
        .title = "mixed", .names = names, .weights = weights, .n_models = 2,
        .library = "transformers", .method = "linear", .dtype = "BF16", .command = "x"});
    CHECK_CONTAINS(out.data, "\n- \"org/b\"\n- \"./a@b\"\n");
    CHECK_CONTAINS(out.data, "\n| org/b@refs/pr/1 | ");
    buffer_release(&out);
}

static void a_name_can_break_neither_yaml_nor_the_table(void)
{
    static const char *const names[] = {"a: [b]\n- \"c\"", "x|y*_`<i>\\", "\xff\x1b[31m"};
    static const double weights[] = {0.5, 0.25, 0.25};
    struct buffer out = {0};

    model_card_add(&out, &(struct model_card){
        .title = "t|<b>\n# other", .names = names, .weights = weights, .n_models = 3,
        .library = "sentence-transformers", .method = "linear", .dtype = "F32", .command = "x"});
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
    static const double weights[] = {1.000000123, -1.23e-7};
    struct buffer out = {0};

    model_card_add(&out, &(struct model_card){
        .title = "t", .names = names, .weights = weights, .n_models = 2, .library = "x",
        .method = "linear", .dtype = "F32", .command = "x"});
    CHECK_CONTAINS(out.data, "| a | 1.000000123 |");
    CHECK_CONTAINS(out.data, "| b | -1.230000000e-07 |");
    buffer_release(&out);
}

TESTS(TEST(the_card_is_written_so), TEST(a_revision_is_told_in_the_table_only),
      TEST(a_name_can_break_neither_yaml_nor_the_table),
      TEST(small_and_negative_weights_keep_their_digits))
