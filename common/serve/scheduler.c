#include "scheduler.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/lane.h"
#include "serve/rows_pass.h"
#include "serve/texts_pass.h"

struct scheduler {
    struct lane *lanes; /* [n_lanes], one for each model */
    size_t n_lanes;
    struct threads *threads;
    struct scheduler_settings settings;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t nudged;
    bool is_started, is_nudged, is_ending, is_over;
    /* Of the thread: since when the first of those waits whose models find no room. Who came after
     * it waits, too, or it would wait for as long as others keep coming. */
    double crowded_out_s; /* INFINITY: nobody does */
};

/* ---- weights that come and go ---- */

static size_t count_loaded(const struct scheduler *scheduler)
{
    size_t n = 0;

    for (size_t i = 0; i < scheduler->n_lanes; i++)
        if (scheduler->lanes[i].model->model)
            n += scheduler->lanes[i].model->size_bytes;
    return n;
}

static void unload(struct lane *lane)
{
    prefix_store_release(&lane->store);
    served_model_unload(lane->model);
    pthread_mutex_lock(lane->mutex);
    lane->counts.is_loaded = false;
    lane->counts.cache_bytes = 0;
    pthread_mutex_unlock(lane->mutex);
}

/* The one that was not used for longest, of those with nothing to do. */
static struct lane *find_idle(struct scheduler *scheduler)
{
    struct lane *found = NULL;

    for (size_t i = 0; i < scheduler->n_lanes; i++) {
        struct lane *lane = &scheduler->lanes[i];

        if (lane->model->model && !lane->sequences &&
            (!found || lane->model->used_s < found->model->used_s))
            found = lane;
    }
    return found;
}

/* Whether the lane has its weights; if they cannot be had, its jobs fail. False without that:
 * others must end first; *crowded_out_s says since when it waits, if no other one does for longer. */
static bool ensure_loaded(struct scheduler *scheduler, struct lane *lane, double *crowded_out_s)
{
    size_t limit = scheduler->settings.memory_bytes;
    struct notices notices = {0};
    struct error error = {0};
    struct lane *idle;

    lane->model->used_s = clock_now_s();
    if (lane->model->model)
        return true;
    while (limit && count_loaded(scheduler) + lane->model->size_bytes > limit) {
        idle = find_idle(scheduler);
        if (!idle) {
            *crowded_out_s = fmin(*crowded_out_s, lane_first(lane)->submitted_s);
            return false;
        }
        unload(idle);
    }
    if (served_model_load(lane->model, scheduler->threads, &notices, &error)) {
        notices_release(&notices);
        lane_fail(lane, &error);
        return false;
    }
    notices_release(&notices);
    pthread_mutex_lock(lane->mutex);
    lane->counts.is_loaded = true;
    pthread_mutex_unlock(lane->mutex);
    return true;
}

/* ---- the thread ---- */

static size_t cache_budget(const struct scheduler *scheduler, const struct lane *lane)
{
    size_t n = 0;

    for (size_t i = 0; i < scheduler->n_lanes; i++)
        if (&scheduler->lanes[i] != lane)
            n += lane_cache_bytes(&scheduler->lanes[i]);
    return n < scheduler->settings.cache_bytes ? scheduler->settings.cache_bytes - n : 0;
}

static void step(struct scheduler *scheduler, struct lane *lane)
{
    if (lane->model->kind != SERVED_DECODER) {
        rows_pass_run(lane);
        return;
    }
    texts_pass_admit(lane, scheduler->settings.n_parallel, scheduler->crowded_out_s);
    texts_pass_run(lane, cache_budget(scheduler, lane));
}

/* Each model once. Whether one of them did something. */
static bool turn(struct scheduler *scheduler)
{
    double crowded_out_s = INFINITY;
    bool has_run = false;

    for (size_t i = 0; i < scheduler->n_lanes; i++) {
        struct lane *lane = &scheduler->lanes[i];

        if (!lane_tidy(lane, clock_now_s()) || !ensure_loaded(scheduler, lane, &crowded_out_s))
            continue;
        step(scheduler, lane);
        has_run = true;
    }
    scheduler->crowded_out_s = crowded_out_s;
    return has_run;
}

static bool is_idle(const struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->n_lanes; i++)
        if (!lane_is_idle(&scheduler->lanes[i]))
            return false;
    return true;
}

/* Until there may be something to do; texts whose clients do not read are looked at now and
 * then. */
static void wait_for_work(struct scheduler *scheduler)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 50 * 1000 * 1000;
    until.tv_sec += until.tv_nsec / (1000 * 1000 * 1000);
    until.tv_nsec %= 1000 * 1000 * 1000;
    while (!scheduler->is_nudged && !scheduler->is_over) {
        if (is_idle(scheduler)) {
            if (scheduler->is_ending)
                break;
            pthread_cond_wait(&scheduler->nudged, &scheduler->mutex);
        } else if (pthread_cond_timedwait(&scheduler->nudged, &scheduler->mutex, &until)) {
            break;
        }
    }
    scheduler->is_nudged = false;
}

static void *run(void *context)
{
    struct scheduler *scheduler = context;
    bool has_run = false;

    pthread_mutex_lock(&scheduler->mutex);
    while (!scheduler->is_over && !(scheduler->is_ending && is_idle(scheduler))) {
        if (!has_run)
            wait_for_work(scheduler);
        pthread_mutex_unlock(&scheduler->mutex);
        has_run = turn(scheduler);
        pthread_mutex_lock(&scheduler->mutex);
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return NULL;
}

/* ---- from outside ---- */

static int check_size(const struct scheduler *scheduler, const struct served_model *model,
                      struct error *err)
{
    size_t limit = scheduler->settings.memory_bytes;

    if (!limit || model->size_bytes <= limit)
        return 0;
    return error_set(err, ERROR_RESOURCES, "the weights of '" ERROR_NAME "' take %zu bytes, "
                     "--max-memory lets all that are loaded take %zu", model->id,
                     model->size_bytes, limit);
}

static int load_all(struct scheduler *scheduler, struct notices *notices, struct error *err)
{
    for (size_t i = 0; i < scheduler->n_lanes; i++)
        if (check_size(scheduler, scheduler->lanes[i].model, err))
            return -1;
    for (size_t i = 0; i < scheduler->n_lanes && !scheduler->settings.memory_bytes; i++) {
        if (served_model_load(scheduler->lanes[i].model, scheduler->threads, notices, err))
            return -1;
        scheduler->lanes[i].counts.is_loaded = true;
    }
    return 0;
}

struct scheduler *scheduler_new(struct served_model *models, size_t n_models,
                                struct threads *threads, const struct scheduler_settings *settings,
                                struct notices *notices, struct error *err)
{
    struct scheduler *scheduler = memory_zalloc(1, sizeof *scheduler);
    pthread_condattr_t attributes;

    scheduler->lanes = memory_zalloc(n_models, sizeof *scheduler->lanes);
    scheduler->n_lanes = n_models;
    scheduler->threads = threads;
    scheduler->settings = *settings;
    scheduler->crowded_out_s = INFINITY;
    pthread_mutex_init(&scheduler->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&scheduler->nudged, &attributes);
    pthread_condattr_destroy(&attributes);
    for (size_t i = 0; i < n_models; i++)
        lane_init(&scheduler->lanes[i], &models[i], &scheduler->mutex);
    if (load_all(scheduler, notices, err)) {
        scheduler_free(scheduler);
        return NULL;
    }
    if (pthread_create(&scheduler->thread, NULL, run, scheduler)) {
        error_set(err, ERROR_RESOURCES, "cannot start a thread");
        scheduler_free(scheduler);
        return NULL;
    }
    scheduler->is_started = true;
    return scheduler;
}

static void nudge(struct scheduler *scheduler)
{
    scheduler->is_nudged = true;
    pthread_cond_signal(&scheduler->nudged);
}

int scheduler_submit(struct scheduler *scheduler, struct job *job, struct refusal *refusal)
{
    const struct scheduler_settings *settings = &scheduler->settings;
    struct lane *lane = scheduler->lanes;
    int rc = -1;

    while (lane->model != job->model)
        lane++;
    pthread_mutex_lock(&scheduler->mutex);
    if (scheduler->is_ending || scheduler->is_over) {
        refusal_set(refusal, 503, NULL, NULL, "the server is ending");
    } else if (lane->n_held >= settings->n_parallel + settings->max_queue) {
        refusal_set(refusal, 429, NULL, NULL, "%zu requests run or wait for '%s', and no more "
                    "can; try again later", lane->n_held, lane->model->id);
    } else {
        lane_add(lane, job);
        nudge(scheduler);
        rc = 0;
    }
    pthread_mutex_unlock(&scheduler->mutex);
    return rc;
}

void scheduler_nudge(struct scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->mutex);
    nudge(scheduler);
    pthread_mutex_unlock(&scheduler->mutex);
}

void scheduler_end(struct scheduler *scheduler, bool at_once)
{
    pthread_mutex_lock(&scheduler->mutex);
    scheduler->is_ending = true;
    scheduler->is_over |= at_once;
    nudge(scheduler);
    pthread_mutex_unlock(&scheduler->mutex);
}

bool scheduler_is_idle(struct scheduler *scheduler)
{
    bool answer;

    pthread_mutex_lock(&scheduler->mutex);
    answer = is_idle(scheduler);
    pthread_mutex_unlock(&scheduler->mutex);
    return answer;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (!scheduler)
        return;
    if (scheduler->is_started) {
        scheduler_end(scheduler, true);
        pthread_join(scheduler->thread, NULL);
    }
    for (size_t i = 0; i < scheduler->n_lanes; i++)
        lane_release(&scheduler->lanes[i]);
    pthread_cond_destroy(&scheduler->nudged);
    pthread_mutex_destroy(&scheduler->mutex);
    free(scheduler->lanes);
    free(scheduler);
}

void scheduler_count(struct scheduler *scheduler, size_t model, struct lane_counts *counts)
{
    const struct lane *lane = &scheduler->lanes[model];

    pthread_mutex_lock(&scheduler->mutex);
    *counts = lane->counts;
    counts->cache_share = scheduler->settings.cache_bytes
                              ? (double)counts->cache_bytes /
                                    (double)scheduler->settings.cache_bytes
                              : 0;
    counts->n_running = lane->n_begun;
    counts->n_waiting = lane->n_held - lane->n_begun;
    pthread_mutex_unlock(&scheduler->mutex);
}
