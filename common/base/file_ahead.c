#include "file_ahead.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The kernel heeds no more of one advice than it would read ahead at a time. */
enum { STEP = 128 * 1024 };

struct file_ahead {
    struct file **files; /* [n_files] */
    size_t n_files, limit_bytes;
    atomic_bool is_ending;
    pthread_t thread;
};

/* Free, and what the page cache would give back; SIZE_MAX where the system does not say. */
static size_t available_bytes(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    size_t n_bytes = SIZE_MAX;
    unsigned long long kilobytes;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1) {
            n_bytes = (size_t)kilobytes * 1024;
            break;
        }
    if (file)
        fclose(file);
    return n_bytes;
}

static void *fetch(void *argument)
{
    struct file_ahead *ahead = argument;
    size_t left = ahead->limit_bytes;

    for (size_t i = 0; i < ahead->n_files; i++) {
        const struct file *file = ahead->files[i];

        for (size_t at = 0; at < file->size_bytes && file->fd >= 0; at += STEP) {
            size_t n = file->size_bytes - at < STEP ? file->size_bytes - at : STEP;

            if (atomic_load(&ahead->is_ending) || n > left ||
                posix_fadvise(file->fd, (off_t)at, (off_t)n, POSIX_FADV_WILLNEED))
                return NULL;
            left -= n;
        }
    }
    return NULL;
}

struct file_ahead *file_ahead_start(struct file *const *files, size_t n, size_t limit_bytes)
{
    struct file_ahead *ahead = memory_zalloc(1, sizeof *ahead);
    size_t available = available_bytes() / 2;
    sigset_t all, before;
    int rc;

    ahead->files = memory_zalloc(n, sizeof *ahead->files);
    memcpy(ahead->files, files, n * sizeof *files);
    ahead->n_files = n;
    ahead->limit_bytes = limit_bytes < available ? limit_bytes : available;
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&ahead->thread, NULL, fetch, ahead);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return ahead;
    free(ahead->files);
    free(ahead);
    return NULL;
}

void file_ahead_end(struct file_ahead *ahead)
{
    if (!ahead)
        return;
    atomic_store(&ahead->is_ending, true);
    pthread_join(ahead->thread, NULL);
    free(ahead->files);
    free(ahead);
}
