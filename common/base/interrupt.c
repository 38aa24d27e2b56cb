#include "interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t signal_seen;

static void note_signal(int number)
{
    signal_seen = number;
}

void interrupt_install(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = note_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupt_check(struct error *err)
{
    if (!signal_seen)
        return 0;
    return error_set(err, signal_seen == SIGINT ? ERROR_SIGINT : ERROR_SIGTERM, "interrupted");
}
