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
    const size_t *id = hash_map_find(&vocabulary->ids, token, strlen(token));

    return id ? *id : (size_t)-1;
}

static void check_kind(const struct vocabulary *vocabulary, const char *kind, const char *file,
                       size_t n)
{
    CHECK(vocabulary->kind && strcmp(vocabulary->kind, kind) == 0);
    CHECK(vocabulary->file && strcmp(vocabulary->file, file) == 0);
    CHECK(vocabulary->ids.n_entries == n);
}

/* ---- kinds ---- */

static void no_tokenizer_is_no_error(void)
{
    struct vocabulary vocabulary;

    scratch_text("none/config.json", "{}");
    scratch_text("none/tokenizer_config.json",
                 "{\"added_tokens_decoder\":{\"0\":{\"content\":\"<s>\"}}}");
    vocabulary = must_load("none");
    CHECK(!vocabulary.kind && !vocabulary.file && vocabulary.ids.n_entries == 0);
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
                 "-2.5],[\"x\",-3e-1,\"more\"]]},\"added_tokens\":[{\"id\":3,"
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
    check_kind(&vocabulary, "WordPiece", "vocab.txt", 6);
    CHECK(id_of(&vocabulary, "[PAD]") == 0 && id_of(&vocabulary, "[UNK]") == 1);
    CHECK(id_of(&vocabulary, "##s") == 2 && id_of(&vocabulary, "") == 3);
    CHECK(id_of(&vocabulary, "\xc3\xa9") == 4 && id_of(&vocabulary, "last") == 5);
    vocabulary_release(&vocabulary);
}

static void vocab_json_gets_the_added_tokens_beside_it(void)
{
    struct vocabulary vocabulary;

    scratch_text("pair/vocab.json", "{\"a\":0,\"b\":1}");
    scratch_text("pair/merges.txt", "a b\n");
    scratch_text("pair/added_tokens.json", "{\"<x>\":2}");
    scratch_text("pair/tokenizer_config.json",
                 "{\"a\":[1],\"added_tokens_decoder\":{\"3\":{\"content\":\"<y>\","
                 "\"lstrip\":false},"
                 "\"0\":{\"content\":\"a\"}}}");
    vocabulary = must_load("pair");
    check_kind(&vocabulary, "BPE", "vocab.json", 4);
    CHECK(id_of(&vocabulary, "<x>") == 2 && id_of(&vocabulary, "<y>") == 3);
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

static void ids_of_a_sentencepiece_model_are_positions(void)
{
    static const char *const names[] = {"tokenizer.model", "spiece.model",
                                        "sentencepiece.bpe.model"};

    for (size_t i = 0; i < 3; i++) {
        struct vocabulary vocabulary;
        struct buffer model = {0};
        char name[64];

        add_piece(&model, "<unk>");
        add_piece(&model, "\xe2\x96\x81the");
        buffer_add(&model, "\x12\x03\x0a\x01x", 5); /* trainer_spec: passed over */
        add_piece(&model, "\n");
        snprintf(name, sizeof name, "spm-%zu/%s", i, names[i]);
        scratch_write(name, model.data, model.size);
        buffer_release(&model);
        snprintf(name, sizeof name, "spm-%zu", i);
        vocabulary = must_load(name);
        check_kind(&vocabulary, "sentencepiece", names[i], 3);
        CHECK(id_of(&vocabulary, "<unk>") == 0 && id_of(&vocabulary, "\n") == 2);
        CHECK(id_of(&vocabulary, "\xe2\x96\x81the") == 1);
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
        {"tokenizer.json", "{\"model\":{\"vocab\":[[]]}}", "not a string"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":1}},\"added_tokens\":[{\"id\":1}]}",
         "without id or content"},
        {"tokenizer.json",
         "{\"model\":{\"vocab\":{\"a\":1}},\"added_tokens\":[{\"content\":\"\"}]}",
         "without id or content"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":1}}} x", "after the JSON"},
        {"tokenizer.json", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
        {"vocab.json", "[1]", "not an object"},
        {"vocab.txt", "a\n\xff\n", "invalid UTF-8"},
        {"tokenizer.model", "", "not a sentencepiece model"},
        {"tokenizer.model", "\x0a\xff", "not a sentencepiece model"},
        {"tokenizer.model", "\x0a\x7f" "abc", "not a sentencepiece model"},
        {"tokenizer.model", "\x0b\x0c", "not a sentencepiece model"},
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
        CHECK(!vocabulary.kind && vocabulary.ids.n_entries == 0);
        vocabulary_release(&vocabulary);
    }
}

/* ---- comparing ---- */

static struct vocabulary from_vocab_json(const char *text)
{
    scratch_text("compared/vocab.json", text);
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

static void of_two_ids_of_a_token_the_last_counts(void)
{
    struct vocabulary vocabulary;

    scratch_text("twice/vocab.json", "{\"a\":0,\"b\":1,\"a\":2}");
    scratch_text("twice/added_tokens.json", "{\"b\":9,\"c\":3}");
    vocabulary = must_load("twice");
    CHECK(id_of(&vocabulary, "a") == 2 && id_of(&vocabulary, "b") == 1);
    CHECK(id_of(&vocabulary, "c") == 3 && vocabulary.ids.n_entries == 3);
    vocabulary_release(&vocabulary);
}

static void one_map_in_two_forms_is_the_same(void)
{
    struct vocabulary list, json;
    struct buffer out = {0};

    scratch_text("form-lines/vocab.txt", "[PAD]\na\n##b\n");
    scratch_text("form-json/tokenizer.json",
                 "{\"added_tokens\":[{\"id\":0,\"content\":\"[PAD]\"}],\"model\":{\"type\":"
                 "\"WordPiece\",\"vocab\":{\"##b\":2,\"a\":1,\"[PAD]\":0}}}");
    list = must_load("form-lines");
    json = must_load("form-json");
    CHECK(vocabulary_same(&list, &json, "A", "B", &out) && out.size == 0);
    buffer_release(&out);
    vocabulary_release(&list);
    vocabulary_release(&json);
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
    check_kind(&model, "sentencepiece", "tokenizer.model", 32000);
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
      TEST(tokenizer_json_comes_before_the_others), TEST(malformed_files_are_refused_by_name),
      TEST(the_order_of_entries_does_not_matter), TEST(the_first_difference_is_told),
      TEST(of_two_ids_of_a_token_the_last_counts),
      TEST(one_map_in_two_forms_is_the_same),
      TEST(fixtures_have_the_vocabulary_that_their_config_says),
      TEST(tokenizer_json_of_llama_2_equals_its_sentencepiece_model),
      TEST(real_tokenizers_are_read))
