/* chat_messages.h - what transformers does to a conversation before a template sees it, and to the
 * prompt of one that is to be continued. */
#ifndef COCKTAIL_CHAT_MESSAGES_H
#define COCKTAIL_CHAT_MESSAGES_H

#include "base/buffer.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

/* A list of objects, of the JSON text `what`; ERROR_FORMAT for anything else. */
int chat_parse_objects(struct jinja_heap *heap, const char *text, const char *what,
                       struct jinja_value *out);
/* Messages without members that are null, reasoning under all its names. */
int chat_normalize_messages(struct jinja_heap *heap, struct jinja_value *messages);

/* As struct chat_conversation has it. */
typedef void chat_prepare(const void *context, const char *text, size_t n, struct buffer *out);
/* Replaces each text within the value by what `prepare` makes of it; NULL: nothing is done. */
int chat_prepare_texts(struct jinja_heap *heap, struct jinja_value *value, chat_prepare *prepare,
                       const void *context);

/* Puts a mark behind the text of the last message, whose list is not shared; *text is that text
 * before. */
int chat_mark_last(struct jinja_heap *heap, struct jinja_value messages,
                   struct jinja_value *text);
/* Ends `prompt` where the mark came out. The prompt begins at `start` of the buffer. */
int chat_cut_at_mark(struct jinja_heap *heap, struct buffer *prompt, size_t start,
                     struct jinja_value text);

#endif
