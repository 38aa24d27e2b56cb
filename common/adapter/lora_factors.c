#include "lora_factors.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/tensor_source.h"

/* Of modules that nobody reads at the moment. */
static const size_t idle_bytes_max = 48 * 1000 * 1000;
enum { IDLE_MAX = 16 };

struct slot {
    size_t module, n_users, n_bytes;
    unsigned long long last_use;
    float *a, *b; /* NULL: the slot is free */
};

struct lora_store {
    const struct lora_folder *lora;
    pthread_mutex_t lock;
    struct slot *slots;
    size_t n_slots, n_idle, idle_bytes;
    struct svd **kept;
    size_t n_kept;
    unsigned long long clock;
};

struct lora_store *lora_store_new(const struct lora_folder *lora)
{
    struct lora_store *store = memory_zalloc(1, sizeof *store);

    store->lora = lora;
    pthread_mutex_init(&store->lock, NULL);
    return store;
}

static void empty(struct slot *slot)
{
    free(slot->a);
    free(slot->b);
    *slot = (struct slot){0};
}

void lora_store_free(struct lora_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->n_slots; i++)
        empty(&store->slots[i]);
    free(store->slots);
    for (size_t i = 0; i < store->n_kept; i++)
        svd_release(store->kept[i]);
    free(store->kept);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

void lora_store_keep(struct lora_store *store, struct svd *svd)
{
    store->kept = memory_resize(store->kept, store->n_kept + 1, sizeof *store->kept);
    store->kept[store->n_kept++] = svd;
}

/* ---- reading ---- */

static float *new_panels(size_t n_rows, size_t n, struct error *err)
{
    size_t n_panels = n / LORA_PANEL + 1, n_items;

    if (__builtin_mul_overflow(n_panels * LORA_PANEL, n_rows, &n_items)) {
        error_set(err, ERROR_RESOURCES, "its factors are too large");
        return NULL;
    }
    return memory_try(n_items, sizeof(float), "factors of an adapter", err);
}

/* The matrix as panels, or, turned, its transpose. */
static float *read_panels(const struct tensor *tensor, bool is_turned, struct error *err)
{
    size_t height = tensor->shape[0], width = tensor->shape[1];
    size_t n_rows = is_turned ? width : height, n = is_turned ? height : width;
    float *panels = new_panels(n_rows, n, err);
    float *values = panels ? memory_try(tensor->n_items, sizeof *values, "factors of an adapter",
                                        err)
                           : NULL;

    if (!values || tensor_read_floats(tensor, values, err)) {
        free(values);
        free(panels);
        return NULL;
    }
    for (size_t first = 0; first < n; first += LORA_PANEL)
        for (size_t row = 0; row < n_rows; row++) {
            float *to = panels + (first * n_rows + row * LORA_PANEL);

            for (size_t i = 0; i < LORA_PANEL; i++)
                to[i] = first + i >= n ? 0
                        : is_turned    ? values[(first + i) * width + row]
                                       : values[row * width + first + i];
        }
    free(values);
    return panels;
}

static void count_idle(struct lora_store *store, const struct slot *slot, bool is_idle)
{
    store->n_idle += is_idle ? 1 : -1;
    store->idle_bytes += is_idle ? slot->n_bytes : -slot->n_bytes;
}

static size_t panels_bytes(const struct tensor *tensor)
{
    return tensor->n_items * sizeof(float);
}

static int fill(struct lora_store *store, struct slot *slot, size_t module, struct error *err)
{
    const struct lora_module *lora = &store->lora->modules[module];
    struct slot filled = {.module = module};

    filled.a = read_panels(lora->a, false, err);
    filled.b = filled.a ? read_panels(lora->b, true, err) : NULL;
    if (!filled.b) {
        empty(&filled);
        return error_context(err, "'%s'", store->lora->name);
    }
    filled.n_bytes = panels_bytes(lora->a) + panels_bytes(lora->b);
    count_idle(store, &filled, true);
    *slot = filled;
    return 0;
}

/* ---- slots ---- */

static struct slot *find(struct lora_store *store, size_t module)
{
    for (size_t i = 0; i < store->n_slots; i++)
        if (store->slots[i].a && store->slots[i].module == module)
            return &store->slots[i];
    return NULL;
}

static struct slot *find_free(struct lora_store *store)
{
    for (size_t i = 0; i < store->n_slots; i++)
        if (!store->slots[i].a)
            return &store->slots[i];
    store->slots = memory_resize(store->slots, store->n_slots + 1, sizeof *store->slots);
    store->slots[store->n_slots] = (struct slot){0};
    return &store->slots[store->n_slots++];
}

static void drop_idle(struct lora_store *store)
{
    while (store->idle_bytes > idle_bytes_max || store->n_idle > IDLE_MAX) {
        struct slot *oldest = NULL;

        for (size_t i = 0; i < store->n_slots; i++)
            if (store->slots[i].a && store->slots[i].n_users == 0 &&
                (!oldest || store->slots[i].last_use < oldest->last_use))
                oldest = &store->slots[i];
        assert(oldest); /* whoever counts as idle is in a slot */
        count_idle(store, oldest, false);
        empty(oldest);
    }
}

int lora_store_take(struct lora_store *store, size_t module, struct lora_factors *factors,
                    struct error *err)
{
    const struct lora_module *lora = &store->lora->modules[module];
    struct slot *slot;
    int rc = 0;

    pthread_mutex_lock(&store->lock);
    slot = find(store, module);
    if (!slot) {
        slot = find_free(store);
        rc = fill(store, slot, module, err);
    }
    if (rc == 0) {
        if (slot->n_users++ == 0)
            count_idle(store, slot, false);
        slot->last_use = ++store->clock;
        *factors = (struct lora_factors){{slot->a, lora->a->shape[0]}, {slot->b, lora->b->shape[1]}};
    }
    pthread_mutex_unlock(&store->lock);
    return rc;
}

void lora_store_give(struct lora_store *store, size_t module)
{
    struct slot *slot;

    pthread_mutex_lock(&store->lock);
    slot = find(store, module);
    if (--slot->n_users == 0) {
        count_idle(store, slot, true);
        drop_idle(store);
    }
    pthread_mutex_unlock(&store->lock);
}
