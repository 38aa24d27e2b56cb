/* ranks_mpi.c - the ranks of MPI. */
#include "ranks.h"

#ifdef COCKTAIL_MPI
#include <mpi.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/ranks_beat.h"
#include "base/ranks_launch.h"

enum { COMPARED_MAX = 200, HOST_MAX = MPI_MAX_PROCESSOR_NAME };
enum { PIECE = 1 << 30 }; /* MPI counts in int */
enum { SPINS = 2000, SLEEP_NS = 200 * 1000 };
/* Rank 0 speaks at once, number i by so much later than the first seconds. */
enum { KILLED_AFTER_S = 3, FIRST_SPEAKS_S = 3, LATER_NS = 50 * 1000 * 1000, LATER_MAX = 19 };

static struct {
    bool is_started;
    size_t number, count, beside;
    size_t told_number, told_count; /* by who has started them, before MPI sets other variables */
    char host[HOST_MAX], label[HOST_MAX + 40];
} ranks = {.count = 1, .beside = 1};

static int check(int rc, struct error *err)
{
    char reason[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (rc == MPI_SUCCESS)
        return 0;
    MPI_Error_string(rc, reason, &length);
    return error_set(err, ERROR_NETWORK, "the ranks cannot talk to one another: %s", reason);
}

/* MPI itself waits without looking at signals, and takes all of a processor for it. */
static int wait_for(MPI_Request *request, struct error *err)
{
    struct timespec pause = {0, SLEEP_NS};
    int is_done = 0;

    for (size_t n = 0; !is_done; n++) {
        if (interrupt_check(err) || check(MPI_Test(request, &is_done, MPI_STATUS_IGNORE), err))
            return -1;
        if (!is_done && n >= SPINS)
            nanosleep(&pause, NULL);
        else if (!is_done)
            sched_yield();
    }
    return 0;
}

/* ---- start and end ---- */

/* Whether two ranks of one host have a processor in common. */
static bool overlap(const cpu_set_t *a, const cpu_set_t *b)
{
    cpu_set_t both;

    CPU_AND(&both, a, b);
    return CPU_COUNT(&both) > 0;
}

static int find_beside(struct error *err)
{
    MPI_Comm node;
    cpu_set_t own, *all;
    int n = 1, rc;

    CPU_ZERO(&own);
    sched_getaffinity(0, sizeof own, &own);
    if (check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
              err))
        return -1;
    MPI_Comm_size(node, &n);
    all = memory_zalloc((size_t)n, sizeof *all);
    rc = check(MPI_Allgather(&own, sizeof own, MPI_BYTE, all, sizeof own, MPI_BYTE, node), err);
    ranks.beside = 0;
    for (int i = 0; i < n; i++)
        ranks.beside += overlap(&own, &all[i]);
    if (ranks.beside == 0)
        ranks.beside = 1;
    free(all);
    MPI_Comm_free(&node);
    return rc;
}

/* Started by a stranger, MPI takes each rank for the only one; all would write the same files. */
static int check_alone(struct error *err)
{
    if (ranks.told_count == 1)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "started as one of %zu ranks, of which this MPI finds one; "
                     "is mpirun that of another MPI, or was srun called without --mpi=pmix?",
                     ranks.told_count);
}

int ranks_start(struct error *err)
{
    int level, number, count, length;

    if (!ranks_launch_is_known())
        return 0; /* nobody has started others; MPI alone would take a tenth of a second */
    ranks.told_number = ranks_launch_number();
    ranks.told_count = ranks_launch_count();
    if (check(MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level), err))
        return -1;
    interrupt_install(); /* MPI has handlers of its own */
    ranks.is_started = true;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &number);
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    MPI_Get_processor_name(ranks.host, &length);
    ranks.number = (size_t)number;
    ranks.count = (size_t)count;
    if (ranks.count > 1)
        snprintf(ranks.label, sizeof ranks.label, "rank %d on %s: ", number, ranks.host);
    if (find_beside(err))
        return -1;
    if (ranks.count == 1)
        return check_alone(err);
    if (level < MPI_THREAD_MULTIPLE)
        return error_set(err, ERROR_UNSUPPORTED, "this MPI cannot be used by several threads");
    return ranks_beat_start(err);
}

/* Where the signal is mpirun's, which ends the ranks because of another one, it kills them a second
 * later. Those that call for the end of all meanwhile make it say so, or read memory that it has
 * freed (Open MPI 4). */
static void wait_for_the_end(void)
{
    static const struct timespec pause = {KILLED_AFTER_S, 0};
    struct error err = {0};

    if (interrupt_check(&err))
        nanosleep(&pause, NULL);
}

void ranks_end(int status)
{
    struct error err = {0};

    if (!ranks.is_started)
        return;
    if (ranks.count > 1) {
        if (status || ranks_meet(&err)) {
            wait_for_the_end();
            ranks_beat_abort(status ? status : (int)err.code);
        }
        ranks_beat_stop();
    }
    MPI_Finalize();
}

size_t ranks_count(void)
{
    return ranks.count;
}

size_t ranks_number(void)
{
    return ranks.number;
}

size_t ranks_beside(void)
{
    return ranks.beside;
}

double ranks_limit_s(void)
{
    return ranks.count > 1 ? ranks_beat_limit_s() : 0;
}

const char *ranks_label(void)
{
    return ranks.label;
}

/* The first of those that find something else wrong, too. */
bool ranks_may_speak(void)
{
    size_t number = ranks.count > 1 ? ranks.number : ranks.told_number;
    struct timespec pause = {FIRST_SPEAKS_S, 0};

    pause.tv_nsec = (number < LATER_MAX ? (long)number : LATER_MAX) * LATER_NS;
    return number == 0 || nanosleep(&pause, NULL) == 0;
}

/* ---- together ---- */

int ranks_meet(struct error *err)
{
    MPI_Request request;

    if (ranks.count == 1)
        return 0;
    return check(MPI_Ibarrier(MPI_COMM_WORLD, &request), err) || wait_for(&request, err) ? -1 : 0;
}

/* Bytes of the piece that begins there. */
static int piece_at(size_t done, size_t n)
{
    return n - done < PIECE ? (int)(n - done) : PIECE;
}

int ranks_tell(void *bytes, size_t n, struct error *err)
{
    for (size_t done = 0; ranks.count > 1 && done < n; done += PIECE) {
        MPI_Request request;

        if (check(MPI_Ibcast((char *)bytes + done, piece_at(done, n), MPI_BYTE, 0, MPI_COMM_WORLD,
                             &request), err) ||
            wait_for(&request, err))
            return -1;
    }
    return 0;
}

static int reduce(size_t *values, size_t n, MPI_Op operation, struct error *err)
{
    uint64_t *sent;
    MPI_Request request;
    int rc;

    if (ranks.count == 1)
        return 0;
    sent = memory_zalloc(n, 2 * sizeof *sent);
    for (size_t i = 0; i < n; i++)
        sent[i] = values[i];
    rc = check(MPI_Iallreduce(sent, sent + n, (int)n, MPI_UINT64_T, operation, MPI_COMM_WORLD,
                              &request), err) ||
                 wait_for(&request, err)
             ? -1
             : 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        values[i] = (size_t)sent[n + i];
    if (rc == 0) /* else MPI may still write there */
        free(sent);
    return rc;
}

int ranks_add(size_t *values, size_t n, struct error *err)
{
    return reduce(values, n, MPI_SUM, err);
}

int ranks_least(size_t *values, size_t n, struct error *err)
{
    return reduce(values, n, MPI_MIN, err);
}

int ranks_join(void *bytes, size_t n, struct error *err)
{
    for (size_t done = 0; ranks.count > 1 && done < n; done += PIECE) {
        MPI_Request request;

        if (check(MPI_Iallreduce(MPI_IN_PLACE, (char *)bytes + done, piece_at(done, n), MPI_BYTE,
                                 MPI_BOR, MPI_COMM_WORLD, &request), err) ||
            wait_for(&request, err))
            return -1;
    }
    return 0;
}

struct compared {
    char text[COMPARED_MAX], host[HOST_MAX];
};

int ranks_compare(const char *what, const char *text, struct error *err)
{
    struct compared own = {{0}, {0}}, *all;
    MPI_Request request;
    int rc;

    if (ranks.count == 1)
        return 0;
    snprintf(own.text, sizeof own.text, "%s", text);
    snprintf(own.host, sizeof own.host, "%s", ranks.host);
    all = memory_zalloc(ranks.count, sizeof *all);
    rc = check(MPI_Iallgather(&own, sizeof own, MPI_BYTE, all, sizeof own, MPI_BYTE,
                              MPI_COMM_WORLD, &request), err) ||
         wait_for(&request, err);
    for (size_t i = 1; i < ranks.count && rc == 0; i++)
        if (strcmp(all[i].text, all[0].text) != 0)
            rc = error_set(err, ERROR_INCOMPATIBLE, "rank %zu on %s has another %s than rank 0 on "
                           "%s: %s and not %s", i, all[i].host, what, all[0].host, all[i].text,
                           all[0].text);
    if (rc == 0)
        free(all);
    return rc ? -1 : 0;
}

/* ---- one with another ---- */

int ranks_send(size_t rank, const void *bytes, size_t n, struct error *err)
{
    for (size_t done = 0; done < n; done += PIECE) {
        MPI_Request request;

        if (check(MPI_Isend((const char *)bytes + done, piece_at(done, n), MPI_BYTE, (int)rank, 0,
                            MPI_COMM_WORLD, &request), err) ||
            wait_for(&request, err))
            return -1;
    }
    return 0;
}

int ranks_receive(size_t rank, void *bytes, size_t n, struct error *err)
{
    for (size_t done = 0; done < n; done += PIECE) {
        MPI_Request request;

        if (check(MPI_Irecv((char *)bytes + done, piece_at(done, n), MPI_BYTE, (int)rank, 0,
                            MPI_COMM_WORLD, &request), err) ||
            wait_for(&request, err))
            return -1;
    }
    return 0;
}

/* Rank 0 takes one after another: what waits, waits where it is. */
int ranks_gather(const void *bytes, size_t n, struct buffer *all, struct error *err)
{
    if (ranks.number)
        return ranks_send(0, &n, sizeof n, err) || ranks_send(0, bytes, n, err) ? -1 : 0;
    buffer_add(all, bytes, n);
    for (size_t r = 1; r < ranks.count; r++) {
        char *theirs;
        int rc;

        if (ranks_receive(r, &n, sizeof n, err))
            return -1;
        theirs = memory_try(n, 1, "what the ranks have found", err);
        if (!theirs)
            return -1;
        rc = ranks_receive(r, theirs, n, err);
        buffer_add(all, theirs, rc == 0 ? n : 0);
        free(theirs);
        if (rc)
            return -1;
    }
    return 0;
}

struct transfers { /* that have been started */
    MPI_Request *requests;
    size_t n;
};

static int start(struct transfers *transfers, int peer, const struct ranks_parcel *parcel,
                 struct error *err)
{
    for (size_t done = 0; done < parcel->n_in; done += PIECE)
        if (check(MPI_Irecv((char *)parcel->in + done, piece_at(done, parcel->n_in), MPI_BYTE, peer,
                            0, MPI_COMM_WORLD, &transfers->requests[transfers->n++]), err))
            return -1;
    for (size_t done = 0; done < parcel->n_out; done += PIECE)
        if (check(MPI_Isend((const char *)parcel->out + done, piece_at(done, parcel->n_out),
                            MPI_BYTE, peer, 0, MPI_COMM_WORLD,
                            &transfers->requests[transfers->n++]), err))
            return -1;
    return 0;
}

int ranks_exchange(size_t first, size_t n, const struct ranks_parcel *parcels, struct error *err)
{
    struct transfers transfers = {0};
    size_t n_pieces = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        n_pieces += parcels[i].n_in / PIECE + parcels[i].n_out / PIECE + 2;
    transfers.requests = memory_zalloc(n_pieces, sizeof *transfers.requests);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (first + i != ranks.number)
            rc = start(&transfers, (int)(first + i), &parcels[i], err);
        else if (parcels[i].n_out)
            memmove(parcels[i].in, parcels[i].out, parcels[i].n_out);
    for (size_t i = 0; i < transfers.n && rc == 0; i++)
        rc = wait_for(&transfers.requests[i], err);
    free(transfers.requests);
    return rc ? -1 : 0;
}
#endif
