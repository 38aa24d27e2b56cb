/* text_answer.h - what has come of a request for texts, in the words of its client: a whole object
 * at the end, or a stream of chunks (Server-Sent Events; of ollama: lines).
 *
 * Streamed text joined is the whole text; a chunk never cuts a character, because the job's text
 * never does. */
#ifndef COCKTAIL_TEXT_ANSWER_H
#define COCKTAIL_TEXT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "serve/answer_state.h"
#include "serve/refusal.h"
#include "serve/text_request.h"

/* Takes the request over, which is zeroed. Freed with text_answer_free. */
struct text_answer *text_answer_new(struct text_request *request);
void text_answer_free(struct text_answer *answer);

/* All three under the mutex of the job. */
/* Moves what has come from the job. Whether the first token is there, or an end without one. */
bool text_answer_gather(struct text_answer *answer);
/* Adds the chunks of what was gathered; with the last of them has_ended is set. */
void text_answer_add_chunks(struct text_answer *answer, struct buffer *out);
/* Of a job that is done: the whole answer, or -1 with why there is none. */
int text_answer_add_whole(struct text_answer *answer, struct buffer *out,
                          struct refusal *refusal);

#endif
