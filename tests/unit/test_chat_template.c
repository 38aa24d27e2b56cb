/* Chat templates: what transformers makes of fixtures/templates.jsonl, and, where COCKTAIL_TEST_DATA is
 * set, of the real templates below its golden/chat-templates/; and the bounds. */
#include <limits.h>

#include "base/json_reader.h"
#include "base/line_reader.h"
#include "jinja/chat_template.h"
#include "jinja/chat_templates.h"
#include "scratch.h"

/* ---- members of JSON lines, as they are written: numbers keep their digits ---- */

/* The text of the member, freed by the caller; NULL when it is absent or null. */
static char *member(const char *line, const char *name)
{
    struct json_reader reader;
    struct error err = {0};
    struct json_text key;
    char *found = NULL;

    json_reader_init(&reader, line, strlen(line));
    scratch_must(json_reader_object(&reader, &err) == 0, "read", line);
    while (json_reader_member(&reader, &key, &err) > 0) {
        bool is_it = json_text_is(key, name);
        enum json_kind kind = json_reader_peek(&reader);
        size_t start = reader.position;

        scratch_must(json_reader_skip(&reader, &err) == 0, "read", line);
        if (is_it && kind != JSON_NULL)
            found = memory_format("%.*s", (int)(reader.position - start), line + start);
    }
    json_reader_release(&reader);
    return found;
}

/* The same of a string, unescaped. */
static char *text_member(const char *line, const char *name)
{
    char *raw = member(line, name), *text = NULL;
    struct json_reader reader;
    struct error err = {0};
    struct json_text value;

    if (raw && raw[0] == '"') {
        json_reader_init(&reader, raw, strlen(raw));
        scratch_must(json_reader_string(&reader, &value, &err) == 0, "read", raw);
        text = memory_copy(value.bytes);
        json_reader_release(&reader);
    }
    free(raw);
    return text;
}

static bool is_true(const char *line, const char *name)
{
    char *raw = member(line, name);
    bool is = raw && strcmp(raw, "true") == 0;

    free(raw);
    return is;
}

static char *next_line(struct line_reader *reader)
{
    struct error err = {0};
    const char *line;
    size_t n;

    return line_reader_next(reader, &line, &n, &err) > 0 ? memory_format("%.*s", (int)n, line)
                                                         : NULL;
}

static struct line_reader *open_lines(const char *path)
{
    struct error err = {0};
    struct line_reader *reader = line_reader_open(path, &err);

    scratch_must(reader != NULL, "open", path);
    return reader;
}

/* ---- comparing ---- */

static size_t n_cases, n_wrong;

static struct chat_template *load(const char *path, const char *choice, struct error *err)
{
    struct folder *folder = folder_open(path, false, err);
    struct chat_template *chat;

    setenv("SOURCE_DATE_EPOCH", "1770091506", 1); /* 2026-02-03 04:05:06, as in the golden cases */
    chat = folder ? chat_template_load(folder, "", choice, err) : NULL;
    folder_close(folder);
    return chat;
}

/* `line` says what is expected: "prompt", or "error", whose own text a template's has to have. */
static void compare(const struct chat_template *chat, const struct chat_conversation *conversation,
                    const char *line, const char *name, struct error err)
{
    char *prompt = text_member(line, "prompt"), *fault = member(line, "error"), *text = NULL;
    struct buffer out = {0};
    int rc = chat ? chat_template_render(chat, conversation, &out, &err) : -1;
    bool is_right;

    if (fault && fault[0] == '{' && is_true(fault, "raised_by_template"))
        text = text_member(fault, "text");
    if (prompt)
        is_right = rc == 0 && out.size == strlen(prompt) &&
                   memcmp(out.data ? out.data : "", prompt, out.size) == 0;
    else
        is_right = rc && out.size == 0 && (!text || strstr(err.text, text)) &&
                   (err.code == ERROR_FORMAT || err.code == ERROR_UNSUPPORTED ||
                    err.code == ERROR_INCOMPATIBLE);
    n_cases++;
    if (!is_right && n_wrong++ < 5)
        printf("# %s: %s\n#   instead of %s: %s\n", name, rc ? err.text : out.data,
               prompt ? "the prompt" : "an error", prompt ? prompt : fault);
    buffer_release(&out);
    free(prompt);
    free(fault);
    free(text);
}

static bool all_right(size_t n_least)
{
    bool is = n_wrong == 0 && n_cases >= n_least;

    printf("# %zu cases, %zu wrong\n", n_cases, n_wrong);
    n_cases = n_wrong = 0;
    return is;
}

/* ---- fixtures ---- */

static void makes_what_transformers_makes_of_small_templates(void)
{
    struct line_reader *reader = open_lines("fixtures/templates.jsonl");
    struct chat_conversation conversation = {.messages = next_line(reader),
                                             .kwargs = next_line(reader)};
    char *line;

    scratch_folder("small");
    while ((line = next_line(reader)) != NULL) {
        char *source = text_member(line, "template");
        struct error err = {0};
        struct chat_template *chat;

        scratch_write("small/chat_template.jinja", source, strlen(source));
        chat = load(scratch_path("small"), NULL, &err);
        compare(chat, &conversation, line, source, err);
        chat_template_free(chat);
        free(source);
        free(line);
    }
    CHECK(all_right(700));
    free((char *)conversation.messages);
    free((char *)conversation.kwargs);
    line_reader_close(reader);
}

/* ---- real templates ---- */

static const char *golden(const char *name)
{
    static char path[PATH_MAX];
    const char *data = getenv("COCKTAIL_TEST_DATA");

    if (!data)
        return NULL;
    snprintf(path, sizeof path, "%s/golden/%s", data, name);
    return path;
}

struct conversations {
    char *lines[512], *ids[512];
    size_t n;
};

static void read_conversations(const char *path, struct conversations *all)
{
    struct line_reader *file = open_lines(path);
    struct json_reader reader;
    struct error err = {0};
    const char *text;
    size_t n;

    all->n = 0;
    scratch_must(line_reader_rest(file, 1 << 24, &text, &n, &err) == 0, "read", path);
    json_reader_init(&reader, text, n);
    scratch_must(json_reader_array(&reader, &err) == 0, "read", path);
    while (json_reader_item(&reader, &err) > 0 &&
           all->n < sizeof all->lines / sizeof *all->lines) {
        enum json_kind kind = json_reader_peek(&reader);
        size_t start = reader.position;

        scratch_must(kind == JSON_OBJECT && json_reader_skip(&reader, &err) == 0, "read", path);
        all->lines[all->n] = memory_format("%.*s", (int)(reader.position - start), text + start);
        all->ids[all->n] = text_member(all->lines[all->n], "id");
        all->n++;
    }
    json_reader_release(&reader);
    line_reader_close(file);
}

static void release_conversations(struct conversations *all)
{
    for (size_t i = 0; i < all->n; i++) {
        free(all->lines[i]);
        free(all->ids[i]);
    }
}

/* A case of the folder of a model. */
static void compare_case(const char *folder, const struct conversations *all, const char *line)
{
    char *id = text_member(line, "conversation"), *choice;
    struct chat_conversation conversation = {
        .add_generation_prompt = is_true(line, "add_generation_prompt")};
    struct chat_template *chat;
    struct error err = {0};
    size_t i = 0;

    while (i < all->n && strcmp(all->ids[i], id) != 0)
        i++;
    scratch_must(i < all->n, "find", id);
    conversation.messages = member(all->lines[i], "messages");
    conversation.tools = member(all->lines[i], "tools");
    conversation.documents = member(all->lines[i], "documents");
    conversation.kwargs = member(all->lines[i], "kwargs");
    conversation.continue_final_message = is_true(all->lines[i], "continue_final_message");
    choice = text_member(all->lines[i], "template");
    chat = load(folder, choice, &err);
    compare(chat, &conversation, line, folder, err);
    chat_template_free(chat);
    free(choice);
    free((char *)conversation.messages);
    free((char *)conversation.tools);
    free((char *)conversation.documents);
    free((char *)conversation.kwargs);
    free(id);
}

static void makes_the_prompts_of_known_models(void)
{
    struct conversations all;
    struct line_reader *reader;
    char *line;

    if (!golden("")) {
        puts("# skipped: COCKTAIL_TEST_DATA is not set");
        return;
    }
    read_conversations(golden("chat-templates/conversations.json"), &all);
    reader = open_lines(golden("chat-templates/cases.jsonl.gz"));
    while ((line = next_line(reader)) != NULL) {
        char *model = text_member(line, "model");
        char *name = memory_format("chat-templates/models/%s", model);

        compare_case(golden(name), &all, line);
        free(name);
        free(model);
        free(line);
    }
    CHECK(all_right(2466));
    line_reader_close(reader);
    release_conversations(&all);
}

/* One folder for each template, by its id. */
static void write_templates(void)
{
    struct line_reader *reader = open_lines(golden("chat-templates/more/templates.jsonl.gz"));
    char *line;

    while ((line = next_line(reader)) != NULL) {
        char *id = text_member(line, "id"), *source = text_member(line, "text");
        char *tokens = member(line, "special"), *path = memory_format("more/%s/x", id);

        scratch_parents(path);
        strcpy(strrchr(path, '/'), "");
        free(id);
        id = memory_format("%s/chat_template.jinja", path);
        scratch_write(id, source, strlen(source));
        free(id);
        id = memory_format("%s/tokenizer_config.json", path);
        scratch_write(id, tokens ? tokens : "{}", tokens ? strlen(tokens) : 2);
        free(id);
        free(path);
        free(tokens);
        free(source);
        free(line);
    }
    line_reader_close(reader);
}

static void makes_the_prompts_of_many_more(void)
{
    struct conversations all;
    struct line_reader *reader;
    char *line;

    if (!golden("")) {
        puts("# skipped: COCKTAIL_TEST_DATA is not set");
        return;
    }
    write_templates();
    read_conversations(golden("chat-templates/more/conversations.json"), &all);
    reader = open_lines(golden("chat-templates/more/cases.jsonl.gz"));
    while ((line = next_line(reader)) != NULL) {
        char *id = text_member(line, "template"), *name = memory_format("more/%s", id);

        compare_case(scratch_path(name), &all, line);
        free(name);
        free(id);
        free(line);
    }
    CHECK(all_right(6588));
    line_reader_close(reader);
    release_conversations(&all);
}

static void named_templates_make_what_mergekit_makes(void)
{
    struct line_reader *reader;
    char *line;

    if (!golden("")) {
        puts("# skipped: COCKTAIL_TEST_DATA is not set");
        return;
    }
    scratch_folder("named");
    reader = open_lines(golden("mergekit/tokenizer/builtin-templates.jsonl"));
    while ((line = next_line(reader)) != NULL) {
        char *name = text_member(line, "template"), *text = text_member(line, "text");
        struct chat_conversation conversation = {
            .messages = member(line, "messages"),
            .kwargs = "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}",
            .add_generation_prompt = is_true(line, "add_generation_prompt")};
        const char *source = chat_template_find(name);
        struct error err = {0};
        struct buffer out = {0};
        struct chat_template *chat;

        scratch_write("named/chat_template.jinja", source, strlen(source));
        chat = load(scratch_path("named"), NULL, &err);
        n_cases++;
        if (chat && chat_template_render(chat, &conversation, &out, &err) == 0 && text)
            n_wrong += strcmp(out.data ? out.data : "", text) != 0;
        else
            n_wrong += text != NULL;
        buffer_release(&out);
        chat_template_free(chat);
        free((char *)conversation.messages);
        free(text);
        free(name);
        free(line);
    }
    CHECK(all_right(10));
    line_reader_close(reader);
}

/* ---- bounds ---- */

/* The error of a template, in the scratch folder. */
static struct error refused(const char *source, size_t size)
{
    const struct chat_conversation conversation = {.messages = "[{\"role\": \"user\"}]"};
    struct error err = {0};
    struct buffer out = {0};
    struct chat_template *chat;

    scratch_folder("bounds");
    scratch_write("bounds/chat_template.jinja", source, size);
    chat = load(scratch_path("bounds"), NULL, &err);
    if (chat)
        CHECK(chat_template_render(chat, &conversation, &out, &err) == -1 && out.size == 0);
    CHECK(err.code == ERROR_FORMAT);
    buffer_release(&out);
    chat_template_free(chat);
    return err;
}

static void every_bound_ends_it(void)
{
    static const struct {
        const char *source, *message;
    } rows[] = {
        {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
         "does not end within"},
        {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested more than"},
        {"{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}"
         "{{ n.x }}", "nested more than"},
        {"{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}"
         "{{ n.x == [n.x] }}", "nested more than"},
        {"{% set n = namespace(x='aaaaaaaa') %}{% for i in range(30) %}{% set n.x = n.x + n.x %}"
         "{% endfor %}", "a string of more than"},
        {"{{ 'ab' * 100000000 }}", "a string of more than"},
        {"{% set a = [1] * 10000000 %}{% set b = a + a %}", "MB of memory"},
        {"{{ 'a' | indent(100000) }}", "an indent of more than"},
        {"{{ '%9999999d' % 1 }}", "a number above"},
        {"{{ 'a'.center(99999999) }}", "a width of more than"},
        {"{{ 9 ** 9999 }}", "more than 4300 digits"},
        {"{{ 2 ** (10 ** 18) }}", "more than 4300 digits"},
        {"{% set x = 'abcdefgh' * 1000000 %}{% for i in range(9) %}{{ x }}{% endfor %}",
         "a string of more than"},
        {"{% set x = 'abcdefgh' * 1000000 %}{% for i in range(9) %}{% set y %}{{ x }}{% endset %}"
         "{% endfor %}", "prints more than"},
        {"{{ range(100001) }}", "Range too big"},
        {"{{ '%.2000d' % 1 }}", "a precision of more than"},
        {"{{ ('a' * 60).strip('b' * 30000000 ~ 'a') }}", "does not end within"},
        {"{{ ('a' * 20000000).rsplit('a' * 10000000 ~ 'b') }}", "does not end within"},
        {"{{ ('a' * 20000000).rpartition('a' * 10000000 ~ 'b') }}", "does not end within"},
        {"{% set s = 'a' * 30000000 %}{{ ([[s, s]] * 1000) | urlencode }}", "a string of more than"},
        {"{% set s = ('a' * 30000000) | safe %}{% set d = namespace(x={}) %}{% for i in range(999) %}"
         "{% set d.x = dict(d.x, **{'a' ~ i: s}) %}{% endfor %}{{ d.x | xmlattr }}",
         "a string of more than"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = refused(rows[i].source, strlen(rows[i].source));

        CHECK_CONTAINS(err.text, rows[i].message);
        CHECK_CONTAINS(err.text, "line 1: ");
    }
}

/* What goes through a text once does so, whatever the text is. */
static void long_texts_take_as_long_as_they_are(void)
{
    static const char source[] = "{{ ('<' * 4000000) | striptags | length }} "
                                 "{{ ('<!--' * 1000000) | striptags | length }} "
                                 "{{ ('<' * 9 ~ '<!--a>-->b<c>d') | striptags }}";
    const struct chat_conversation conversation = {.messages = "[{\"role\": \"user\"}]"};
    struct buffer out = {0};
    struct error err = {0};
    struct chat_template *chat;

    scratch_folder("long");
    scratch_write("long/chat_template.jinja", source, strlen(source));
    chat = load(scratch_path("long"), NULL, &err);
    CHECK(chat && chat_template_render(chat, &conversation, &out, &err) == 0);
    CHECK(out.data && strcmp(out.data, "4000000 4000000 -->bd") == 0);
    buffer_release(&out);
    chat_template_free(chat);
}

/* `n` times `piece`, between others. */
static struct error refused_pile(const char *before, const char *piece, size_t n,
                                 const char *behind)
{
    struct buffer source = {0};
    struct error err;

    buffer_add_text(&source, before);
    for (size_t i = 0; i < n; i++)
        buffer_add_text(&source, piece);
    buffer_add_text(&source, behind);
    err = refused(source.data, source.size);
    buffer_release(&source);
    return err;
}

static void sources_are_bounded(void)
{
    CHECK_CONTAINS(refused_pile("{{ ", "(", 100000, "").text, "nested");
    CHECK_CONTAINS(refused_pile("{{ ", "not ", 100000, "1 }}").text, "nested more than");
    CHECK_CONTAINS(refused_pile("{{ 1", " + 1", 100000, " }}").text, "within one another");
    CHECK_CONTAINS(refused_pile("{{ x", ".a", 100000, " }}").text, "within one another");
    CHECK_CONTAINS(refused_pile("", "{% if 1 %}", 50000, "").text, "nested more than");
    CHECK_CONTAINS(refused_pile("", "aaaaaaaaaaaaaaa\n", 70000, "").text, "bytes");
}

/* A text that grows piece by piece is not copied each time. */
static void long_prompts_are_made_in_bounds(void)
{
    static const char source[] =
        "{% set n = namespace(x='') %}{% for i in range(20000) %}"
        "{% set n.x = n.x + 'a piece of a prompt ' %}{% endfor %}{{ n.x | length }}";
    const struct chat_conversation conversation = {.messages = "[{\"role\": \"user\"}]"};
    struct error err = {0};
    struct buffer out = {0};
    struct chat_template *chat;

    scratch_folder("long");
    scratch_write("long/chat_template.jinja", source, strlen(source));
    chat = load(scratch_path("long"), NULL, &err);
    CHECK(chat && chat_template_render(chat, &conversation, &out, &err) == 0);
    CHECK(out.data && strcmp(out.data, "400000") == 0);
    buffer_release(&out);
    chat_template_free(chat);
}

TESTS(TEST(makes_what_transformers_makes_of_small_templates),
      TEST(makes_the_prompts_of_known_models), TEST(makes_the_prompts_of_many_more),
      TEST(named_templates_make_what_mergekit_makes), TEST(every_bound_ends_it),
      TEST(long_texts_take_as_long_as_they_are),
      TEST(sources_are_bounded), TEST(long_prompts_are_made_in_bounds))
