#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/ranks.h"

struct worker {
    struct threads *pool;
    pthread_t thread;
    size_t index;
};

/* What changes with every job stands in lines of its own, so that who looks at it keeps nobody from
 * taking tasks. */
struct threads {
    size_t n_workers, n_started;
    bool looks; /* before it sleeps */
    struct worker *workers; /* [0] is the calling thread */
    pthread_mutex_t mutex;
    pthread_cond_t job_came, job_done;
    atomic_size_t n_sleeping; /* workers; changed under the mutex, as is */
    atomic_bool caller_sleeps;
    atomic_bool is_ending;

    threads_task *task;
    void *context;
    size_t n_tasks;
    atomic_bool has_failed;
    size_t failed_task; /* under the mutex, as is */
    struct error failure;

    char line_1[64];
    atomic_size_t job_number;
    char line_2[64];
    atomic_size_t gate; /* GATE_OPEN while workers may join the job, and GATE_WORKER for each in it */
    char line_3[64];
    atomic_size_t next_task;
    char line_4[64];
};

enum { GATE_OPEN = 1, GATE_WORKER = 2 };

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

/* ---- waiting ---- */

/* Waking a sleeping thread takes 20 to 50 us, as long as a small matrix product, and those come one
 * after the other: so threads look for what they wait for a little before they go to sleep, and soon
 * let others have the processor who want it. Not where they would keep one another from one. */
enum { LOOK_NS = 100000, LOOK_ALONE_NS = 10000, LOOKS_PER_CLOCK = 16 };

struct look {
    size_t n;
    int64_t start_ns;
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void pause_a_moment(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Whether it is worth looking once more. */
static bool look_again(const struct threads *pool, struct look *look)
{
    int64_t waited_ns;

    if (!pool->looks)
        return false;
    pause_a_moment();
    if (++look->n % LOOKS_PER_CLOCK)
        return true;
    if (!look->start_ns)
        look->start_ns = now_ns();
    waited_ns = now_ns() - look->start_ns;
    if (waited_ns > LOOK_ALONE_NS)
        sched_yield();
    return waited_ns < LOOK_NS;
}

static bool is_waiting(struct threads *pool, size_t seen)
{
    return atomic_load(&pool->job_number) == seen && !atomic_load(&pool->is_ending);
}

/* Both counts that the caller and a worker look at are written before the other's is read, so that
 * one of the two sees it: no job comes unnoticed. */
static void wait_for_job(struct threads *pool, size_t seen)
{
    struct look look = {0};

    while (is_waiting(pool, seen))
        if (!look_again(pool, &look))
            break;
    if (!is_waiting(pool, seen))
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->n_sleeping, 1);
    while (is_waiting(pool, seen))
        pthread_cond_wait(&pool->job_came, &pool->mutex);
    atomic_fetch_sub(&pool->n_sleeping, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void call_workers(struct threads *pool)
{
    atomic_fetch_add(&pool->job_number, 1);
    if (atomic_load(&pool->n_sleeping) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->job_came);
    pthread_mutex_unlock(&pool->mutex);
}

/* Who comes too late is not waited for. */
static bool join_job(struct threads *pool)
{
    size_t gate = atomic_load(&pool->gate);

    while (gate & GATE_OPEN)
        if (atomic_compare_exchange_weak(&pool->gate, &gate, gate + GATE_WORKER))
            return true;
    return false;
}

static void leave_job(struct threads *pool)
{
    if (atomic_fetch_sub(&pool->gate, GATE_WORKER) != GATE_WORKER ||
        !atomic_load(&pool->caller_sleeps))
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->job_done);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_workers(struct threads *pool)
{
    struct look look = {0};

    while (atomic_load(&pool->gate) != 0)
        if (!look_again(pool, &look))
            break;
    if (atomic_load(&pool->gate) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, true);
    while (atomic_load(&pool->gate) != 0)
        pthread_cond_wait(&pool->job_done, &pool->mutex);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->mutex);
}

/* ---- the pool ---- */

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct threads *pool = worker->pool;
    size_t seen = 0;

    for (;;) {
        wait_for_job(pool, seen);
        if (atomic_load(&pool->is_ending))
            return NULL;
        seen = atomic_load(&pool->job_number); /* before joining: none that comes later is missed */
        if (join_job(pool)) {
            work(pool, worker->index);
            leave_job(pool);
        }
    }
}

struct threads *threads_new(size_t n_threads, struct error *err)
{
    struct threads *pool = memory_zalloc(1, sizeof *pool);
    sigset_t all, before;

    pool->n_workers = n_threads;
    pool->looks = n_threads <= threads_available();
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
    atomic_store(&pool->is_ending, true);
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
    bool is_shared = pool->n_workers > 1 && n_tasks > 1;

    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    pool->failure = (struct error){0};
    atomic_store(&pool->next_task, 0);
    atomic_store(&pool->has_failed, false);
    if (is_shared) {
        atomic_store(&pool->gate, GATE_OPEN);
        call_workers(pool);
    }
    work(pool, 0);
    if (is_shared) {
        atomic_fetch_sub(&pool->gate, GATE_OPEN);
        wait_for_workers(pool);
    }
    if (!atomic_load(&pool->has_failed))
        return 0;
    return error_set(err, pool->failure.code, "%s", pool->failure.text);
}

size_t threads_available(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && (size_t)CPU_COUNT(&set) > ranks_beside())
        return (size_t)CPU_COUNT(&set) / ranks_beside();
    return 1;
}
