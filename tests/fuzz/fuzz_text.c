/* fuzz_text.c - any bytes as text, for small tokenizers of each kind.
 *
 * Each byte-level tokenizer is there twice: with a pattern that a scanner written by hand knows, and
 * with one that means the same, which the engine for unknown patterns matches. Both must give the
 * same ids, and ids the text. The first byte chooses the tokenizer (255: all of them, one after the
 * other), and says where the text is cut into a pair. */
#include "tokenizer_files.h"

#include "base/json.h"
#include "text/scanners.h"
#include "text/subword.h"

struct subject {
    struct tokenizer *tokenizer, *twin; /* the twin gives the same ids, or is NULL */
    struct tokenizer_scratch *scratch, *twin_scratch;
    bool is_exact; /* decoding gives the text */
};

static struct subject subjects[40];
static size_t n_subjects;

static struct tokenizer *make(const struct buffer *json)
{
    struct tokenizer *tokenizer;

    files_write("tokenizer.json", json->data, json->size);
    tokenizer = files_load();
    MUST(tokenizer);
    return tokenizer;
}

static void add_subject(struct tokenizer *tokenizer, struct tokenizer *twin, bool is_exact)
{
    MUST(n_subjects < sizeof subjects / sizeof *subjects);
    subjects[n_subjects++] = (struct subject){
        tokenizer, twin, tokenizer_scratch_new(tokenizer),
        twin ? tokenizer_scratch_new(twin) : NULL, is_exact};
}

/* ---- byte-level BPE ---- */

static void add_byte_vocabulary(struct buffer *json)
{
    static const char *const merges[][2] = {
        {"t", "h"}, {"th", "e"}, {"i", "n"}, {" ", "the"}, {" ", "a"}, {"e", "r"}, {" ", " "},
        {"  ", "  "}, {"\n", "\n"}, {"\r", "\n"}, {"a", "a"}, {"aa", "aa"}, {"1", "2"},
        {"12", "3"}, {"\xe3", "\x81"}, {"\xe3\x81", "\x82"}, {"\xcc", "\x81"}, {"'", "s"},
    };
    struct buffer token = {0};
    char bytes[16];

    buffer_add_text(json, "\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (unsigned byte = 0; byte < 256; byte++) {
        bytes[0] = (char)byte;
        buffer_clear(&token);
        subword_spell(bytes, 1, &token);
        buffer_add_text(json, byte ? "," : "");
        json_add_bytes(json, token.data, token.size);
        buffer_format(json, ":%u", 255 - byte);
    }
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        buffer_clear(&token);
        subword_spell(merges[i][0], strlen(merges[i][0]), &token);
        subword_spell(merges[i][1], strlen(merges[i][1]), &token);
        buffer_add_char(json, ',');
        json_add_bytes(json, token.data, token.size);
        buffer_format(json, ":%zu", 300 + i);
    }
    buffer_add_text(json, "},\"merges\":[");
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        buffer_add_text(json, i ? ",[" : "[");
        for (size_t side = 0; side < 2; side++) {
            buffer_clear(&token);
            subword_spell(merges[i][side], strlen(merges[i][side]), &token);
            buffer_add_text(json, side ? "," : "");
            json_add_bytes(json, token.data, token.size);
        }
        buffer_add_char(json, ']');
    }
    buffer_add_text(json, "]}");
    buffer_release(&token);
}

/* GPT-2's own pattern when there is none. */
static struct tokenizer *make_byte_level(const char *pattern, bool is_wrapped, bool ignores_merges)
{
    struct buffer json = {0}, text = {0};
    struct tokenizer *tokenizer;

    buffer_add_text(&json, "{\"added_tokens\":[{\"id\":0,\"content\":\"<|end|>\",\"single_word\":"
                    "false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}"
                    "],\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":");
    if (pattern) {
        buffer_format(&text, is_wrapped ? "(?:%s)" : "%s", pattern);
        buffer_add_text(&json, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
                        "\"behavior\":\"Isolated\",\"invert\":false,\"pattern\":{\"Regex\":");
        json_add_bytes(&json, text.data, text.size);
        buffer_add_text(&json, "}},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
                        "\"trim_offsets\":true,\"use_regex\":false}]},");
    } else {
        buffer_add_text(&json, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
                        "\"trim_offsets\":true},");
    }
    add_byte_vocabulary(&json);
    json.size--; /* the brace of the model */
    buffer_format(&json, ",\"ignore_merges\":%s}}", ignores_merges ? "true" : "false");
    tokenizer = make(&json);
    buffer_release(&json);
    buffer_release(&text);
    return tokenizer;
}

/* ---- the other kinds ---- */

#define SPACE_MARK "\xe2\x96\x81"

static const char unigram_json[] =
    "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" SPACE_MARK "\",\"prepend_scheme\":"
    "\"first\",\"split\":true},\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\""
    "Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}],"
    "\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"</s>\",\"type_"
    "id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{\"</s>\":{\"id\":\"</s"
    ">\",\"ids\":[1],\"tokens\":[\"</s>\"]}}},\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\""
    SPACE_MARK "\",\"prepend_scheme\":\"first\",\"split\":true},\"added_tokens\":[{\"id\":1,\"content"
    "\":\"</s>\",\"single_word\":false,\"lstrip\":true,\"rstrip\":true,\"normalized\":true,\"special\""
    ":true}],\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"</s>\",0],[\""
    SPACE_MARK "\",-2],[\"" SPACE_MARK "the\",-3],[\"a\",-4],[\"aa\",-8],[\"b\",-4],[\"ab\",-8],[\"e"
    "\",-4],[\"th\",-5],[\"\xe6\x97\xa5\",-9],[\"fi\",-6],[\"\xc3\xa9\",-7]]}}";

static const char wordpiece_json[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\",1]},"
    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},\"model\":{\"type\":"
    "\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_"
    "word\":20,\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"a\":3,\"##a\":4,\"b\":5,\"##b\":6,"
    "\"the\":7,\"##e\":8,\".\":9,\"\xe6\x97\xa5\":10,\"'\":11,\"##aab\":12}}}";

static const char llama_json[] =
    "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\""
    SPACE_MARK "\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SPACE_MARK
    "\"}]},\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String"
    "\":\"" SPACE_MARK "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type"
    "\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},\"model\":{\"type\":\"BPE\",\"unk_token\":"
    "\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":true,\"merges\":[\"a a\",\"aa aa\",\"t h\",\"th e\",\""
    SPACE_MARK " the\",\"" SPACE_MARK " " SPACE_MARK "\"],\"vocab\":{\"<unk>\":0,\"a\":1,\"aa\":2,"
    "\"aaaa\":3,\"t\":4,\"h\":5,\"e\":6,\"th\":7,\"the\":8,\"" SPACE_MARK "\":9,\"" SPACE_MARK "the\":10"
    ",\"" SPACE_MARK SPACE_MARK "\":11";

/* CR, LF and U+FB01 as sentencepiece's nmt_nfkc has them, in a map of a few nodes: made by hand. */
static void add_unigram(void)
{
    static const char charsmap[] =
        "AAQAAAAEAAAAAAAAAAAAgAIAAIAAAAAAAAAAAAQAAIAHAACAAAAAAAAAAAAAAAAACiEAAA05AAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABBHQEAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIEJAgAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AKy0AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAADvqAMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAgACAAZmkAeHgA";
    struct buffer json = {0};

    buffer_format(&json, "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
                  "\"Precompiled\",\"precompiled_charsmap\":\"%s\"},{\"type\":\"Replace\",\"pattern\":"
                  "{\"Regex\":\" {2,}\"},\"content\":\" \"}]},%s", charsmap, unigram_json);
    add_subject(make(&json), NULL, false);
    buffer_release(&json);
}

static void add_llama(void)
{
    struct buffer json = {0};

    buffer_add_text(&json, llama_json);
    for (unsigned byte = 0; byte < 256; byte++)
        buffer_format(&json, ",\"<0x%02X>\":%u", byte, 12 + byte);
    buffer_add_text(&json, "}}}");
    add_subject(make(&json), NULL, true);
    buffer_release(&json);
}

static void add_all(void)
{
    struct buffer json = {0};
    const char *pattern;

    add_subject(make_byte_level(NULL, false, false),
                make_byte_level(scanner_pattern(0), true, false), true);
    for (size_t i = 0; (pattern = scanner_pattern(i)) != NULL; i++)
        add_subject(make_byte_level(pattern, false, i % 2), make_byte_level(pattern, true, i % 2),
                    true);
    buffer_add_text(&json, wordpiece_json);
    add_subject(make(&json), NULL, false);
    buffer_release(&json);
    add_unigram();
    add_llama();
}

/* ---- what must hold ---- */

static void check_same(const struct encoding *a, const struct encoding *b)
{
    MUST(a->n_ids == b->n_ids);
    MUST(a->n_ids == 0 || memcmp(a->ids, b->ids, a->n_ids * sizeof *a->ids) == 0);
    MUST(a->n_ids == 0 || memcmp(a->type_ids, b->type_ids, a->n_ids) == 0);
    MUST(a->n_ids == 0 || memcmp(a->is_special, b->is_special, a->n_ids) == 0);
}

/* True, or false when the limits of the slow engine were reached. */
static bool encode(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                   const char *text, size_t n, const char *pair, size_t n_pair,
                   const struct encode_options *options, struct encoding *out)
{
    struct error err = {0};
    int rc = tokenizer_encode(tokenizer, scratch, text, n, pair, n_pair, options, out, &err);

    MUST(rc == 0 || (err.code == ERROR_UNSUPPORTED && *err.text));
    for (size_t i = 0; rc == 0 && i < out->n_ids; i++) {
        size_t length;

        MUST(tokenizer_token(tokenizer, out->ids[i], &length));
    }
    return rc == 0;
}

static void check_text(const struct subject *subject, const char *text, size_t n,
                       const struct encoding *encoding)
{
    struct buffer clean = {0}, out = {0}, streamed = {0};
    struct tokenizer_stream stream = {0};
    struct error err = {0};

    buffer_add(&clean, "", 0);
    utf8_add_lossy(&clean, text, n);
    buffer_add(&out, "", 0);
    MUST(files_check_decoding(subject->tokenizer, encoding->ids, encoding->n_ids, &out));
    if (subject->is_exact) { /* U+2581 is what a space becomes: it does not come back */
        MUST(memmem(clean.data, clean.size, SPACE_MARK, 3) ||
             (out.size == clean.size && memcmp(out.data, clean.data, out.size) == 0));
        for (size_t i = 0; i < encoding->n_ids && i < 200; i++)
            MUST(tokenizer_stream_add(subject->tokenizer, &stream, encoding->ids[i], false,
                                      &streamed, &err) == 0);
        MUST(streamed.size <= out.size);
        MUST(streamed.size == 0 || memcmp(streamed.data, out.data, streamed.size) == 0);
    }
    tokenizer_stream_release(&stream);
    buffer_release(&clean);
    buffer_release(&out);
    buffer_release(&streamed);
}

static void check_subject(const struct subject *subject, const char *text, size_t n, size_t cut)
{
    const struct encode_options plain = {.no_special = true}, limited = {.max_length = 5};
    struct tokenizer_scratch *fresh = tokenizer_scratch_new(subject->tokenizer);
    struct encoding a = {0}, b = {0};

    if (encode(subject->tokenizer, subject->scratch, text, n, NULL, 0, &plain, &a)) {
        MUST(encode(subject->tokenizer, fresh, text, n, NULL, 0, &plain, &b));
        check_same(&a, &b);
        check_text(subject, text, n, &a);
        if (subject->twin &&
            encode(subject->twin, subject->twin_scratch, text, n, NULL, 0, &plain, &b))
            check_same(&a, &b);
    }
    if (encode(subject->tokenizer, subject->scratch, text, cut, text + cut, n - cut, &limited, &a)) {
        MUST(a.n_ids <= limited.max_length);
        MUST(encode(subject->tokenizer, fresh, text, cut, text + cut, n - cut, &limited, &b));
        check_same(&a, &b);
    }
    encoding_release(&a);
    encoding_release(&b);
    tokenizer_scratch_free(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (n_subjects == 0)
        add_all();
    if (size == 0)
        return 0;
    for (size_t i = 0; i < n_subjects; i++)
        if (bytes[0] == 255 || bytes[0] % n_subjects == i)
            check_subject(&subjects[i], (const char *)bytes + 1, size - 1,
                          (size - 1) * (bytes[0] / 16) / 16);
    return 0;
}
