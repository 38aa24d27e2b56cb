/* rows.h - work on the rows of an array, on all threads. */
#ifndef COCKTAIL_ROWS_H
#define COCKTAIL_ROWS_H

#include <stddef.h>

#include "base/threads.h"

/* Rows that a part works on at a time where its inner vectors are wide. */
enum { ROWS_AT_ONCE = 1024 };

static inline size_t rows_at_once(size_t n_rows)
{
    return n_rows < ROWS_AT_ONCE ? n_rows : ROWS_AT_ONCE;
}

/* f(rows begin … end-1) on all threads, in pieces that depend on n_rows alone; on this thread when
 * the rows of `width` floats are too few to be worth it. */
typedef void rows_function(void *context, size_t begin, size_t end);
void rows_each(struct threads *threads, size_t n_rows, size_t width, rows_function *f,
               void *context);

#endif
