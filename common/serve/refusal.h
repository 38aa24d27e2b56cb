/* refusal.h - why a request is not answered: what its client is told. */
#ifndef COCKTAIL_REFUSAL_H
#define COCKTAIL_REFUSAL_H

#include "base/error.h"

struct refusal { /* a zeroed struct: none */
    int status;        /* of HTTP; 0: none */
    const char *code;  /* a word for programs, or NULL; not owned */
    char param[64];    /* the member at fault, or empty */
    char text[1024];
};

/* Both keep the first one. They return -1, so that refusing is one line. param may be NULL. */
int refusal_set(struct refusal *refusal, int status, const char *code, const char *param,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Of an error: 400 for what the input is to blame for, else 500. */
int refusal_of_error(struct refusal *refusal, const char *param, const struct error *error);

/* What OpenAI calls the kind of an error of this status. */
const char *refusal_type(int status);

/* As error.h has it: compilers should know about the -1. */
#define refusal_set(...) error_failed(refusal_set(__VA_ARGS__))
#define refusal_of_error(...) error_failed(refusal_of_error(__VA_ARGS__))

#endif
