#include "tokenizer_append.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/json_reader.h"
#include "base/json_writer.h"

/* The members of an object that has been begun, and its end. */
static void add_members(struct json_writer *json, const struct added_token *token)
{
    json_writer_bytes(json, "content", token->content, token->length);
    json_writer_bool(json, "single_word", token->single_word);
    json_writer_bool(json, "lstrip", token->lstrip);
    json_writer_bool(json, "rstrip", token->rstrip);
    json_writer_bool(json, "normalized", token->normalized);
    json_writer_bool(json, "special", token->special);
    json_writer_end(json);
}

/* Where the value of the last member of that name stands; *end 0: there is none, or null. */
static int find_value(struct json_reader *reader, const char *name, enum json_kind kind,
                      size_t *start, size_t *end, struct error *err)
{
    struct json_text key;
    int more;

    *start = *end = 0;
    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        bool is_it = json_text_is(key, name);
        enum json_kind found = json_reader_peek(reader);
        size_t first = reader->position;

        if (is_it && found != kind && found != JSON_NULL)
            return error_set(err, ERROR_FORMAT, "%s is no %s", name,
                             kind == JSON_ARRAY ? "list" : "object");
        if (json_reader_skip(reader, err))
            return -1;
        if (is_it) {
            *start = found == JSON_NULL ? 0 : first;
            *end = found == JSON_NULL ? 0 : reader->position;
        }
    }
    return more;
}

/* Puts what `items` holds behind the last item of the list or object at text[start … end - 1], whose
 * brackets these are; where there is none yet it becomes the member `name`. */
static void put_behind(struct buffer *text, const char *name, size_t start, size_t end,
                       struct buffer *items)
{
    size_t last = end - 1;

    if (end == 0) {
        json_edit_member(text, name, items->data);
        return;
    }
    while (last > start + 1 && strchr(" \t\r\n", text->data[last - 1]))
        last--;
    /* Without its own brackets. */
    buffer_splice(items, items->size - 1, 1, "");
    buffer_splice(items, 0, 1, last > start + 1 ? ", " : "");
    buffer_splice(text, last, 0, items->data);
}

int tokenizer_append_json(struct buffer *text, const struct added_token *tokens, size_t n,
                          struct error *err)
{
    struct buffer items = {0};
    struct json_writer json = {.out = &items, .is_spaced = true};
    struct json_reader reader;
    size_t start, end;
    int rc;

    json_reader_init(&reader, text->data, text->size);
    rc = find_value(&reader, "added_tokens", JSON_ARRAY, &start, &end, err);
    json_reader_release(&reader);
    if (rc)
        return -1;
    json_writer_array(&json, NULL);
    for (size_t i = 0; i < n; i++) {
        json_writer_object(&json, NULL);
        json_writer_size(&json, "id", tokens[i].id);
        add_members(&json, &tokens[i]);
    }
    json_writer_end(&json);
    put_behind(text, "added_tokens", start, end, &items);
    buffer_release(&items);
    return 0;
}

int tokenizer_append_config(struct buffer *text, const struct added_token *tokens, size_t n,
                            struct error *err)
{
    struct buffer items = {0};
    struct json_writer json = {.out = &items, .is_spaced = true};
    struct json_reader reader;
    size_t start, end;
    int rc;

    json_reader_init(&reader, text->data, text->size);
    reader.takes_constants = true;
    rc = find_value(&reader, "added_tokens_decoder", JSON_OBJECT, &start, &end, err);
    json_reader_release(&reader);
    if (rc || end == 0)
        return rc;
    json_writer_object(&json, NULL);
    for (size_t i = 0; i < n; i++) {
        char id[24];

        snprintf(id, sizeof id, "%u", (unsigned)tokens[i].id);
        json_writer_object(&json, id);
        add_members(&json, &tokens[i]);
    }
    json_writer_end(&json);
    put_behind(text, "added_tokens_decoder", start, end, &items);
    buffer_release(&items);
    return 0;
}
