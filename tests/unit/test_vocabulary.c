/* test_vocabulary.c - which token has which id, from every kind of tokenizer file.
 *
 * With COCKTAIL_TEST_DATA naming a folder of real tokenizers (tokenizers/NAME/, files may end in
 * .gz), those are read too. */
#include "text/vocabulary.h"

#include <zlib.h>

#include "arch/config.h"
#include "scratch.h"

static int load(struct vocabulary *vocabulary, const char *name, struct error *err)
{
    struct folder *folder = folder_open(scratch_path(name), false, err);
    int rc = folder ? vocabulary_load(vocabulary, folder, "", err) : -1;

    folder_close(folder);
    return rc;
}

static struct vocabulary must_load(const char *name)
{
    struct vocabulary vocabulary = {0};
    struct error err = {0};

    if (load(&vocabulary, name, &err))
        printf("# %s\n", err.text);
    CHECK(err.code == ERROR_NONE);
    return vocabulary;
}

/* The id, or SIZE_MAX. */
static size_t id_of(const struct vocabulary *vocabulary, const char *token)
{
    uint32_t id = token_table_id(&vocabulary->tokens, token, strlen(token));

    return id == TOKEN_NONE ? (size_t)-1 : id;
}

static void check_kind(const struct vocabulary *vocabulary, const char *kind, const char *file,
                       size_t n)
{
    CHECK(vocabulary->kind && strcmp(vocabulary->kind, kind) == 0);
    CHECK(vocabulary->file && strcmp(vocabulary->file, file) == 0);
    CHECK(vocabulary->tokens.n_entries == n);
}

/* ---- kinds ---- */

static void no_tokenizer_is_no_error(void)
{
    struct vocabulary vocabulary;

    scratch_text("none/config.json", "{}");
    scratch_text("none/tokenizer_config.json",
                 "{\"added_tokens_decoder\":{\"0\":{\"content\":\"<s>\"}}}");
    vocabulary = must_load("none");
    CHECK(!vocabulary.kind && !vocabulary.file && vocabulary.tokens.n_entries == 0);
    vocabulary_release(&vocabulary);
}

static void a_bpe_tokenizer_json(void)
{
    struct vocabulary vocabulary;

    scratch_text("bpe/tokenizer.json",
                 "{\"version\":\"1.0\",\"truncation\":null,\"added_tokens\":[{\"id\":0,\"content\":"
                 "\"<s>\",\"special\":true},{\"content\":\"\\u2581\\n\",\"id\":5}],"
                 "\"normalizer\":{\"model\":{\"vocab\":{\"wrong\":9}}},"
                 "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"vocab\":{\"<s>\":0,\"a\":1,"
                 "\"\\u0120b\":2,\"\\\"\":3,\"\":4},\"merges\":[\"a b\"]}}");
    vocabulary = must_load("bpe");
    check_kind(&vocabulary, "BPE", "tokenizer.json", 6);
    CHECK(id_of(&vocabulary, "<s>") == 0 && id_of(&vocabulary, "\xc4\xa0" "b") == 2);
    CHECK(id_of(&vocabulary, "\"") == 3 && id_of(&vocabulary, "") == 4);
    CHECK(id_of(&vocabulary, "\xe2\x96\x81\n") == 5 && id_of(&vocabulary, "wrong") == (size_t)-1);
    vocabulary_release(&vocabulary);
}

static void the_kind_is_what_the_model_says(void)
{
    static const char *const table[][2] = {
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "WordPiece"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"type\":\"WordPiece\"}}", "WordPiece"},
        {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}", "WordLevel"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",-1.5]]}}", "Unigram"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "BPE"},     /* old files */
        {"{\"model\":{\"vocab\":[[\"a\",0]]}}", "Unigram"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct vocabulary vocabulary;

        scratch_text("kind/tokenizer.json", table[i][0]);
        vocabulary = must_load("kind");
        check_kind(&vocabulary, table[i][1], "tokenizer.json", 1);
        CHECK(id_of(&vocabulary, "a") == 0);
        vocabulary_release(&vocabulary);
    }
}

static void ids_of_a_unigram_list_are_positions(void)
{
    struct vocabulary vocabulary;

    scratch_text("unigram/tokenizer.json",
                 "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"<unk>\",0.0],[\"\xe2\x96\x81\","
                 "-2.5],[\"x\",-3e-1]]},\"added_tokens\":[{\"id\":3,"
                 "\"content\":\"<e>\"}]}");
    vocabulary = must_load("unigram");
    check_kind(&vocabulary, "Unigram", "tokenizer.json", 4);
    CHECK(id_of(&vocabulary, "\xe2\x96\x81") == 1 && id_of(&vocabulary, "x") == 2);
    CHECK(id_of(&vocabulary, "<e>") == 3);
    vocabulary_release(&vocabulary);
}

static void ids_of_vocab_txt_are_lines(void)
{
    struct vocabulary vocabulary;

    scratch_text("lines/vocab.txt", "[PAD]\n[UNK]\r\n##s\n\n\xc3\xa9\nlast");
    vocabulary = must_load("lines");
    /* The special tokens that such a model has in any case follow. */
    check_kind(&vocabulary, "WordPiece", "vocab.txt", 9);
    CHECK(id_of(&vocabulary, "[SEP]") == 6 && id_of(&vocabulary, "[MASK]") == 8);
    CHECK(id_of(&vocabulary, "[PAD]") == 0 && id_of(&vocabulary, "[UNK]") == 1);
    CHECK(id_of(&vocabulary, "##s") == 2 && id_of(&vocabulary, "") == 3);
    CHECK(id_of(&vocabulary, "\xc3\xa9") == 4 && id_of(&vocabulary, "last") == 5);
    vocabulary_release(&vocabulary);
}

static void vocab_json_gets_the_added_tokens_beside_it(void)
{
    struct vocabulary vocabulary;

    scratch_text("pair/vocab.json", "{\"a\":0,\"b\":1,\"ab\":2}");
    scratch_text("pair/merges.txt", "a b\n");
    scratch_text("pair/added_tokens.json", "{\"<x>\":3}");
    vocabulary = must_load("pair");
    check_kind(&vocabulary, "BPE", "vocab.json", 5);
    CHECK(!vocabulary.problem);
    CHECK(id_of(&vocabulary, "<x>") == 3 && id_of(&vocabulary, "<|endoftext|>") == 4);
    vocabulary_release(&vocabulary);
    /* The older file counts only where the newer says nothing. */
    scratch_text("pair/tokenizer_config.json",
                 "{\"a\":[1],\"added_tokens_decoder\":{\"3\":{\"content\":\"<y>\","
                 "\"lstrip\":false},"
                 "\"0\":{\"content\":\"a\"}}}");
    vocabulary = must_load("pair");
    CHECK(id_of(&vocabulary, "<y>") == 3 && id_of(&vocabulary, "<x>") == (size_t)-1);
    vocabulary_release(&vocabulary);
}

/* Protocol buffers by hand: field 1 (piece) of field 1 (pieces), with a score and a type. */
static void add_piece(struct buffer *out, const char *piece)
{
    size_t n = strlen(piece);

    buffer_add_char(out, 0x0a);
    buffer_add_char(out, (char)(2 + n + 5 + 2));
    buffer_add_char(out, 0x0a);
    buffer_add_char(out, (char)n);
    buffer_add_text(out, piece);
    buffer_add(out, "\x15\x00\x00\x80\xbf\x18\x02", 7);
}

static void write_pieces(const char *name, const char *const *pieces)
{
    struct buffer model = {0};

    for (size_t i = 0; pieces[i]; i++)
        add_piece(&model, pieces[i]);
    buffer_add(&model, "\x12\x03\x0a\x01x", 5); /* trainer_spec: a field that says nothing to us */
    scratch_write(name, model.data, model.size);
    buffer_release(&model);
}

static void ids_of_a_sentencepiece_model_are_positions(void)
{
    static const char *const names[] = {"tokenizer.model", "spiece.model"};
    static const char *const pieces[] = {"<unk>", "\xe2\x96\x81the", "\n", NULL};

    for (size_t i = 0; i < 2; i++) {
        struct vocabulary vocabulary;
        char name[64];

        snprintf(name, sizeof name, "spm-%zu/%s", i, names[i]);
        write_pieces(name, pieces);
        snprintf(name, sizeof name, "spm-%zu", i);
        vocabulary = must_load(name);
        check_kind(&vocabulary, "Unigram", names[i], 5);
        CHECK(id_of(&vocabulary, "<unk>") == 0 && id_of(&vocabulary, "\n") == 2);
        CHECK(id_of(&vocabulary, "\xe2\x96\x81the") == 1);
        CHECK(id_of(&vocabulary, "<s>") == 3 && id_of(&vocabulary, "</s>") == 4);
        vocabulary_release(&vocabulary);
    }
}

/* fairseq has four tokens before the pieces, and the first three pieces are dropped. */
static void xlm_roberta_numbers_pieces_in_its_own_way(void)
{
    static const char *const pieces[] = {"<unk>", "<s>", "</s>", ",", "\xe2\x96\x81", NULL};
    struct vocabulary vocabulary, json;
    struct buffer out = {0};

    write_pieces("xlmr/sentencepiece.bpe.model", pieces);
    vocabulary = must_load("xlmr");
    check_kind(&vocabulary, "Unigram", "sentencepiece.bpe.model", 7);
    CHECK(id_of(&vocabulary, "<s>") == 0 && id_of(&vocabulary, "<pad>") == 1);
    CHECK(id_of(&vocabulary, ",") == 4 && id_of(&vocabulary, "<mask>") == 6);
    scratch_text("xlmr-json/tokenizer.json",
                 "{\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":[[\"<s>\",0],[\"<pad>\",0],"
                 "[\"</s>\",0],[\"<unk>\",0],[\",\",-1],[\"\xe2\x96\x81\",-1],[\"<mask>\",0]]}}");
    json = must_load("xlmr-json");
    CHECK(vocabulary_same(&vocabulary, &json, "A", "B", &out) && out.size == 0);
    /* What beside the ids makes a difference is told; the scores are the same. */
    CHECK(!vocabulary_same_rules(&vocabulary, &json, &out));
    CHECK(strcmp(out.data, "added tokens, normalizer, pre-tokenizer, special tokens around a "
                           "text") == 0);
    buffer_release(&out);
    vocabulary_release(&vocabulary);
    vocabulary_release(&json);
}

static void t5_has_more_tokens_than_pieces(void)
{
    static const char *const pieces[] = {"<pad>", "</s>", "<unk>", "a", NULL};
    struct vocabulary vocabulary;

    write_pieces("t5/spiece.model", pieces);
    scratch_text("t5/tokenizer_config.json", "{\"tokenizer_class\":\"T5Tokenizer\"}");
    vocabulary = must_load("t5");
    check_kind(&vocabulary, "Unigram", "spiece.model", 104);
    CHECK(id_of(&vocabulary, "<extra_id_99>") == 4 && id_of(&vocabulary, "<extra_id_0>") == 103);
    vocabulary_release(&vocabulary);
    /* The number that the file states, and the class that config.json implies. */
    scratch_text("t5/tokenizer_config.json", "{\"extra_ids\":2}");
    scratch_text("t5/config.json", "{\"model_type\":\"mt5\"}");
    vocabulary = must_load("t5");
    check_kind(&vocabulary, "Unigram", "spiece.model", 6);
    CHECK(id_of(&vocabulary, "<extra_id_1>") == 4 && id_of(&vocabulary, "<extra_id_0>") == 5);
    vocabulary_release(&vocabulary);
    scratch_text("t5/tokenizer_config.json", "{\"extra_ids\":0}");
    vocabulary = must_load("t5");
    check_kind(&vocabulary, "Unigram", "spiece.model", 4);
    vocabulary_release(&vocabulary);
}

#define TEKKEN(second)                                                                            \
    "{\"config\":{\"pattern\":\"a\",\"default_vocab_size\":4,\"default_num_special_tokens\":2}," \
    "\"vocab\":[{\"rank\":0,\"token_bytes\":\"YQ==\"},{\"rank\":1,\"token_bytes\":\"" second "\"}]}"

static void files_of_base64_are_read(void)
{
    struct vocabulary a, b;
    struct buffer out = {0};

    scratch_text("tekken-a/tekken.json", TEKKEN("Yg=="));
    scratch_text("tekken-b/tekken.json", TEKKEN("Yw=="));
    a = must_load("tekken-a");
    b = must_load("tekken-b");
    check_kind(&a, "BPE", "tekken.json", 4);
    CHECK(id_of(&a, "<unk>") == 0 && id_of(&a, "a") == 2 && id_of(&a, "b") == 3);
    CHECK(!vocabulary_same(&a, &b, "A", "B", &out));
    CHECK(out.data && strcmp(out.data, "token 'b' has id 3 in 'A' and is not in 'B'") == 0);
    vocabulary_release(&a);
    vocabulary_release(&b);
    buffer_release(&out);
    scratch_text("tiktoken/tokenizer.model", "YQ== 0\nYg== 1\nYWI= 2\n");
    a = must_load("tiktoken");
    check_kind(&a, "BPE", "tokenizer.model", 3 + 256);
    CHECK(id_of(&a, "ab") == 2 && id_of(&a, "<|begin_of_text|>") == 3);
    vocabulary_release(&a);
}

/* Of two keys with one name the last counts, as in the original. */
static void the_last_of_two_keys_counts(void)
{
    static const char *const texts[] = {
        "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"a\",\"vocab\":{\"a\":0,\"b\":1,"
        "\"a\":2}}}",
        "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"a\",\"vocab\":{\"a\":7,\"c\":9},"
        "\"vocab\":{\"a\":2,\"b\":1}}}",
        "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"c\":0}},\"model\":{\"type\":"
        "\"WordLevel\",\"unk_token\":\"a\",\"vocab\":{\"a\":2,\"b\":1}}}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct vocabulary vocabulary;

        scratch_text("twice/tokenizer.json", texts[i]);
        vocabulary = must_load("twice");
        check_kind(&vocabulary, "WordLevel", "tokenizer.json", 2);
        CHECK(!vocabulary.problem);
        CHECK(id_of(&vocabulary, "a") == 2 && id_of(&vocabulary, "b") == 1);
        vocabulary_release(&vocabulary);
    }
}

static void tokenizer_json_comes_before_the_others(void)
{
    struct vocabulary vocabulary;

    scratch_text("both/tokenizer.json", "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":7}}}");
    scratch_text("both/vocab.txt", "b\n");
    scratch_text("both/tokenizer.model", "rubbish");
    vocabulary = must_load("both");
    check_kind(&vocabulary, "WordPiece", "tokenizer.json", 1);
    CHECK(id_of(&vocabulary, "a") == 7);
    vocabulary_release(&vocabulary);
}

static void malformed_files_are_refused_by_name(void)
{
    static const char *const table[][3] = {
        {"tokenizer.json", "", "is empty"},
        {"tokenizer.json", "[]", "not an object"},
        {"tokenizer.json", "{}", "no model"},
        {"tokenizer.json", "{\"model\":{}}", "no vocab"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":-1}}}", "negative"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":1.5}}}", "whole number"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":\"1\"}}}", "not a number"},
        {"tokenizer.json", "{\"model\":{\"vocab\":[\"a\"]}}", "not a list"},
        {"tokenizer.json", "{\"model\":{\"vocab\":[[]]}}", "an empty list"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":1}},\"added_tokens\":[{\"id\":1}]}",
         "without content or id"},
        {"tokenizer.json",
         "{\"model\":{\"vocab\":{\"a\":1}},\"added_tokens\":[{\"content\":\"\"}]}",
         "without content or id"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":1}}} x", "after the JSON"},
        {"tokenizer.json", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
        {"vocab.json", "[1]", "not an object"},
        {"vocab.txt", "a\n\xff\n", "invalid UTF-8"},
        {"tokenizer.model", "", "no tokens in it"},
        {"tokenizer.model", "\x0a\xff", "not a sentencepiece model"},
        {"tokenizer.model", "\x0a\x7f" "abc", "not a token and its rank"},
        {"tokenizer.model", "\x0b\x0c", "not a token and its rank"},
        {"tokenizer.model", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct vocabulary vocabulary = {0};
        struct error err = {0};
        char name[64];

        snprintf(name, sizeof name, "bad-%zu/%s", i, table[i][0]);
        scratch_text(name, table[i][1]);
        snprintf(name, sizeof name, "bad-%zu", i);
        CHECK(load(&vocabulary, name, &err) == -1 && err.code == ERROR_FORMAT);
        CHECK_CONTAINS(err.text, table[i][0]);
        CHECK_CONTAINS(err.text, table[i][2]);
        CHECK(!vocabulary.kind && vocabulary.tokens.n_entries == 0);
        vocabulary_release(&vocabulary);
    }
}

/* ---- comparing ---- */

static struct vocabulary from_vocab_json(const char *text)
{
    char json[512];

    snprintf(json, sizeof json, "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":%s}}", text);
    scratch_text("compared/tokenizer.json", json);
    return must_load("compared");
}

static void check_comparison(const char *a, const char *b, const char *difference)
{
    struct vocabulary x = from_vocab_json(a), y = from_vocab_json(b);
    struct buffer out = {0};

    buffer_add_text(&out, "");
    CHECK(vocabulary_same(&x, &y, "A", "B", &out) == (difference == NULL));
    if (strcmp(out.data, difference ? difference : "") != 0)
        printf("# %s\n", out.data);
    CHECK(strcmp(out.data, difference ? difference : "") == 0);
    buffer_release(&out);
    vocabulary_release(&x);
    vocabulary_release(&y);
}

static void the_order_of_entries_does_not_matter(void)
{
    check_comparison("{\"a\":0,\"b\":1}", "{\"b\":1,\"a\":0}", NULL);
    check_comparison("{}", "{}", NULL);
}

static void the_first_difference_is_told(void)
{
    check_comparison("{\"a\":0,\"b\":1,\"c\":2}", "{\"a\":0,\"b\":2,\"c\":1}",
                     "token 'b' has id 1 in 'A' and 2 in 'B'");
    check_comparison("{\"a\":0,\"b\":1,\"c\":2}", "{\"a\":0}",
                     "token 'b' has id 1 in 'A' and is not in 'B'");
    check_comparison("{\"a\":0}", "{\"a\":0,\"c\":2,\"b\":1}",
                     "token 'b' has id 1 in 'B' and is not in 'A'");
    check_comparison("{\"a\":0}", "{\"b\":0}", "token 'a' has id 0 in 'A' and is not in 'B'");
}

static void one_map_in_two_forms_is_the_same(void)
{
    struct vocabulary list, json;
    struct buffer out = {0};

    scratch_text("form-lines/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n");
    scratch_text("form-json/tokenizer.json",
                 "{\"added_tokens\":[{\"id\":0,\"content\":\"[PAD]\"}],\"model\":{\"type\":"
                 "\"WordPiece\",\"vocab\":{\"##b\":6,\"a\":5,\"[PAD]\":0,\"[CLS]\":2,\"[SEP]\":3,"
                 "\"[UNK]\":1,\"[MASK]\":4}}}");
    list = must_load("form-lines");
    json = must_load("form-json");
    CHECK(!list.problem && json.problem); /* no unk_token: it could not be run */
    CHECK(vocabulary_same(&list, &json, "A", "B", &out) && out.size == 0);
    CHECK(vocabulary_same_rules(&list, &json, &out) && out.size == 0);
    buffer_release(&out);
    vocabulary_release(&list);
    vocabulary_release(&json);
}

#define RULES(model, more)                                                                        \
    "{" more "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4}," \
    model "}}"
#define MERGES "\"merges\":[\"a b\",\"b c\"]"
#define REPLACE(pattern)                                                                          \
    "\"normalizer\":{\"type\":\"Replace\",\"pattern\":" pattern ",\"content\":\"b\"},"

/* The same tokens, and what may make other ids of them all the same. */
static void rules_are_compared_by_what_they_do(void)
{
    static const struct {
        const char *a, *b, *difference; /* NULL: none */
    } table[] = {
        {RULES(MERGES, ""), RULES("\"merges\":[[\"a\",\"b\"],[\"b\",\"c\"]]", ""), NULL},
        {RULES(MERGES, ""), RULES(MERGES ",\"dropout\":null,\"unk_token\":null", ""), NULL},
        {RULES(MERGES, ""), RULES(MERGES, "\"pre_tokenizer\":null,\"normalizer\":{\"type\":"
                                          "\"Sequence\",\"normalizers\":[]},"), NULL},
        {RULES(MERGES, ""), RULES("\"merges\":[\"b c\",\"a b\"]", ""), "merges"},
        {RULES(MERGES, ""), RULES("\"merges\":[\"a b\"]", ""), "merges"},
        {RULES(MERGES, ""), RULES(MERGES ",\"unk_token\":\"c\"", ""), "merges"},
        {RULES(MERGES, ""), RULES(MERGES ",\"ignore_merges\":true", ""), "merges"},
        {RULES(MERGES, ""), RULES(MERGES, "\"normalizer\":{\"type\":\"Lowercase\"},"),
         "normalizer"},
        {RULES(MERGES, REPLACE("{\"String\":\"x\"}")), RULES(MERGES, REPLACE("{\"String\":\"y\"}")),
         "normalizer"},
        {RULES(MERGES, REPLACE("{\"Regex\":\"x\"}")), RULES(MERGES, REPLACE("{\"Regex\":\"y\"}")),
         "normalizer"},
        {RULES(MERGES, ""), RULES(MERGES, "\"pre_tokenizer\":{\"type\":\"Whitespace\"},"),
         "pre-tokenizer"},
        {RULES(MERGES, "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
                       "\"trim_offsets\":true},"),
         RULES(MERGES, "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
                       "\"trim_offsets\":true},"), "pre-tokenizer"},
        {RULES(MERGES, ""),
         RULES(MERGES, "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"b\",1],"
                       "\"cls\":[\"a\",0]},"), "special tokens around a text"},
        {RULES(MERGES, ""),
         RULES(MERGES, "\"added_tokens\":[{\"id\":3,\"content\":\"ab\",\"special\":true,"
                       "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                       "\"normalized\":false}],"), "added tokens"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct vocabulary a, b;
        struct buffer out = {0};
        const char *difference = table[i].difference ? table[i].difference : "";

        scratch_text("rules/tokenizer.json", table[i].a);
        a = must_load("rules");
        scratch_text("rules/tokenizer.json", table[i].b);
        b = must_load("rules");
        buffer_add_text(&out, "");
        CHECK(!a.problem && !b.problem);
        CHECK(vocabulary_same(&a, &b, "A", "B", &out));
        CHECK(vocabulary_same_rules(&a, &b, &out) == !table[i].difference);
        if (strcmp(out.data, difference) != 0)
            printf("# row %zu: %s\n", i, out.data);
        CHECK(strcmp(out.data, difference) == 0);
        buffer_release(&out);
        vocabulary_release(&a);
        vocabulary_release(&b);
    }
}

static bool has_same_files(const char *a, const char *b)
{
    struct error err = {0};
    struct folder *x = folder_open(scratch_path(a), false, &err);
    struct folder *y = folder_open(scratch_path(b), false, &err);
    bool is_same = false;

    CHECK(x && y && tokenizer_has_same_files(x, "", y, "", &is_same, &err) == 0);

    folder_close(x);
    folder_close(y);
    return is_same;
}

/* All that is read with tokenizer.json counts, and nothing without it. */
static void files_that_are_the_same_need_not_be_read(void)
{
    static const char *const names[] = {"tokenizer_config.json", "special_tokens_map.json",
                                        "added_tokens.json"};

    scratch_text("same-a/tokenizer.json", "{\"model\": 1}");
    scratch_text("same-b/tokenizer.json", "{\"model\": 1}");
    CHECK(has_same_files("same-a", "same-b"));
    scratch_text("same-b/config.json", "{}");
    CHECK(has_same_files("same-a", "same-b"));
    for (size_t i = 0; i < 3; i++) {
        char *a = memory_format("same-a/%s", names[i]), *b = memory_format("same-b/%s", names[i]);

        scratch_text(a, "{}");
        CHECK(!has_same_files("same-a", "same-b") && !has_same_files("same-b", "same-a"));
        scratch_text(b, "[]");
        CHECK(!has_same_files("same-a", "same-b"));
        scratch_text(b, "{}");
        CHECK(has_same_files("same-a", "same-b"));
        free(a);
        free(b);
    }
    scratch_text("same-b/tokenizer.json", "{\"model\": 2}");
    CHECK(!has_same_files("same-a", "same-b"));
    scratch_text("same-c/vocab.txt", "a\nb\n");
    CHECK(!has_same_files("same-c", "same-c"));
}

/* Not all that makes a tokenizer unusable makes its ids unknown. */
static void what_cannot_be_run_can_be_compared(void)
{
    static const struct {
        const char *file, *text, *config, *problem;
        bool is_guess;
    } table[] = {
        {"tokenizer.json", RULES(MERGES, "\"normalizer\":{\"type\":\"Magic\"},"), "{}", "Magic",
         false},
        {"tokenizer.json", RULES(MERGES, "\"news\":1,"), "{}", "unknown key 'news'", false},
        {"tokenizer.json", RULES("\"merges\":[\"a z\"]", ""), "{}", "the second is not", false},
        {"tokenizer.json", RULES(MERGES ",\"dropout\":0.5", ""), "{}", "random", false},
        {"vocab.json", "{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4}",
         "{\"added_tokens_decoder\":{\"0\":{\"content\":\"a\"}}, \"tokenizer_class\":\"XTokenizer\"}",
         "class 'X'", true},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct vocabulary vocabulary;
        char name[64];

        snprintf(name, sizeof name, "strange-%zu/tokenizer_config.json", i);
        scratch_text(name, table[i].config);
        snprintf(name, sizeof name, "strange-%zu/%s", i, table[i].file);
        scratch_text(name, table[i].text);
        snprintf(name, sizeof name, "strange-%zu", i);
        vocabulary = must_load(name);
        check_kind(&vocabulary, "BPE", table[i].file, 5);
        CHECK(vocabulary.problem && strstr(vocabulary.problem, table[i].problem));
        CHECK(vocabulary.is_guess == table[i].is_guess && id_of(&vocabulary, "bc") == 4);
        vocabulary_release(&vocabulary);
    }
}

/* ---- fixtures and real files ---- */

static void fixtures_have_the_vocabulary_that_their_config_says(void)
{
    static const char *const vocab_size[] = {"vocab_size", NULL};
    static const char *const table[][2] = {{"fixtures/encoder-base", "WordPiece"},
                                           {"fixtures/reranker-base", "WordPiece"},
                                           {"fixtures/decoder-base", "BPE"}};

    for (size_t i = 0; i < 3; i++) {
        struct error err = {0};
        struct folder *folder = folder_open(table[i][0], false, &err);
        struct vocabulary vocabulary = {0};
        struct config config = {0};

        CHECK(folder && vocabulary_load(&vocabulary, folder, "", &err) == 0);
        CHECK(folder && config_load(&config, folder, "", false, &err) == 0);
        check_kind(&vocabulary, table[i][1], "tokenizer.json",
                   (size_t)config_number(&config, vocab_size));
        config_release(&config);
        vocabulary_release(&vocabulary);
        folder_close(folder);
    }
}

/* Copies a real file, unpacked, into the scratch directory; false when it is not there. */
static bool unpack(const char *data, const char *tokenizer, const char *file, const char *to)
{
    struct buffer bytes = {0};
    char path[4096], part[65536];
    gzFile in;
    int got;

    snprintf(path, sizeof path, "%s/tokenizers/%s/%s.gz", data, tokenizer, file);
    if (access(path, R_OK))
        snprintf(path, sizeof path, "%s/tokenizers/%s/%s", data, tokenizer, file);
    in = gzopen(path, "rb"); /* reads plain files as they are */
    if (!in)
        return false;
    while ((got = gzread(in, part, sizeof part)) > 0)
        buffer_add(&bytes, part, (size_t)got);
    gzclose(in);
    scratch_write(to, bytes.data, bytes.size);
    buffer_release(&bytes);
    return true;
}

static const char *test_data(void)
{
    const char *data = getenv("COCKTAIL_TEST_DATA");

    if (!data || !*data)
        printf("# skipped: COCKTAIL_TEST_DATA does not name the real tokenizers\n");
    return data && *data ? data : NULL;
}

static void tokenizer_json_of_llama_2_equals_its_sentencepiece_model(void)
{
    const char *data = test_data();
    struct vocabulary json, model;
    struct buffer out = {0};

    if (!data)
        return;
    CHECK(unpack(data, "llama-2", "tokenizer.json", "llama-json/tokenizer.json"));
    CHECK(unpack(data, "llama-2", "tokenizer.model", "llama-model/tokenizer.model"));
    json = must_load("llama-json");
    model = must_load("llama-model");
    check_kind(&json, "BPE", "tokenizer.json", 32000);
    check_kind(&model, "BPE", "tokenizer.model", 32000);
    buffer_add_text(&out, "");
    if (!vocabulary_same(&json, &model, "tokenizer.json", "tokenizer.model", &out))
        printf("# %s\n", out.data);
    CHECK(out.size == 0);
    buffer_release(&out);
    vocabulary_release(&json);
    vocabulary_release(&model);
}

static void real_tokenizers_are_read(void)
{
    static const struct {
        const char *name, *file, *kind;
        size_t n; /* entries and added tokens together */
    } table[] = {
        {"gpt2", "vocab.json", "BPE", 50257},
        {"roberta-base", "tokenizer.json", "BPE", 50265},
        {"t5-small", "tokenizer.json", "Unigram", 32100},
        {"llama-3", "tokenizer.json", "BPE", 128256},
        {"mistral-7b", "tokenizer.json", "BPE", 32000},
    };
    const char *data = test_data();

    for (size_t i = 0; data && i < sizeof table / sizeof *table; i++) {
        struct vocabulary vocabulary;
        char name[128];

        snprintf(name, sizeof name, "real-%s/%s", table[i].name, table[i].file);
        CHECK(unpack(data, table[i].name, table[i].file, name));
        snprintf(name, sizeof name, "real-%s", table[i].name);
        vocabulary = must_load(name);
        check_kind(&vocabulary, table[i].kind, table[i].file, table[i].n);
        vocabulary_release(&vocabulary);
    }
}

TESTS(TEST(no_tokenizer_is_no_error), TEST(a_bpe_tokenizer_json),
      TEST(the_kind_is_what_the_model_says), TEST(ids_of_a_unigram_list_are_positions),
      TEST(ids_of_vocab_txt_are_lines), TEST(vocab_json_gets_the_added_tokens_beside_it),
      TEST(ids_of_a_sentencepiece_model_are_positions),
      TEST(xlm_roberta_numbers_pieces_in_its_own_way), TEST(t5_has_more_tokens_than_pieces),
      TEST(files_of_base64_are_read), TEST(the_last_of_two_keys_counts),
      TEST(tokenizer_json_comes_before_the_others), TEST(malformed_files_are_refused_by_name),
      TEST(the_order_of_entries_does_not_matter), TEST(the_first_difference_is_told),
      TEST(one_map_in_two_forms_is_the_same),
      TEST(rules_are_compared_by_what_they_do), TEST(what_cannot_be_run_can_be_compared),
      TEST(files_that_are_the_same_need_not_be_read),
      TEST(fixtures_have_the_vocabulary_that_their_config_says),
      TEST(tokenizer_json_of_llama_2_equals_its_sentencepiece_model),
      TEST(real_tokenizers_are_read))
