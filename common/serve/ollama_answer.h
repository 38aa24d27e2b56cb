/* ollama_answer.h - texts in the words of ollama: an object, or a stream of them, one a line. */
#ifndef COCKTAIL_OLLAMA_ANSWER_H
#define COCKTAIL_OLLAMA_ANSWER_H

#include "base/buffer.h"
#include "serve/answer_state.h"
#include "serve/refusal.h"

void ollama_answer_add_lines(struct text_answer *answer, struct buffer *out);
void ollama_answer_add_whole(struct text_answer *answer, struct buffer *out);
/* {"error": "…"} and a line feed. */
void ollama_answer_add_error(const struct refusal *refusal, struct buffer *out);

#endif
