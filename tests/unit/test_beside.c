#include "base/beside.h"

#include <semaphore.h>

#include "test.h"

struct meeting {
    sem_t came, goes_on;
    int rc;
};

static int work(void *context, struct error *err)
{
    struct meeting *meeting = context;

    sem_post(&meeting->came);
    sem_wait(&meeting->goes_on);
    return meeting->rc ? error_set(err, ERROR_IO, "cannot go on") : 0;
}

/* They meet while both are at it: or this ends never. */
static void works_while_its_owner_goes_on(void)
{
    struct meeting meeting = {.rc = 0};
    struct beside beside = {0};
    struct error err = {0};

    sem_init(&meeting.came, 0, 0);
    sem_init(&meeting.goes_on, 0, 0);
    CHECK(beside_wait(&beside, &err) == 0);
    for (meeting.rc = 0; meeting.rc < 2; meeting.rc++) {
        beside_start(&beside, work, &meeting);
        sem_wait(&meeting.came);
        sem_post(&meeting.goes_on);
        CHECK(beside_wait(&beside, &err) == -meeting.rc);
    }
    CHECK(err.code == ERROR_IO && strcmp(err.text, "cannot go on") == 0);
    CHECK(beside_wait(&beside, &err) == 0);
    sem_destroy(&meeting.came);
    sem_destroy(&meeting.goes_on);
}

TESTS(TEST(works_while_its_owner_goes_on))
