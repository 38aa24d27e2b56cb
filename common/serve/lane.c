#include "lane.h"

#include <stdlib.h>

#include "base/clock.h"

enum { PATIENCE_S = 10, UNTAKEN_BYTES = 64 << 10 };

void lane_init(struct lane *lane, struct served_model *model, pthread_mutex_t *mutex)
{
    *lane = (struct lane){.model = model, .mutex = mutex};
}

void lane_release(struct lane *lane)
{
    const struct error error = {ERROR_RESOURCES, "the server is ending"};

    lane_fail(lane, &error);
    prefix_store_release(&lane->store);
}

/* ---- the line ---- */

void lane_add(struct lane *lane, struct job *job)
{
    atomic_fetch_add(&job->n_owners, 1);
    job->submitted_s = clock_now_s();
    job->next = NULL;
    if (lane->last)
        lane->last->next = job;
    else
        lane->first = job;
    lane->last = job;
    lane->n_held++;
}

bool lane_is_idle(const struct lane *lane)
{
    return lane->n_held == 0;
}

struct job *lane_first(struct lane *lane)
{
    struct job *job;

    pthread_mutex_lock(lane->mutex);
    job = lane->first;
    pthread_mutex_unlock(lane->mutex);
    return job;
}

void lane_remove(struct lane *lane, struct job *job)
{
    struct job **at = &lane->first, *before = NULL;

    pthread_mutex_lock(lane->mutex);
    while (*at && *at != job) {
        before = *at;
        at = &before->next;
    }
    if (*at) {
        *at = job->next;
        if (lane->last == job)
            lane->last = before;
    }
    pthread_mutex_unlock(lane->mutex);
}

static void add_seconds(struct histogram *histogram, double from_s, double to_s)
{
    histogram_add(histogram, histogram_seconds, to_s - from_s);
}

void lane_begin_job(struct lane *lane, struct job *job)
{
    if (job->started_s > 0)
        return;
    job->started_s = clock_now_s();
    pthread_mutex_lock(lane->mutex);
    lane->n_begun++;
    add_seconds(&lane->counts.queued, job->submitted_s, job->started_s);
    pthread_mutex_unlock(lane->mutex);
}

void lane_count_step(struct lane *lane, size_t n_tokens)
{
    size_t n_bytes = lane_cache_bytes(lane);

    pthread_mutex_lock(lane->mutex);
    lane->counts.cache_bytes = n_bytes;
    if (n_tokens)
        histogram_add(&lane->counts.step_tokens, histogram_tokens, (double)n_tokens);
    pthread_mutex_unlock(lane->mutex);
}

static void count_job(struct lane *lane, const struct job *job)
{
    lane->n_held--;
    lane->n_begun -= job->started_s > 0;
    if (job->error.code)
        return;
    lane->counts.n_prompt_tokens += job_n_prompt_tokens(job);
    lane->counts.n_cached_tokens += job->n_cached_tokens;
    for (size_t i = 0; i < job_n_texts(job); i++) {
        lane->counts.n_new_tokens += job->texts[i].n_tokens;
        lane->counts.n_ended[job->texts[i].state]++;
    }
    add_seconds(&lane->counts.whole, job->submitted_s, job->done_s);
    if (job->first_s > 0) {
        add_seconds(&lane->counts.first_token, job->submitted_s, job->first_s);
        add_seconds(&lane->counts.prompt, job->started_s, job->first_s);
        add_seconds(&lane->counts.decode, job->first_s, job->done_s);
    }
}

void lane_finish_job(struct lane *lane, struct job *job, const struct error *error)
{
    lane_remove(lane, job);
    pthread_mutex_lock(&job->mutex);
    job->done_s = clock_now_s();
    if (error)
        job->error = *error;
    pthread_mutex_lock(lane->mutex); /* before who waits can ask how many there are */
    count_job(lane, job);
    pthread_mutex_unlock(lane->mutex);
    job->is_done = true;
    if (job->wake)
        job->wake(job->waker);
    pthread_mutex_unlock(&job->mutex);
    job_leave(job);
}

/* ---- what goes before its time ---- */

void lane_drop_sequence(struct lane *lane, struct sequence **at)
{
    struct sequence *sequence = *at;
    struct generation *generation = &sequence->generation;

    *at = sequence->next;
    if (lane->shares_prefixes && generation->cache && generation->state != GENERATION_FAILED) {
        prefix_store_add(&lane->store, generation->cache, generation->ids.items);
        generation->cache = NULL;
    }
    generation_release(generation);
    free(sequence);
}

static void drop_sequences(struct lane *lane, const struct job *job)
{
    struct sequence **at = &lane->sequences;

    while (*at)
        if ((*at)->job == job)
            lane_drop_sequence(lane, at);
        else
            at = &(*at)->next;
}

void lane_fail(struct lane *lane, const struct error *error)
{
    struct job *job;

    while (lane->sequences) {
        job = lane->sequences->job;
        drop_sequences(lane, job);
        lane_finish_job(lane, job, error);
    }
    while ((job = lane_first(lane)))
        lane_finish_job(lane, job, error);
}

/* A text whose client has not taken what came gives up its place, and after a while ends. */
static void look_after(struct sequence *sequence, double now_s)
{
    struct job *job = sequence->job;
    size_t n_untaken;

    if (!job->is_streamed)
        return;
    pthread_mutex_lock(&job->mutex);
    n_untaken = job_n_untaken(job);
    pthread_mutex_unlock(&job->mutex);
    if (n_untaken <= UNTAKEN_BYTES) {
        sequence->paused_s = 0;
    } else if (sequence->paused_s == 0 || n_untaken < sequence->n_untaken) {
        sequence->paused_s = now_s;
        sequence->n_untaken = n_untaken;
    } else if (now_s - sequence->paused_s > PATIENCE_S) {
        job_cancel(job);
    }
}

static struct job *find_cancelled(struct lane *lane)
{
    struct job *job;

    for (struct sequence *sequence = lane->sequences; sequence; sequence = sequence->next)
        if (atomic_load(&sequence->job->is_cancelled))
            return sequence->job;
    pthread_mutex_lock(lane->mutex);
    for (job = lane->first; job && !atomic_load(&job->is_cancelled);)
        job = job->next;
    pthread_mutex_unlock(lane->mutex);
    return job;
}

bool lane_tidy(struct lane *lane, double now_s)
{
    const struct error error = {ERROR_IO, "the client has gone, or does not read"};
    struct job *job;
    bool can_run;

    for (struct sequence *sequence = lane->sequences; sequence; sequence = sequence->next)
        look_after(sequence, now_s);
    while ((job = find_cancelled(lane))) {
        drop_sequences(lane, job);
        lane_finish_job(lane, job, &error);
    }
    can_run = lane_first(lane) != NULL;
    for (struct sequence *sequence = lane->sequences; sequence; sequence = sequence->next)
        can_run |= sequence->paused_s == 0;
    return can_run;
}

size_t lane_cache_bytes(const struct lane *lane)
{
    size_t n = prefix_store_bytes(&lane->store);

    for (const struct sequence *sequence = lane->sequences; sequence; sequence = sequence->next)
        n += sequence->generation.cache ? cache_bytes(sequence->generation.cache) : 0;
    return n;
}
