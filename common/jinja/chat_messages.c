#include "chat_messages.h"

#include <string.h>

#include "jinja/jinja_json.h"
#include "jinja/jinja_strings.h"
#include "jinja/jinja_value.h"

int chat_parse_objects(struct jinja_heap *heap, const char *text, const char *what,
                       struct jinja_value *out)
{
    if (jinja_parse_json(heap, text, strlen(text), what, out))
        return -1;
    if (out->kind != JINJA_LIST)
        return error_set(heap->err, ERROR_FORMAT, "%s: a list of objects was expected", what);
    for (size_t i = 0; i < out->list->n_items; i++)
        if (out->list->items[i].kind != JINJA_DICT)
            return error_set(heap->err, ERROR_FORMAT, "%s: item %zu is no object", what, i + 1);
    return 0;
}

/* ---- before ---- */

/* The first of the names that reasoning goes by. 1 found, 0 not, -1 error. */
static int find_reasoning(struct jinja_heap *heap, const struct jinja_dict *message,
                          struct jinja_value *out)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    int found = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names && found == 0; i++) {
        found = jinja_dict_get_text(heap, message, names[i], out);
        if (found > 0 && out->kind == JINJA_NONE)
            found = 0;
    }
    return found;
}

static int normalize(struct jinja_heap *heap, struct jinja_value *message)
{
    const struct jinja_dict *given = message->dict;
    struct jinja_value reasoning;
    struct jinja_dict *made;
    int has_reasoning = find_reasoning(heap, given, &reasoning);

    if (has_reasoning < 0 || jinja_dict_new(heap, &made) ||
        (has_reasoning && jinja_dict_set_text(heap, made, "thinking", reasoning)))
        return -1;
    for (size_t i = 0; i < given->n_entries; i++)
        if (given->entries[i].value.kind != JINJA_NONE &&
            jinja_dict_set(heap, made, given->entries[i].key, given->entries[i].value))
            return -1;
    if (has_reasoning && jinja_dict_set_text(heap, made, "reasoning_content", reasoning))
        return -1;
    message->dict = made;
    return 0;
}

int chat_normalize_messages(struct jinja_heap *heap, struct jinja_value *messages)
{
    if (messages->list->n_items == 0)
        return error_set(heap->err, ERROR_FORMAT, "the conversation has no messages");
    for (size_t i = 0; i < messages->list->n_items; i++)
        if (normalize(heap, &messages->list->items[i]))
            return -1;
    return 0;
}

static int prepare_text(struct jinja_heap *heap, struct jinja_value *value, chat_prepare *prepare,
                        const void *context)
{
    struct buffer out = {0};
    int rc;

    prepare(context, value->string->bytes, value->string->size, &out);
    rc = jinja_string_copy(heap, out.data ? out.data : "", out.size, value);
    buffer_release(&out);
    return rc;
}

int chat_prepare_texts(struct jinja_heap *heap, struct jinja_value *value, chat_prepare *prepare,
                       const void *context)
{
    int rc = 0;

    if (!prepare)
        return 0;
    if (value->kind == JINJA_STRING)
        return prepare_text(heap, value, prepare, context);
    if (value->kind != JINJA_LIST && value->kind != JINJA_DICT)
        return 0;
    if (jinja_enter(heap))
        return -1;
    for (size_t i = 0; value->kind == JINJA_LIST && i < value->list->n_items && rc == 0; i++)
        rc = chat_prepare_texts(heap, &value->list->items[i], prepare, context);
    for (size_t i = 0; value->kind == JINJA_DICT && i < value->dict->n_entries && rc == 0; i++)
        rc = chat_prepare_texts(heap, &value->dict->entries[i].value, prepare, context);
    jinja_leave(heap);
    return rc;
}

/* ---- a message to be continued ---- */

static const struct jinja_string mark = {.bytes = "CONTINUE_FINAL_MESSAGE_TAG ", .size = 27,
                                         .n_chars = 27};
enum { MARK_BARE = 26 }; /* without its blank */

static int put_mark(struct jinja_heap *heap, struct jinja_dict *dict, const char *name,
                    struct jinja_value *text)
{
    struct jinja_value marked;

    if (text->kind != JINJA_STRING)
        return error_set(heap->err, ERROR_FORMAT,
                         "the last message cannot be continued: its %s is no text", name);
    return jinja_string_concat(heap, text->string, &mark, &marked) ||
                   jinja_dict_set_text(heap, dict, name, marked)
               ? -1 : 0;
}

/* The last of the parts that has a text. */
static int mark_part(struct jinja_heap *heap, const struct jinja_list *parts,
                     struct jinja_value *text)
{
    for (size_t i = parts->n_items; i-- > 0;) {
        int found = parts->items[i].kind == JINJA_DICT
                        ? jinja_dict_get_text(heap, parts->items[i].dict, "text", text) : 0;

        if (found)
            return found < 0 ? -1 : put_mark(heap, parts->items[i].dict, "text", text);
    }
    return error_set(heap->err, ERROR_FORMAT,
                     "the last message cannot be continued: none of its parts has a text");
}

int chat_mark_last(struct jinja_heap *heap, struct jinja_value messages, struct jinja_value *text)
{
    struct jinja_dict *last = messages.list->items[messages.list->n_items - 1].dict;
    int found = jinja_dict_get_text(heap, last, "content", text);

    if (found < 0)
        return -1;
    if (!found)
        return error_set(heap->err, ERROR_FORMAT,
                         "the last message cannot be continued: it has no content");
    return text->kind == JINJA_LIST ? mark_part(heap, text->list, text)
                                    : put_mark(heap, last, "content", text);
}

/* The last place of the bare mark; NULL: none. */
static const char *find_mark(const char *bytes, size_t size)
{
    for (size_t at = size >= MARK_BARE ? size - MARK_BARE + 1 : 0; at-- > 0;)
        if (memcmp(bytes + at, mark.bytes, MARK_BARE) == 0)
            return bytes + at;
    return NULL;
}

int chat_cut_at_mark(struct jinja_heap *heap, struct buffer *prompt, size_t start,
                     struct jinja_value text)
{
    const char *bytes = prompt->data ? prompt->data + start : "", *found;
    struct jinja_value none = {.kind = JINJA_MISSING}, bare, kept;
    size_t size = prompt->size - start, end;

    if (jinja_strip(heap, text, none, true, true, &bare))
        return -1;
    found = find_mark(bytes, size);
    if (!found || !memmem(bytes, size, bare.string->bytes, bare.string->size))
        return error_set(heap->err, ERROR_FORMAT,
                         "the last message cannot be continued: the template leaves it out");
    end = (size_t)(found - bytes);
    if (size - end < mark.size || bytes[end + MARK_BARE] != ' ') { /* blanks have been trimmed */
        if (jinja_string_copy(heap, bytes, end, &kept) ||
            jinja_strip(heap, kept, none, false, true, &kept))
            return -1;
        end = kept.string->size;
    }
    prompt->size = start + end;
    prompt->data[prompt->size] = '\0';
    return 0;
}
