#include "harmony.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/call_values.h"

static const char message_mark[] = "<|message|>";

void harmony_release(struct harmony *harmony)
{
    free(harmony->recipient);
    buffer_release(&harmony->call);
    *harmony = (struct harmony){0};
}

/* What stands behind `name` in a head, up to white space or the next mark; NULL: nothing does. */
static char *find_value(const char *head, const char *end, const char *name)
{
    const char *at = call_find(head, end, name), *stop;

    if (!at)
        return NULL;
    at += strlen(name);
    for (stop = at; stop < end && !strchr(" \t\r\n<", *stop);)
        stop++;
    return call_copy(at, stop);
}

static char *find_recipient(const char *head, const char *end)
{
    static const char prefix[] = "functions.";
    char *name = find_value(head, end, " to=");

    if (name && strncmp(name, prefix, strlen(prefix)) == 0)
        memmove(name, name + strlen(prefix), strlen(name + strlen(prefix)) + 1);
    return name;
}

/* Whether a head was there, which the body follows now. */
static bool read_head(struct harmony *harmony, struct buffer *raw)
{
    const char *end = raw->size ? memmem(raw->data, raw->size, message_mark, strlen(message_mark))
                                : NULL;
    char *channel;

    if (!end)
        return false;
    channel = find_value(raw->data, end, "<|channel|>");
    harmony->recipient = find_recipient(raw->data, end);
    harmony->is_thought = channel && strcmp(channel, "analysis") == 0 && !harmony->recipient;
    harmony->is_in_body = harmony->has_marks = true;
    free(channel);
    buffer_splice(raw, 0, (size_t)(end - raw->data) + strlen(message_mark), "");
    return true;
}

/* Where the body ends; *n_mark: bytes of what ends it and does not belong to the next head. Without
 * an end all that cannot be the beginning of one, and false. */
static bool find_end(const struct buffer *raw, size_t *n_body, size_t *n_mark)
{
    static const struct {
        const char *mark;
        bool is_of_next;
    } marks[] = {{"<|end|>", false}, {"<|call|>", false}, {"<|return|>", false},
                 {"<|start|>", true}, {"<|channel|>", true}};
    const char *data = raw->size ? raw->data : "";
    size_t n_held = 0;
    bool found = false;

    *n_body = raw->size;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        size_t length = strlen(marks[i].mark), n = length - 1 < raw->size ? length - 1 : raw->size;
        const char *at = memmem(data, *n_body, marks[i].mark, length);

        if (at) {
            *n_body = (size_t)(at - data);
            *n_mark = marks[i].is_of_next ? 0 : length;
            found = true;
        }
        while (n > n_held && memcmp(data + raw->size - n, marks[i].mark, n) != 0)
            n--;
        n_held = n > n_held ? n : n_held;
    }
    if (!found)
        *n_body -= n_held;
    return found;
}

static void end_body(struct harmony *harmony, struct tool_calls *calls)
{
    if (harmony->recipient) {
        const char *data = harmony->call.size ? harmony->call.data : "";

        call_add(calls, harmony->recipient, call_copy(data, data + harmony->call.size));
        harmony->recipient = NULL;
        buffer_clear(&harmony->call);
    }
    harmony->is_in_body = harmony->is_thought = false;
}

void harmony_sort(struct harmony *harmony, struct buffer *raw, bool is_last,
                  struct buffer *reasoning, struct buffer *text, struct tool_calls *calls)
{
    for (;;) {
        struct buffer *to;
        size_t n, n_mark = 0;
        bool has_ended;

        if (!harmony->is_in_body && !read_head(harmony, raw))
            break;
        has_ended = find_end(raw, &n, &n_mark);
        if (!has_ended && is_last)
            n = raw->size;
        to = harmony->recipient ? &harmony->call : harmony->is_thought ? reasoning : text;
        if (n)
            buffer_add(to, raw->data, n);
        if (n + n_mark)
            buffer_splice(raw, 0, n + n_mark, "");
        if (has_ended || is_last)
            end_body(harmony, calls);
        if (!has_ended)
            return;
    }
    if (!is_last)
        return;
    /* A model that writes no heads; of those that do what is left is the beginning of one. */
    if (raw->size && !harmony->has_marks)
        buffer_add(text, raw->data, raw->size);
    buffer_clear(raw);
}
