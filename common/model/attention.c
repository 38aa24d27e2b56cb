#include "attention.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "math/vector.h"

/* A block of scores stays in the second-level cache. Blocks of keys begin at multiples of KEYS, so that
 * what is summed block by block does not depend on which queries run together. Keys are laid out anew
 * for each block of rows, which therefore has queries of all heads that share them, up to GROUP_HEADS;
 * but causal queries see the fewer keys the less of them run together, and what belongs to the rows
 * (ROW_FLOATS) has to stay in the cache, too. */
enum { ROWS_MAX = 256, CAUSAL_QUERIES = 64, KEYS = 256, GROUP_HEADS = 4, ROW_FLOATS = 1 << 16 };
static_assert((int)KEYS == (int)GEMM_BLOCK_STRIDE, "scores are multiplied where they are");

/* Blocks of queries get smaller, down to FEW_QUERIES, until there are so many tasks for each thread. */
enum { FEW_QUERIES = 16, TASKS_WANTED = 4, SPLIT_KEYS = 512 };

struct scratch { /* of a worker */
    float *queries, *sums; /* [ROWS_MAX][head_dim], [ROWS_MAX][v_head_dim], of several heads */
    float *scores;        /* [ROWS_MAX][KEYS] */
    float *max, *sum;     /* [ROWS_MAX]; sum: what is left of a stick */
    struct gemm_range *seen; /* [ROWS_MAX], of the keys of a block */
};

/* ---- one block of rows ---- */

/* Rows of one task: some queries, each with some heads that share their keys. Those of a single head
 * are multiplied where they are, those of several are first put together. */
struct block {
    const struct attention_spec *spec;
    const struct attention_sequence *sequence;
    size_t kv_head, head, n_heads, query, n_queries;
    const float *queries;
    float *out;
    size_t query_stride, out_stride;
};

static size_t rows_of(const struct block *block)
{
    return block->n_queries * block->n_heads;
}

static size_t head_of(const struct block *block, size_t row)
{
    return block->head + row % block->n_heads;
}

static size_t query_of(const struct block *block, size_t row)
{
    return block->query + row / block->n_heads;
}

static size_t position_of(const struct block *block, size_t row)
{
    return block->sequence->first + query_of(block, row);
}

/* Where a row is found, and where its result goes. */
static const float *source_of(const struct block *block, size_t row)
{
    const struct attention_rows *queries = &block->sequence->queries;

    return queries->data + query_of(block, row) * queries->stride +
           head_of(block, row) * queries->head_stride;
}

static float *target_of(const struct block *block, size_t row)
{
    return block->sequence->out + query_of(block, row) * block->sequence->out_stride +
           head_of(block, row) * block->spec->v_head_dim;
}

static struct gemm_range visible_keys(const struct block *block, size_t row)
{
    const struct attention_spec *spec = block->spec;
    size_t position = position_of(block, row), n_keys = block->sequence->n_keys;
    struct gemm_range range = {0, n_keys};

    if (spec->is_causal && position + 1 < n_keys)
        range.end = position + 1;
    if (spec->window && position + 1 > spec->window)
        range.first = position + 1 - spec->window;
    if (spec->window && position + spec->window < range.end)
        range.end = position + spec->window;
    if (range.first > range.end)
        range.first = range.end;
    return range;
}

static void shape_scores(const struct block *block, size_t row, size_t key, size_t n, float *scores)
{
    const struct attention_spec *spec = block->spec;

    if (spec->cap > 0)
        vector_soft_cap(scores, spec->cap, n, scores);
    if (spec->bias) {
        const float *bias = spec->bias + head_of(block, row) * (2 * spec->bias_span + 1);

        vector_add(bias + (spec->bias_span + key - position_of(block, row)), n, scores);
    }
}

/* Whether a block has a score above all before it; then what has been summed is to be multiplied with
 * *factor. NaN goes on, to be found in the result. */
static bool raise_max(float *max, float block_max, float *factor)
{
    if (block_max <= *max)
        return false;
    *factor = *max == -INFINITY ? 0 : expf(*max - block_max);
    *max = block_max;
    return true;
}

/* Turns the scores of the keys that a row sees, of those from `first` on, into weights relative to the
 * largest score so far, and puts what has been summed before on the same footing. */
static void weigh_row(const struct block *block, size_t row, size_t first, struct scratch *scratch)
{
    const struct gemm_range *seen = &scratch->seen[row];
    float *scores = scratch->scores + row * KEYS + seen->first;
    float *out = block->out + row * block->out_stride, factor;
    size_t n = seen->end - seen->first;

    if (n == 0)
        return;
    shape_scores(block, row, first + seen->first, n, scores);
    if (raise_max(&scratch->max[row], vector_max(scores, n), &factor)) {
        vector_scale(out, factor, block->spec->v_head_dim, out);
        scratch->sum[row] *= factor;
    }
    scratch->sum[row] += vector_exp(scores, scratch->max[row], n, scores);
}

/* Turns the scores of the keys that a row sees into shares of what those behind them have left of the
 * stick. Both sigmoids are computed: 1 - s would lose what is small. */
static void break_row(const struct block *block, size_t row, size_t first, struct scratch *scratch)
{
    size_t end = scratch->seen[row].end;
    float *scores = scratch->scores + row * KEYS, rest[KEYS];
    double left = (double)scratch->sum[row];

    (void)block;
    (void)first;
    vector_scale(scores, -1, end, rest);
    vector_activate(ACTIVATION_SIGMOID, rest, end, rest);
    vector_activate(ACTIVATION_SIGMOID, scores, end, scores);
    for (size_t i = end; i-- > 0;) {
        scores[i] = (float)((double)scores[i] * left);
        left *= (double)rest[i];
    }
    scratch->sum[row] = (float)left;
}

static float first_max(const struct block *block, size_t row)
{
    return block->spec->sinks ? block->spec->sinks[head_of(block, row)] : -INFINITY;
}

static float first_sum(const struct attention_spec *spec)
{
    return spec->sinks || spec->has_stick_breaking ? 1 : 0;
}

static void place_rows(struct block *block, struct scratch *scratch)
{
    const struct attention_spec *spec = block->spec;

    block->queries = source_of(block, 0);
    block->query_stride = block->sequence->queries.stride;
    block->out = target_of(block, 0);
    block->out_stride = block->sequence->out_stride;
    if (block->n_heads == 1)
        return;
    for (size_t row = 0; row < rows_of(block); row++)
        memcpy(scratch->queries + row * spec->head_dim, source_of(block, row),
               spec->head_dim * sizeof(float));
    block->queries = scratch->queries;
    block->query_stride = spec->head_dim;
    block->out = scratch->sums;
    block->out_stride = spec->v_head_dim;
}

static void start_row(const struct block *block, size_t row, struct scratch *scratch)
{
    memset(block->out + row * block->out_stride, 0, block->spec->v_head_dim * sizeof(float));
    scratch->max[row] = first_max(block, row);
    scratch->sum[row] = first_sum(block->spec);
}

static void finish_row(const struct block *block, size_t row, const float *sums, float sum)
{
    const struct attention_spec *spec = block->spec;

    vector_scale(sums, spec->has_stick_breaking || sum == 0 ? 1 : 1 / sum, spec->v_head_dim,
                 target_of(block, row));
}

/* Of n keys from `first` on those that each row sees, and whether each sees all of them. */
static bool find_seen(const struct block *block, size_t first, size_t n, struct gemm_range *seen)
{
    bool sees_all = true;

    for (size_t row = 0; row < rows_of(block); row++) {
        struct gemm_range range = visible_keys(block, row);

        range.first = range.first > first ? range.first - first : 0;
        range.end = range.end > first ? range.end - first : 0;
        range.end = range.end < n ? range.end : n;
        seen[row] = range.first < range.end ? range : (struct gemm_range){0, 0};
        sees_all &= seen[row].first == 0 && seen[row].end == n;
    }
    return sees_all;
}

/* scores [rows][KEYS] = those of n keys from `first` on */
static void multiply_keys(const struct block *block, size_t first, size_t n, struct gemm *gemm,
                          size_t worker, float *scores)
{
    const struct attention_spec *spec = block->spec;
    const struct attention_rows *keys = &block->sequence->keys;
    const struct gemm_matrix matrix = {
        .data = keys->data + block->kv_head * keys->head_stride + first * keys->stride,
        .format = &matrix_f32,
        .n_out = n,
        .n_in = spec->head_dim,
        .stride = keys->stride,
    };

    gemm_block(gemm, worker, rows_of(block), block->queries, block->query_stride, &matrix, spec->scale,
               false, NULL, scores, KEYS);
}

/* Of n keys from `first` on, their values with these weights, or += them. */
static void multiply_values(const struct block *block, size_t first, size_t n, struct gemm *gemm,
                            size_t worker, const float *weights, bool adds,
                            const struct gemm_range *seen)
{
    const struct attention_spec *spec = block->spec;
    const struct attention_rows *values = &block->sequence->values;
    const struct gemm_matrix matrix = {
        .data = values->data + block->kv_head * values->head_stride + first * values->stride,
        .format = &matrix_f32_transposed,
        .n_out = spec->v_head_dim,
        .n_in = n,
        .stride = values->stride,
    };

    gemm_block(gemm, worker, rows_of(block), weights, KEYS, &matrix, 1, adds, seen, block->out,
               block->out_stride);
}

/* The n keys from `first` on, of which none is before those that the first row sees, and none behind
 * those of the last row. */
static void run_keys(const struct block *block, size_t first, size_t n, struct gemm *gemm,
                     size_t worker, struct scratch *scratch)
{
    bool sees_all = find_seen(block, first, n, scratch->seen);

    multiply_keys(block, first, n, gemm, worker, scratch->scores);
    for (size_t row = 0; row < rows_of(block); row++)
        (block->spec->has_stick_breaking ? break_row : weigh_row)(block, row, first, scratch);
    multiply_values(block, first, n, gemm, worker, scratch->scores, true,
                    sees_all ? NULL : scratch->seen);
}

/* Keys that some row of a block sees, cut at multiples of KEYS. */
struct span {
    size_t first, end, begin, n_blocks; /* begin: number of the first block */
};

static struct span span_of(const struct block *block)
{
    size_t first = visible_keys(block, 0).first;
    size_t end = visible_keys(block, rows_of(block) - 1).end;

    return (struct span){first, end, first / KEYS,
                         end > first ? (end - 1) / KEYS + 1 - first / KEYS : 0};
}

/* The keys of block number i. */
static struct gemm_range keys_of(const struct span *span, size_t i)
{
    size_t key = (span->begin + i) * KEYS, next = key + KEYS;

    return (struct gemm_range){key > span->first ? key : span->first,
                               next < span->end ? next : span->end};
}

static void run_block(struct block *block, struct gemm *gemm, size_t worker,
                      struct scratch *scratch)
{
    struct span span = span_of(block);

    place_rows(block, scratch);
    for (size_t row = 0; row < rows_of(block); row++)
        start_row(block, row, scratch);
    for (size_t i = 0; i < span.n_blocks; i++) {
        bool is_backward = block->spec->has_stick_breaking;
        struct gemm_range keys = keys_of(&span, is_backward ? span.n_blocks - 1 - i : i);

        run_keys(block, keys.first, keys.end - keys.first, gemm, worker, scratch);
    }
    for (size_t row = 0; row < rows_of(block); row++)
        finish_row(block, row, block->out + row * block->out_stride, scratch->sum[row]);
}

/* ---- all of them ---- */

struct job {
    const struct attention_spec *spec;
    const struct attention_sequence *sequences;
    size_t *ends; /* [n_sequences], in tasks */
    size_t n_sequences;
    size_t n_heads, n_queries; /* the most of a block: of a kind that share their keys; causal */
    struct gemm *gemm;
    float *scratch; /* [workers of the pool][scratch_floats()] */
    struct gemm_range *seen; /* [workers of the pool][ROWS_MAX] */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t parts_of(size_t n, size_t part)
{
    return (n + part - 1) / part;
}

static size_t group_of(const struct attention_spec *spec)
{
    return spec->n_heads / spec->n_kv_heads;
}

/* Heads that share their keys, in parts. */
static size_t head_parts(const struct job *job)
{
    return parts_of(group_of(job->spec), job->n_heads);
}

static size_t tasks_of(const struct job *job, const struct attention_sequence *sequence)
{
    return job->spec->n_kv_heads * head_parts(job) * parts_of(sequence->n_queries, job->n_queries);
}

static size_t count_tasks(struct job *job)
{
    size_t n = 0;

    for (size_t s = 0; s < job->n_sequences; s++)
        job->ends[s] = n += tasks_of(job, &job->sequences[s]);
    return n;
}

/* Heads and queries of a block. */
static size_t choose_blocks(struct job *job, size_t n_threads)
{
    const struct attention_spec *spec = job->spec;
    size_t n_rows = smaller(ROWS_MAX, ROW_FLOATS / (spec->head_dim + spec->v_head_dim)), n;

    job->n_heads = smaller(smaller(GROUP_HEADS, group_of(spec)), n_rows / CAUSAL_QUERIES);
    job->n_heads += job->n_heads == 0;
    job->n_queries = spec->is_causal ? CAUSAL_QUERIES : n_rows / job->n_heads;
    job->n_queries += job->n_queries == 0;
    while ((n = count_tasks(job)) < TASKS_WANTED * n_threads && job->n_queries > FEW_QUERIES)
        job->n_queries = (job->n_queries + 1) / 2;
    return n;
}

static size_t find_sequence(const struct job *job, size_t task)
{
    size_t low = 0, high = job->n_sequences - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (job->ends[middle] > task)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static size_t scratch_floats(const struct attention_spec *spec)
{
    return ROWS_MAX * (KEYS + 2 + spec->head_dim + spec->v_head_dim);
}

static struct scratch scratch_of(const struct job *job, size_t worker)
{
    const struct attention_spec *spec = job->spec;
    struct scratch scratch = {.scores = job->scratch + worker * scratch_floats(spec),
                              .seen = job->seen + worker * ROWS_MAX};

    scratch.queries = scratch.scores + ROWS_MAX * KEYS;
    scratch.sums = scratch.queries + ROWS_MAX * spec->head_dim;
    scratch.max = scratch.sums + ROWS_MAX * spec->v_head_dim;
    scratch.sum = scratch.max + ROWS_MAX;
    return scratch;
}

/* Part number i of the heads, counted through those of all keys. */
static struct block block_of(const struct job *job, size_t s, size_t i)
{
    size_t group = group_of(job->spec), n_parts = head_parts(job), part = i % n_parts;
    size_t first = group * part / n_parts;

    return (struct block){.spec = job->spec,
                          .sequence = &job->sequences[s],
                          .kv_head = i / n_parts,
                          .head = i / n_parts * group + first,
                          .n_heads = group * (part + 1) / n_parts - first};
}

static int run_task(void *context, size_t task, size_t worker, struct error *err)
{
    const struct job *job = context;
    size_t s = find_sequence(job, task), n_blocks, n_queries = job->sequences[s].n_queries;
    struct scratch scratch = scratch_of(job, worker);
    struct block block;

    (void)err;
    task -= s ? job->ends[s - 1] : 0;
    n_blocks = parts_of(n_queries, job->n_queries);
    block = block_of(job, s, task / n_blocks);
    /* The last queries of a causal sequence see the most: they begin. */
    block.query = (n_blocks - 1 - task % n_blocks) * job->n_queries;
    block.n_queries = smaller(n_queries - block.query, job->n_queries);
    run_block(&block, job->gemm, worker, &scratch);
    return 0;
}

/* ---- one query that sees many keys ---- */

/* With few heads of keys there are few tasks, and each waits for memory: so each block of keys is a
 * task of its own. First all scores are made; then it is known which is the largest so far at each
 * block, and weights and their sums of values are made; then these are added up. Each number is what
 * run_block makes it. */
struct split {
    const struct job *job;
    size_t sequence, n_parts; /* of heads */
    struct span span;
    float *pieces; /* [n_blocks][n_parts][piece_floats()] */
};

struct piece { /* of a block of keys, and some heads: at most GROUP_HEADS */
    struct block block;
    struct gemm_range keys;
    float *scores; /* [GROUP_HEADS][KEYS] */
    float *max, *factor, *sum; /* [GROUP_HEADS] */
};

static size_t piece_floats(const struct attention_spec *spec)
{
    return GROUP_HEADS * (KEYS + spec->v_head_dim + 3);
}

static struct piece piece_of(const struct split *split, size_t i, size_t part)
{
    const struct attention_spec *spec = split->job->spec;
    float *floats = split->pieces + (i * split->n_parts + part) * piece_floats(spec);
    struct piece piece = {.block = block_of(split->job, split->sequence, part),
                          .keys = keys_of(&split->span, i), .scores = floats};

    piece.block.n_queries = 1;
    piece.block.queries = source_of(&piece.block, 0);
    piece.block.query_stride = piece.block.sequence->queries.head_stride;
    piece.block.out = piece.scores + GROUP_HEADS * KEYS;
    piece.block.out_stride = spec->v_head_dim;
    piece.max = piece.block.out + GROUP_HEADS * spec->v_head_dim;
    piece.factor = piece.max + GROUP_HEADS;
    piece.sum = piece.factor + GROUP_HEADS;
    return piece;
}

static int score_piece(void *context, size_t task, size_t worker, struct error *err)
{
    const struct split *split = context;
    struct piece piece = piece_of(split, task / split->n_parts, task % split->n_parts);
    size_t n = piece.keys.end - piece.keys.first;

    (void)err;
    multiply_keys(&piece.block, piece.keys.first, n, split->job->gemm, worker, piece.scores);
    for (size_t row = 0; row < piece.block.n_heads; row++) {
        shape_scores(&piece.block, row, piece.keys.first, n, piece.scores + row * KEYS);
        piece.max[row] = vector_max(piece.scores + row * KEYS, n);
    }
    return 0;
}

/* max = the largest so far, factor = that of what has been summed, or 1. */
static void raise_maxima(const struct split *split, size_t part)
{
    float max[GROUP_HEADS];

    for (size_t i = 0; i < split->span.n_blocks; i++) {
        struct piece piece = piece_of(split, i, part);

        for (size_t row = 0; row < piece.block.n_heads; row++) {
            max[row] = i ? max[row] : first_max(&piece.block, row);
            piece.factor[row] = 1;
            raise_max(&max[row], piece.max[row], &piece.factor[row]);
            piece.max[row] = max[row];
        }
    }
}

static int weigh_piece(void *context, size_t task, size_t worker, struct error *err)
{
    const struct split *split = context;
    struct piece piece = piece_of(split, task / split->n_parts, task % split->n_parts);
    size_t n = piece.keys.end - piece.keys.first;

    (void)err;
    for (size_t row = 0; row < piece.block.n_heads; row++) {
        float *scores = piece.scores + row * KEYS;

        piece.sum[row] = vector_exp(scores, piece.max[row], n, scores);
    }
    multiply_values(&piece.block, piece.keys.first, n, split->job->gemm, worker, piece.scores, false,
                    NULL);
    return 0;
}

static int add_pieces(void *context, size_t part, size_t worker, struct error *err)
{
    const struct split *split = context;
    const struct attention_spec *spec = split->job->spec;
    struct block block = block_of(split->job, split->sequence, part);

    (void)worker;
    (void)err;
    for (size_t row = 0; row < block.n_heads; row++) {
        float *out = target_of(&block, row), sum = first_sum(spec);

        memset(out, 0, spec->v_head_dim * sizeof *out);
        for (size_t i = 0; i < split->span.n_blocks; i++) {
            struct piece piece = piece_of(split, i, part);

            vector_scale(out, piece.factor[row], spec->v_head_dim, out);
            vector_add(piece.block.out + row * spec->v_head_dim, spec->v_head_dim, out);
            sum = sum * piece.factor[row] + piece.sum[row];
        }
        finish_row(&block, row, out, sum);
    }
    return 0;
}

static int run_split(const struct job *job, struct engine *engine, size_t s, struct error *err)
{
    const struct attention_spec *spec = job->spec;
    struct workspace *workspace = &engine->workspace;
    struct split split = {.job = job, .sequence = s, .n_parts = spec->n_kv_heads * head_parts(job)};
    struct block first = block_of(job, s, 0);
    size_t n_pieces;

    first.n_queries = 1;
    split.span = span_of(&first);
    n_pieces = split.span.n_blocks * split.n_parts;
    split.pieces = workspace_take(workspace, n_pieces, piece_floats(spec) * sizeof *split.pieces,
                                  "attention", err);
    if (!split.pieces || threads_run(engine->threads, n_pieces, score_piece, &split, err))
        return -1;
    for (size_t part = 0; part < split.n_parts; part++)
        raise_maxima(&split, part);
    if (threads_run(engine->threads, n_pieces, weigh_piece, &split, err))
        return -1;
    return threads_run(engine->threads, split.n_parts, add_pieces, &split, err);
}

/* ---- all ---- */

static bool is_split(const struct attention_spec *spec, const struct attention_sequence *sequence)
{
    size_t n_keys = smaller(sequence->n_keys, spec->window ? spec->window : SIZE_MAX);

    return sequence->n_queries == 1 && n_keys >= SPLIT_KEYS && !spec->has_stick_breaking;
}

/* The sequences that are not split, unless there are tasks enough anyway. */
static int run_all(struct job *job, struct engine *engine, struct error *err)
{
    size_t n_threads = threads_count(engine->threads), n_tasks = choose_blocks(job, n_threads);
    bool splits = n_threads > 1 && n_tasks < TASKS_WANTED * n_threads;

    for (size_t s = 0; splits && s < job->n_sequences; s++)
        if (is_split(job->spec, &job->sequences[s]) && run_split(job, engine, s, err))
            return -1;
    n_tasks = 0;
    for (size_t s = 0; s < job->n_sequences; s++)
        job->ends[s] = n_tasks += splits && is_split(job->spec, &job->sequences[s])
                                      ? 0 : tasks_of(job, &job->sequences[s]);
    return threads_run(engine->threads, n_tasks, run_task, job, err);
}

int attention_run(struct engine *engine, const struct attention_spec *spec,
                  const struct attention_sequence *sequences, size_t n_sequences,
                  struct error *err)
{
    struct job job = {.spec = spec, .sequences = sequences, .n_sequences = n_sequences,
                      .gemm = engine->gemm};
    struct workspace *workspace = &engine->workspace;
    size_t mark = workspace_mark(workspace), n_threads = threads_count(engine->threads);
    int rc = -1;

    job.ends = workspace_take(workspace, n_sequences, sizeof *job.ends, "attention", err);
    job.scratch = workspace_take(workspace, n_threads, scratch_floats(spec) * sizeof *job.scratch,
                                 "attention", err);
    job.seen = workspace_take(workspace, n_threads, ROWS_MAX * sizeof *job.seen, "attention", err);
    if (job.ends && job.scratch && job.seen)
        rc = run_all(&job, engine, err);
    workspace_return(workspace, mark);
    return rc;
}
