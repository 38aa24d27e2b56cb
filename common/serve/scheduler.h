/* scheduler.h - one thread that owns all models and computes, so that requests need not.
 *
 * Jobs wait in line for their model, and are taken in the order in which they came. A decoder has
 * n_parallel places for texts that grow; a step is one pass over all of them: one token of each
 * text, and of the prompts that are not through yet so much as a step may take, the oldest first.
 * Between two steps texts come and go, and models take turns. Texts to embed, and pairs, of all
 * jobs that wait are run together, as many tokens as a pass is worth.
 *
 * What a text gives does not depend on its company: chance comes from sampler.h, the rest from
 * generation.h. A text whose beginning another one has in its cache takes it from there, running
 * or ended, unless tokens depend on those behind them. When caches outgrow their budget, those
 * of ended texts go first, then the youngest text that runs loses its own, and is run again
 * later. */
#ifndef COCKTAIL_SCHEDULER_H
#define COCKTAIL_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/threads.h"
#include "serve/job.h"
#include "serve/lane_counts.h"
#include "serve/refusal.h"
#include "serve/served_model.h"

struct scheduler;

struct scheduler_settings {
    size_t n_parallel;   /* texts of a model that grow at once */
    size_t max_queue;    /* requests of a model beyond as many */
    size_t cache_bytes;  /* all keys and values together */
    size_t memory_bytes; /* weights of all models that are loaded at once; 0: all, from the start */
};

/* models [n_models] and the pool are borrowed. Loads what need not come and go. Errors as of
 * loading a model; ended with scheduler_end and freed with scheduler_free. */
struct scheduler *scheduler_new(struct served_model *models, size_t n_models,
                                struct threads *threads, const struct scheduler_settings *settings,
                                struct notices *notices, struct error *err);

/* Takes part in owning the job, which is answered by its wake. 429 when too many wait; 503 when it
 * is ending. The job's `model` is one of the scheduler's. */
int scheduler_submit(struct scheduler *scheduler, struct job *job, struct refusal *refusal);
/* Looks at the job soon: it was cancelled, or something was taken from it. */
void scheduler_nudge(struct scheduler *scheduler);

/* No more jobs; what is there is finished, or, if `at_once`, given up. Returns at once. */
void scheduler_end(struct scheduler *scheduler, bool at_once);
/* Whether all jobs are done. */
bool scheduler_is_idle(struct scheduler *scheduler);
void scheduler_free(struct scheduler *scheduler); /* gives up what is there */

void scheduler_count(struct scheduler *scheduler, size_t model, struct lane_counts *counts);

#endif
