/* pickle.h - Python pickles as data: bytes in, a tree of values out, nothing is ever called.
 *
 * A pickle is a program for a stack machine that may name Python functions and call them. This
 * machine knows only the names in a table that its user gives it, and a call becomes a value: what
 * was called, and with which arguments. What such a call means is the business of the user.
 *
 * No function here or in the machine recurses, and sizes, depth and memory are bounded, so that a
 * pickle can be refused but can neither run code nor exhaust the stack. */
#ifndef COCKTAIL_PICKLE_H
#define COCKTAIL_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

enum {
    PICKLE_BYTES_MAX = 256 * 1024 * 1024,
    PICKLE_TEXT_BYTES_MAX = 64 * 1024 * 1024,
    PICKLE_STACK_MAX = 4 * 1000 * 1000, /* values, and marks */
    PICKLE_MEMO_MAX = 4 * 1000 * 1000,
    PICKLE_DEPTH_MAX = 500,             /* of containers in one another */
    PICKLE_TREE_BYTES_MAX = 512 * 1024 * 1024,
};

enum pickle_kind {
    PICKLE_NOTHING, /* no value at all */
    PICKLE_NONE,
    PICKLE_BOOL,       /* .integer: 0 or 1 */
    PICKLE_INTEGER,    /* .integer */
    PICKLE_BIG,        /* an integer that needs more than 64 bits: .text, little-endian */
    PICKLE_FLOAT,      /* .number */
    PICKLE_STRING,     /* .text: UTF-8 in which lone surrogates may occur */
    PICKLE_BYTES,      /* .text */
    PICKLE_TUPLE,      /* .node, items */
    PICKLE_LIST,       /* .node, items */
    PICKLE_SET,        /* .node, items, repeated ones too */
    PICKLE_DICT,       /* .node, items: key, value, key, value… as they came, repeated keys too */
    PICKLE_GLOBAL,     /* .global */
    PICKLE_OBJECT,     /* .node: what node->maker gives when called with the items */
    PICKLE_PERSISTENT, /* .persistent */
};

struct pickle_value {
    enum pickle_kind kind;
    uint32_t length; /* of .text, which has no NUL behind it */
    union {
        int64_t integer;
        double number;
        const char *text; /* points into the pickle */
        struct pickle_node *node;
        const struct pickle_global *global;
        const void *persistent; /* what rules.persistent returned */
    };
};

struct pickle_node {
    struct pickle_value *items;
    size_t n_items, capacity;
    const struct pickle_global *maker; /* of an object, and of a dict that a call gave; else NULL */
    size_t depth;
    int note; /* the user's; 0 at first */
};

enum pickle_call {
    PICKLE_NOT_CALLABLE,
    PICKLE_GIVES_OBJECT,
    PICKLE_GIVES_DICT, /* from nothing or from a list of pairs; may get a state, which is dropped */
    PICKLE_GIVES_RECORD, /* a dict from nothing, whose items are the state that it gets: attributes */
    PICKLE_GIVES_OPAQUE, /* an object that may get a state, which is dropped */
};

/* A name that may occur. */
struct pickle_global {
    const char *module, *name;
    enum pickle_call call;
    const char *unsupported; /* not NULL: the name is refused with ERROR_UNSUPPORTED; says why */
    int role, detail;        /* the user's */
};

struct pickle {
    struct pickle_value result;
    size_t n_bytes; /* up to and with STOP */
    bool is_cut;    /* the bytes ended before STOP; set when pickle_load fails, too */
    struct arena arena;
    size_t tree_bytes;
};

struct pickle_rules {
    const struct pickle_global *globals;
    size_t n_globals;
    /* Turns a persistent id into what the user makes of it; NULL with an error when it is
     * malformed. A NULL function refuses all of them. */
    const void *(*persistent)(void *context, struct pickle *pickle, const struct pickle_value *id,
                              struct error *err);
    void *context;
};

/* Runs the pickle at the beginning of bytes [size]. `origin` is the offset of bytes[0] in the
 * file, for messages. The tree points into `bytes`, and lives until pickle_release, which is due
 * after a failure too. ERROR_FORMAT, or ERROR_UNSUPPORTED as the table of globals says. */
int pickle_load(struct pickle *pickle, const struct pickle_rules *rules, const void *bytes,
                size_t size, size_t origin, struct error *err);
void pickle_release(struct pickle *pickle);

/* Zeroed memory that lives as long as the tree and counts to its limit; NULL with ERROR_FORMAT. */
void *pickle_alloc(struct pickle *pickle, size_t size, struct error *err);

/* Whether the value is a text, or this one: a string, or bytes (which Python 2 wrote for them). */
bool pickle_is_text(const struct pickle_value *value);
bool pickle_is(const struct pickle_value *value, const char *text);
/* The value of a key in a dict, the last one as in Python; NULL means absent. */
const struct pickle_value *pickle_find(const struct pickle_node *dict, const char *key);

#endif
