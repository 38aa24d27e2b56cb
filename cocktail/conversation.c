#include "conversation.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/memory.h"

static int is_system(const struct conversation *conversation)
{
    return conversation->n_messages &&
           strcmp(conversation->messages[0].role, "system") == 0;
}

static void insert(struct conversation *conversation, size_t at, const char *role,
                   const char *content)
{
    conversation->messages = memory_resize(conversation->messages, conversation->n_messages + 1,
                                           sizeof *conversation->messages);
    memmove(conversation->messages + at + 1, conversation->messages + at,
            (conversation->n_messages - at) * sizeof *conversation->messages);
    conversation->messages[at] = (struct message){role, memory_copy(content)};
    conversation->n_messages++;
}

static void drop(struct conversation *conversation, size_t at)
{
    free(conversation->messages[at].content);
    conversation->n_messages--;
    memmove(conversation->messages + at, conversation->messages + at + 1,
            (conversation->n_messages - at) * sizeof *conversation->messages);
}

void conversation_add(struct conversation *conversation, const char *role, const char *content)
{
    insert(conversation, conversation->n_messages, role, content);
}

void conversation_set_system(struct conversation *conversation, const char *content)
{
    if (is_system(conversation))
        drop(conversation, 0);
    if (*content)
        insert(conversation, 0, "system", content);
}

void conversation_drop_last(struct conversation *conversation)
{
    if (conversation->n_messages)
        drop(conversation, conversation->n_messages - 1);
}

int conversation_drop_oldest(struct conversation *conversation)
{
    size_t first = is_system(conversation) ? 1 : 0;

    if (conversation->n_messages < first + 2)
        return 0;
    do
        drop(conversation, first);
    while (conversation->n_messages > first + 1 &&
           strcmp(conversation->messages[first].role, "user") != 0);
    return 1;
}

void conversation_clear(struct conversation *conversation)
{
    while (conversation->n_messages > (size_t)is_system(conversation))
        drop(conversation, conversation->n_messages - 1);
}

void conversation_release(struct conversation *conversation)
{
    while (conversation->n_messages)
        drop(conversation, conversation->n_messages - 1);
    free(conversation->messages);
    *conversation = (struct conversation){0};
}

void conversation_add_json(const struct conversation *conversation, struct buffer *out)
{
    struct json_writer json = {.out = out};

    json_writer_array(&json, NULL);
    for (size_t i = 0; i < conversation->n_messages; i++) {
        json_writer_object(&json, NULL);
        json_writer_string(&json, "role", conversation->messages[i].role);
        json_writer_string(&json, "content", conversation->messages[i].content);
        json_writer_end(&json);
    }
    json_writer_end(&json);
}
