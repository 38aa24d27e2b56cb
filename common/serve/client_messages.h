/* client_messages.h - the messages of a client as templates expect them.
 *
 * Clients send the arguments of tool calls as text, and content as parts; most templates want an
 * object and a string. */
#ifndef COCKTAIL_CLIENT_MESSAGES_H
#define COCKTAIL_CLIENT_MESSAGES_H

#include <stdbool.h>

#include "base/buffer.h"
#include "serve/refusal.h"

struct client_messages_how {
    bool keeps_strings;   /* arguments of tool calls stay text */
    bool flattens_parts;  /* parts of text become one string */
    bool is_lenient;      /* null content becomes "", the role developer is called system */
};

/* Adds the list to `out`, from `messages`, the JSON text of a list. Refused with 400: no messages,
 * more than 1000, what is no message, parts that are no text. */
int client_messages_prepare(const char *messages, const struct client_messages_how *how,
                          struct buffer *out, struct refusal *refusal);
/* Adds a list of all but the last item of `messages`, a list that is well formed; false when there
 * are fewer than two. */
bool client_messages_without_last(const char *messages, struct buffer *out);

#endif
