#include "base/threads.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "test.h"

enum { N_TASKS = 5000, N_THREADS_MAX = 16 };

struct job {
    atomic_uint runs[N_TASKS];
    atomic_size_t n_bad_workers;
    size_t n_threads;
    size_t fails_from, fails_every; /* tasks that fail; 0 = none */
    atomic_size_t n_started;
};

static int run_task(void *context, size_t task, size_t worker, struct error *err)
{
    struct job *job = context;

    atomic_fetch_add(&job->runs[task], 1);
    atomic_fetch_add(&job->n_started, 1);
    if (worker >= job->n_threads)
        atomic_fetch_add(&job->n_bad_workers, 1);
    if (task % 64 == 0)
        sched_yield();
    if (job->fails_every && task >= job->fails_from &&
        (task - job->fails_from) % job->fails_every == 0)
        return error_set(err, ERROR_IO, "task %zu", task);
    return 0;
}

static void every_task_runs_once_with_1_to_16_threads(void)
{
    for (size_t n = 1; n <= N_THREADS_MAX; n++) {
        struct error err = {0};
        struct threads *threads = threads_new(n, &err);
        static struct job job;
        size_t n_wrong = 0;

        CHECK(threads && threads_count(threads) == n);
        if (!threads)
            continue;
        job = (struct job){.n_threads = n};
        CHECK(threads_run(threads, N_TASKS, run_task, &job, &err) == 0);
        for (size_t i = 0; i < N_TASKS; i++)
            n_wrong += job.runs[i] != 1;
        CHECK(n_wrong == 0);
        CHECK(job.n_bad_workers == 0);
        threads_free(threads);
    }
}

static void the_error_of_the_lowest_failing_task_is_returned(void)
{
    for (size_t n = 1; n <= N_THREADS_MAX; n++) {
        struct error err = {0};
        struct threads *threads = threads_new(n, &err);
        static struct job job;

        for (size_t round = 0; threads && round < 50; round++) {
            err = (struct error){0};
            job = (struct job){.n_threads = n, .fails_from = 37, .fails_every = 1};
            CHECK(threads_run(threads, N_TASKS, run_task, &job, &err) == -1);
            CHECK(err.code == ERROR_IO);
            CHECK(strcmp(err.text, "task 37") == 0);
        }
        threads_free(threads);
    }
}

static void after_a_failure_no_further_task_starts(void)
{
    struct error err = {0};
    struct threads *threads = threads_new(4, &err);
    static struct job job;

    if (!threads)
        return;
    job = (struct job){.n_threads = 4, .fails_from = 10, .fails_every = 1};
    CHECK(threads_run(threads, N_TASKS, run_task, &job, &err) == -1);
    /* Those before it, itself, and at most one more in each other thread. */
    CHECK(job.n_started >= 11 && job.n_started <= 11 + 3);
    threads_free(threads);
}

static void a_pool_serves_many_jobs_also_after_a_failed_one(void)
{
    struct error err = {0};
    struct threads *threads = threads_new(3, &err);
    static struct job job;
    size_t n_wrong = 0;

    if (!threads)
        return;
    job = (struct job){.n_threads = 3, .fails_from = 0, .fails_every = 1};
    CHECK(threads_run(threads, 100, run_task, &job, &err) == -1);
    CHECK(strcmp(err.text, "task 0") == 0);
    err = (struct error){0};
    for (size_t round = 1; round <= 500; round++) {
        size_t n_tasks = round % 7; /* none at all, too */

        job = (struct job){.n_threads = 3};
        n_wrong += threads_run(threads, n_tasks, run_task, &job, &err) != 0;
        n_wrong += job.n_started != n_tasks;
    }
    CHECK(n_wrong == 0);
    threads_free(threads);
    threads_free(NULL);
}

static int mark_task(void *context, size_t task, size_t worker, struct error *err)
{
    (void)worker;
    (void)err;
    ((unsigned char *)context)[task]++;
    return 0;
}

/* Of one job after the other, as products of a model come; after each of some, workers have time to
 * fall asleep. */
static void no_job_is_missed_and_none_begins_before_the_last_has_ended(void)
{
    static const size_t n_threads[] = {2, 3, 8};
    static const struct timespec nap = {0, 300000};

    for (size_t i = 0; i < 3; i++) {
        struct error err = {0};
        struct threads *threads = threads_new(n_threads[i], &err);
        size_t n_wrong = 0;

        for (size_t round = 0; threads && round < 20000; round++) {
            unsigned char marks[9] = {0}; /* of this round: gone when it ends */
            size_t n_tasks = 1 + round % 9;

            n_wrong += threads_run(threads, n_tasks, mark_task, marks, &err) != 0;
            for (size_t task = 0; task < 9; task++)
                n_wrong += marks[task] != (task < n_tasks);
            if (round % 100 == 0)
                nanosleep(&nap, NULL);
        }
        CHECK(threads && n_wrong == 0);
        threads_free(threads);
    }
}

static void there_is_a_processor(void)
{
    CHECK(threads_available() >= 1);
}

TESTS(TEST(every_task_runs_once_with_1_to_16_threads),
      TEST(the_error_of_the_lowest_failing_task_is_returned),
      TEST(after_a_failure_no_further_task_starts),
      TEST(a_pool_serves_many_jobs_also_after_a_failed_one),
      TEST(no_job_is_missed_and_none_begins_before_the_last_has_ended),
      TEST(there_is_a_processor))
