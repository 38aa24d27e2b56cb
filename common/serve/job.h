/* job.h - what one request asks of a model, and what has come of it so far.
 *
 * It has two owners: who asked, and the scheduler. What is asked does not change once the job is
 * submitted; what comes is written by the scheduler and taken by who asked, under the mutex. */
#ifndef COCKTAIL_JOB_H
#define COCKTAIL_JOB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "model/generation.h"
#include "serve/served_model.h"
#include "text/ids.h"

struct job_text { /* one of the texts that grow; under the mutex */
    struct buffer text;               /* that nobody has taken yet */
    struct token_logprob *logprobs;   /* [n_logprobs][1 + n_top], likewise */
    size_t n_logprobs;
    size_t n_tokens;                  /* all so far */
    enum generation_state state;
    struct error error;               /* of a text that failed */
};

struct job_input { /* a text to embed, or a pair to score */
    struct ids ids;
    struct buffer type_ids; /* a byte for each, or empty */
};

struct job {
    pthread_mutex_t mutex;
    atomic_int n_owners;
    atomic_bool is_cancelled;
    struct served_model *model; /* borrowed */

    /* What is asked. Of a decoder: n_choices texts for each prompt; text number p * n_choices +
     * c. */
    struct ids *prompts;
    size_t n_prompts, n_choices;
    struct generation_settings settings; /* stops, eos and biases are those below */
    struct logit_bias *biases;
    char **stops;
    size_t n_stops;
    struct ids eos;
    /* Of an encoder or a reranker: a row of numbers for each. */
    struct job_input *inputs;
    size_t n_inputs, n_input_prompt_tokens;

    /* What has come. */
    struct job_text *texts; /* [n_prompts * n_choices] */
    float *rows;            /* [n_inputs, width] */
    size_t width;
    size_t n_cached_tokens; /* of the first prompt, that were not run again */
    bool is_streamed;       /* what comes is taken as it comes (asked, not come) */
    bool is_done;           /* all of it, or `error` says why not */
    struct error error;
    double submitted_s, started_s, first_s, done_s; /* clock_now_s; 0: not yet */
    void (*wake)(void *waker); /* under the mutex, when something has come; NULL: nobody waits */
    void *waker;
    double told_s;          /* when its client was last told something; 0: that does not matter */
    bool is_due;            /* the client is to be told that it goes on */

    /* Of the scheduler. */
    struct job *next;
    size_t n_begun, n_ended; /* texts, or rows */
};

struct job *job_new(struct served_model *model);
/* Of each owner one. */
void job_leave(struct job *job);
/* The scheduler lets go of it within one step. */
void job_cancel(struct job *job);

size_t job_n_texts(const struct job *job);
size_t job_n_prompt_tokens(const struct job *job); /* each prompt once */
/* Room for what comes: when all is said that is asked. */
void job_prepare(struct job *job);
/* Bytes that have come and were not taken; under the mutex. */
size_t job_n_untaken(const struct job *job);

#endif
