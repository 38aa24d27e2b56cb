/* threads.h - one pool, work split by index.
 *
 * A job is a number of tasks; which thread runs a task must not matter for its result, so that
 * one recipe gives the same bytes on 1 and 64 threads. */
#ifndef COCKTAIL_THREADS_H
#define COCKTAIL_THREADS_H

#include <stddef.h>

#include "base/error.h"

struct threads;

/* One task. `worker` < threads_count() says whose scratch memory may be used. */
typedef int threads_task(void *context, size_t task, size_t worker, struct error *err);

/* A pool of n_threads (at least 1; the calling thread is one of them), or NULL with
 * ERROR_RESOURCES. Freed with threads_free. */
struct threads *threads_new(size_t n_threads, struct error *err);
void threads_free(struct threads *threads);
size_t threads_count(const struct threads *threads);

/* Runs tasks 0 … n_tasks-1, handed out in order, and returns when none is running any more. After a
 * task has failed no further one starts; of several errors that of the lowest task is returned. */
int threads_run(struct threads *threads, size_t n_tasks, threads_task *task, void *context,
                struct error *err);

/* The processors that this process may use: its share, where several ranks have the same ones. */
size_t threads_available(void);

#endif
