/* hang_mpi.c - an MPI that does not come back from its end.
 *
 * Preloaded into the program (LD_PRELOAD) by scripts of tests/cli/. HANG names the function, which then
 * sleeps: MPI_Finalize or MPI_Abort. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void hang(const char *function)
{
    const char *which = getenv("HANG");

    while (which && strcmp(which, function) == 0)
        sleep(1000);
}

int MPI_Finalize(void)
{
    int (*next)(void);

    hang("MPI_Finalize");
    *(void **)&next = dlsym(RTLD_NEXT, "MPI_Finalize");
    return next();
}

int MPI_Abort(void *communicator, int status)
{
    int (*next)(void *, int);

    hang("MPI_Abort");
    *(void **)&next = dlsym(RTLD_NEXT, "MPI_Abort");
    return next(communicator, status);
}
