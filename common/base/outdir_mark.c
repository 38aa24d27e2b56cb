#include "outdir_mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/ranks.h"

enum { SIGNS_PER_LIMIT = 4, LOOKS_PER_SIGN = 4, LIMIT_MAX_S = 86400 };

static const char extension[] = ".ranks";

struct outdir_mark {
    char *path;
    int fd;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t end_came;
    bool is_ending, has_thread; /* is_ending: under the mutex */
};

/* ---- who writes ---- */

static void *keep_fresh(void *context)
{
    struct outdir_mark *mark = context;
    double pause = ranks_limit_s() / SIGNS_PER_LIMIT;

    pthread_mutex_lock(&mark->mutex);
    while (!mark->is_ending) {
        struct timespec until = clock_moment_in(pause);

        if (pthread_cond_timedwait(&mark->end_came, &mark->mutex, &until) == ETIMEDOUT)
            futimens(mark->fd, NULL);
    }
    pthread_mutex_unlock(&mark->mutex);
    return NULL;
}

static int start(struct outdir_mark *mark, struct error *err)
{
    sigset_t all, before;
    int rc;

    if (ranks_limit_s() == 0) /* nobody gives up */
        return 0;
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&mark->thread, NULL, keep_fresh, mark);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return error_set(err, ERROR_RESOURCES, "cannot start a thread: %s", strerror(rc));
    mark->has_thread = true;
    return 0;
}

static int write_text(const struct outdir_mark *mark, struct error *err)
{
    char host[OUTDIR_HOST_MAX] = "", text[OUTDIR_HOST_MAX + 40];
    int n;

    gethostname(host, sizeof host - 1);
    n = snprintf(text, sizeof text, "%.0f %s\n", ranks_limit_s(), host);
    return write(mark->fd, text, (size_t)n) == n
               ? 0
               : error_errno(err, "cannot write '%s'", mark->path);
}

struct outdir_mark *outdir_mark_new(const char *path, struct error *err)
{
    struct outdir_mark *mark = memory_zalloc(1, sizeof *mark);

    mark->path = memory_format("%s%s", path, extension);
    pthread_mutex_init(&mark->mutex, NULL);
    pthread_cond_init(&mark->end_came, NULL);
    mark->fd = open(mark->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (mark->fd < 0)
        error_errno(err, "cannot create '%s'", mark->path);
    else if (write_text(mark, err) == 0 && start(mark, err) == 0)
        return mark;
    outdir_mark_free(mark, true);
    return NULL;
}

void outdir_mark_free(struct outdir_mark *mark, bool is_ours)
{
    if (!mark)
        return;
    pthread_mutex_lock(&mark->mutex);
    mark->is_ending = true;
    pthread_cond_signal(&mark->end_came);
    pthread_mutex_unlock(&mark->mutex);
    if (mark->has_thread)
        pthread_join(mark->thread, NULL);
    if (is_ours && mark->fd >= 0)
        unlink(mark->path);
    if (mark->fd >= 0)
        close(mark->fd);
    pthread_cond_destroy(&mark->end_came);
    pthread_mutex_destroy(&mark->mutex);
    free(mark->path);
    free(mark);
}

/* ---- who comes later ---- */

/* The path of the mark, or NULL. */
static char *find_mark(const char *directory)
{
    DIR *list = opendir(directory);
    struct dirent *entry;
    char *path = NULL;

    while (list && !path && (entry = readdir(list))) {
        size_t n = strlen(entry->d_name), end = sizeof extension - 1;

        if (n > end && strcmp(entry->d_name + n - end, extension) == 0)
            path = memory_format("%s/%s", directory, entry->d_name);
    }
    if (list)
        closedir(list);
    return path;
}

struct sign { /* of life */
    struct timespec time;
    long limit_s;
    char host[OUTDIR_HOST_MAX];
};

/* Opened anew each time: network file systems then ask the server. A pipe under this name must not keep
 * us waiting. Whether it can be read. */
static bool read_sign(const char *path, struct sign *sign)
{
    char text[OUTDIR_HOST_MAX + 40], *end;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    struct stat info;
    bool is_read = n > 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);

    if (fd >= 0)
        close(fd);
    if (!is_read)
        return false;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    sign->time = info.st_mtim;
    sign->limit_s = strtol(text, &end, 10);
    snprintf(sign->host, sizeof sign->host, "%s", end + (*end == ' '));
    return end != text && sign->limit_s > 0 && sign->limit_s <= LIMIT_MAX_S;
}

static bool is_later(const struct sign *sign, const struct sign *before)
{
    return sign->time.tv_sec != before->time.tv_sec || sign->time.tv_nsec != before->time.tv_nsec;
}

static enum outdir_state wait_for_sign(const char *path, int fd, char *host, struct error *err)
{
    struct sign first, sign;
    double start = clock_now_s();
    struct timespec pause;

    if (!read_sign(path, &first))
        return OUTDIR_BUSY;
    memcpy(host, first.host, OUTDIR_HOST_MAX);
    pause = clock_span((double)first.limit_s / (SIGNS_PER_LIMIT * LOOKS_PER_SIGN));
    while (clock_now_s() - start <= (double)first.limit_s) {
        nanosleep(&pause, NULL);
        if (interrupt_check(err))
            return OUTDIR_FAILED;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return OUTDIR_FREE;
        if (!read_sign(path, &sign) || is_later(&sign, &first))
            return OUTDIR_BUSY;
    }
    return unlink(path) == 0 ? OUTDIR_LEFT : OUTDIR_BUSY;
}

enum outdir_state outdir_mark_look(const char *directory, int fd, char host[OUTDIR_HOST_MAX],
                                   struct error *err)
{
    char *path = find_mark(directory);
    enum outdir_state state = path ? wait_for_sign(path, fd, host, err) : OUTDIR_BUSY;

    free(path);
    return state;
}
