/* mixer.h - stream a plan through a combining function into a writer.
 *
 * The work is cut into chunks of one tensor each; a chunk is read from every model, combined,
 * and written at its place. Memory is a few buffers per thread, whatever the size of the models. */
#ifndef COCKTAIL_MIXER_H
#define COCKTAIL_MIXER_H

#include <stddef.h>

#include "base/error.h"
#include "base/progress.h"
#include "base/threads.h"
#include "format/checkpoint_writer.h"
#include "mix/combine.h"
#include "mix/plan.h"

struct mixer_stats {
    size_t n_nan, n_inf;         /* in what was written */
    const char *first_special;   /* the first tensor that has one; NULL: none */
    double read_s, combine_s, write_s; /* summed over the threads */
};

/* Writes every item of the plan; the writer has one tensor per item, in the same order.
 * models[] and weights[] as the plan has them. Adds to *stats and to progress->done_bytes. */
int mixer_run(const struct plan *plan, const struct plan_model *models, const double *weights,
              const struct combine_method *method, struct checkpoint_writer *writer,
              struct threads *threads, struct progress *progress, struct mixer_stats *stats,
              struct error *err);

/* Bytes of buffers that mixer_run allocates for so many models and threads. */
size_t mixer_buffer_bytes(size_t n_models, size_t n_threads);

#endif
