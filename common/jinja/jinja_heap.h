/* jinja_heap.h - what one rendering uses: memory, steps, depth; and the place of its errors.
 *
 * Templates come from strangers: everything that one can make us do is counted here. */
#ifndef COCKTAIL_JINJA_HEAP_H
#define COCKTAIL_JINJA_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* What one rendering may use; each ends it with ERROR_FORMAT and a sentence. */
enum {
    JINJA_SOURCE_MAX = 1024 * 1024,            /* bytes of a template */
    JINJA_STEPS_MAX = 20 * 1000 * 1000,        /* nodes evaluated, items visited, 64 bytes handled */
    JINJA_MEMORY_MAX = 256 * 1024 * 1024,      /* bytes of values */
    JINJA_OUTPUT_MAX = 64 * 1024 * 1024,       /* bytes printed, also into variables */
    JINJA_STRING_MAX = 64 * 1024 * 1024,       /* bytes of one string */
    JINJA_DEPTH_MAX = 2500,                    /* nodes within nodes, values within values */
    JINJA_DIGITS_MAX = 4300,                   /* of an integer: as many as Python prints */
    JINJA_RANGE_MAX = 100000,                  /* items of a range, as in jinja2's sandbox */
};

struct jinja_heap {
    struct arena arena;
    size_t n_bytes, n_steps, depth;
    size_t line;    /* of the node that is evaluated, for messages; 0: none */
    uint64_t seed;  /* of hashes */
    struct error *err;
};

void jinja_heap_init(struct jinja_heap *heap, struct error *err);
void jinja_heap_release(struct jinja_heap *heap);
/* Zeroed memory; NULL with an error once the rendering has used JINJA_MEMORY_MAX. */
void *jinja_alloc(struct jinja_heap *heap, size_t n, size_t size);
/* Counts what is to be done; an error once it is too much. */
int jinja_spend(struct jinja_heap *heap, size_t n_steps);
/* One level deeper, to be left with jinja_leave when it returns 0. */
int jinja_enter(struct jinja_heap *heap);
static inline void jinja_leave(struct jinja_heap *heap)
{
    heap->depth--;
}
/* An error with the line in front; returns -1. */
int jinja_fail(struct jinja_heap *heap, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int jinja_unsupported(struct jinja_heap *heap, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* As in error.h: compilers should know about the -1. */
#define jinja_fail(...) error_failed(jinja_fail(__VA_ARGS__))
#define jinja_unsupported(...) error_failed(jinja_unsupported(__VA_ARGS__))

#endif
