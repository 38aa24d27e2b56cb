/* test_tokenizer.c - tokenizers of a few lines, where it can be said by hand what must come out.
 *
 * What the reference gives for whole texts is compared by tests/cli/tokenize_golden.sh. */
#include "text/tokenizer.h"

#include "base/memory.h"
#include "scratch.h"

#define LOWER_ONE "\xe2\x96\x81"
#define FLAGS(single_word, lstrip, rstrip, normalized, special)                                   \
    "\"single_word\":" #single_word ",\"lstrip\":" #lstrip ",\"rstrip\":" #rstrip                 \
    ",\"normalized\":" #normalized ",\"special\":" #special
#define ADDED(content, flags) "{\"id\":0,\"content\":\"" content "\"," flags "}"
#define PLAIN FLAGS(false, false, false, false, false)
#define SPECIAL FLAGS(false, false, false, false, true)

/* Each character its own token, in the order of `letters`: ids are easy to read. */
#define LETTERS "\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"a\":0,\"b\":1,\"c\":2,"        \
                "\"d\":3,\"x\":4,\" \":5,\"" LOWER_ONE "\":6,\"-\":7,\"_\":8,\"A\":9,"                \
                "\"\xef\xbf\xbd\":10,\"y\":11}}"

static struct tokenizer *try_load(const char *json, const char *config, struct error *err)
{
    struct folder *folder;
    struct tokenizer *tokenizer;

    scratch_folder("model");
    unlink(scratch_path("model/tokenizer_config.json"));
    scratch_text("model/tokenizer.json", json);
    if (config)
        scratch_text("model/tokenizer_config.json", config);
    folder = folder_open(scratch_path("model"), false, err);
    tokenizer = folder ? tokenizer_load(folder, "", err) : NULL;
    folder_close(folder);
    return tokenizer;
}

static struct tokenizer *load(const char *json, const char *config)
{
    struct error err = {0};
    struct tokenizer *tokenizer = try_load(json, config, &err);

    if (!tokenizer)
        printf("# %s\n", err.text);
    scratch_must(tokenizer != NULL, "load", "model");
    return tokenizer;
}

static struct tokenizer *fixture(const char *path)
{
    struct error err = {0};
    struct folder *folder = folder_open(path, false, &err);
    struct tokenizer *tokenizer = folder ? tokenizer_load(folder, "", &err) : NULL;

    folder_close(folder);
    scratch_must(tokenizer != NULL, "load", path);
    return tokenizer;
}

static const char *join(const uint32_t *ids, size_t n)
{
    static struct buffer out;

    buffer_clear(&out);
    buffer_add_text(&out, "");
    for (size_t i = 0; i < n; i++)
        buffer_format(&out, "%s%u", i ? " " : "", ids[i]);
    return out.data ? out.data : "";
}

/* Encodes and compares; NULL as expected: it must fail. */
static bool gives(const struct tokenizer *tokenizer, const char *text, size_t n, const char *pair,
                  struct encode_options options, const char *expected)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct encoding encoding = {0};
    struct error err = {0};
    int rc = tokenizer_encode(tokenizer, scratch, text, n, pair, pair ? strlen(pair) : 0, &options,
                              &encoding, &err);
    const char *got = rc ? NULL : join(encoding.ids, encoding.n_ids);
    bool same = got && expected ? strcmp(got, expected) == 0 : got == expected;

    if (!same)
        printf("# '%s' gives '%s', not '%s'\n", text, got ? got : err.text, expected);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return same;
}

static bool encodes(const struct tokenizer *tokenizer, const char *text, const char *expected)
{
    return gives(tokenizer, text, strlen(text), NULL, (struct encode_options){0}, expected);
}

/* ---- added tokens ---- */

static void finds_the_leftmost_then_the_longest(void)
{
    struct tokenizer *tokenizer = load("{\"added_tokens\":[" ADDED("ab", PLAIN) "," ADDED("abc", PLAIN)
                                       "," ADDED("bcd", PLAIN) "]," LETTERS "}", NULL);

    CHECK(encodes(tokenizer, "abcd xbcd ab", "13 3 5 4 14 5 12"));
    CHECK(encodes(tokenizer, "abcdab", "13 3 12"));
    CHECK(encodes(tokenizer, "bcabc", "1 2 13"));
    CHECK(encodes(tokenizer, "", ""));
    tokenizer_free(tokenizer);
}

static void takes_white_space_along(void)
{
    struct tokenizer *tokenizer =
        load("{\"added_tokens\":[" ADDED("<a>", FLAGS(false, true, true, false, true)) ","
             ADDED("<l>", FLAGS(false, true, false, false, true)) ","
             ADDED("<r>", FLAGS(false, false, true, false, true)) "]," LETTERS "}", NULL);

    CHECK(encodes(tokenizer, "x  <a>  y", "4 12 11"));
    CHECK(encodes(tokenizer, "x\xe3\x80\x80<a>\n\t<a>y", "4 12 12 11"));
    CHECK(encodes(tokenizer, "x <l> y", "4 13 5 11"));
    CHECK(encodes(tokenizer, "x <r> y", "4 5 14 11"));
    CHECK(encodes(tokenizer, "<r>  <l>", "14 13"));
    tokenizer_free(tokenizer);
}

static void leaves_out_a_token_of_white_space_that_is_taken(void)
{
    struct tokenizer *tokenizer =
        load("{\"added_tokens\":[" ADDED("<r>", FLAGS(false, false, true, false, true)) ","
             ADDED("  ", FLAGS(false, true, false, false, true)) "]," LETTERS "}", NULL);

    CHECK(encodes(tokenizer, "a<r>  b", "0 12 1"));
    tokenizer_free(tokenizer);
}

static void asks_for_single_words(void)
{
    struct tokenizer *tokenizer = load("{\"added_tokens\":["
                                       ADDED("ab", FLAGS(true, false, false, false, false)) "],"
                                       LETTERS "}", NULL);

    CHECK(encodes(tokenizer, "ab", "12"));
    CHECK(encodes(tokenizer, "ab-", "12 7"));
    CHECK(encodes(tokenizer, "ab_", "0 1 8"));
    CHECK(encodes(tokenizer, "xab ab", "4 0 1 5 12"));
    CHECK(encodes(tokenizer, "ab\xc2\xb2", "12"));           /* superscript two */
    CHECK(encodes(tokenizer, "ab\xcc\x81", "0 1"));          /* a combining mark */
    CHECK(encodes(tokenizer, "ab\xe2\x80\x8d", "0 1"));      /* zero width joiner */
    CHECK(encodes(tokenizer, "\xe4\xb8\xad" "ab", "0 1"));   /* an ideograph */
    tokenizer_free(tokenizer);
}

static void searches_normalized_tokens_in_normalized_text(void)
{
    struct tokenizer *tokenizer =
        load("{\"normalizer\":{\"type\":\"Lowercase\"},\"added_tokens\":["
             ADDED("AB", FLAGS(false, false, false, true, false)) ","
             ADDED("A", SPECIAL) "]," LETTERS "}", NULL);

    CHECK(encodes(tokenizer, "xab", "4 12"));
    CHECK(encodes(tokenizer, "xaB", "4 12"));
    CHECK(encodes(tokenizer, "xAB", "4 9 1")); /* the raw token comes first */
    tokenizer_free(tokenizer);
}

/* Which one the reference finds changes from run to run. */
static void finds_the_first_of_tokens_that_become_the_same(void)
{
    static const char replace[] = "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":"
                                  "\"[^a ]\"},\"content\":\"z\"},\"added_tokens\":[";
    static const char flags[] = FLAGS(false, false, false, true, false);
    static const char names[] = "klmnopqrstuv";
    char json[4000];
    int n = snprintf(json, sizeof json, "%s", replace);
    struct tokenizer *tokenizer;

    for (size_t i = 0; names[i]; i++)
        n += snprintf(json + n, sizeof json - (size_t)n, "%s{\"id\":0,\"content\":\"%c\",%s}",
                      i ? "," : "", names[i], flags);
    snprintf(json + n, sizeof json - (size_t)n, "]," LETTERS "}");
    tokenizer = load(json, NULL);
    CHECK(encodes(tokenizer, "axav", "0 12 0 12"));
    tokenizer_free(tokenizer);
}

static void puts_the_prefix_before_every_segment(void)
{
    struct tokenizer *tokenizer =
        load("{\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"" LOWER_ONE "\"},\"added_tokens\":["
             ADDED("<a>", PLAIN) "," ADDED("x", FLAGS(false, false, false, true, true)) "]," LETTERS "}",
             NULL);

    CHECK(encodes(tokenizer, "a<a>b", "6 0 12 6 1"));
    CHECK(encodes(tokenizer, "xa", "4 0"));   /* its pattern is the prefix and x */
    CHECK(encodes(tokenizer, "ax", "6 0 4")); /* no prefix there: an ordinary letter */
    tokenizer_free(tokenizer);
}

static void knows_where_a_text_begins(void)
{
    struct tokenizer *tokenizer =
        load("{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" LOWER_ONE
             "\",\"prepend_scheme\":\"first\",\"split\":true},\"added_tokens\":[" ADDED("<a>", PLAIN) "],"
             LETTERS "}", NULL);

    CHECK(encodes(tokenizer, "a<a>b c", "6 0 12 1 6 2"));
    CHECK(encodes(tokenizer, "<a>b", "12 1"));
    CHECK(encodes(tokenizer, "a  b", "6 0 6 6 1"));
    tokenizer_free(tokenizer);
}

static void numbers_new_tokens_after_the_vocabulary(void)
{
    struct tokenizer *tokenizer =
        load("{\"added_tokens\":[{\"id\":500,\"content\":\"zz\"," PLAIN "}," ADDED("a", SPECIAL) ","
             ADDED("", PLAIN) "," ADDED("zz", SPECIAL) "]," LETTERS "}",
             "{\"pad_token\":\"<pad>\",\"bos_token\":\"a\",\"eos_token\":null}");
    size_t length;
    uint32_t id;

    CHECK(tokenizer_find(tokenizer, "zz", &id) && id == 12);
    CHECK(tokenizer_find(tokenizer, "a", &id) && id == 0);
    CHECK(tokenizer_special(tokenizer, "pad_token", &id) && id == 13);
    CHECK(tokenizer_special(tokenizer, "bos_token", &id) && id == 0);
    CHECK(!tokenizer_special(tokenizer, "eos_token", &id));
    CHECK(!tokenizer_find(tokenizer, "nothing", &id));
    CHECK(strcmp(tokenizer_token(tokenizer, 13, &length), "<pad>") == 0 && length == 5);
    CHECK(tokenizer_token(tokenizer, 14, &length) == NULL);
    tokenizer_free(tokenizer);
}

/* ---- templates and truncation ---- */

#define CLS_SEP "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"x\",4],\"sep\":[\"y\",11]},"

static void shortens_the_longest_of_a_pair_first(void)
{
    struct tokenizer *tokenizer = load("{" CLS_SEP LETTERS "}", NULL);
    struct encode_options six = {.max_length = 6}, raw = {.no_special = true, .max_length = 3};

    CHECK(gives(tokenizer, "aaaaaaa", 7, "bbbbb", six, "4 0 0 11 1 11"));
    CHECK(gives(tokenizer, "a", 1, "bbbbb", six, "4 0 11 1 1 11"));
    CHECK(gives(tokenizer, "aaaaaa", 6, "b", six, "4 0 0 11 1 11"));
    CHECK(gives(tokenizer, "aa", 2, "b", six, "4 0 0 11 1 11"));
    CHECK(gives(tokenizer, "aaaaaaa", 7, NULL, six, "4 0 0 0 0 11"));
    CHECK(gives(tokenizer, "aaaaaaa", 7, NULL, raw, "0 0 0"));
    CHECK(gives(tokenizer, "aaaaaaa", 7, "bbbbb", raw, "0 0 1"));
    CHECK(gives(tokenizer, "", 0, "", six, "4 11 11"));
    CHECK(gives(tokenizer, "a", 1, NULL, (struct encode_options){.max_length = 1}, NULL));
    tokenizer_free(tokenizer);
}

static void cuts_on_the_side_that_the_config_says(void)
{
    struct tokenizer *tokenizer = load("{" CLS_SEP LETTERS "}", "{\"truncation_side\":\"left\"}");

    CHECK(gives(tokenizer, "abcd", 4, NULL, (struct encode_options){.max_length = 4}, "4 2 3 11"));
    CHECK(gives(tokenizer, "abcd", 4, "ab", (struct encode_options){.max_length = 6}, "4 2 3 11 1 11"));
    tokenizer_free(tokenizer);
}

static void marks_types_and_special_tokens(void)
{
    struct tokenizer *tokenizer = load("{" CLS_SEP LETTERS "}", NULL);
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct encoding encoding = {0};
    struct error err = {0};

    CHECK(tokenizer_encode(tokenizer, scratch, "ab", 2, "c", 1, &(struct encode_options){0},
                           &encoding, &err) == 0);
    CHECK(encoding.n_ids == 6 && !encoding.is_truncated);
    CHECK(memcmp(encoding.type_ids, "\0\0\0\0\1\1", 6) == 0);
    CHECK(memcmp(encoding.is_special, "\1\0\0\1\0\1", 6) == 0);
    CHECK(tokenizer_encode(tokenizer, scratch, "abcd", 4, NULL, 0, &(struct encode_options){.max_length = 5},
                           &encoding, &err) == 0);
    CHECK(encoding.n_ids == 5 && encoding.is_truncated);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    tokenizer_free(tokenizer);
}

/* RoBERTa has one type of tokens, and two separators between the texts. */
static void a_pair_of_roberta_is_of_one_type(void)
{
    struct tokenizer *tokenizer =
        load("{\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"x\",4],"
             "\"sep\":[\"y\",11],\"trim_offsets\":true,\"add_prefix_space\":true}," LETTERS "}",
             NULL);
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct encoding encoding = {0};
    struct error err = {0};

    CHECK(tokenizer_encode(tokenizer, scratch, "ab", 2, "c", 1, &(struct encode_options){0},
                           &encoding, &err) == 0);
    CHECK(strcmp(join(encoding.ids, encoding.n_ids), "4 0 1 11 11 2 11") == 0);
    CHECK(memcmp(encoding.type_ids, "\0\0\0\0\0\0\0", 7) == 0);
    CHECK(memcmp(encoding.is_special, "\1\0\0\1\1\0\1", 7) == 0);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    tokenizer_free(tokenizer);
}

static void replaces_the_template_by_flags_for_llama(void)
{
    static const char flags[] = "{\"tokenizer_class\":\"LlamaTokenizer\",\"bos_token\":\"a\","
                                "\"eos_token\":\"b\",\"add_eos_token\":true}";
    static const char other[] = "{\"tokenizer_class\":\"Qwen2Tokenizer\",\"bos_token\":\"a\","
                                "\"add_bos_token\":true}";
    struct tokenizer *tokenizer = load("{" CLS_SEP LETTERS "}", flags);

    CHECK(encodes(tokenizer, "c", "0 2 1"));
    CHECK(gives(tokenizer, "c", 1, "d", (struct encode_options){0}, "0 2 1 0 3 1"));
    tokenizer_free(tokenizer);
    tokenizer = load("{" CLS_SEP LETTERS "}", other);
    CHECK(encodes(tokenizer, "c", "4 2 11"));
    tokenizer_free(tokenizer);
}

/* ---- ill-formed text ---- */

static void reads_each_ill_formed_part_as_one_character(void)
{
    struct tokenizer *tokenizer = load("{" LETTERS "}", NULL);

    CHECK(encodes(tokenizer, "a\x80" "b", "0 10 1"));
    CHECK(encodes(tokenizer, "a\xe6\x97" "b", "0 10 1"));
    CHECK(encodes(tokenizer, "\xf0\x9f\x98", "10"));
    CHECK(encodes(tokenizer, "\xed\xa0\x80", "10 10 10"));
    CHECK(encodes(tokenizer, "\xc0\xaf\xff", "10 10 10"));
    CHECK(gives(tokenizer, "a\0b", 3, NULL, (struct encode_options){0}, "0 1"));
    tokenizer_free(tokenizer);
}

/* ---- decoding ---- */

static void leaves_out_special_and_unknown_ids(void)
{
    struct tokenizer *tokenizer = load("{\"decoder\":{\"type\":\"Fuse\"},\"added_tokens\":["
                                       ADDED("<a>", SPECIAL) "," ADDED("<b>", PLAIN) "]," LETTERS "}", NULL);
    const uint32_t ids[] = {12, 0, 13, 999, 1, 4294967295u};
    struct error err = {0};
    struct buffer out = {0};

    CHECK(tokenizer_decode(tokenizer, ids, 6, false, &out, &err) == 0);
    CHECK(strcmp(out.data, "<a>a<b>b") == 0);
    buffer_clear(&out);
    CHECK(tokenizer_decode(tokenizer, ids, 6, true, &out, &err) == 0);
    CHECK(strcmp(out.data, "a<b>b") == 0);
    buffer_release(&out);
    tokenizer_free(tokenizer);
}

#define REPLACE(pattern, content)                                                                 \
    "{\"type\":\"Replace\",\"pattern\":" pattern ",\"content\":\"" content "\"}"
#define TEN_TIMES(pattern) REPLACE(pattern, "aaaaaaaaaa") ","
#define MILLION_TIMES(pattern) TEN_TIMES(pattern) TEN_TIMES(pattern) TEN_TIMES(pattern)           \
    TEN_TIMES(pattern) TEN_TIMES(pattern) TEN_TIMES(pattern)
#define A_STRING "{\"String\":\"a\"}"
#define A_REGEX "{\"Regex\":\"a\"}"

static void check_growing(const char *decoders, bool is_refused)
{
    char json[4000];
    struct tokenizer *tokenizer;
    struct tokenizer_stream stream = {0};
    struct buffer out = {0};
    struct error err = {0}, err_streamed = {0};

    snprintf(json, sizeof json, "{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[%s"
             "{\"type\":\"Fuse\"}]}," LETTERS "}", decoders);
    tokenizer = load(json, NULL);
    buffer_add_text(&out, "before");
    CHECK(tokenizer_decode(tokenizer, &(uint32_t){0}, 1, false, &out, &err) == -is_refused);
    CHECK(out.size == (is_refused ? 6 : 6 + 1000000));
    CHECK(tokenizer_stream_add(tokenizer, &stream, 0, false, &out, &err_streamed) == -is_refused);
    if (is_refused) {
        CHECK(err.code == ERROR_FORMAT && err_streamed.code == ERROR_FORMAT);
        CHECK_CONTAINS(err.text, "decoder Replace: makes more than 8388640 bytes of tokens that "
                                 "have 1");
    }
    tokenizer_stream_release(&stream);
    buffer_release(&out);
    tokenizer_free(tokenizer);
}

static void refuses_decoders_that_let_a_text_grow(void)
{
    check_growing(MILLION_TIMES(A_STRING), false);
    check_growing(MILLION_TIMES(A_REGEX), false);
    check_growing(MILLION_TIMES(A_STRING) MILLION_TIMES(A_STRING), true);
    check_growing(MILLION_TIMES(A_REGEX) MILLION_TIMES(A_REGEX), true);
}

/* A pattern that gives up is no reason to print half of it. */
static void says_which_decoder_takes_too_long(void)
{
    struct tokenizer *tokenizer =
        load("{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},"
             REPLACE("{\"Regex\":\"(a|a|aa)+$\"}", "") "]}," LETTERS "}", NULL);
    uint32_t ids[200] = {0};
    struct buffer out = {0};
    struct error err = {0};

    ids[199] = 1;
    CHECK(tokenizer_decode(tokenizer, ids, 200, false, &out, &err) == -1);
    CHECK(err.code == ERROR_UNSUPPORTED && out.size == 0);
    CHECK_CONTAINS(err.text, "decoder Replace: ");
    buffer_release(&out);
    tokenizer_free(tokenizer);
}

/* The text is what tokenizers 0.23.3 gives. */
static void finds_nothing_in_an_empty_token(void)
{
    struct tokenizer *tokenizer =
        load("{\"decoder\":{\"type\":\"Sequence\",\"decoders\":["
             REPLACE("{\"String\":\"c\"}", "") "," REPLACE("{\"Regex\":\"a*\"}", "x") ","
             REPLACE("{\"Regex\":\"$\"}", "y") "]}," LETTERS "}", NULL);
    struct buffer out = {0};
    struct error err = {0};

    CHECK(tokenizer_decode(tokenizer, (uint32_t[]){2, 0, 1}, 3, false, &out, &err) == 0);
    buffer_add_text(&out, "");
    CHECK(strcmp(out.data, "xyxbxy") == 0);
    buffer_release(&out);
    tokenizer_free(tokenizer);
}

static void cleans_up_every_place(void)
{
    struct tokenizer *tokenizer =
        load("{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},"
             REPLACE("{\"String\":\"a\"}", " . , do not 's' 've' .")
             ",{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}]}," LETTERS "}", NULL);
    struct buffer out = {0};
    struct error err = {0};

    CHECK(tokenizer_decode(tokenizer, (uint32_t[]){0, 4, 0}, 3, false, &out, &err) == 0);
    CHECK(strcmp(out.data, "., don't's''ve'.x., don't's''ve'.") == 0);
    buffer_release(&out);
    tokenizer_free(tokenizer);
}

/* Streams the ids of a text: together it is what decoding at once gives, but for a broken character at
 * the end, and no part ends inside a character. */
static void check_stream(const struct tokenizer *tokenizer, const char *text)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct tokenizer_stream stream = {0};
    struct buffer streamed = {0}, whole = {0};
    struct encoding encoding = {0};
    struct error err = {0};

    CHECK(tokenizer_encode(tokenizer, scratch, text, strlen(text), NULL, 0,
                           &(struct encode_options){.no_special = true}, &encoding, &err) == 0);
    buffer_add_text(&streamed, "");
    buffer_add_text(&whole, "");
    for (size_t i = 0; i < encoding.n_ids; i++) {
        size_t before = streamed.size;

        CHECK(tokenizer_stream_add(tokenizer, &stream, encoding.ids[i], false, &streamed,
                                   &err) == 0);
        CHECK(streamed.size == before || ((unsigned char)streamed.data[before] & 0xc0) != 0x80);
        CHECK(!memmem(streamed.data, streamed.size, "\xef\xbf\xbd", 3));
    }
    CHECK(tokenizer_decode(tokenizer, encoding.ids, encoding.n_ids, false, &whole, &err) == 0);
    CHECK(streamed.size == whole.size && memcmp(streamed.data, whole.data, whole.size) == 0);
    if (streamed.size != whole.size)
        printf("# streamed '%.*s', whole '%.*s'\n", (int)streamed.size, streamed.data,
               (int)whole.size, whole.data);
    buffer_release(&streamed);
    buffer_release(&whole);
    tokenizer_stream_release(&stream);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
}

static void streams_the_same_text(void)
{
    static const char *const models[] = {
        "fixtures/decoder-base", "fixtures/tokenizers/byte-level-gpt2",
        "fixtures/tokenizers/sentencepiece-llama", "fixtures/tokenizers/sentencepiece-gemma",
    };
    static const char *const texts[] = {
        "", "Hello world", "  two  spaces ", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xe4\xbd\xa0",
        "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9 x", "caf\xc3\xa9\n\n\t!",
        "\xe0\xb8\x97\xe0\xb8\x94\xe0\xb8\xaa\xe0\xb8\xad\xe0\xb8\x9a",
    };

    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct tokenizer *tokenizer = fixture(models[i]);

        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            check_stream(tokenizer, texts[k]);
        tokenizer_free(tokenizer);
    }
}

static void holds_back_half_a_character(void)
{
    struct tokenizer *tokenizer = fixture("fixtures/tokenizers/byte-level-gpt2");
    struct tokenizer_stream stream = {0};
    struct error err = {0};
    struct buffer out = {0};
    static const char *const bytes[] = {"\xc3\xb0", "\xc5\x81", "\xc4\xba", "\xc4\xa2"}; /* F0 9F 98 80 */

    buffer_add_text(&out, "");
    for (size_t i = 0; i < 4; i++) {
        uint32_t id = 0;

        CHECK(tokenizer_find(tokenizer, bytes[i], &id));
        CHECK(out.size == 0);
        CHECK(tokenizer_stream_add(tokenizer, &stream, id, false, &out, &err) == 0);
    }
    CHECK(strcmp(out.data, "\xf0\x9f\x98\x80") == 0);
    tokenizer_stream_release(&stream);
    buffer_release(&out);
    tokenizer_free(tokenizer);
}

static void check_piece(struct tokenizer *tokenizer, const char *token, const char *expected)
{
    struct buffer out = {0};
    uint32_t id = 0;

    CHECK(tokenizer_find(tokenizer, token, &id));
    buffer_add_text(&out, "|");
    CHECK(tokenizer_add_piece(tokenizer, id, &out) == (*expected != '\0'));
    CHECK(strcmp(out.data + 1, expected) == 0);
    buffer_release(&out);
    tokenizer_free(tokenizer);
}

static void tells_the_bytes_of_half_a_character(void)
{
    static const char bytes[] = "{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":"
                                "\"ByteFallback\"},{\"type\":\"Fuse\"}]},\"model\":{\"type\":\"BPE\","
                                "\"merges\":[],\"vocab\":{\"<0xE2>\":0,\"<0x41>\":1,\"a\":2}}}";

    check_piece(fixture("fixtures/tokenizers/byte-level-gpt2"), "\xc3\xb0", "\xf0");
    check_piece(fixture("fixtures/tokenizers/byte-level-gpt2"), "a", "");
    check_piece(load(bytes, NULL), "<0xE2>", "\xe2");
    check_piece(load(bytes, NULL), "<0x41>", "");
    check_piece(load(bytes, NULL), "a", "");
}

/* ---- what is refused ---- */

static void names_what_it_does_not_know(void)
{
    static const struct {
        const char *json, *part;
        enum error_code code;
    } rows[] = {
        {"{\"normalizer\":{\"type\":\"Magic\"}," LETTERS "}", "Magic", ERROR_UNSUPPORTED},
        {"{\"pre_tokenizer\":{\"type\":\"Magic\"}," LETTERS "}", "Magic", ERROR_UNSUPPORTED},
        {"{\"post_processor\":{\"type\":\"Magic\"}," LETTERS "}", "Magic", ERROR_UNSUPPORTED},
        {"{\"decoder\":{\"type\":\"Magic\"}," LETTERS "}", "Magic", ERROR_UNSUPPORTED},
        {"{\"model\":{\"type\":\"Magic\",\"vocab\":{}}}", "Magic", ERROR_UNSUPPORTED},
        {"{\"extra\":1," LETTERS "}", "extra", ERROR_UNSUPPORTED},
        {"{\"version\":\"2.0\"," LETTERS "}", "2.0", ERROR_UNSUPPORTED},
        {"{\"version\":\"1.0\"}", "model", ERROR_FORMAT},
        {"{\"added_tokens\":[{\"id\":1,\"content\":\"a\"}]," LETTERS "}", "single_word", ERROR_FORMAT},
        {"{" LETTERS, "tokenizer.json", ERROR_FORMAT},
        {"", "tokenizer.json", ERROR_FORMAT},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        struct tokenizer *tokenizer = try_load(rows[i].json, NULL, &err);

        CHECK(!tokenizer);
        CHECK(err.code == rows[i].code);
        CHECK_CONTAINS(err.text, rows[i].part);
        tokenizer_free(tokenizer);
    }
}

/* The class names are those of transformers 5.24, and the generic one of version 4. */
static void types_are_given_as_the_config_says(void)
{
    static const struct {
        const char *config;
        bool gives;
    } table[] = {
        {NULL, true},
        {"{\"tokenizer_class\":\"BertTokenizer\"}", true},
        {"{\"tokenizer_class\":\"ElectraTokenizerFast\"}", true},
        {"{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}", false},
        {"{\"tokenizer_class\":\"TokenizersBackend\"}", false},
        {"{\"tokenizer_class\":\"XLMRobertaTokenizer\"}", false},
        {"{\"tokenizer_class\":\"DistilBertTokenizerFast\"}", false},
        {"{\"tokenizer_class\":\"BertTokenizer\",\"model_input_names\":[\"input_ids\","
         "\"attention_mask\"]}", false},
        {"{\"tokenizer_class\":\"BertTokenizer\",\"model_input_names\":[]}", false},
        {"{\"tokenizer_class\":\"BertTokenizer\",\"model_input_names\":null}", true},
        {"{\"tokenizer_class\":\"MPNetTokenizer\",\"model_input_names\":[\"input_ids\","
         "\"token_type_ids\"]}", true},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct tokenizer *tokenizer = load("{" CLS_SEP LETTERS "}", table[i].config);
        struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
        struct encoding encoding = {0};
        struct error err = {0};

        CHECK(tokenizer_encode(tokenizer, scratch, "ab", 2, "c", 1, &(struct encode_options){0},
                               &encoding, &err) == 0);
        CHECK(encoding.n_ids == 6);
        CHECK(memcmp(encoding.type_ids, table[i].gives ? "\0\0\0\0\1\1" : "\0\0\0\0\0\0", 6) == 0);
        encoding_release(&encoding);
        tokenizer_scratch_free(scratch);
        tokenizer_free(tokenizer);
    }
}

TESTS(TEST(finds_the_leftmost_then_the_longest), TEST(takes_white_space_along),
      TEST(leaves_out_a_token_of_white_space_that_is_taken), TEST(asks_for_single_words),
      TEST(searches_normalized_tokens_in_normalized_text),
      TEST(finds_the_first_of_tokens_that_become_the_same),
      TEST(puts_the_prefix_before_every_segment),
      TEST(knows_where_a_text_begins), TEST(numbers_new_tokens_after_the_vocabulary),
      TEST(shortens_the_longest_of_a_pair_first), TEST(cuts_on_the_side_that_the_config_says),
      TEST(marks_types_and_special_tokens), TEST(a_pair_of_roberta_is_of_one_type),
      TEST(replaces_the_template_by_flags_for_llama),
      TEST(reads_each_ill_formed_part_as_one_character), TEST(leaves_out_special_and_unknown_ids),
      TEST(refuses_decoders_that_let_a_text_grow), TEST(says_which_decoder_takes_too_long),
      TEST(finds_nothing_in_an_empty_token), TEST(cleans_up_every_place),
      TEST(streams_the_same_text), TEST(holds_back_half_a_character),
      TEST(tells_the_bytes_of_half_a_character), TEST(names_what_it_does_not_know),
      TEST(types_are_given_as_the_config_says))
