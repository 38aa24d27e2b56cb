/* answer_state.h - an answer that is being written, for those who write it in one wire format. */
#ifndef COCKTAIL_ANSWER_STATE_H
#define COCKTAIL_ANSWER_STATE_H

#include <stdbool.h>

#include "serve/answer_choice.h"
#include "serve/text_request.h"

struct text_answer {
    struct text_request request; /* owned */
    char id[48];
    long long created;
    struct answer_choice *choices; /* [job_n_texts] */
    bool has_begun, has_ended;     /* of a stream */
};

#endif
