#include "moe_exchange.h"

#include <string.h>

#include "base/ranks.h"
#include "model/expert_group.h"
#include "model/rows.h"

/* Tokens whose rows are on their way at a time. The same on all ranks. */
enum { TOKENS_AT_ONCE = 512 };

struct trade { /* of one block of tokens */
    const struct moe *moe;
    const struct moe_work *work;
    struct expert_group *group;
    size_t n_own;            /* experts of each rank */
    struct share here;       /* those of this one */
    size_t *ends;            /* [group->n] in what is sent, in rows */
    size_t *counts;          /* [n_experts]: rows that this rank sends to each */
    size_t *theirs;          /* [group->n, n_own]: rows that each rank sends to those that are here */
    size_t n_sent, n_received;
    struct ranks_parcel *parcels; /* [group->n] */
    float *sent, *back;      /* [n_sent, n_in or n_out], by expert */
    float *received, *given; /* [n_received, n_in or n_out], by rank, then by expert */
    float *in, *out;         /* the same by expert, then by rank */
    size_t *places;          /* [n_received]: of row i of `in` in `received` */
    size_t n_groups;         /* of rows of `in`, in moe->groups: one for each expert that has any */
};

static void *room_for(const struct trade *trade, size_t n, size_t size, struct error *err)
{
    return workspace_take(trade->moe->workspace, n, size, "experts", err);
}

static int start(struct trade *trade, struct error *err)
{
    size_t n = trade->group->n, n_experts = trade->moe->spec->n_experts;

    trade->n_own = n_experts / n;
    trade->here = expert_group_share(trade->group, n_experts);
    trade->ends = room_for(trade, n, sizeof *trade->ends, err);
    trade->counts = room_for(trade, n_experts, sizeof *trade->counts, err);
    trade->theirs = room_for(trade, n_experts, sizeof *trade->theirs, err);
    trade->parcels = room_for(trade, n, sizeof *trade->parcels, err);
    return trade->ends && trade->counts && trade->theirs && trade->parcels ? 0 : -1;
}

static int exchange(const struct trade *trade, struct error *err)
{
    return ranks_exchange(trade->group->first, trade->group->n, trade->parcels, err);
}

/* How many rows go where. */
static int exchange_counts(struct trade *trade, struct error *err)
{
    size_t n_own = trade->n_own, size = n_own * sizeof *trade->counts;
    const size_t *ends = trade->moe->ends;

    for (size_t e = 0; e < trade->moe->spec->n_experts; e++)
        trade->counts[e] = ends[e] - (e ? ends[e - 1] : 0);
    for (size_t i = 0; i < trade->group->n; i++) {
        trade->ends[i] = ends[(i + 1) * n_own - 1];
        trade->parcels[i] = (struct ranks_parcel){trade->counts + i * n_own, size,
                                                  trade->theirs + i * n_own, size};
    }
    trade->group->counts.number_bytes += size * (trade->group->n - 1);
    if (exchange(trade, err))
        return -1;
    trade->n_sent = trade->ends[trade->group->n - 1];
    trade->n_received = 0;
    for (size_t i = 0; i < trade->group->n * n_own; i++)
        trade->n_received += trade->theirs[i];
    return 0;
}

static int reserve(struct trade *trade, struct error *err)
{
    size_t in = trade->work->n_in * sizeof(float), out = trade->work->n_out * sizeof(float);

    trade->sent = room_for(trade, trade->n_sent, in, err);
    trade->back = room_for(trade, trade->n_sent, out, err);
    trade->received = room_for(trade, trade->n_received, in, err);
    trade->given = room_for(trade, trade->n_received, out, err);
    trade->in = room_for(trade, trade->n_received, in, err);
    trade->out = room_for(trade, trade->n_received, out, err);
    trade->places = room_for(trade, trade->n_received, sizeof *trade->places, err);
    return trade->sent && trade->back && trade->received && trade->given && trade->in &&
                   trade->out && trade->places
               ? 0
               : -1;
}

/* ---- rows ---- */

static void fill_rows(void *context, size_t begin, size_t end)
{
    const struct trade *trade = context;
    const struct moe_work *work = trade->work;

    for (size_t i = begin; i < end; i++)
        work->fill(work->context, trade->moe->order[i], trade->sent + i * work->n_in);
}

/* Each expert's rows one behind the other. */
static void find_places(struct trade *trade)
{
    size_t next = 0;

    for (size_t e = 0; e < trade->n_own; e++) {
        size_t start = 0; /* of a rank's rows in `received` */

        for (size_t i = 0; i < trade->group->n; i++) {
            const size_t *counts = trade->theirs + i * trade->n_own;
            size_t before = 0, all = 0;

            for (size_t other = 0; other < trade->n_own; other++) {
                before += other < e ? counts[other] : 0;
                all += counts[other];
            }
            for (size_t r = 0; r < counts[e]; r++)
                trade->places[next++] = start + before + r;
            start += all;
        }
    }
}

static void sort_rows(void *context, size_t begin, size_t end)
{
    const struct trade *trade = context;
    size_t n = trade->work->n_in;

    for (size_t i = begin; i < end; i++)
        memcpy(trade->in + i * n, trade->received + trade->places[i] * n, n * sizeof(float));
}

static void give_rows(void *context, size_t begin, size_t end)
{
    const struct trade *trade = context;
    size_t n = trade->work->n_out;

    for (size_t i = begin; i < end; i++)
        memcpy(trade->given + trade->places[i] * n, trade->out + i * n, n * sizeof(float));
}

/* ---- the experts that are here ---- */

static void list_groups(struct trade *trade)
{
    size_t first = 0;

    trade->n_groups = 0;
    for (size_t e = 0; e < trade->n_own; e++) {
        size_t n_rows = 0;

        for (size_t i = 0; i < trade->group->n; i++)
            n_rows += trade->theirs[i * trade->n_own + e];
        if (n_rows)
            trade->moe->groups[trade->n_groups++] =
                (struct moe_group){.expert = trade->here.begin + e, .first = first,
                                   .n_rows = n_rows};
        first += n_rows;
    }
}

static bool are_few(const struct trade *trade, const struct engine *engine)
{
    return trade->n_received <= MOE_FEW_CHOICES &&
           trade->n_groups >= MOE_TASKS_PER_THREAD * threads_count(engine->threads);
}

/* A model need not fit into memory. While rows are on their way, and while one expert works, the next
 * one is fetched. */
static void prefetch(const struct trade *trade, size_t begin, size_t end)
{
    for (size_t i = begin; i < end && i < trade->n_groups; i++)
        trade->work->prefetch(trade->work->context, trade->moe->groups[i].expert);
}

static int run_beside(void *context, size_t task, size_t worker, struct error *err)
{
    const struct trade *trade = context;
    const struct moe_work *work = trade->work;
    const struct moe_group *group = &trade->moe->groups[task];

    (void)err;
    work->run_beside(work->context, worker, group->expert, group->first,
                     trade->in + group->first * work->n_in, group->n_rows,
                     trade->out + group->first * work->n_out);
    return 0;
}

static void run_group(const struct trade *trade, const struct moe_group *group)
{
    const struct moe_work *work = trade->work;
    size_t end = group->first + group->n_rows;

    for (size_t at = group->first, n; at < end; at += n) {
        n = rows_at_once(end - at);
        work->run(work->context, group->expert, trade->in + at * work->n_in, n,
                  trade->out + at * work->n_out);
    }
}

static void run_experts(struct trade *trade, const struct engine *engine)
{
    struct error none = {0};

    if (are_few(trade, engine)) {
        threads_run(engine->threads, trade->n_groups, run_beside, trade, &none);
        return;
    }
    for (size_t i = 0; i < trade->n_groups; i++) {
        prefetch(trade, i + 1, i + 2);
        run_group(trade, &trade->moe->groups[i]);
    }
}

/* ---- what comes back ---- */

struct taken { /* rows of one expert */
    const struct trade *trade;
    size_t first;
};

static void take_rows(void *context, size_t begin, size_t end)
{
    const struct taken *taken = context;
    const struct trade *trade = taken->trade;
    const struct moe_work *work = trade->work;

    for (size_t i = taken->first + begin; i < taken->first + end; i++)
        work->take(work->context, trade->moe->order[i], trade->back + i * work->n_out);
}

/* ---- a block ---- */

/* The rows that each rank sends to another: from here to there, or back. */
static void address(struct trade *trade, bool is_back)
{
    size_t in = trade->work->n_in, out = trade->work->n_out, there = 0;

    for (size_t i = 0; i < trade->group->n; i++) {
        size_t from = i ? trade->ends[i - 1] : 0, n_sent = trade->ends[i] - from, n_theirs = 0;

        for (size_t e = 0; e < trade->n_own; e++)
            n_theirs += trade->theirs[i * trade->n_own + e];
        trade->parcels[i] =
            is_back ? (struct ranks_parcel){trade->given + there * out,
                                            n_theirs * out * sizeof(float),
                                            trade->back + from * out, n_sent * out * sizeof(float)}
                    : (struct ranks_parcel){trade->sent + from * in, n_sent * in * sizeof(float),
                                            trade->received + there * in,
                                            n_theirs * in * sizeof(float)};
        there += n_theirs;
        if (i == trade->group->number)
            continue;
        trade->group->counts.n_sent_rows += is_back ? n_theirs : n_sent;
        trade->group->counts.sent_bytes += trade->parcels[i].n_out;
    }
}

static int run_block(struct trade *trade, const struct engine *engine, struct error *err)
{
    const struct moe_work *work = trade->work;
    size_t n_experts = trade->moe->spec->n_experts;

    if (exchange_counts(trade, err) || reserve(trade, err))
        return -1;
    list_groups(trade);
    prefetch(trade, 0, are_few(trade, engine) ? trade->n_groups : 1);
    rows_each(engine->threads, trade->n_sent, work->n_in, fill_rows, trade);
    address(trade, false);
    if (exchange(trade, err))
        return -1;
    find_places(trade);
    rows_each(engine->threads, trade->n_received, work->n_in, sort_rows, trade);
    run_experts(trade, engine);
    rows_each(engine->threads, trade->n_received, work->n_out, give_rows, trade);
    address(trade, true);
    if (exchange(trade, err))
        return -1;
    for (size_t e = 0, first = 0; e < n_experts; first += trade->counts[e++]) {
        struct taken taken = {trade, first};

        rows_each(engine->threads, trade->counts[e], work->n_out, take_rows, &taken);
    }
    return 0;
}

int moe_exchange(struct moe *moe, const struct engine *engine, const struct moe_work *work,
                 struct error *err)
{
    struct trade trade = {.moe = moe, .work = work, .group = engine->experts};
    size_t mark = workspace_mark(moe->workspace);
    int rc = start(&trade, err);
    size_t most = trade.group->n_tokens;

    trade.group->counts.n_tokens += moe->n_tokens;
    for (size_t first = 0; rc == 0 && first < most; first += TOKENS_AT_ONCE) {
        size_t in_block = workspace_mark(moe->workspace);
        size_t begin = first < moe->n_tokens ? first : moe->n_tokens;
        size_t left = moe->n_tokens - begin;

        moe_group_by_expert(moe, begin, left < TOKENS_AT_ONCE ? moe->n_tokens
                                                              : begin + TOKENS_AT_ONCE);
        rc = run_block(&trade, engine, err);
        workspace_return(moe->workspace, in_block);
    }
    workspace_return(moe->workspace, mark);
    return rc;
}
