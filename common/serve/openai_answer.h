/* openai_answer.h - texts in the words of OpenAI: chat.completion, text_completion, and their
 * streams of Server-Sent Events. */
#ifndef COCKTAIL_OPENAI_ANSWER_H
#define COCKTAIL_OPENAI_ANSWER_H

#include "base/buffer.h"
#include "serve/answer_state.h"
#include "serve/refusal.h"

/* What was gathered, as events. */
void openai_answer_add_events(struct text_answer *answer, struct buffer *out);
void openai_answer_add_whole(struct text_answer *answer, struct buffer *out);

/* {"error": …}, as a body and as an event. */
void openai_answer_add_error(const struct refusal *refusal, struct buffer *out);
void openai_answer_add_error_event(const struct refusal *refusal, struct buffer *out);

#endif
