#include "attention.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "math/vector.h"

/* A block of scores should stay in the first-level cache, with its keys in the second. */
enum { QUERIES = 64, KEYS = 256 };

struct scratch { /* of a worker */
    float *scores; /* [QUERIES or heads of a group][KEYS] */
    float *max, *sum; /* [QUERIES or heads of a group]; sum: what is left of a stick */
};

/* ---- one block of rows ---- */

/* Rows of one task: the queries of one head one behind the other, or, when there is a single query,
 * those of all heads that share their keys. */
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

struct range { /* of keys */
    size_t first, end;
};

static size_t position_of(const struct block *block, size_t row)
{
    return block->sequence->first + block->query + (block->is_group ? 0 : row);
}

static struct range visible_keys(const struct block *block, size_t row)
{
    const struct attention_spec *spec = block->spec;
    size_t position = position_of(block, row), n_keys = block->sequence->n_keys;
    struct range range = {0, n_keys};

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

/* Turns a row of scores of the keys from `first` on into weights, relative to the largest score so
 * far, and puts what has been summed before on the same footing. Keys that are not seen weigh 0. */
static void weigh_row(const struct block *block, size_t row, size_t first, size_t n_keys,
                      struct scratch *scratch)
{
    float *scores = scratch->scores + row * KEYS, *out = block->out + row * block->out_stride;
    struct range seen = visible_keys(block, row);
    size_t begin = seen.first > first ? seen.first - first : 0;
    size_t end = seen.end < first + n_keys ? (seen.end > first ? seen.end - first : 0) : n_keys;
    float max = scratch->max[row], block_max;

    if (begin >= end) {
        memset(scores, 0, n_keys * sizeof *scores);
        return;
    }
    shape_scores(block, row, first + begin, end - begin, scores + begin);
    block_max = vector_max(scores + begin, end - begin);
    if (!(block_max <= max)) { /* NaN goes on, to be found in the result */
        float factor = max == -INFINITY ? 0 : expf(max - block_max);

        vector_scale(out, factor, block->spec->v_head_dim, out);
        scratch->sum[row] *= factor;
        scratch->max[row] = max = block_max;
    }
    memset(scores, 0, begin * sizeof *scores);
    scratch->sum[row] += vector_exp(scores + begin, max, end - begin, scores + begin);
    memset(scores + end, 0, (n_keys - end) * sizeof *scores);
}

/* Turns a row of scores of the keys from `first` on into shares of what those behind them have left
 * of the stick. Both sigmoids are computed: 1 - s would lose what is small. */
static void break_row(const struct block *block, size_t row, size_t first, size_t n_keys,
                      struct scratch *scratch)
{
    float *scores = scratch->scores + row * KEYS, rest[KEYS];
    size_t end = visible_keys(block, row).end;
    double left = (double)scratch->sum[row];

    end = end < first ? 0 : end - first < n_keys ? end - first : n_keys;
    vector_scale(scores, -1, end, rest);
    vector_activate(ACTIVATION_SIGMOID, rest, end, rest);
    vector_activate(ACTIVATION_SIGMOID, scores, end, scores);
    for (size_t i = end; i-- > 0;) {
        scores[i] = (float)((double)scores[i] * left);
        left *= (double)rest[i];
    }
    scratch->sum[row] = (float)left;
    memset(scores + end, 0, (n_keys - end) * sizeof *scores);
}

static void start_row(const struct block *block, size_t row, struct scratch *scratch)
{
    const struct attention_spec *spec = block->spec;

    scratch->max[row] =
        spec->sinks ? spec->sinks[block->head + (block->is_group ? row : 0)] : -INFINITY;
    scratch->sum[row] = spec->sinks || spec->has_stick_breaking ? 1 : 0;
    memset(block->out + row * block->out_stride, 0, spec->v_head_dim * sizeof(float));
}

static void run_block(const struct block *block, struct gemm *gemm, size_t worker,
                      struct scratch *scratch)
{
    const struct attention_spec *spec = block->spec;
    const struct attention_sequence *sequence = block->sequence;
    const struct attention_rows *keys = &sequence->keys, *values = &sequence->values;
    size_t first = visible_keys(block, 0).first / KEYS * KEYS;
    size_t end = visible_keys(block, block->n_rows - 1).end;
    size_t n_blocks = end > first ? (end - first + KEYS - 1) / KEYS : 0;

    for (size_t row = 0; row < block->n_rows; row++)
        start_row(block, row, scratch);
    for (size_t i = 0; i < n_blocks; i++) {
        size_t key = first + (spec->has_stick_breaking ? n_blocks - 1 - i : i) * KEYS;
        size_t n = end - key < KEYS ? end - key : KEYS;
        struct gemm_matrix matrix = {
            .data = keys->data + block->kv_head * keys->head_stride + key * keys->stride,
            .format = &matrix_f32,
            .n_out = n,
            .n_in = spec->head_dim,
            .stride = keys->stride,
        };

        gemm_block(gemm, worker, block->n_rows, block->queries, block->query_stride, &matrix,
                   spec->scale, false, NULL, scratch->scores, KEYS);
        for (size_t row = 0; row < block->n_rows; row++)
            (spec->has_stick_breaking ? break_row : weigh_row)(block, row, key, n, scratch);
        matrix.data = values->data + block->kv_head * values->head_stride + key * values->stride;
        matrix.n_out = spec->v_head_dim;
        matrix.n_in = n;
        matrix.stride = values->stride;
        matrix.format = &matrix_f32_transposed;
        gemm_block(gemm, worker, block->n_rows, scratch->scores, KEYS, &matrix, 1, true, NULL,
                   block->out, block->out_stride);
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
    float *scratch; /* [workers of the pool][scratch_floats()] */
};

static size_t blocks_of(const struct attention_sequence *sequence)
{
    return (sequence->n_queries + QUERIES - 1) / QUERIES;
}

static size_t tasks_of(const struct attention_spec *spec,
                       const struct attention_sequence *sequence)
{
    return sequence->n_queries == 1 ? spec->n_kv_heads : spec->n_heads * blocks_of(sequence);
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

static size_t scratch_rows(const struct attention_spec *spec)
{
    return spec->n_heads > QUERIES ? spec->n_heads : QUERIES;
}

static size_t scratch_floats(const struct attention_spec *spec)
{
    return scratch_rows(spec) * (KEYS + 2);
}

static struct scratch scratch_of(const struct job *job, size_t worker)
{
    float *scores = job->scratch + worker * scratch_floats(job->spec);
    size_t n_rows = scratch_rows(job->spec);

    return (struct scratch){scores, scores + n_rows * KEYS, scores + n_rows * (KEYS + 1)};
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
        block.is_group = true;
        block.kv_head = task;
        block.head = task * group;
        block.n_rows = group;
        block.query_stride = sequence->queries.head_stride;
        block.out_stride = spec->v_head_dim;
    } else {
        block.head = task / blocks_of(sequence);
        block.kv_head = block.head / group;
        /* The last queries of a causal sequence see the most: they begin. */
        block.query = (blocks_of(sequence) - 1 - task % blocks_of(sequence)) * QUERIES;
        block.n_rows = sequence->n_queries - block.query < QUERIES
                           ? sequence->n_queries - block.query
                           : QUERIES;
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
                                 scratch_floats(spec) * sizeof(float), "attention", err);
    if (job.ends && job.scratch) {
        for (size_t s = 0; s < n_sequences; s++)
            job.ends[s] = n_tasks += tasks_of(spec, &sequences[s]);
        rc = threads_run(engine->threads, n_tasks, run_task, &job, err);
    }
    workspace_return(workspace, mark);
    return rc;
}
