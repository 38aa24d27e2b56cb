/* test_encoded_examples.c - examples as ids: texts once each, made anew only when something changes. */
#include "eval/encoded_examples.h"

#include "scratch.h"

static const char outputs[] = "{\"input\": \"What is 29 plus 7?\", \"output\": \"36\"}\n"
                              "{\"input\": \"What is 8\", \"output\": \"plus 13? 21\"}\n"
                              "{\"input\": \"What is 29 plus 7?\", \"output\": \"36\"}\n";
static const char ranking[] =
    "{\"query\": \"wide gear\", \"pos\": \"Shelf 4: gear, wide.\", \"neg\": [\"a lamp\", \"Box 1\"]}\n"
    "{\"query\": \"a lamp\", \"pos\": \"Shelf 4: gear, wide.\", \"neg\": \"a lamp\"}\n";

struct desk {
    struct threads *threads;
    struct tokenizer *tokenizer;
    struct examples examples;
    struct encoding_rules rules;
    struct encoded_examples encoded;
    struct error err;
};

static void open_desk(struct desk *desk, enum model_type type, const char *path,
                      const char *examples, size_t n_threads)
{
    bool is_ranking = type == MODEL_ENCODER || type == MODEL_RERANKER;
    struct folder *folder;

    *desk = (struct desk){0};
    scratch_text("ex.jsonl", examples);
    desk->threads = threads_new(n_threads, &desk->err);
    folder = folder_open(path, false, &desk->err);
    scratch_must(folder != NULL, "open", path);
    desk->tokenizer = tokenizer_load(folder, "", &desk->err);
    scratch_must(desk->tokenizer != NULL, "load the tokenizer of", path);
    folder_close(folder);
    scratch_must(examples_load(&desk->examples, scratch_path("ex.jsonl"),
                               is_ranking ? EXAMPLE_RANKING : EXAMPLE_OUTPUT, NULL,
                               &desk->err) == 0, "read the examples for", path);
    desk->rules = (struct encoding_rules){.type = type, .tokenizer = desk->tokenizer,
                                          .max_length = 512};
}

static void close_desk(struct desk *desk)
{
    encoded_examples_release(&desk->encoded);
    examples_release(&desk->examples);
    tokenizer_free(desk->tokenizer);
    threads_free(desk->threads);
}

static int make(struct desk *desk)
{
    desk->err = (struct error){0};
    return encoded_examples_make(&desk->encoded, &desk->rules, &desk->examples, desk->threads,
                                 &desk->err);
}

static void texts_are_there_once(void)
{
    static const uint32_t first[] = {0, 1, 2, 3}, second[] = {2, 1, 2}; /* "a lamp" asks, too */
    const uint32_t *numbers;
    struct desk desk;
    size_t n;

    open_desk(&desk, MODEL_ENCODER, "fixtures/encoder-base", ranking, 3);
    CHECK(make(&desk) == 0 && desk.encoded.n_items == 2);
    numbers = encoded_examples_numbers(&desk.encoded, 0, &n);
    CHECK(n == 4 && memcmp(numbers, first, sizeof first) == 0);
    numbers = encoded_examples_numbers(&desk.encoded, 1, &n);
    CHECK(n == 3 && memcmp(numbers, second, sizeof second) == 0);
    CHECK(desk.encoded.texts.n_sequences == 4 && desk.encoded.n_texts == 7);
    CHECK(desk.encoded.n_cut == 0);
    close_desk(&desk);

    open_desk(&desk, MODEL_RERANKER, "fixtures/reranker-base", ranking, 3);
    CHECK(make(&desk) == 0);
    CHECK(desk.encoded.texts.n_sequences == 5 && desk.encoded.n_texts == 5);
    CHECK(encoded_examples_text(&desk.encoded, 1, 1).type_ids[0] == 0);
    close_desk(&desk);
}

static void the_output_begins_where_the_input_ends(void)
{
    struct desk desk;
    struct sequence text;
    uint32_t eos;

    open_desk(&desk, MODEL_DECODER, "fixtures/decoder-base", outputs, 2);
    CHECK(make(&desk) == 0);
    text = encoded_examples_text(&desk.encoded, 2, 0);
    CHECK(tokenizer_special(desk.tokenizer, "eos_token", &eos) && text.ids[text.n - 1] == eos);
    CHECK(text.ids == encoded_examples_text(&desk.encoded, 0, 0).ids);
    CHECK(desk.encoded.n_given[0] > 1 && desk.encoded.n_given[0] < text.n);
    desk.rules.max_length = text.n - 1;
    CHECK(make(&desk) == 0 && desk.encoded.n_cut > 0);
    CHECK(encoded_examples_text(&desk.encoded, 0, 0).n == desk.rules.max_length);
    close_desk(&desk);
}

static void they_are_made_anew_only_for_other_rules(void)
{
    const uint32_t *ids;
    struct desk desk;

    open_desk(&desk, MODEL_ENCODER, "fixtures/encoder-base", ranking, 1);
    CHECK(make(&desk) == 0);
    ids = desk.encoded.texts.ids.items;
    CHECK(make(&desk) == 0 && desk.encoded.texts.ids.items == ids);
    desk.encoded.n_texts = 1000; /* a mark */
    CHECK(make(&desk) == 0 && desk.encoded.n_texts == 1000);
    desk.rules.prompt = "query: ";
    CHECK(make(&desk) == 0 && desk.encoded.n_texts == 7);
    desk.encoded.n_texts = 1000;
    desk.rules.prompt = (char[]){"query: "};
    CHECK(make(&desk) == 0 && desk.encoded.n_texts == 1000);
    desk.rules.are_prompts = true;
    CHECK(make(&desk) == 0 && desk.encoded.n_texts == 7);
    desk.rules.max_length = 4;
    CHECK(make(&desk) == 0 && desk.encoded.n_texts == 7 && desk.encoded.n_cut > 0);
    close_desk(&desk);
}

static void what_is_wrong_is_said_of_the_first_example(void)
{
    struct desk desk;

    open_desk(&desk, MODEL_DECODER, "fixtures/decoder-base", outputs, 4);
    desk.rules.max_length = 5;
    CHECK(make(&desk) == -1 && desk.err.code == ERROR_FORMAT);
    CHECK_CONTAINS(desk.err.text, "ex.jsonl:1: nothing of the output is left");
    CHECK(desk.encoded.n_items == 0);
    desk.rules.max_length = 512;
    CHECK(make(&desk) == 0);
    CHECK(encoded_examples_check(&desk.encoded, &desk.examples, 100000, "small", &desk.err) == 0);
    CHECK(encoded_examples_check(&desk.encoded, &desk.examples, 3, "small", &desk.err) == -1);
    CHECK(desk.err.code == ERROR_FORMAT);
    CHECK_CONTAINS(desk.err.text, "ex.jsonl:1: token");
    CHECK_CONTAINS(desk.err.text, "'small' has embeddings for 0 to 2 only");
    close_desk(&desk);
}

TESTS(TEST(texts_are_there_once),
      TEST(the_output_begins_where_the_input_ends),
      TEST(they_are_made_anew_only_for_other_rules),
      TEST(what_is_wrong_is_said_of_the_first_example))
