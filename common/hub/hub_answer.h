/* hub_answer.h - what the headers of an answer say (docs/formats.md, "The Hub"). */
#ifndef COCKTAIL_HUB_ANSWER_H
#define COCKTAIL_HUB_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct hub_answer {
    long status;           /* 0: there was none */
    char *etag;            /* X-Linked-Etag, else ETag, without W/ and quotes */
    char *commit;          /* X-Repo-Commit */
    char *location;        /* where it redirects to, absolute; known when it is complete */
    char *next;            /* of Link: the one with rel="next", as it stands there */
    char *type;            /* Content-Type */
    char *problem;         /* X-Error-Code */
    char *explanation;     /* X-Error-Message */
    bool has_linked_etag, is_encoded;
    bool has_length, has_linked_size, has_range;
    size_t length;         /* Content-Length */
    size_t linked_size;    /* X-Linked-Size */
    size_t range_first, range_last, range_total; /* Content-Range */
    double retry_after_s;  /* 0: not said */
};

/* One line as it was sent. A status line begins a new answer: what was there is forgotten. */
void hub_answer_add_header(struct hub_answer *answer, const char *line, size_t length);
void hub_answer_release(struct hub_answer *answer);

/* The size of the file that it is about, from X-Linked-Size or else Content-Length. */
bool hub_answer_size(const struct hub_answer *answer, size_t *size_bytes);

#endif
