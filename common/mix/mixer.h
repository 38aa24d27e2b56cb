/* mixer.h - run a plan: from the sources of its items, through their methods, into a writer.
 *
 * The work is cut into chunks of one tensor each; a chunk is read from every source, combined, and
 * written at its place. Where a method measures first, every pass is a run over the same chunks.
 * Memory is a few buffers per thread, whatever the size of the models. */
#ifndef COCKTAIL_MIXER_H
#define COCKTAIL_MIXER_H

#include <stddef.h>

#include "base/error.h"
#include "base/progress.h"
#include "base/threads.h"
#include "format/checkpoint_writer.h"
#include "mix/plan.h"

struct mixer_share { /* of a work that `count` do together: what number 0 … count - 1 writes */
    size_t number, count;
};

struct mixer_stats {
    size_t n_nan, n_inf;         /* in what was written */
    const char *first_special;   /* the first tensor that has one; NULL: none */
    size_t first_special_item;   /* of the last plan that was run, its number; SIZE_MAX: none */
    double read_s, combine_s, write_s; /* summed over the threads */
};

/* Writes every item of a finished plan, or a share of them: ranges of bytes, or, of what is measured,
 * whole items; the writer has one tensor per item, in the same order. Adds to *stats and to
 * progress->done_bytes. */
int mixer_run(const struct plan *plan, struct mixer_share share, struct checkpoint_writer *writer,
              struct threads *threads, struct progress *progress, struct mixer_stats *stats,
              struct error *err);

/* Bytes of buffers that mixer_run allocates for so many threads. */
size_t mixer_buffer_bytes(const struct plan *plan, size_t n_threads);

#endif
