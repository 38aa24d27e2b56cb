#include "beside.h"

#include <signal.h>

static void *run(void *argument)
{
    struct beside *beside = argument;

    beside->rc = beside->work(beside->context, &beside->error);
    return NULL;
}

void beside_start(struct beside *beside, int (*work)(void *context, struct error *err),
                  void *context)
{
    sigset_t all, before;

    *beside = (struct beside){.work = work, .context = context, .is_there = true};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    beside->has_thread = pthread_create(&beside->thread, NULL, run, beside) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!beside->has_thread)
        run(beside);
}

int beside_wait(struct beside *beside, struct error *err)
{
    if (!beside->is_there)
        return 0;
    if (beside->has_thread)
        pthread_join(beside->thread, NULL);
    beside->is_there = false;
    return beside->rc ? error_set(err, beside->error.code, "%s", beside->error.text) : 0;
}
