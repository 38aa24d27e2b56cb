/* Special tokens that were typed: text where they have marks around them, tokens where a template
 * wrote them. */
#include "text/special_marks.h"

#include "jinja/chat_template.h"
#include "scratch.h"
#include "text/marks.h"

#define CHECK_TEXT(text, expected)                                                                \
    do {                                                                                          \
        const char *shown = (text);                                                               \
        if (strcmp(shown, (expected)) != 0)                                                       \
            printf("# '%s', not '%s'\n", shown, (expected));                                      \
        CHECK(strcmp(shown, (expected)) == 0);                                                    \
    } while (0)

#define TOKEN(content, normalized, special)                                                       \
    "{\"id\":0,\"content\":\"" content "\",\"single_word\":false,\"lstrip\":false,"                \
    "\"rstrip\":false,\"normalized\":" normalized ",\"special\":" special "}"

/* Each character its own token; "ab" and "ba" are special, the latter in normalized text; "cc" is
 * none, "e" one that the vocabulary has, too. */
static const char json[] =
    "{\"added_tokens\":[" TOKEN("ab", "false", "true") "," TOKEN("ba", "true", "true") ","
    TOKEN("cc", "false", "false") "," TOKEN("e", "false", "true") "],"
    "\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\" \":3,"
    "\"\\\\\":4,\"u\":5,\"f\":6,\"d\":7,\"0\":8,\"1\":9,\"e\":10}}}";

static struct tokenizer *tokenizer;
static struct special_marks *marks;

static void load(void)
{
    struct error err = {0};
    struct folder *folder;

    if (marks)
        return;
    scratch_folder("model");
    scratch_text("model/tokenizer.json", json);
    scratch_text("model/chat_template.jinja",
                 "ab{% for m in messages %}{% if m.content == 'x' %}!{% endif %}"
                 "{{ m.content | trim }}{% endfor %}{{ k }}{{ tools | tojson(ensure_ascii=true) "
                 "if tools }}");
    folder = folder_open(scratch_path("model"), false, &err);
    tokenizer = folder ? tokenizer_load(folder, "", &err) : NULL;
    folder_close(folder);
    scratch_must(tokenizer != NULL, "load", err.text);
    marks = special_marks_new(tokenizer);
}

/* The ids of a text in digits, "ab" as A, "ba" as B, "cc" as C. */
static const char *ids_of(const struct buffer *text, struct error *err)
{
    static char out[200];
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    const struct encode_options how = {.no_special = true, .has_marks = true};
    struct encoding encoding = {0};

    out[0] = '\0';
    if (tokenizer_encode(tokenizer, scratch, text->data, text->size, NULL, 0, &how, &encoding,
                         err) == 0)
        for (size_t i = 0; i < encoding.n_ids; i++)
            sprintf(out + i, "%c", "0123456789eABC"[encoding.ids[i]]);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return out;
}

static const char *ids_of_typed(const char *text, struct error *err)
{
    struct buffer marked = {0};
    const char *ids;

    special_marks_add(marks, text, strlen(text), &marked);
    ids = ids_of(&marked, err);
    buffer_release(&marked);
    return ids;
}

static void what_was_typed_is_text(void)
{
    struct error err = {0};

    load();
    CHECK_TEXT(ids_of_typed("cabc", &err), "2012");
    CHECK_TEXT(ids_of_typed("ba", &err), "10");
    CHECK_TEXT(ids_of_typed("aba", &err), "010");
    CHECK_TEXT(ids_of_typed("cc", &err), "C"); /* is not special */
    CHECK_TEXT(ids_of_typed("", &err), "");
    CHECK(err.code == ERROR_NONE);
}

static void marks_that_were_typed_protect_nothing(void)
{
    struct error err = {0};

    load();
    CHECK_TEXT(ids_of_typed("\xef\xb7\x90" "ab" "\xef\xb7\x91", &err), "01");
    CHECK_TEXT(ids_of_typed("a\xef\xb7\x90" "b", &err), "01");
    CHECK_TEXT(ids_of_typed("\\ufdd0ab\\ufdd1", &err), "01");
}

static void a_token_that_the_model_makes_itself_is_refused(void)
{
    struct error err = {0};

    load();
    CHECK_TEXT(ids_of_typed("aea", &err), "");
    CHECK(err.code == ERROR_FORMAT && strstr(err.text, "'e' cannot be text"));
}

static const char *ids_of_chat(const char *messages, const char *tools, const char *kwargs)
{
    struct error err = {0};
    struct folder *folder = folder_open(scratch_path("model"), false, &err);
    struct chat_template *chat = chat_template_load(folder, "", NULL, &err);
    const struct chat_conversation conversation = {.messages = messages, .tools = tools,
                                                   .kwargs = kwargs,
                                                   .prepare = special_marks_add,
                                                   .prepare_context = marks};
    struct buffer prompt = {0};
    const char *ids = "";

    if (chat && chat_template_render(chat, &conversation, &prompt, &err) == 0)
        ids = ids_of(&prompt, &err);
    if (err.code)
        printf("# %s\n", err.text);
    buffer_release(&prompt);
    chat_template_free(chat);
    folder_close(folder);
    return ids;
}

static void a_template_writes_tokens_and_sees_the_text(void)
{
    load();
    CHECK_TEXT(ids_of_chat("[{\"role\":\"user\",\"content\":\" ab \"},"
                           "{\"role\":\"user\",\"content\":\"c\"}]", NULL, NULL), "A012");
    CHECK_TEXT(ids_of_chat("[{\"role\":\"user\",\"content\":\"c\"}]", NULL, "{\"k\":\"ab\"}"),
               "A201");
}

static void a_template_may_write_marks_as_escapes(void)
{
    load();
    CHECK_TEXT(ids_of_chat("[{\"role\":\"user\",\"content\":\"c\"}]", "[{\"ab\":\"ab\"}]", NULL),
               "A2A301"); /* not names of members */
}

static void marks_are_dropped(void)
{
    struct buffer text = {0};

    load();
    special_marks_add(marks, "cab", 3, &text);
    CHECK(text.size == 9);
    CHECK(marks_drop(&text));
    CHECK_TEXT(text.data, "cab");
    CHECK(!marks_drop(&text));
    buffer_release(&text);
}

static void they_are_freed(void)
{
    special_marks_free(marks);
    tokenizer_free(tokenizer);
    special_marks_free(NULL);
}

TESTS(TEST(what_was_typed_is_text),
      TEST(marks_that_were_typed_protect_nothing),
      TEST(a_token_that_the_model_makes_itself_is_refused),
      TEST(a_template_writes_tokens_and_sees_the_text),
      TEST(a_template_may_write_marks_as_escapes),
      TEST(marks_are_dropped),
      TEST(they_are_freed))
