#include "attention.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "math/vector.h"

/* A block of scores stays in the second-level cache. Blocks of keys begin at multiples of KEYS, so that
 * what is summed block by block does not depend on which queries run together. Keys are laid out anew
 * for each block of queries, but causal queries see the fewer the less of them run together.
 * GROUP_HEADS: more of them would have their keys laid out anew. */
enum { QUERIES_MAX = 128, CAUSAL_QUERIES = 64, KEYS = 256, GROUP_HEADS = 4 };
static_assert((int)KEYS == (int)GEMM_BLOCK_STRIDE, "scores are multiplied where they are");

struct scratch { /* of a worker */
    float *scores; /* [QUERIES_MAX][KEYS] */
    float *max, *sum; /* [QUERIES_MAX]; sum: what is left of a stick */
    struct gemm_range *seen; /* [QUERIES_MAX], of the keys of a block */
};

/* ---- one block of rows ---- */

/* Rows of one task: some of one head one behind the other, or, when there is a single one,
 * those of up to GROUP_HEADS heads that share their keys. */
struct block {
    const struct attention_spec *spec;
    const struct attention_sequence *sequence;
    size_t n_rows, kv_head, head, query; /* of the first row */
    bool is_group;
    const float *queries;
    size_t query_stride;
    float *out;
    size_t out_stride;
};

static size_t position_of(const struct block *block, size_t row)
{
    return block->sequence->first + block->query + (block->is_group ? 0 : row);
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
        size_t head = block->head + (block->is_group ? row : 0);
        const float *bias = spec->bias + head * (2 * spec->bias_span + 1);

        vector_add(bias + (spec->bias_span + key - position_of(block, row)), n, scores);
    }
}

/* Turns the scores of the keys that a row sees, of those from `first` on, into weights relative to the
 * largest score so far, and puts what has been summed before on the same footing. */
static void weigh_row(const struct block *block, size_t row, size_t first, struct scratch *scratch)
{
    const struct gemm_range *seen = &scratch->seen[row];
    float *scores = scratch->scores + row * KEYS + seen->first;
    float *out = block->out + row * block->out_stride, max = scratch->max[row], block_max;
    size_t n = seen->end - seen->first;

    if (n == 0)
        return;
    shape_scores(block, row, first + seen->first, n, scores);
    block_max = vector_max(scores, n);
    if (!(block_max <= max)) { /* NaN goes on, to be found in the result */
        float factor = max == -INFINITY ? 0 : expf(max - block_max);

        vector_scale(out, factor, block->spec->v_head_dim, out);
        scratch->sum[row] *= factor;
        scratch->max[row] = max = block_max;
    }
    scratch->sum[row] += vector_exp(scores, max, n, scores);
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

static void start_row(const struct block *block, size_t row, struct scratch *scratch)
{
    const struct attention_spec *spec = block->spec;

    scratch->max[row] =
        spec->sinks ? spec->sinks[block->head + (block->is_group ? row : 0)] : -INFINITY;
    scratch->sum[row] = spec->sinks || spec->has_stick_breaking ? 1 : 0;
    memset(block->out + row * block->out_stride, 0, spec->v_head_dim * sizeof(float));
}

/* Of n keys from `first` on those that each row sees, and whether each sees all of them. */
static bool find_seen(const struct block *block, size_t first, size_t n, struct gemm_range *seen)
{
    bool sees_all = true;

    for (size_t row = 0; row < block->n_rows; row++) {
        struct gemm_range range = visible_keys(block, row);

        range.first = range.first > first ? range.first - first : 0;
        range.end = range.end > first ? range.end - first : 0;
        range.end = range.end < n ? range.end : n;
        seen[row] = range.first < range.end ? range : (struct gemm_range){0, 0};
        sees_all &= seen[row].first == 0 && seen[row].end == n;
    }
    return sees_all;
}

/* The n keys from `first` on, of which none is before those that the first row sees, and none behind
 * those of the last row. */
static void run_keys(const struct block *block, size_t first, size_t n, struct gemm *gemm,
                     size_t worker, struct scratch *scratch)
{
    const struct attention_spec *spec = block->spec;
    const struct attention_rows *keys = &block->sequence->keys, *values = &block->sequence->values;
    struct gemm_matrix matrix = {
        .data = keys->data + block->kv_head * keys->head_stride + first * keys->stride,
        .format = &matrix_f32,
        .n_out = n,
        .n_in = spec->head_dim,
        .stride = keys->stride,
    };
    bool sees_all = find_seen(block, first, n, scratch->seen);

    gemm_block(gemm, worker, block->n_rows, block->queries, block->query_stride, &matrix,
               spec->scale, false, NULL, scratch->scores, KEYS);
    for (size_t row = 0; row < block->n_rows; row++)
        (spec->has_stick_breaking ? break_row : weigh_row)(block, row, first, scratch);
    matrix.data = values->data + block->kv_head * values->head_stride + first * values->stride;
    matrix.n_out = spec->v_head_dim;
    matrix.n_in = n;
    matrix.stride = values->stride;
    matrix.format = &matrix_f32_transposed;
    gemm_block(gemm, worker, block->n_rows, scratch->scores, KEYS, &matrix, 1, true,
               sees_all ? NULL : scratch->seen, block->out, block->out_stride);
}

static void run_block(const struct block *block, struct gemm *gemm, size_t worker,
                      struct scratch *scratch)
{
    const struct attention_spec *spec = block->spec;
    size_t first = visible_keys(block, 0).first, end = visible_keys(block, block->n_rows - 1).end;
    size_t begin = first / KEYS, n_blocks = end > first ? (end - 1) / KEYS + 1 - begin : 0;

    for (size_t row = 0; row < block->n_rows; row++)
        start_row(block, row, scratch);
    for (size_t i = 0; i < n_blocks; i++) {
        size_t key = (begin + (spec->has_stick_breaking ? n_blocks - 1 - i : i)) * KEYS;
        size_t next = key + KEYS < end ? key + KEYS : end;

        key = key > first ? key : first;
        run_keys(block, key, next - key, gemm, worker, scratch);
    }
    for (size_t row = 0; row < block->n_rows && !spec->has_stick_breaking; row++) {
        float *out = block->out + row * block->out_stride;

        if (scratch->sum[row] != 0)
            vector_scale(out, 1 / scratch->sum[row], spec->v_head_dim, out);
    }
}

/* ---- all of them ---- */

struct job {
    const struct attention_spec *spec;
    const struct attention_sequence *sequences;
    size_t *ends; /* [n_sequences], in tasks */
    size_t n_sequences;
    struct gemm *gemm;
    float *scratch; /* [workers of the pool][SCRATCH_FLOATS] */
    struct gemm_range *seen; /* [workers of the pool][QUERIES_MAX] */
};

static size_t queries_of(const struct attention_spec *spec)
{
    return spec->is_causal ? CAUSAL_QUERIES : QUERIES_MAX;
}

static size_t blocks_of(const struct attention_spec *spec, const struct attention_sequence *sequence)
{
    return (sequence->n_queries + queries_of(spec) - 1) / queries_of(spec);
}

/* Heads that share their keys, in parts. */
static size_t parts_of(const struct attention_spec *spec)
{
    return (spec->n_heads / spec->n_kv_heads + GROUP_HEADS - 1) / GROUP_HEADS;
}

static size_t tasks_of(const struct attention_spec *spec,
                       const struct attention_sequence *sequence)
{
    return sequence->n_queries == 1 ? spec->n_kv_heads * parts_of(spec)
                                    : spec->n_heads * blocks_of(spec, sequence);
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

enum { SCRATCH_FLOATS = QUERIES_MAX * (KEYS + 2) };

static struct scratch scratch_of(const struct job *job, size_t worker)
{
    float *scores = job->scratch + worker * SCRATCH_FLOATS;

    return (struct scratch){scores, scores + QUERIES_MAX * KEYS, scores + QUERIES_MAX * (KEYS + 1),
                            job->seen + worker * QUERIES_MAX};
}

static int run_task(void *context, size_t task, size_t worker, struct error *err)
{
    const struct job *job = context;
    const struct attention_spec *spec = job->spec;
    size_t s = find_sequence(job, task), group = spec->n_heads / spec->n_kv_heads;
    const struct attention_sequence *sequence = &job->sequences[s];
    struct block block = {.spec = spec, .sequence = sequence};
    struct scratch scratch = scratch_of(job, worker);

    (void)err;
    task -= s ? job->ends[s - 1] : 0;
    if (sequence->n_queries == 1) {
        size_t part = task % parts_of(spec) * GROUP_HEADS;

        block.is_group = true;
        block.kv_head = task / parts_of(spec);
        block.head = block.kv_head * group + part;
        block.n_rows = group - part < GROUP_HEADS ? group - part : GROUP_HEADS;
        block.query_stride = sequence->queries.head_stride;
        block.out_stride = spec->v_head_dim;
    } else {
        size_t n_blocks = blocks_of(spec, sequence), n_most = queries_of(spec);

        block.head = task / n_blocks;
        block.kv_head = block.head / group;
        /* The last queries of a causal sequence see the most: they begin. */
        block.query = (n_blocks - 1 - task % n_blocks) * n_most;
        block.n_rows = sequence->n_queries - block.query < n_most ? sequence->n_queries - block.query
                                                                  : n_most;
        block.query_stride = sequence->queries.stride;
        block.out_stride = sequence->out_stride;
    }
    block.queries = sequence->queries.data + block.query * sequence->queries.stride +
                    block.head * sequence->queries.head_stride;
    block.out = sequence->out + block.query * sequence->out_stride + block.head * spec->v_head_dim;
    run_block(&block, job->gemm, worker, &scratch);
    return 0;
}

int attention_run(struct engine *engine, const struct attention_spec *spec,
                  const struct attention_sequence *sequences, size_t n_sequences,
                  struct error *err)
{
    struct job job = {.spec = spec, .sequences = sequences, .n_sequences = n_sequences,
                      .gemm = engine->gemm};
    struct workspace *workspace = &engine->workspace;
    size_t mark = workspace_mark(workspace), n_tasks = 0;
    int rc = -1;

    job.ends = workspace_take(workspace, n_sequences, sizeof *job.ends, "attention", err);
    job.scratch = workspace_take(workspace, threads_count(engine->threads),
                                 SCRATCH_FLOATS * sizeof *job.scratch, "attention", err);
    job.seen = workspace_take(workspace, threads_count(engine->threads),
                              QUERIES_MAX * sizeof *job.seen, "attention", err);
    if (job.ends && job.scratch && job.seen) {
        for (size_t s = 0; s < n_sequences; s++)
            job.ends[s] = n_tasks += tasks_of(spec, &sequences[s]);
        rc = threads_run(engine->threads, n_tasks, run_task, &job, err);
    }
    workspace_return(workspace, mark);
    return rc;
}
