#include "shared_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/ranks.h"

struct part { /* sequences first … first + n - 1 of a batch */
    size_t first, n, n_tokens, has_types;
};

static struct part part_of(const struct batch *batch, struct share share)
{
    size_t start = batch_start(batch->ends, share.begin), end = batch_start(batch->ends, share.end);

    return (struct part){share.begin, share.end - share.begin, end - start,
                         batch->type_ids != NULL};
}

static size_t count_rows(const struct sharing *sharing, const struct part *part)
{
    return sharing->is_per_token ? part->n_tokens : part->n;
}

/* ---- on the other ranks ---- */

struct received {
    uint32_t *ids;
    uint8_t *type_ids;
    size_t *ends;
    float *rows;
};

static void release(struct received *received)
{
    free(received->ids);
    free(received->type_ids);
    free(received->ends);
    free(received->rows);
}

/* Ends count from the beginning of the whole batch. */
static int receive(const struct part *part, struct received *received, struct error *err)
{
    size_t start;

    received->ids = memory_try(part->n_tokens, sizeof *received->ids, "token ids", err);
    received->ends = memory_try(part->n + 1, sizeof *received->ends, "token ids", err);
    received->type_ids = memory_try(part->n_tokens, 1, "token ids", err);
    if (!received->ids || !received->ends || !received->type_ids ||
        ranks_receive(0, received->ids, part->n_tokens * sizeof *received->ids, err) ||
        ranks_receive(0, received->ends, sizeof *received->ends, err) ||
        ranks_receive(0, received->ends + 1, part->n * sizeof *received->ends, err) ||
        (part->has_types && ranks_receive(0, received->type_ids, part->n_tokens, err)))
        return -1;
    start = received->ends[0];
    for (size_t i = 0; i < part->n; i++)
        received->ends[i] = received->ends[i + 1] - start;
    return 0;
}

/* Runs a part of rank 0's, and sends back what it gives. */
static int serve(const struct sharing *sharing, const struct part *part, struct error *err)
{
    struct received received = {0};
    size_t n_rows = count_rows(sharing, part);
    int rc = part->n ? receive(part, &received, err) : 0;

    if (rc == 0 && part->n) {
        const struct batch batch = {.ids = received.ids, .ends = received.ends,
                                    .type_ids = part->has_types ? received.type_ids : NULL,
                                    .n_sequences = part->n};

        received.rows = memory_try(n_rows, sharing->width * sizeof(float), "results", err);
        rc = received.rows ? sharing->run(sharing->context, &batch, received.rows, err) : -1;
    }
    if (rc == 0)
        rc = expert_group_finish(sharing->experts, err);
    if (rc == 0 && part->n)
        rc = ranks_send(0, received.rows, n_rows * sharing->width * sizeof(float), err);
    release(&received);
    return rc;
}

int shared_batch_serve(const struct sharing *sharing, struct error *err)
{
    struct part *parts = memory_zalloc(ranks_count(), sizeof *parts);
    size_t more = 0;
    int rc;

    while ((rc = ranks_tell(&more, sizeof more, err)) == 0 && more) {
        rc = ranks_tell(parts, ranks_count() * sizeof *parts, err);
        if (rc == 0)
            rc = serve(sharing, &parts[ranks_number()], err);
        if (rc)
            break;
    }
    free(parts);
    return rc;
}

/* ---- on rank 0 ---- */

static void divide(const struct batch *batch, struct part *parts)
{
    size_t n = batch->n_sequences;
    size_t *sizes = memory_zalloc(n, sizeof *sizes);

    for (size_t s = 0; s < n; s++)
        sizes[s] = batch_length(batch->ends, s);
    for (size_t r = 0; r < ranks_count(); r++)
        parts[r] = part_of(batch, share_of(sizes, n, r, ranks_count()));
    free(sizes);
}

static int hand_out(const struct batch *batch, const struct part *parts, struct error *err)
{
    size_t zero = 0;

    for (size_t r = 1; r < ranks_count(); r++) {
        const struct part *part = &parts[r];
        size_t start = batch_start(batch->ends, part->first);

        if (part->n == 0)
            continue;
        if (ranks_send(r, batch->ids + start, part->n_tokens * sizeof *batch->ids, err) ||
            ranks_send(r, part->first ? batch->ends + part->first - 1 : &zero, sizeof zero, err) ||
            ranks_send(r, batch->ends + part->first, part->n * sizeof *batch->ends, err) ||
            (part->has_types && ranks_send(r, batch->type_ids + start, part->n_tokens, err)))
            return -1;
    }
    return 0;
}

/* Its own part, the first of all. */
static int run_own(const struct sharing *sharing, const struct batch *batch,
                   const struct part *part, float *rows, struct error *err)
{
    struct batch own = *batch;

    own.n_sequences = part->n;
    return part->n ? sharing->run(sharing->context, &own, rows, err) : 0;
}

static int collect(const struct sharing *sharing, const struct part *parts, float *rows,
                   struct error *err)
{
    for (size_t r = 0; r < ranks_count(); r++) {
        size_t n = count_rows(sharing, &parts[r]) * sharing->width;

        if (r && n && ranks_receive(r, rows, n * sizeof *rows, err))
            return -1;
        rows += n;
    }
    return 0;
}

int shared_batch_run(const struct sharing *sharing, const struct batch *batch, float *rows,
                     struct error *err)
{
    size_t more = 1;
    struct part *parts;
    int rc = -1;

    if (ranks_count() == 1)
        return sharing->run(sharing->context, batch, rows, err);
    parts = memory_zalloc(ranks_count(), sizeof *parts);
    divide(batch, parts);
    if (ranks_tell(&more, sizeof more, err) == 0 &&
        ranks_tell(parts, ranks_count() * sizeof *parts, err) == 0 &&
        hand_out(batch, parts, err) == 0 && run_own(sharing, batch, parts, rows, err) == 0 &&
        expert_group_finish(sharing->experts, err) == 0)
        rc = collect(sharing, parts, rows, err);
    free(parts);
    return rc;
}

int shared_batch_end(struct error *err)
{
    size_t none = 0;

    return ranks_tell(&none, sizeof none, err);
}
