#include "desk.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"
#include "serve/http_state.h"

struct desk {
    pthread_mutex_t mutex;
    pthread_cond_t came;
    struct exchange *first, *last;
    void (*work)(struct exchange *exchange);
    pthread_t *threads;
    size_t n_threads;
    bool is_ending;
};

static void *run(void *context)
{
    struct desk *desk = context;

    pthread_mutex_lock(&desk->mutex);
    while (desk->first || !desk->is_ending) {
        struct exchange *exchange = desk->first;

        if (!exchange) {
            pthread_cond_wait(&desk->came, &desk->mutex);
            continue;
        }
        desk->first = exchange->next_at_desk;
        if (!desk->first)
            desk->last = NULL;
        pthread_mutex_unlock(&desk->mutex);
        desk->work(exchange);
        pthread_mutex_lock(&desk->mutex);
    }
    pthread_mutex_unlock(&desk->mutex);
    return NULL;
}

/* Templates nest as deep as JINJA_DEPTH_MAX, whatever the system gives threads. */
enum { STACK_BYTES = 16 << 20 };

static bool start_thread(struct desk *desk)
{
    pthread_attr_t attributes;
    bool has_started;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    has_started =
        pthread_create(&desk->threads[desk->n_threads], &attributes, run, desk) == 0;
    pthread_attr_destroy(&attributes);
    return has_started;
}

struct desk *desk_new(size_t n_threads, void (*work)(struct exchange *exchange),
                      struct error *err)
{
    struct desk *desk = memory_zalloc(1, sizeof *desk);

    desk->work = work;
    desk->threads = memory_zalloc(n_threads, sizeof *desk->threads);
    pthread_mutex_init(&desk->mutex, NULL);
    pthread_cond_init(&desk->came, NULL);
    while (desk->n_threads < n_threads && start_thread(desk))
        desk->n_threads++;
    if (desk->n_threads)
        return desk;
    desk_free(desk);
    error_set(err, ERROR_RESOURCES, "cannot start a thread");
    return NULL;
}

void desk_hand_in(struct desk *desk, struct exchange *exchange)
{
    pthread_mutex_lock(&desk->mutex);
    exchange->next_at_desk = NULL;
    if (desk->last)
        desk->last->next_at_desk = exchange;
    else
        desk->first = exchange;
    desk->last = exchange;
    pthread_cond_signal(&desk->came);
    pthread_mutex_unlock(&desk->mutex);
}

void desk_free(struct desk *desk)
{
    if (!desk)
        return;
    pthread_mutex_lock(&desk->mutex);
    desk->is_ending = true;
    pthread_cond_broadcast(&desk->came);
    pthread_mutex_unlock(&desk->mutex);
    for (size_t i = 0; i < desk->n_threads; i++)
        pthread_join(desk->threads[i], NULL);
    pthread_cond_destroy(&desk->came);
    pthread_mutex_destroy(&desk->mutex);
    free(desk->threads);
    free(desk);
}
