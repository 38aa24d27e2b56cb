#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct worker {
    struct threads *pool;
    pthread_t thread;
    size_t index;
};

struct threads {
    size_t n_workers, n_started, n_spins;
    struct worker *workers; /* [0] is the calling thread */
    pthread_mutex_t mutex;
    pthread_cond_t job_came, job_done;
    atomic_size_t job_number, n_busy; /* changed under the mutex */
    bool is_open; /* workers may join the job; who wakes up too late is not waited for */
    bool is_ending;

    threads_task *task;
    void *context;
    size_t n_tasks;
    atomic_size_t next_task;
    atomic_bool has_failed;
    size_t failed_task;   /* under the mutex, as is */
    struct error failure;
};

static void work(struct threads *pool, size_t worker)
{
    size_t task;

    while (!atomic_load(&pool->has_failed) &&
           (task = atomic_fetch_add(&pool->next_task, 1)) < pool->n_tasks) {
        struct error err = {0};

        if (pool->task(pool->context, task, worker, &err) == 0)
            continue;
        pthread_mutex_lock(&pool->mutex);
        if (!atomic_load(&pool->has_failed) || task < pool->failed_task) {
            pool->failed_task = task;
            pool->failure = err;
        }
        atomic_store(&pool->has_failed, true);
        pthread_mutex_unlock(&pool->mutex);
    }
}

/* Waking a sleeping thread takes 20 to 50 us, as long as a small matrix product, and those come one
 * after the other: so threads look for what they wait for a little before they go to sleep. Not
 * where they would keep one another from a processor. */
enum { N_SPINS = 1500 }; /* of 5 to 40 ns each */

static void pause_a_moment(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void spin_for_job(struct threads *pool, size_t seen)
{
    for (size_t i = 0; i < pool->n_spins && atomic_load(&pool->job_number) == seen; i++)
        pause_a_moment();
}

static void spin_until_done(struct threads *pool)
{
    for (size_t i = 0; i < pool->n_spins && atomic_load(&pool->n_busy) > 0; i++)
        pause_a_moment();
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct threads *pool = worker->pool;
    size_t seen = 0;

    for (;;) {
        spin_for_job(pool, seen);
        pthread_mutex_lock(&pool->mutex);
        while (!pool->is_ending && pool->job_number == seen)
            pthread_cond_wait(&pool->job_came, &pool->mutex);
        if (pool->is_ending)
            break;
        seen = pool->job_number;
        if (pool->is_open) {
            pool->n_busy++;
            pthread_mutex_unlock(&pool->mutex);
            work(pool, worker->index);
            pthread_mutex_lock(&pool->mutex);
            if (--pool->n_busy == 0)
                pthread_cond_signal(&pool->job_done);
        }
        pthread_mutex_unlock(&pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

struct threads *threads_new(size_t n_threads, struct error *err)
{
    struct threads *pool = memory_zalloc(1, sizeof *pool);
    sigset_t all, before;

    pool->n_workers = n_threads;
    pool->n_spins = n_threads <= threads_available() ? N_SPINS : 0;
    pool->workers = memory_zalloc(n_threads, sizeof *pool->workers);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->job_came, NULL);
    pthread_cond_init(&pool->job_done, NULL);
    /* Signals are for the main thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pool->n_started = 1; pool->n_started < n_threads; pool->n_started++) {
        struct worker *worker = &pool->workers[pool->n_started];

        *worker = (struct worker){.pool = pool, .index = pool->n_started};
        if (pthread_create(&worker->thread, NULL, worker_main, worker)) {
            error_set(err, ERROR_RESOURCES, "cannot start thread %zu of %zu; use fewer with "
                      "--threads", pool->n_started + 1, n_threads);
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pool->n_started < n_threads) {
        threads_free(pool);
        return NULL;
    }
    return pool;
}

void threads_free(struct threads *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->is_ending = true;
    pthread_cond_broadcast(&pool->job_came);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 1; i < pool->n_started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->job_came);
    pthread_cond_destroy(&pool->job_done);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool);
}

size_t threads_count(const struct threads *pool)
{
    return pool->n_workers;
}

int threads_run(struct threads *pool, size_t n_tasks, threads_task *task, void *context,
                struct error *err)
{
    pthread_mutex_lock(&pool->mutex);
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    atomic_store(&pool->next_task, 0);
    atomic_store(&pool->has_failed, false);
    pool->failure = (struct error){0};
    pool->is_open = true;
    pool->job_number++;
    pthread_cond_broadcast(&pool->job_came);
    pthread_mutex_unlock(&pool->mutex);

    work(pool, 0);
    pthread_mutex_lock(&pool->mutex);
    pool->is_open = false;
    pthread_mutex_unlock(&pool->mutex);
    spin_until_done(pool);
    pthread_mutex_lock(&pool->mutex);
    while (pool->n_busy > 0)
        pthread_cond_wait(&pool->job_done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    if (!atomic_load(&pool->has_failed))
        return 0;
    return error_set(err, pool->failure.code, "%s", pool->failure.text);
}

size_t threads_available(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (size_t)CPU_COUNT(&set);
    return 1;
}
