/* test_gguf_tokenizer.c - tokenizers in the metadata of GGUF files, read and written.
 *
 * Small ones are made by hand. With COCKTAIL_TEST_DATA naming a folder that holds golden/gguf, the
 * texts there must have llama.cpp's ids; and the real tokenizers in tokenizers/ there must be the
 * same after the way there and back. */
#include "arch/gguf_tokenizer.h"

#include <math.h>
#include <zlib.h>

#include "arch/gguf_pre.h"
#include "arch/gguf_tokenizer_write.h"
#include "base/json.h"
#include "format/checkpoint.h"
#include "format/gguf.h"
#include "text/tokenizer.h"

#include "scratch.h"

#define LOWER_ONE "\xe2\x96\x81"
#define TOKENIZER(name) "tokenizer.ggml." name
#define N(array) (sizeof(array) / sizeof *(array))

/* ---- metadata by hand ---- */

struct made {
    struct gguf_value values[32];
    size_t n;
    struct gguf_text texts[8][64];
    size_t n_texts;
    uint32_t numbers[32];
    uint64_t items[8][32];
    size_t n_arrays;
};

static struct gguf_value *find(struct made *made, const char *key)
{
    for (size_t i = 0; i < made->n; i++)
        if (strcmp(made->values[i].key, key) == 0)
            return &made->values[i];
    return &made->values[made->n++];
}

static void set(struct made *made, const char *key, enum gguf_type type, bool is_array, size_t n,
                const void *items)
{
    *find(made, key) = (struct gguf_value){key, type, is_array, n, items};
}

static void set_texts(struct made *made, const char *key, bool is_array, const char *const *texts,
                      size_t n)
{
    struct gguf_text *items = made->texts[made->n_texts++];

    for (size_t i = 0; i < n; i++)
        items[i] = (struct gguf_text){texts[i], strlen(texts[i])};
    set(made, key, GGUF_STRING, is_array, n, items);
}

static void set_text(struct made *made, const char *key, const char *text)
{
    set_texts(made, key, false, &text, 1);
}

static void set_number(struct made *made, const char *key, enum gguf_type type, uint32_t number)
{
    uint32_t *item = &made->numbers[made->n];

    *item = number;
    set(made, key, type, false, 1, item);
}

static void drop(struct made *made, const char *key)
{
    for (size_t i = 0; i < made->n; i++)
        if (strcmp(made->values[i].key, key) == 0)
            made->values[i] = made->values[--made->n];
}

static void set_items(struct made *made, const char *key, enum gguf_type type, size_t n,
                      const void *items, size_t n_bytes)
{
    uint64_t *copy = made->items[made->n_arrays++];

    memcpy(copy, items, n_bytes);
    set(made, key, type, true, n, copy);
}

#define SET_TEXTS(made, name, ...)                                                                \
    set_texts(made, TOKENIZER(name), true, (const char *const[]){__VA_ARGS__},                    \
              N(((const char *const[]){__VA_ARGS__})))
#define SET_ITEMS(made, name, type, c_type, ...)                                                  \
    set_items(made, TOKENIZER(name), type, N(((const c_type[]){__VA_ARGS__})),                    \
              (const c_type[]){__VA_ARGS__}, sizeof(const c_type[]){__VA_ARGS__})

/* "ab" is worth more than "bc". */
static const float score_items[] = {0, 0, 0, 0, -9, -8, -7, -6, -1, -2, -3, -1000, -1000, -1000};
static const int32_t score_types[] = {2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 4, 5, 5};

static void make_scores(struct made *made)
{
    *made = (struct made){0};
    set_text(made, TOKENIZER("model"), "llama");
    SET_TEXTS(made, "tokens", "<unk>", "<s>", "</s>", "<0x0A>", "a", "b", "c", LOWER_ONE, "ab", "bc",
              LOWER_ONE "a", "<x>", "[PAD12]", "[PAD13]");
    set(made, TOKENIZER("scores"), GGUF_F32, true, N(score_items), score_items);
    set(made, TOKENIZER("token_type"), GGUF_I32, true, N(score_types), score_types);
}

static const int32_t merge_types[] = {1, 1, 1, 1, 1, 1, 3, 4, 5};

static void make_merges(struct made *made)
{
    *made = (struct made){0};
    set_text(made, TOKENIZER("model"), "gpt2");
    set_text(made, TOKENIZER("pre"), "qwen2");
    SET_TEXTS(made, "tokens", "a", "b", "c", "\xc4\xa0", "ab", "bc", "<|x|>", "<y>", "[PAD8]");
    set(made, TOKENIZER("token_type"), GGUF_I32, true, N(merge_types), merge_types);
    SET_TEXTS(made, "merges", "b c", "a b", "b c");
}

static const int32_t word_types[] = {3, 3, 3, 3, 1, 1, 1, 1};

static void make_words(struct made *made)
{
    *made = (struct made){0};
    set_text(made, TOKENIZER("model"), "bert");
    SET_TEXTS(made, "tokens", "[PAD]", "[UNK]", "[CLS]", "[SEP]", LOWER_ONE "the", "re",
              LOWER_ONE "A", "[unused1]");
    set(made, TOKENIZER("token_type"), GGUF_I32, true, N(word_types), word_types);
    set_number(made, TOKENIZER("bos_token_id"), GGUF_U32, 2);
    set_number(made, TOKENIZER("seperator_token_id"), GGUF_U32, 3);
    set_number(made, TOKENIZER("unknown_token_id"), GGUF_U32, 1);
}

static const float piece_scores[] = {0, 0, 0, -2, -3, -4, -10000};
static const int32_t piece_types[] = {3, 3, 2, 1, 1, 1, 4};

static void make_pieces(struct made *made)
{
    *made = (struct made){0};
    set_text(made, TOKENIZER("model"), "t5");
    SET_TEXTS(made, "tokens", "<pad>", "</s>", "<unk>", LOWER_ONE "a", "b", LOWER_ONE, "<extra>");
    set(made, TOKENIZER("scores"), GGUF_F32, true, N(piece_scores), piece_scores);
    set(made, TOKENIZER("token_type"), GGUF_I32, true, N(piece_types), piece_types);
    set_number(made, TOKENIZER("remove_extra_whitespaces"), GGUF_BOOL, 1);
}

/* ---- what comes out ---- */

static struct folder *empty_folder(void)
{
    struct error err = {0};
    struct folder *folder;

    scratch_folder("empty");
    folder = folder_open(scratch_path("empty"), false, &err);
    scratch_must(folder != NULL, "open", "empty");
    folder_restrict(folder);
    folder_call(folder, "x.gguf");
    return folder;
}

static struct tokenizer *try_gguf(const struct gguf *gguf, struct error *err)
{
    struct folder *folder = empty_folder();
    struct tokenizer *tokenizer = NULL;

    if (gguf_tokenizer_add(gguf, folder, err) == 0)
        tokenizer = tokenizer_load(folder, "", err);
    folder_close(folder);
    return tokenizer;
}

static struct tokenizer *load(const struct made *made)
{
    const struct gguf gguf = {(struct gguf_value *)(uintptr_t)made->values, made->n};
    struct error err = {0};
    struct tokenizer *tokenizer = try_gguf(&gguf, &err);

    if (!tokenizer)
        printf("# %s\n", err.text);
    scratch_must(tokenizer != NULL, "load", "what was made");
    return tokenizer;
}

static const char *ids_of(const struct tokenizer *tokenizer, const char *text, const char *pair)
{
    static char lists[2][20000];
    static size_t next;
    char *list = lists[next++ % 2];
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct encode_options options = {0};
    struct encoding encoding = {0};
    struct error err = {0};
    size_t at = 0;

    list[0] = '\0';
    CHECK(tokenizer_encode(tokenizer, scratch, text, strlen(text), pair, pair ? strlen(pair) : 0,
                           &options, &encoding, &err) == 0);
    for (size_t i = 0; i < encoding.n_ids && at + 12 < sizeof lists[0]; i++)
        at += (size_t)snprintf(list + at, 12, "%s%u", i ? " " : "", (unsigned)encoding.ids[i]);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return list;
}

static bool gives(const struct tokenizer *tokenizer, const char *text, const char *pair,
                  const char *expected)
{
    const char *got = ids_of(tokenizer, text, pair);
    bool same = strcmp(got, expected) == 0;

    if (!same)
        printf("# '%s' gives %s, not %s\n", text, got, expected);
    return same;
}

static bool gives_once(const struct made *made, const char *text, const char *expected)
{
    struct tokenizer *tokenizer = load(made);
    bool same = gives(tokenizer, text, NULL, expected);

    tokenizer_free(tokenizer);
    return same;
}

static bool is_special(const struct tokenizer *tokenizer, const char *name, uint32_t id)
{
    uint32_t found;

    return tokenizer_special(tokenizer, name, &found) && found == id;
}

/* ---- reading ---- */

static void joins_by_scores(void)
{
    struct made made;
    struct tokenizer *tokenizer;

    make_scores(&made);
    tokenizer = load(&made);
    CHECK(gives(tokenizer, "", NULL, "1"));
    CHECK(gives(tokenizer, "bc", NULL, "1 7 9"));
    CHECK(gives(tokenizer, "abc", NULL, "1 7 8 6"));
    CHECK(gives(tokenizer, " a", NULL, "1 7 10"));
    CHECK(gives(tokenizer, "a\n", NULL, "1 10 3"));
    CHECK(gives(tokenizer, "\xc3\xa9", NULL, "1 7 0")); /* no bytes for it */
    CHECK(gives(tokenizer, "a</s>a<x>c", NULL, "1 10 2 10 11 7 6"));
    CHECK(gives(tokenizer, "a", "a", "1 10 1 10"));
    CHECK(is_special(tokenizer, "bos_token", 1) && is_special(tokenizer, "eos_token", 2) &&
          is_special(tokenizer, "unk_token", 0));
    CHECK(!tokenizer_token(tokenizer, 12, &(size_t){0}));
    tokenizer_free(tokenizer);
}

static void obeys_the_flags(void)
{
    struct made made;
    struct tokenizer *tokenizer;

    make_scores(&made);
    set_number(&made, TOKENIZER("add_space_prefix"), GGUF_BOOL, 0);
    set_number(&made, TOKENIZER("add_bos_token"), GGUF_BOOL, 0);
    set_number(&made, TOKENIZER("add_eos_token"), GGUF_BOOL, 1);
    set_number(&made, TOKENIZER("eos_token_id"), GGUF_U32, 11);
    tokenizer = load(&made);
    CHECK(gives(tokenizer, "abc", NULL, "8 6 11"));
    CHECK(gives(tokenizer, "a", "b", "4 11 5 11"));
    set_number(&made, TOKENIZER("add_sep_token"), GGUF_BOOL, 1);
    set_number(&made, TOKENIZER("seperator_token_id"), GGUF_U32, 2);
    tokenizer_free(tokenizer);
    tokenizer = load(&made);
    CHECK(gives(tokenizer, "a", "b", "4 11 2 5 11"));
    tokenizer_free(tokenizer);
}

/* Gemma's runs of spaces: in the file they hold spaces, in tokenizer.json U+2581. */
static void finds_runs_of_spaces(void)
{
    struct made made;
    struct tokenizer *tokenizer;
    uint32_t id;

    make_scores(&made);
    set_number(&made, TOKENIZER("add_space_prefix"), GGUF_BOOL, 0);
    SET_TEXTS(&made, "tokens", "<unk>", "<s>", "</s>", "<0x0A>", "a", "b", "c", LOWER_ONE, "ab", "bc",
              LOWER_ONE "a", "  ", "[PAD12]", "[PAD13]");
    tokenizer = load(&made);
    CHECK(tokenizer_find(tokenizer, LOWER_ONE LOWER_ONE, &id) && id == 11);
    CHECK(gives(tokenizer, "b   a", NULL, "1 5 11 10"));
    tokenizer_free(tokenizer);
}

static void joins_by_merges(void)
{
    struct made made;
    struct tokenizer *tokenizer;

    make_merges(&made);
    tokenizer = load(&made);
    /* Of "b c" the first counts: llama.cpp would not look at the last. */
    CHECK(gives(tokenizer, "abc", NULL, "0 5"));
    CHECK(gives(tokenizer, "ab ab<|x|><y>", NULL, "4 3 4 6 7"));
    CHECK(strcmp(tokenizer_type(tokenizer), "BPE") == 0);
    CHECK(!tokenizer_token(tokenizer, 8, &(size_t){0}));
    tokenizer_free(tokenizer);
}

/* Llama 3 takes a word that is a token, and begins with the begin token if nothing is said. */
static void knows_what_a_pre_implies(void)
{
    struct made made;

    make_merges(&made);
    set_text(&made, TOKENIZER("pre"), "llama-bpe");
    set_number(&made, TOKENIZER("bos_token_id"), GGUF_U32, 6);
    SET_TEXTS(&made, "merges", "b c");
    CHECK(gives_once(&made, "ab", "6 4"));
    set_text(&made, TOKENIZER("pre"), "dbrx");
    CHECK(gives_once(&made, "ab", "0 1"));
    drop(&made, TOKENIZER("pre")); /* "default" */
    CHECK(gives_once(&made, "ab", "0 1"));
}

/* Two separators between a pair, as RoBERTa has them, though the file says nothing of it. */
static void knows_who_has_separators(void)
{
    struct made made;
    struct tokenizer *tokenizer;

    make_merges(&made);
    set_text(&made, TOKENIZER("pre"), "roberta-bpe");
    set_number(&made, TOKENIZER("add_eos_token"), GGUF_BOOL, 1);
    set_number(&made, TOKENIZER("eos_token_id"), GGUF_U32, 6);
    set_number(&made, TOKENIZER("seperator_token_id"), GGUF_U32, 6);
    tokenizer = load(&made);
    CHECK(gives(tokenizer, "a", "b", "0 6 6 1 6"));
    tokenizer_free(tokenizer);
}

/* A model whose padding token is a row that no token has. */
static void keeps_a_filler_with_a_name(void)
{
    struct made made;
    struct tokenizer *tokenizer;
    uint32_t id;

    make_scores(&made);
    set_number(&made, TOKENIZER("padding_token_id"), GGUF_U32, 13);
    tokenizer = load(&made);
    CHECK(tokenizer_find(tokenizer, "[PAD13]", &id) && id == 13);
    CHECK(!tokenizer_find(tokenizer, "[PAD12]", &id));
    CHECK(is_special(tokenizer, "pad_token", 13));
    tokenizer_free(tokenizer);
}

static void knows_control_tokens_by_name(void)
{
    struct made made;

    make_merges(&made);
    SET_TEXTS(&made, "tokens", "a", "b", "c", "\xc4\xa0", "ab", "bc", "<|x|>", "<y>", "<|im_end|>");
    SET_ITEMS(&made, "token_type", GGUF_I32, int32_t, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    CHECK(gives_once(&made, "a<|im_end|><y>", "0 8"));
}

static void finds_words(void)
{
    struct made made;
    struct tokenizer *tokenizer;
    uint32_t id;

    make_words(&made);
    tokenizer = load(&made);
    CHECK(gives(tokenizer, "There THE x", NULL, "2 4 5 4 1 3"));
    CHECK(gives(tokenizer, "the", "the", "2 4 3 4 3"));
    CHECK(is_special(tokenizer, "cls_token", 2) && is_special(tokenizer, "sep_token", 3));
    CHECK(!tokenizer_special(tokenizer, "bos_token", &id));
    CHECK(tokenizer_find(tokenizer, "the", &id) && id == 4);
    CHECK(tokenizer_find(tokenizer, "##re", &id) && id == 5);
    CHECK(tokenizer_find(tokenizer, "[unused1]", &id) && id == 7);
    tokenizer_free(tokenizer);
    set_number(&made, TOKENIZER("normalizer.lowercase"), GGUF_BOOL, 0);
    CHECK(gives_once(&made, "the A THE", "2 4 6 1 3"));
}

static void finds_pieces(void)
{
    struct made made;

    make_pieces(&made);
    CHECK(gives_once(&made, "a  b", "3 5 4 1"));
    CHECK(gives_once(&made, " a<extra>b ", "3 6 5 4 1"));
    CHECK(gives_once(&made, "z", "5 2 1"));
    set_number(&made, TOKENIZER("remove_extra_whitespaces"), GGUF_BOOL, 0);
    CHECK(gives_once(&made, "b  b", "4 5 5 4 1"));
}

/* The score of a token that is no piece would make unknown characters dearer than they are: then
 * "_", "q", "rz" would be better than "_qr" and an unknown "z". */
static void forgets_scores_of_added_tokens(void)
{
    static const float scores[] = {0, 0, 0, -9, -9, -9, -1, -10000};
    static const int32_t types[] = {3, 3, 2, 1, 1, 1, 1, 4};
    struct made made;

    make_pieces(&made);
    SET_TEXTS(&made, "tokens", "<pad>", "</s>", "<unk>", LOWER_ONE, "q", "rz", LOWER_ONE "qr",
              "<extra>");
    set(&made, TOKENIZER("scores"), GGUF_F32, true, N(scores), scores);
    set(&made, TOKENIZER("token_type"), GGUF_I32, true, N(types), types);
    CHECK(gives_once(&made, "qrz", "6 2 1"));
}

/* Phi-3, which llama.cpp knows by the name of the model. */
static void swallows_white_space(void)
{
    struct made made;

    make_scores(&made);
    CHECK(gives_once(&made, "<x>  b", "1 11 7 7 7 5"));
    set_text(&made, "general.name", "My Phi-3 mini");
    CHECK(gives_once(&made, "<x>  b", "1 11 7 5"));
    CHECK(gives_once(&made, "<s>  b", "1 1 7 7 7 5"));
}

static void has_no_tokenizer(void)
{
    struct made made = {0};
    struct gguf gguf = {made.values, 0};
    struct folder *folder = empty_folder();
    struct error err = {0};

    CHECK(gguf_tokenizer_add(&gguf, folder, &err) == 0);
    set_text(&made, TOKENIZER("model"), "none");
    gguf.n_values = made.n;
    CHECK(gguf_tokenizer_add(&gguf, folder, &err) == 0);
    CHECK(!tokenizer_is_there(folder, ""));
    folder_close(folder);
}

static bool holds(const struct folder *folder, const char *name, const char *expected)
{
    struct error err = {0};
    size_t size;
    char *text = folder_read_text(folder, name, 1000000, &size, &err);
    bool same = text && strcmp(text, expected) == 0;

    if (!same)
        printf("# %s: %s\n", name, text ? text : err.text);
    free(text);
    return same;
}

static void has_chat_templates(void)
{
    struct made made = {0};
    struct gguf gguf = {made.values, 0};
    struct folder *folder = empty_folder();
    struct error err = {0};

    set_text(&made, "tokenizer.chat_template", "{{ a }}");
    set_text(&made, "tokenizer.chat_template.rag", "{{ b }}");
    set_text(&made, "tokenizer.chat_templates", "rag");
    gguf.n_values = made.n;
    CHECK(gguf_tokenizer_add(&gguf, folder, &err) == 0);
    CHECK(holds(folder, "chat_template.jinja", "{{ a }}"));
    CHECK(holds(folder, "additional_chat_templates/rag.jinja", "{{ b }}"));
    folder_close(folder);
}

/* ---- what is refused ---- */

static void no_tokens(struct made *made) { drop(made, TOKENIZER("tokens")); }
static void tokens_number(struct made *made) { set_number(made, TOKENIZER("tokens"), GGUF_U32, 3); }
static void tokens_text(struct made *made) { set_text(made, TOKENIZER("tokens"), "a"); }
static void tokens_numbers(struct made *made) { SET_ITEMS(made, "tokens", GGUF_I32, int32_t, 1); }
static void tokens_none(struct made *made) { find(made, TOKENIZER("tokens"))->n_items = 0; }
static void model_number(struct made *made) { set_number(made, TOKENIZER("model"), GGUF_U32, 1); }
static void model_unknown(struct made *made) { set_text(made, TOKENIZER("model"), "rwkv"); }
static void pre_unknown(struct made *made) { set_text(made, TOKENIZER("pre"), "kimi-k2"); }
static void pre_number(struct made *made) { set_number(made, TOKENIZER("pre"), GGUF_F32, 1); }
static void no_merges(struct made *made) { drop(made, TOKENIZER("merges")); }
static void merges_numbers(struct made *made) { SET_ITEMS(made, "merges", GGUF_U32, uint32_t, 1); }
static void merge_no_pair(struct made *made) { SET_TEXTS(made, "merges", "a b", "ab"); }
static void merge_empty(struct made *made) { SET_TEXTS(made, "merges", ""); }
static void merge_space_first(struct made *made) { SET_TEXTS(made, "merges", " ab"); }
static void merge_unknown(struct made *made) { SET_TEXTS(made, "merges", "a z"); }
static void merge_of_no_token(struct made *made) { SET_TEXTS(made, "merges", "a c"); }
static void types_short(struct made *made) { find(made, TOKENIZER("token_type"))->n_items = 3; }
static void types_texts(struct made *made) { SET_TEXTS(made, "token_type", "1"); }
static void types_floats(struct made *made)
{
    set(made, TOKENIZER("token_type"), GGUF_F32, true, N(score_items), score_items);
}
static void type_seven(struct made *made)
{
    SET_ITEMS(made, "token_type", GGUF_I32, int32_t, 1, 1, 1, 1, 7, 1, 1, 1, 1);
}
static void type_negative(struct made *made)
{
    SET_ITEMS(made, "token_type", GGUF_I32, int32_t, 1, -1, 1, 1, 1, 1, 1, 1, 1);
}
static void no_scores(struct made *made) { drop(made, TOKENIZER("scores")); }
static void scores_short(struct made *made) { find(made, TOKENIZER("scores"))->n_items = 13; }
static void scores_texts(struct made *made)
{
    set(made, TOKENIZER("scores"), GGUF_STRING, true, 14, made->texts[1]);
}
static void score_nan(struct made *made)
{
    static float scores[14];

    scores[5] = NAN;
    set(made, TOKENIZER("scores"), GGUF_F32, true, 14, scores);
}
static void twice(struct made *made)
{
    SET_TEXTS(made, "tokens", "a", "b", "c", "a", "ab", "bc", "<|x|>", "<y>", "[PAD8]");
}
static void not_utf8(struct made *made)
{
    SET_TEXTS(made, "tokens", "a", "b", "\xff", "d", "ab", "bc", "<|x|>", "<y>", "[PAD8]");
}
static void nul_in_control(struct made *made)
{
    struct gguf_text *texts = (struct gguf_text *)(uintptr_t)find(made, TOKENIZER("tokens"))->items;

    texts[6] = (struct gguf_text){"x\0y", 3};
}
static void bos_beyond(struct made *made)
{
    set_number(made, TOKENIZER("bos_token_id"), GGUF_U32, 9);
}
static void pad_minus_one(struct made *made)
{
    set_number(made, TOKENIZER("padding_token_id"), GGUF_U32, UINT32_MAX);
}
static void eos_text(struct made *made) { set_text(made, TOKENIZER("eos_token_id"), "2"); }
static void unk_array(struct made *made)
{
    SET_ITEMS(made, "unknown_token_id", GGUF_U32, uint32_t, 1, 2);
}
static void add_bos_number(struct made *made)
{
    set_number(made, TOKENIZER("add_bos_token"), GGUF_U32, 1);
}
static void add_bos_without(struct made *made)
{
    set_number(made, TOKENIZER("add_bos_token"), GGUF_BOOL, 1);
}
static void prefix_text(struct made *made) { set_text(made, TOKENIZER("add_space_prefix"), "yes"); }
static void no_separator(struct made *made) { drop(made, TOKENIZER("seperator_token_id")); }
static void no_class(struct made *made) { drop(made, TOKENIZER("bos_token_id")); }
static void map_texts(struct made *made) { SET_TEXTS(made, "precompiled_charsmap", "x"); }
static void map_short(struct made *made)
{
    SET_ITEMS(made, "precompiled_charsmap", GGUF_U8, unsigned char, 4, 0, 0);
}
static void template_number(struct made *made)
{
    set_number(made, "tokenizer.chat_template", GGUF_U32, 1);
}
static void template_path(struct made *made)
{
    set_text(made, "tokenizer.chat_template.../../x", "{{ a }}");
}
static void name_number(struct made *made) { set_number(made, "general.name", GGUF_U32, 1); }
static void token_long(struct made *made)
{
    static char text[1100];

    memset(text, 'a', sizeof text - 1);
    SET_TEXTS(made, "tokens", "<unk>", "<s>", "</s>", "<0x0A>", "a", "b", "c", LOWER_ONE, "ab", "bc",
              text, "<x>", "[PAD12]", "[PAD13]");
}

static const struct fault {
    void (*make)(struct made *made), (*spoil)(struct made *made);
    enum error_code code;
    const char *says;
} faults[] = {
    {make_merges, no_tokens, ERROR_FORMAT, "'tokenizer.ggml.tokens': missing"},
    {make_merges, tokens_number, ERROR_FORMAT, "'tokenizer.ggml.tokens': not an array"},
    {make_merges, tokens_text, ERROR_FORMAT, "'tokenizer.ggml.tokens': not an array"},
    {make_merges, tokens_numbers, ERROR_FORMAT, "'tokenizer.ggml.tokens': not texts"},
    {make_merges, tokens_none, ERROR_FORMAT, "'tokenizer.ggml.tokens': 0 items"},
    {make_merges, model_number, ERROR_FORMAT, "'tokenizer.ggml.model': not a text"},
    {make_merges, model_unknown, ERROR_UNSUPPORTED, "a tokenizer of kind 'rwkv'"},
    {make_merges, pre_unknown, ERROR_UNSUPPORTED, "'tokenizer.ggml.pre': 'kimi-k2'"},
    {make_merges, pre_number, ERROR_FORMAT, "'tokenizer.ggml.pre': not a text"},
    {make_merges, no_merges, ERROR_FORMAT, "'tokenizer.ggml.merges': missing"},
    {make_merges, merges_numbers, ERROR_FORMAT, "'tokenizer.ggml.merges': not texts"},
    {make_merges, merge_no_pair, ERROR_FORMAT, "item 1, 'ab', is no pair"},
    {make_merges, merge_empty, ERROR_FORMAT, "item 0, '', is no pair"},
    {make_merges, merge_space_first, ERROR_FORMAT, "item 0, ' ab', is no pair"},
    {make_merges, merge_unknown, ERROR_FORMAT, "item 0, 'a z', is not of tokens"},
    {make_merges, merge_of_no_token, ERROR_FORMAT, "item 0, 'a c', is not of tokens"},
    {make_merges, types_short, ERROR_FORMAT, "'tokenizer.ggml.token_type': 3 items for 9 tokens"},
    {make_merges, types_texts, ERROR_FORMAT, "'tokenizer.ggml.token_type': 1 items"},
    {make_merges, types_floats, ERROR_FORMAT, "'tokenizer.ggml.token_type': not whole numbers"},
    {make_merges, type_seven, ERROR_FORMAT, "'tokenizer.ggml.token_type': item 4 is 7"},
    {make_merges, type_negative, ERROR_FORMAT, "'tokenizer.ggml.token_type': item 1 is -1"},
    {make_scores, no_scores, ERROR_FORMAT, "'tokenizer.ggml.scores': missing"},
    {make_scores, scores_short, ERROR_FORMAT, "'tokenizer.ggml.scores': 13 items for 14 tokens"},
    {make_scores, scores_texts, ERROR_FORMAT, "'tokenizer.ggml.scores': not numbers"},
    {make_scores, score_nan, ERROR_FORMAT, "'tokenizer.ggml.scores': item 5"},
    {make_merges, twice, ERROR_FORMAT, "items 0 and 3 are both 'a'"},
    {make_merges, not_utf8, ERROR_FORMAT, "item 2 is not UTF-8"},
    {make_merges, nul_in_control, ERROR_FORMAT, "item 6, which is found in texts"},
    {make_merges, bos_beyond, ERROR_FORMAT, "'tokenizer.ggml.bos_token_id': 9, and there are 9"},
    {make_merges, pad_minus_one, ERROR_FORMAT, "'tokenizer.ggml.padding_token_id': 4294967295"},
    {make_merges, eos_text, ERROR_FORMAT, "'tokenizer.ggml.eos_token_id': not a whole number"},
    {make_merges, unk_array, ERROR_FORMAT, "'tokenizer.ggml.unknown_token_id': not a whole number"},
    {make_merges, add_bos_number, ERROR_FORMAT, "'tokenizer.ggml.add_bos_token': not a boolean"},
    {make_merges, add_bos_without, ERROR_FORMAT, "'tokenizer.ggml.bos_token_id': missing"},
    {make_scores, prefix_text, ERROR_FORMAT, "'tokenizer.ggml.add_space_prefix': not a boolean"},
    {make_words, no_separator, ERROR_FORMAT, "'tokenizer.ggml.seperator_token_id': missing"},
    {make_words, no_class, ERROR_FORMAT, "'tokenizer.ggml.bos_token_id': missing"},
    {make_pieces, map_texts, ERROR_FORMAT, "'tokenizer.ggml.precompiled_charsmap': not bytes"},
    {make_pieces, map_short, ERROR_FORMAT, "Precompiled"},
    {make_merges, template_number, ERROR_FORMAT, "'tokenizer.chat_template': not a text"},
    {make_merges, template_path, ERROR_FORMAT, "a template may not have this name"},
    {make_scores, name_number, ERROR_FORMAT, "'general.name': not a text"},
    {make_scores, token_long, ERROR_FORMAT, "a token is longer than 1024 bytes"},
};

static void refuses_what_is_wrong(void)
{
    for (size_t i = 0; i < N(faults); i++) {
        struct made made;
        struct gguf gguf = {made.values, 0};
        struct error err = {0};
        struct tokenizer *tokenizer;

        faults[i].make(&made);
        faults[i].spoil(&made);
        gguf.n_values = made.n;
        tokenizer = try_gguf(&gguf, &err);
        CHECK(!tokenizer && err.code == faults[i].code);
        CHECK_CONTAINS(err.text, faults[i].says);
        CHECK_CONTAINS(err.text, "x.gguf");
        tokenizer_free(tokenizer);
    }
}

/* ---- the names of patterns ---- */

static void every_pre_can_be_run(void)
{
    const struct gguf_pre *pre;

    for (size_t i = 0; (pre = gguf_pre_row(i)); i++) {
        struct made made;
        struct tokenizer *tokenizer;

        make_merges(&made);
        set_text(&made, TOKENIZER("pre"), pre->name);
        set_number(&made, TOKENIZER("add_bos_token"), GGUF_BOOL, 0);
        set_number(&made, TOKENIZER("bos_token_id"), GGUF_U32, 6);
        tokenizer = load(&made);
        if (!gives(tokenizer, "bc", NULL, pre->is_plain && pre->adds_begin ? "6 5" : "5"))
            printf("# %s\n", pre->name);
        CHECK(gguf_pre_find(pre->name, strlen(pre->name)) == pre);
        tokenizer_free(tokenizer);
    }
    CHECK(!gguf_pre_find("qwen", 4) && !gguf_pre_find("", 0));
}

/* ---- writing ---- */

static void add_count(struct buffer *out, uint64_t count)
{
    buffer_add(out, &count, sizeof count);
}

static void add_word(struct buffer *out, uint32_t word)
{
    buffer_add(out, &word, sizeof word);
}

/* A GGUF file with this metadata and one tensor of eight numbers. */
static void save(const struct gguf_metadata *metadata, const char *name)
{
    static const char tensor[] = "token_embd.weight";
    struct buffer out = {0};

    buffer_add_text(&out, "GGUF");
    add_word(&out, 3);
    add_count(&out, 1);
    add_count(&out, metadata->n_values);
    buffer_add(&out, metadata->bytes.data, metadata->bytes.size);
    add_count(&out, sizeof tensor - 1);
    buffer_add_text(&out, tensor);
    add_word(&out, 1);
    add_count(&out, 8);
    add_word(&out, 0);
    add_count(&out, 0);
    do
        buffer_add_char(&out, 0);
    while (out.size % 32);
    for (size_t i = 0; i < 32; i++)
        buffer_add_char(&out, 0);
    scratch_write(name, out.data, out.size);
    buffer_release(&out);
}

static int write_folder(const char *path, size_t n_rows, struct checkpoint **checkpoint,
                        struct notices *notices, struct error *err)
{
    struct model_folder model;
    struct gguf_metadata metadata = {0};
    int rc;

    *checkpoint = NULL;
    scratch_must(model_folder_open(&model, path, NULL, false, err) == 0, "open", path);
    rc = gguf_tokenizer_write(&metadata, &model, n_rows, notices, err);
    if (rc == 0) {
        save(&metadata, "written/x.gguf");
        *checkpoint = scratch_open("written", "x.gguf", notices, err);
        scratch_must(*checkpoint != NULL, "open", err->text);
    }
    gguf_metadata_release(&metadata);
    model_folder_release(&model);
    return rc;
}

static bool says_text(const struct gguf *gguf, const char *key, size_t i, const char *expected)
{
    const struct gguf_value *value = gguf_find(gguf, key);
    struct gguf_text text = {"(absent)", 8};

    if (value && i < value->n_items)
        text = gguf_text(value, i);
    if (text.length == strlen(expected) && memcmp(text.bytes, expected, text.length) == 0)
        return true;
    printf("# %s[%zu] is '%.*s', not '%s'\n", key, i, (int)text.length, text.bytes, expected);
    return false;
}

static bool says_number(const struct gguf *gguf, const char *key, size_t i, double expected)
{
    const struct gguf_value *value = gguf_find(gguf, key);

    if (value && i < value->n_items && gguf_number(value, i) == expected)
        return true;
    printf("# %s[%zu] is %g, not %g\n", key, i,
           value && i < value->n_items ? gguf_number(value, i) : NAN, expected);
    return false;
}

/* All texts of fixtures/tokenizers/texts.jsonl. */
static cJSON *fixture_texts(void)
{
    FILE *file = fopen("fixtures/tokenizers/texts.jsonl", "rb");
    cJSON *list = cJSON_CreateArray();
    struct error err = {0};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;

    scratch_must(file != NULL, "open", "texts.jsonl");
    while ((n = getline(&line, &capacity, file)) > 0)
        cJSON_AddItemToArray(list, json_parse(line, (size_t)n, &err));
    free(line);
    fclose(file);
    return list;
}

/* How many of the texts have other ids after the way there and back. */
static size_t n_different(const struct tokenizer *source, const struct tokenizer *again)
{
    cJSON *texts = fixture_texts();
    const cJSON *text;
    size_t n = 0, n_texts = 0;

    cJSON_ArrayForEach(text, texts) {
        if (!cJSON_IsString(text))
            continue;
        n_texts++;
        n += strcmp(ids_of(source, text->valuestring, NULL),
                    ids_of(again, text->valuestring, NULL)) != 0;
    }
    CHECK(n_texts > 30);
    cJSON_Delete(texts);
    return n;
}

/* Whether all ids below `n` stand for the same tokens, or for none. */
static bool has_same_tokens(const struct tokenizer *source, const struct tokenizer *again, size_t n)
{
    for (uint32_t id = 0; id < n; id++) {
        size_t n_ours, n_theirs;
        const char *ours = tokenizer_token(source, id, &n_ours);
        const char *theirs = tokenizer_token(again, id, &n_theirs);

        if (!ours != !theirs ||
            (ours && (n_ours != n_theirs || memcmp(ours, theirs, n_ours) != 0))) {
            printf("# token %u is '%s', and then '%s'\n", (unsigned)id, ours ? ours : "(none)",
                   theirs ? theirs : "(none)");
            return false;
        }
    }
    return true;
}

static struct tokenizer *load_folder(const char *path)
{
    struct error err = {0};
    struct folder *folder = folder_open(path, false, &err);
    struct tokenizer *tokenizer = folder ? tokenizer_load(folder, "", &err) : NULL;

    scratch_must(tokenizer != NULL, "load", path);
    folder_close(folder);
    return tokenizer;
}

static const struct way_back {
    const char *name, *model, *pre, *notice;
    size_t n_different; /* texts whose ids change, as the notice says */
} ways_back[] = {
    {"byte-level-gpt2", "gpt2", "gpt-2", NULL, 0},
    {"byte-level-digits", "gpt2", "starcoder", NULL, 0},
    {"byte-level-llama3", "gpt2", "llama-bpe", NULL, 0},
    {"byte-level-qwen", "gpt2", "qwen2", "NFC", 2},
    {"wordpiece-uncased", "bert", "default", NULL, 0},
};

static void goes_there_and_back(void)
{
    for (size_t i = 0; i < N(ways_back); i++) {
        const struct way_back *way = &ways_back[i];
        char *path = memory_format("fixtures/tokenizers/%s", way->name);
        struct tokenizer *source = load_folder(path), *again = NULL;
        struct checkpoint *checkpoint;
        struct notices notices = {0};
        struct error err = {0};
        size_t different;

        CHECK(write_folder(path, 2000, &checkpoint, &notices, &err) == 0);
        if (checkpoint)
            again = try_gguf(checkpoint->gguf, &err);
        if (!again)
            printf("# %s: %s\n", way->name, err.text);
        scratch_must(again != NULL, "load", way->name);
        CHECK(says_text(checkpoint->gguf, TOKENIZER("model"), 0, way->model));
        CHECK(says_text(checkpoint->gguf, TOKENIZER("pre"), 0, way->pre));
        CHECK(has_same_tokens(source, again, 2000)); /* the fillers are gone */
        CHECK(tokenizer_token(again, 50, &(size_t){0}));
        CHECK(says_text(checkpoint->gguf, TOKENIZER("tokens"), 1999, "[PAD1999]"));
        CHECK(says_number(checkpoint->gguf, TOKENIZER("token_type"), 1999, 5));
        CHECK(gguf_find(checkpoint->gguf, TOKENIZER("tokens"))->n_items == 2000);
        different = n_different(source, again);
        if (different != way->n_different)
            printf("# %s: %zu texts have other ids\n", way->name, different);
        CHECK(different == way->n_different);
        CHECK(notices.n_texts == (way->notice != NULL));
        if (way->notice && notices.n_texts)
            CHECK_CONTAINS(notices.texts[0], way->notice);
        notices_release(&notices);
        checkpoint_close(checkpoint);
        tokenizer_free(source);
        tokenizer_free(again);
        free(path);
    }
}

static const struct {
    const char *name, *says;
} without_place[] = {
    {"bpe-with-suffix", "continuing_subword_prefix or an end_of_word_suffix"},
    {"byte-level-normalizer", "the normalizer of its tokenizer"},
    {"byte-level-roberta", "the pre-tokenizer of its tokenizer"},
    {"sentencepiece-unknown", "the pre-tokenizer of its tokenizer"},
    {"sentencepiece-llama", "how its tokenizer joins characters"},
    {"wordpiece-accents", "the normalizer of its tokenizer"},
    {"wordpiece-cased", "the length of words"},
    {"wordlevel-splits", "of type WordLevel"},
    {"unigram-t5", "of type Unigram"},
};

static void names_what_has_no_place(void)
{
    for (size_t i = 0; i < N(without_place); i++) {
        char *path = memory_format("fixtures/tokenizers/%s", without_place[i].name);
        struct checkpoint *checkpoint;
        struct notices notices = {0};
        struct error err = {0};

        CHECK(write_folder(path, 2000, &checkpoint, &notices, &err) == -1);
        CHECK(err.code == ERROR_UNSUPPORTED);
        CHECK_CONTAINS(err.text, without_place[i].says);
        CHECK_CONTAINS(err.text, without_place[i].name);
        notices_release(&notices);
        free(path);
    }
}

/* ---- real tokenizers ---- */

/* Copies a file, unpacked, into the scratch directory; false when it is not there. */
static bool unpack(const char *data, const char *tokenizer, const char *file)
{
    char *from = memory_format("%s/tokenizers/%s/%s.gz", data, tokenizer, file);
    char *to = memory_format("real-%s/%s", tokenizer, file);
    struct buffer bytes = {0};
    char part[65536];
    gzFile in;
    int got;

    if (access(from, R_OK))
        from[strlen(from) - 3] = '\0';
    in = gzopen(from, "rb"); /* reads plain files as they are */
    while (in && (got = gzread(in, part, sizeof part)) > 0)
        buffer_add(&bytes, part, (size_t)got);
    if (in) {
        gzclose(in);
        scratch_write(to, bytes.data, bytes.size);
    }
    buffer_release(&bytes);
    free(from);
    free(to);
    return in != NULL;
}

static const struct real {
    const char *name, *files[2];
    size_t n_rows;
    const char *model, *pre;
    size_t n_different;
    const char *notices[3];
} reals[] = {
    {"gpt2", {"vocab.json", "merges.txt"}, 50257, "gpt2", "gpt-2", 0, {NULL}},
    {"llama-3", {"tokenizer.json", "tokenizer_config.json"}, 128256, "gpt2", "llama-bpe", 0,
     {NULL}},
    {"qwen3", {"tokenizer.json", "tokenizer_config.json"}, 151936, "gpt2", "qwen2", 3,
     {"NFC", "'</s>'"}},
    {"phi-2", {"tokenizer.json", "tokenizer_config.json"}, 51200, "gpt2", "phi-2", 0, {NULL}},
    {"mistral-7b", {"tokenizer.json", "tokenizer_config.json"}, 32000, "llama", "default", 0,
     {NULL}},
    {"gemma-3", {"tokenizer.json", "tokenizer_config.json"}, 262208, "llama", "default", 0,
     {NULL}},
    {"roberta-base", {"tokenizer.json", "tokenizer_config.json"}, 50265, "gpt2", "roberta-bpe",
     3, {"'<|endoftext|>'", "1 special tokens"}},
};

static void check_real(const struct real *real)
{
    char *path = memory_format("real-%s", real->name);
    struct tokenizer *source = load_folder(scratch_path(path)), *again = NULL;
    struct checkpoint *checkpoint;
    struct notices notices = {0};
    struct error err = {0};
    size_t different;

    if (write_folder(scratch_path(path), real->n_rows, &checkpoint, &notices, &err) == 0)
        again = try_gguf(checkpoint->gguf, &err);
    if (!again)
        printf("# %s: %s\n", real->name, err.text);
    scratch_must(again != NULL, "load", real->name);
    CHECK(says_text(checkpoint->gguf, TOKENIZER("model"), 0, real->model));
    CHECK(says_text(checkpoint->gguf, TOKENIZER("pre"), 0, real->pre));
    CHECK(has_same_tokens(source, again, real->n_rows));
    different = n_different(source, again);
    if (different != real->n_different)
        printf("# %s: %zu texts have other ids\n", real->name, different);
    CHECK(different == real->n_different);
    for (size_t i = 0; i < N(real->notices); i++) {
        CHECK((i < notices.n_texts) == (real->notices[i] != NULL));
        if (i < notices.n_texts && real->notices[i])
            CHECK_CONTAINS(notices.texts[i], real->notices[i]);
        else if (i < notices.n_texts)
            printf("# %s: %s\n", real->name, notices.texts[i]);
    }
    notices_release(&notices);
    checkpoint_close(checkpoint);
    tokenizer_free(source);
    tokenizer_free(again);
    free(path);
}

static void real_ones_go_there_and_back(void)
{
    const char *data = getenv("COCKTAIL_TEST_DATA");

    if (!data || !*data)
        printf("# skipped: COCKTAIL_TEST_DATA does not name the real tokenizers\n");
    for (size_t i = 0; data && *data && i < N(reals); i++) {
        bool is_there = unpack(data, reals[i].name, reals[i].files[0]);

        unpack(data, reals[i].name, reals[i].files[1]);
        CHECK(is_there);
        if (is_there)
            check_real(&reals[i]);
    }
}

#define ADDED(content, special)                                                                   \
    "{\"id\":0,\"content\":\"" content "\",\"single_word\":false,\"lstrip\":false,"              \
    "\"rstrip\":true,\"normalized\":false,\"special\":" special "}"

/* A tokenizer as Gemma has them, with a run of spaces among its added tokens. */
static void writes_sentencepiece(void)
{
    static const char json[] =
        "{\"added_tokens\":[" ADDED("<s>", "true") "," ADDED(LOWER_ONE LOWER_ONE, "false") "],"
        "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" LOWER_ONE
        "\"},\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
        "\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[{\"Sequence\":{"
        "\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],"
        "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[1],\"tokens\":[\"<s>\"]}}},"
        "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"byte_fallback\":true,"
        "\"fuse_unk\":true,\"vocab\":{\"<unk>\":0,\"<s>\":1,\"" LOWER_ONE LOWER_ONE
        "\":2,\"<0x0A>\":3,\"a\":4,\"b\":5,\"c\":7,\"ab\":8,\"bc\":9,\"" LOWER_ONE
        "\":10},\"merges\":[\"" LOWER_ONE " " LOWER_ONE "\",\"b c\",\"a b\"]}}";
    struct checkpoint *checkpoint;
    const struct gguf *gguf;
    struct notices notices = {0};
    struct error err = {0};

    scratch_text("gemma/tokenizer.json", json);
    scratch_text("gemma/config.json", "{\"eos_token_id\": [8, 9], \"pad_token_id\": 77}");
    scratch_text("gemma/chat_template.jinja", "{{ a }}");
    scratch_text("gemma/additional_chat_templates/rag.jinja", "{{ b }}");
    CHECK(write_folder(scratch_path("gemma"), 12, &checkpoint, &notices, &err) == 0);
    if (err.code)
        printf("# %s\n", err.text);
    scratch_must(checkpoint != NULL, "write", "gemma");
    gguf = checkpoint->gguf;
    CHECK(says_text(gguf, TOKENIZER("model"), 0, "llama"));
    CHECK(says_text(gguf, TOKENIZER("tokens"), 2, "  ") &&
          says_number(gguf, TOKENIZER("token_type"), 2, 4));
    CHECK(says_number(gguf, TOKENIZER("token_type"), 0, 2) &&
          says_number(gguf, TOKENIZER("token_type"), 1, 3) &&
          says_number(gguf, TOKENIZER("token_type"), 3, 6) &&
          says_number(gguf, TOKENIZER("token_type"), 4, 1));
    CHECK(says_text(gguf, TOKENIZER("tokens"), 6, "[PAD6]") &&
          says_number(gguf, TOKENIZER("token_type"), 6, 5));
    CHECK(says_number(gguf, TOKENIZER("scores"), 9, -1) &&
          says_number(gguf, TOKENIZER("scores"), 8, -2));
    CHECK(says_number(gguf, TOKENIZER("bos_token_id"), 0, 1) &&
          says_number(gguf, TOKENIZER("eos_token_id"), 0, 8) &&
          says_number(gguf, TOKENIZER("unknown_token_id"), 0, 0));
    CHECK(!gguf_find(gguf, TOKENIZER("padding_token_id"))); /* it has no row */
    CHECK(says_number(gguf, TOKENIZER("add_bos_token"), 0, 1) &&
          says_number(gguf, TOKENIZER("add_eos_token"), 0, 0) &&
          says_number(gguf, TOKENIZER("add_space_prefix"), 0, 0));
    CHECK(says_text(gguf, "tokenizer.chat_template", 0, "{{ a }}") &&
          says_text(gguf, "tokenizer.chat_template.rag", 0, "{{ b }}") &&
          says_text(gguf, "tokenizer.chat_templates", 0, "rag"));
    CHECK(notices.n_texts == 1);
    if (notices.n_texts)
        CHECK_CONTAINS(notices.texts[0], "2 special tokens");
    checkpoint_close(checkpoint);
    notices_release(&notices);
    err = (struct error){0};
    CHECK(write_folder(scratch_path("gemma"), 9, &checkpoint, &notices, &err) == -1 &&
          err.code == ERROR_INCOMPATIBLE);
    CHECK_CONTAINS(err.text, "10 tokens, of which only 8");
    notices_release(&notices);
    scratch_text("gemma/tokenizer.json",
                 "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
                 "\"content\":\"" LOWER_ONE "\"},\"post_processor\":{\"type\":\"BertProcessing\","
                 "\"sep\":[\"b\",1],\"cls\":[\"a\",0]},\"model\":{\"type\":\"BPE\","
                 "\"byte_fallback\":true,\"fuse_unk\":true,\"unk_token\":\"<unk>\",\"vocab\":{"
                 "\"a\":0,\"b\":1,\"<unk>\":2},\"merges\":[]}}");
    err = (struct error){0};
    CHECK(write_folder(scratch_path("gemma"), 9, &checkpoint, &notices, &err) == 0);
    CHECK(checkpoint && says_number(checkpoint->gguf, TOKENIZER("add_bos_token"), 0, 1) &&
          says_number(checkpoint->gguf, TOKENIZER("bos_token_id"), 0, 0) &&
          says_number(checkpoint->gguf, TOKENIZER("add_eos_token"), 0, 1) &&
          says_number(checkpoint->gguf, TOKENIZER("eos_token_id"), 0, 1));
    checkpoint_close(checkpoint);
    notices_release(&notices);
}

static void refuses_two_tokens_behind_a_text(void)
{
    struct checkpoint *checkpoint;
    struct notices notices = {0};
    struct error err = {0};

    scratch_text("behind/config.json", "{}");
    scratch_text("behind/tokenizer.json",
                 "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
                 "\"content\":\"" LOWER_ONE "\"},\"post_processor\":{\"type\":\"TemplateProcessing\","
                 "\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":"
                 "\"a\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"b\",\"type_id\":0}}],\"pair\":[{"
                 "\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":"
                 "0}}],\"special_tokens\":{\"a\":{\"id\":\"a\",\"ids\":[0],\"tokens\":[\"a\"]},"
                 "\"b\":{\"id\":\"b\",\"ids\":[1],\"tokens\":[\"b\"]}}},\"model\":{\"type\":"
                 "\"BPE\",\"byte_fallback\":true,\"unk_token\":\"a\",\"vocab\":{\"a\":0,\"b\":1},"
                 "\"merges\":[]}}");
    CHECK(write_folder(scratch_path("behind"), 9, &checkpoint, &notices, &err) == -1 &&
          err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "the special tokens around a text");
    notices_release(&notices);
}

static void writes_templates_of_the_config(void)
{
    struct checkpoint *checkpoint;
    struct notices notices = {0};
    struct error err = {0};

    scratch_text("none/config.json", "{}");
    CHECK(write_folder(scratch_path("none"), 12, &checkpoint, &notices, &err) == 0);
    CHECK(checkpoint && says_text(checkpoint->gguf, TOKENIZER("model"), 0, "none"));
    checkpoint_close(checkpoint);
    scratch_text("none/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n##re\n");
    scratch_text("none/tokenizer_config.json",
                 "{\"do_lower_case\": false, \"chat_template\": [{\"name\": \"default\", "
                 "\"template\": \"{{ a }}\"}, {\"name\": \"rag\", \"template\": \"{{ b }}\"}]}");
    CHECK(write_folder(scratch_path("none"), 12, &checkpoint, &notices, &err) == 0);
    if (err.code)
        printf("# %s\n", err.text);
    scratch_must(checkpoint != NULL, "write", "vocab.txt");
    CHECK(says_text(checkpoint->gguf, "tokenizer.chat_template", 0, "{{ a }}") &&
          says_text(checkpoint->gguf, "tokenizer.chat_template.rag", 0, "{{ b }}"));
    CHECK(says_text(checkpoint->gguf, TOKENIZER("tokens"), 5, LOWER_ONE "the") &&
          says_text(checkpoint->gguf, TOKENIZER("tokens"), 6, "re") &&
          says_text(checkpoint->gguf, TOKENIZER("tokens"), 2, "[CLS]"));
    CHECK(says_number(checkpoint->gguf, TOKENIZER("normalizer.lowercase"), 0, 0) &&
          says_number(checkpoint->gguf, TOKENIZER("bos_token_id"), 0, 2) &&
          says_number(checkpoint->gguf, TOKENIZER("eos_token_id"), 0, 3) &&
          says_number(checkpoint->gguf, TOKENIZER("seperator_token_id"), 0, 3) &&
          says_number(checkpoint->gguf, TOKENIZER("unknown_token_id"), 0, 1));
    checkpoint_close(checkpoint);
    notices_release(&notices);
}

/* ---- llama.cpp's ids ---- */

static void compare_texts(const struct tokenizer *tokenizer, const cJSON *texts)
{
    const cJSON *item, *id;

    cJSON_ArrayForEach(item, texts) {
        struct buffer expected = {0};

        buffer_add_text(&expected, "");
        cJSON_ArrayForEach(id, json_find(item, "ids")) {
            buffer_format(&expected, "%s%.0f", expected.size ? " " : "", id->valuedouble);
        }
        CHECK(gives(tokenizer, json_find_string(item, "text"), NULL, expected.data));
        buffer_release(&expected);
    }
}

static void gives_the_ids_of_llama_cpp(void)
{
    static const char *const names[] = {
        "llama-spm-q8_0", "llama-bpe-q4_k_m", "llama-fused-f16", "qwen2-f16", "qwen3-q5_1",
        "mixtral-q4_0",   "gemma-bf16",       "phi3-f16",        "gpt2-q8_0", "bert-f16",
    };
    const char *data = getenv("COCKTAIL_TEST_DATA");
    char *path = memory_format("%s/golden/gguf", data ? data : "");
    struct error err = {0};
    struct folder *folder = data ? folder_open(path, true, &err) : NULL;

    if (!folder)
        printf("# skipped: COCKTAIL_TEST_DATA does not name the golden files\n");
    for (size_t i = 0; folder && i < N(names); i++) {
        char *file = memory_format("%s.gguf", names[i]), *golden = memory_format("%s.json", names[i]);
        struct notices notices = {0};
        struct checkpoint *checkpoint = checkpoint_open(folder, "", file, &notices, &err);
        struct tokenizer *tokenizer = checkpoint ? try_gguf(checkpoint->gguf, &err) : NULL;
        size_t size = 0;
        char *text = folder_read_text(folder, golden, 100000000, &size, &err);
        cJSON *json = text ? json_parse(text, size, &err) : NULL;

        if (!tokenizer || !json)
            printf("# %s: %s\n", names[i], err.text);
        CHECK(tokenizer && cJSON_GetArraySize(json_find(json, "tokenize")) == 18);
        if (tokenizer && json)
            compare_texts(tokenizer, json_find(json, "tokenize"));
        cJSON_Delete(json);
        free(text);
        tokenizer_free(tokenizer);
        checkpoint_close(checkpoint);
        notices_release(&notices);
        free(file);
        free(golden);
    }
    folder_close(folder);
    free(path);
}

TESTS(TEST(joins_by_scores), TEST(obeys_the_flags), TEST(finds_runs_of_spaces),
      TEST(joins_by_merges), TEST(knows_what_a_pre_implies),
      TEST(knows_who_has_separators), TEST(keeps_a_filler_with_a_name),
      TEST(forgets_scores_of_added_tokens), TEST(knows_control_tokens_by_name),
      TEST(finds_words), TEST(finds_pieces), TEST(swallows_white_space), TEST(has_no_tokenizer),
      TEST(has_chat_templates), TEST(refuses_what_is_wrong), TEST(every_pre_can_be_run),
      TEST(goes_there_and_back), TEST(real_ones_go_there_and_back),
      TEST(names_what_has_no_place), TEST(writes_sentencepiece),
      TEST(refuses_two_tokens_behind_a_text), TEST(writes_templates_of_the_config),
      TEST(gives_the_ids_of_llama_cpp))
