/* conversation.h - messages in their order, as `chat-template --messages` reads them. */
#ifndef COCKTAIL_CONVERSATION_H
#define COCKTAIL_CONVERSATION_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

struct message {
    const char *role; /* "system", "user" or "assistant" */
    char *content;
};

struct conversation { /* a zeroed struct is empty */
    struct message *messages;
    size_t n_messages;
};

void conversation_add(struct conversation *conversation, const char *role, const char *content);
/* Puts the system message first, in place of one that is there; "" takes it away. */
void conversation_set_system(struct conversation *conversation, const char *content);
/* The last message goes; nothing happens when there is none. */
void conversation_drop_last(struct conversation *conversation);
/* The oldest turn goes, a user's message and the answers to it, but never the last message; 0 when
 * there is no such turn. */
int conversation_drop_oldest(struct conversation *conversation);
/* All but the system message. */
void conversation_clear(struct conversation *conversation);
void conversation_release(struct conversation *conversation);

/* Adds the JSON list. */
void conversation_add_json(const struct conversation *conversation, struct buffer *out);

#endif
