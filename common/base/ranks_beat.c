#include "ranks_beat.h"

#ifdef COCKTAIL_MPI
#include <mpi.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/ranks.h"

enum { LIMIT_S = 10, LIMIT_MAX_S = 86400, BEATS_PER_LIMIT = 4, LAST_WORDS_S = 2 };
/* Rank 0 ends first, and mpirun the others: it does not come to its own end when some leave
 * MPI_Finalize at once (PMIx 4.2). */
enum { LATER_S = 2 };
enum { BEAT, GOODBYE };

static struct {
    bool is_started;
    pthread_t thread;
    MPI_Comm comm; /* of its own: nothing that others send comes in between */
    double limit;
    char (*hosts)[MPI_MAX_PROCESSOR_NAME];
    pthread_mutex_t mutex;
    pthread_cond_t end_came;
    bool is_ending; /* under the mutex */
} beat = {.mutex = PTHREAD_MUTEX_INITIALIZER, .end_came = PTHREAD_COND_INITIALIZER};

/* Rank 0's counts: whoever starts ranks may hand its variables to those of its own host alone. */
static int read_limit(struct error *err)
{
    const char *text = getenv("COCKTAIL_RANK_TIMEOUT");
    char *end;
    long value;

    beat.limit = LIMIT_S;
    if (!text || !*text)
        return 0;
    value = strtol(text, &end, 10);
    if (*end || value < 0 || value > LIMIT_MAX_S)
        return error_set(err, ERROR_USAGE, "COCKTAIL_RANK_TIMEOUT is '" ERROR_NAME "'; it takes "
                         "whole seconds from 1 to %d, or 0 to wait for ever", text, LIMIT_MAX_S);
    beat.limit = (double)value;
    return 0;
}

/* Sleeps, unless the end comes. Whether it has come. */
static bool nap(double seconds)
{
    struct timespec until = clock_moment_in(seconds);
    bool is_ending;

    pthread_mutex_lock(&beat.mutex);
    while (!beat.is_ending && pthread_cond_timedwait(&beat.end_came, &beat.mutex, &until) == 0)
        ;
    is_ending = beat.is_ending;
    pthread_mutex_unlock(&beat.mutex);
    return is_ending;
}

static volatile sig_atomic_t last_status;
static char last_words[MPI_MAX_PROCESSOR_NAME + 200];

static void end_at_last(int signal)
{
    (void)signal;
    if (write(STDERR_FILENO, last_words, strlen(last_words)) < 0)
        last_status = ERROR_NETWORK;
    _exit(last_status);
}

/* MPI may want to tell the host that is not there, or wait for a process that is stopped. */
static void end_within(unsigned seconds, int status)
{
    sigset_t set;

    last_status = status;
    signal(SIGALRM, end_at_last);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    alarm(seconds);
}

void ranks_beat_abort(int status)
{
    static atomic_flag is_underway = ATOMIC_FLAG_INIT;

    while (atomic_flag_test_and_set(&is_underway)) /* by the other thread, whose reason came first */
        pause();
    end_within(LAST_WORDS_S, status);
    MPI_Abort(MPI_COMM_WORLD, status);
    _exit(status);
}

static void give_up(size_t from, double silence)
{
    fprintf(stderr, "cocktail: %snothing was heard from rank %zu on %s for %.0f s "
            "(COCKTAIL_RANK_TIMEOUT): its host is cut off, or the process is stopped\n",
            ranks_label(), from, beat.hosts[from], silence);
    ranks_beat_abort(ERROR_NETWORK);
}

/* Takes what has come; *is_over when it was the last. Whether anything has come. */
static bool listen_to(int from, bool *is_over)
{
    bool has_come = false;
    MPI_Status status;
    int is_there = 0;

    while (MPI_Iprobe(from, MPI_ANY_TAG, beat.comm, &is_there, &status) == MPI_SUCCESS &&
           is_there) {
        MPI_Recv(NULL, 0, MPI_BYTE, from, status.MPI_TAG, beat.comm, MPI_STATUS_IGNORE);
        *is_over |= status.MPI_TAG == GOODBYE;
        has_come = true;
    }
    return has_come;
}

/* What could not be sent yet is not followed by more. Whether it was sent. */
static bool send_to(int to, int tag, MPI_Request *request)
{
    int is_free = 0;

    return MPI_Test(request, &is_free, MPI_STATUS_IGNORE) == MPI_SUCCESS && is_free &&
           MPI_Isend(NULL, 0, MPI_BYTE, to, tag, beat.comm, request) == MPI_SUCCESS;
}

static void *watch(void *unused)
{
    static const struct timespec moment = {0, 200 * 1000};
    int n = (int)ranks_count(), own = (int)ranks_number();
    int from = (own + n - 1) % n, to = (own + 1) % n;
    double pause = beat.limit / BEATS_PER_LIMIT, heard = clock_now_s();
    MPI_Request request = MPI_REQUEST_NULL;
    bool is_ending = false, is_over = false, has_left = false;

    while (!is_over || !has_left) {
        double before = clock_now_s(), now;

        if (!is_ending)
            send_to(to, BEAT, &request);
        else if (!has_left)
            has_left = send_to(to, GOODBYE, &request);
        if (is_ending)
            nanosleep(&moment, NULL);
        else
            is_ending = nap(pause);
        now = clock_now_s();
        if (listen_to(from, &is_over) || now - before > 2 * pause) /* or was stopped itself */
            heard = now;
        else if (!is_over && now - heard > beat.limit)
            give_up((size_t)from, now - heard);
    }
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    return unused;
}

double ranks_beat_limit_s(void)
{
    return beat.limit;
}

int ranks_beat_start(struct error *err)
{
    char own[MPI_MAX_PROCESSOR_NAME] = "";
    sigset_t all, before;
    int length, rc;

    if (ranks_number() == 0 && read_limit(err))
        return -1;
    MPI_Bcast(&beat.limit, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    if (beat.limit == 0)
        return 0;
    beat.hosts = memory_zalloc(ranks_count(), sizeof *beat.hosts);
    MPI_Get_processor_name(own, &length);
    MPI_Allgather(own, sizeof own, MPI_CHAR, beat.hosts, sizeof own, MPI_CHAR, MPI_COMM_WORLD);
    MPI_Comm_dup(MPI_COMM_WORLD, &beat.comm);
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&beat.thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return error_set(err, ERROR_RESOURCES, "cannot start a thread: %s", strerror(rc));
    beat.is_started = true;
    return 0;
}

void ranks_beat_stop(void)
{
    if (!beat.is_started)
        return;
    pthread_mutex_lock(&beat.mutex);
    beat.is_ending = true;
    pthread_cond_signal(&beat.end_came);
    pthread_mutex_unlock(&beat.mutex);
    pthread_join(beat.thread, NULL);
    MPI_Comm_free(&beat.comm);
    free(beat.hosts);
    snprintf(last_words, sizeof last_words, "cocktail: %sall is done, but the other ranks do not end "
             "for %.0f s (COCKTAIL_RANK_TIMEOUT)\n", ranks_label(), beat.limit);
    end_within((unsigned)beat.limit + (ranks_number() ? LATER_S : 0), ERROR_NETWORK);
}
#endif
