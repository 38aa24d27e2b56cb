/* members.h - the members of a JSON object that a request is, by a table of rows.
 *
 * What is in no table is overlooked; null means not given; of two members of one name the last
 * counts. Numbers come as 1, 1.0 or 1e0. */
#ifndef COCKTAIL_MEMBERS_H
#define COCKTAIL_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json_reader.h"
#include "serve/refused_members.h"
#include "serve/refusal.h"

enum member_kind { /* and the type of the field at `offset` */
    MEMBER_END = 0,
    MEMBER_NUMBER,  /* double, from `least` to `most`; NaN when it is not given */
    MEMBER_INTEGER, /* double with a whole value, likewise */
    MEMBER_SEED,    /* struct member_seed: 64 bits */
    MEMBER_BOOL,    /* int: -1 not given */
    MEMBER_STRING,  /* char *, owned; without \u0000 */
    MEMBER_LIST,    /* char *, owned: the JSON text of a list, MEMBER_OBJECT of an object, */
    MEMBER_OBJECT,
    MEMBER_VALUE,   /* and of anything */
};

struct member_seed {
    bool is_given;
    unsigned long long value;
};

struct member_row {
    const char *name;
    enum member_kind kind;
    size_t offset;
    double least, most;
};

/* A JSON text of `size` bytes that is an object, into the struct at `out`, whose fields are set as
 * not given first. Refused with 400: what is no JSON, no object, values of another type or out of
 * range, and what is in `refused`, which may be NULL; each by its name. members_release in every
 * case. */
int members_read(const struct member_row *rows, const struct refused_member *refused,
                 const char *text, size_t size, void *out, struct refusal *refusal);
void members_init(const struct member_row *rows, void *out);
void members_release(const struct member_row *rows, void *out);

/* The kind of the first item of a JSON text, which decides what all are of a list; JSON_NONE: it is no
 * list, or an empty one. */
enum json_kind members_first_kind(const char *list);

#endif
