/* fuzz_template.c - any bytes as a chat template, rendered with a conversation that has something of
 * everything: a prompt in UTF-8, or one sentence about what is wrong; within the bounds of
 * jinja_heap.h, however it is written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/chat_messages.h"
#include "jinja/jinja.h"
#include "jinja/jinja_json.h"
#include "jinja/jinja_value.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char messages_text[] =
    "[{\"role\": \"system\", \"content\": \"  Be \\u00e9xact. \\n\"},"
    " {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"a,b <c>\"}]},"
    " {\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"function\": {\"name\": \"f\","
    " \"arguments\": {\"x\": 1, \"y\": [1.5, null, true], \"z\": 12345678901234567890}}}]}]";

static void add(struct jinja_heap *heap, struct jinja_dict *context, const char *name,
                struct jinja_value value)
{
    MUST(jinja_dict_set_text(heap, context, name, value) == 0);
}

static void check_error(const struct error *err)
{
    MUST(err->code == ERROR_FORMAT || err->code == ERROR_UNSUPPORTED);
    MUST(err->text[0] != '\0');
}

static void render(const struct jinja_template *template)
{
    struct error err = {0};
    struct jinja_heap heap;
    struct jinja_dict *context;
    struct jinja_value messages, bos;
    struct buffer out = {0};

    jinja_heap_init(&heap, &err);
    heap.n_steps = JINJA_STEPS_MAX - 300000; /* enough for what can go wrong, and quick */
    MUST(chat_parse_objects(&heap, messages_text, "messages", &messages) == 0);
    MUST(chat_normalize_messages(&heap, &messages) == 0);
    MUST(jinja_dict_new(&heap, &context) == 0 && jinja_string_text(&heap, "<s>", &bos) == 0);
    add(&heap, context, "messages", messages);
    add(&heap, context, "tools", messages);
    add(&heap, context, "bos_token", bos);
    add(&heap, context, "add_generation_prompt", jinja_bool(true));
    if (jinja_render(template, &heap, context, &out)) {
        check_error(&err);
        MUST(out.size == 0);
    } else {
        MUST(out.size <= JINJA_OUTPUT_MAX && err.code == ERROR_NONE);
        MUST(utf8_valid_prefix(out.data ? out.data : "", out.size) == out.size);
    }
    MUST(heap.depth == 0 || err.code != ERROR_NONE);
    MUST(heap.n_bytes <= (size_t)JINJA_MEMORY_MAX + JINJA_MEMORY_MAX / 2);
    buffer_release(&out);
    jinja_heap_release(&heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct error err = {0};
    struct jinja_template *template = jinja_compile((const char *)bytes, size, &err);

    if (template)
        render(template);
    else
        check_error(&err);
    jinja_template_free(template);
    return 0;
}
