/* lane.h - the jobs of one model: those that wait in line, and what runs of them. Of the
 * scheduler's thread, but for what is under its mutex. */
#ifndef COCKTAIL_LANE_H
#define COCKTAIL_LANE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "serve/job.h"
#include "serve/lane_counts.h"
#include "serve/prefix_store.h"

struct sequence { /* a text that grows */
    struct generation generation;
    struct job *job;
    size_t number;      /* of the text in its job */
    size_t n_published; /* tokens that the job knows of, */
    double published_s; /* and since when */
    bool is_begun;      /* its cache has what can be had from others */
    double paused_s;    /* since then nobody takes what has come; 0: not so */
    size_t n_untaken;   /* bytes, then */
    struct sequence *next;
};

struct lane {
    struct served_model *model;
    pthread_mutex_t *mutex;  /* the scheduler's; under it: */
    struct job *first, *last; /* in line; the first may have begun */
    size_t n_held;           /* jobs that are not done */
    size_t n_begun;          /* of these, those that have begun */
    struct lane_counts counts;
    /* Not under it: */
    struct sequence *sequences; /* the oldest first */
    struct prefix_store store;
    bool shares_prefixes; /* once the model is loaded */
};

void lane_init(struct lane *lane, struct served_model *model, pthread_mutex_t *mutex);
void lane_release(struct lane *lane); /* gives up what is there */

void lane_add(struct lane *lane, struct job *job); /* under the mutex */
bool lane_is_idle(const struct lane *lane);        /* likewise */
/* The first in line, or NULL. */
struct job *lane_first(struct lane *lane);

/* Ends all that is there with this error. */
void lane_fail(struct lane *lane, const struct error *error);
/* Lets go of jobs that were cancelled, and of those whose clients do not read. Whether anything can
 * be run. */
bool lane_tidy(struct lane *lane, double now_s);
/* *at leaves the list: a text that has ended, or that nobody wants any more. Its cache is kept. */
void lane_drop_sequence(struct lane *lane, struct sequence **at);
size_t lane_cache_bytes(const struct lane *lane);

/* A job is done: `error` NULL when all went well. Under no mutex. */
void lane_finish_job(struct lane *lane, struct job *job, const struct error *error);
/* A step or a pass of so many tokens is over. */
void lane_count_step(struct lane *lane, size_t n_tokens);
/* The job is out of the line. */
void lane_remove(struct lane *lane, struct job *job);
/* It begins: what it waited for is over. */
void lane_begin_job(struct lane *lane, struct job *job);

#endif
