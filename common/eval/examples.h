/* examples.h - what models are judged by: texts, and the answers that are wanted.
 *
 * A file holds JSON Lines, a JSON list, or an object of lists by the name of their task. An example
 * is {"input", "output"}, or {"query", "pos", "neg"}, where pos and neg are lists of texts, or one
 * text. An "instruction", as of Alpaca, comes before the input, on a line of its own, and may stand
 * without one. What is not used is known by name, and examples_note says it. */
#ifndef COCKTAIL_EXAMPLES_H
#define COCKTAIL_EXAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/unused.h"

enum example_kind {
    EXAMPLE_OUTPUT,  /* {"input", "output"}: for decoders and encoder-decoders */
    EXAMPLE_RANKING, /* {"query", "pos", "neg"}: for encoders and rerankers */
    EXAMPLE_PLAIN_OUTPUT, /* the first without instructions, as LM_Cocktail reads it */
};

struct example_text {
    const char *bytes; /* NUL-terminated, and may hold NUL */
    size_t n;
};

struct example {
    size_t line;   /* of the file, from 1: where it begins */
    size_t number; /* how results call it: the line, or the place in a list, from 1 */
    struct example_text input, output;   /* of EXAMPLE_OUTPUT; input: behind its instruction */
    struct example_text query, positive; /* of EXAMPLE_RANKING; positive: the first of "pos" */
    struct example_text *negatives;      /* [n_negatives], at least one */
    size_t n_negatives;
};

struct examples { /* a zeroed struct holds none */
    char *name;    /* of the file, for messages */
    bool is_list;  /* numbers are places in a list */
    struct example *items;
    size_t n_items, capacity;
    struct arena arena;
    struct unused unused;
    size_t instruction_line, positives_line; /* where there is an instruction, and more than one
                                              * positive, for the first time; 0: nowhere */
    size_t n_thinned; /* negatives that examples_thin left out */
};

/* Reads all of a file, a pipe or, for "-", standard input; gzip is unpacked. Rank 0 reads for all. `task`: which list of
 * an object of lists; NULL for the other two forms. ERROR_FORMAT, with FILE:LINE, for whatever is
 * not an example of this kind, and when there is none. Released with examples_release, also after
 * an error. */
int examples_load(struct examples *examples, const char *path, enum example_kind kind,
                  const char *task, struct error *err);
void examples_release(struct examples *examples);

/* Leaves each example at most n_negatives of its negatives (at least 1), drawn by `seed` and in
 * their old order. */
void examples_thin(struct examples *examples, size_t n_negatives, uint64_t seed);

/* What was read in a way that may surprise, and what was not read at all. */
void examples_note(const struct examples *examples, struct notices *notices);

/* Puts FILE:LINE in front of the error. */
int examples_context(const struct examples *examples, const struct example *example,
                     struct error *err);

#endif
