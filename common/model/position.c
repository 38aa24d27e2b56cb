#include "position.h"

#include <math.h>
#include <stdlib.h>

#include "math/vector.h"

enum { SPAN_STEP = 64 };

/* ---- rotation ---- */

static void fill_sequence(struct position_angles *angles, const struct rope_spec *rope,
                          size_t token, size_t n_tokens, size_t first, const float *frequencies)
{
    float factor = (float)rope_spec_attention_factor(rope, first + n_tokens);

    for (size_t t = 0; t < n_tokens; t++)
        for (size_t i = 0; i < angles->n_pairs; i++) {
            float angle = (float)(first + t) * frequencies[i];
            size_t at = (token + t) * angles->n_pairs + i;

            angles->cosines[at] = cosf(angle) * factor;
            angles->sines[at] = sinf(angle) * factor;
        }
}

int position_angles_init(struct position_angles *angles, const struct rope_spec *rope,
                         const struct batch *batch, struct workspace *workspace,
                         struct error *err)
{
    size_t n_tokens = batch_n_tokens(batch), n_pairs = rope->n_dims / 2;
    float *frequencies;

    *angles = (struct position_angles){.n_pairs = n_pairs};
    angles->cosines =
        workspace_take(workspace, n_tokens, 2 * n_pairs * sizeof(float), "angles", err);
    frequencies = workspace_take(workspace, n_pairs, sizeof *frequencies, "angles", err);
    if (!angles->cosines || !frequencies)
        return -1;
    angles->sines = angles->cosines + n_tokens * n_pairs;
    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t n = batch_length(batch->ends, s), first = batch_n_cached(batch, s);

        rope_spec_frequencies(rope, first + n, frequencies);
        fill_sequence(angles, rope, batch_start(batch->ends, s), n, first, frequencies);
    }
    return 0;
}

void position_rotate(const struct position_angles *angles, size_t token, float *head)
{
    size_t at = token * angles->n_pairs;

    vector_rotate(head, angles->cosines + at, angles->sines + at, angles->n_pairs);
}

void position_rotate_pairs(const struct position_angles *angles, size_t token, float *head)
{
    const float *cosines = angles->cosines + token * angles->n_pairs;
    const float *sines = angles->sines + token * angles->n_pairs;

    for (size_t i = 0; i < angles->n_pairs; i++) {
        float a = head[2 * i], b = head[2 * i + 1];

        head[2 * i] = a * cosines[i] - b * sines[i];
        head[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
}

/* ---- T5 ---- */

size_t position_bucket(long distance, const struct stack_spec *stack)
{
    size_t n_buckets = stack->n_buckets, offset = 0, exact, n, bucket;

    if (stack->is_causal) {
        n = distance < 0 ? (size_t)-distance : 0;
    } else {
        n_buckets /= 2;
        offset = distance > 0 ? n_buckets : 0;
        n = (size_t)labs(distance);
    }
    exact = n_buckets / 2;
    if (n < exact)
        return offset + n;
    /* In float, as in the original: it decides which side of an edge a distance falls on. */
    bucket = exact + (size_t)(logf((float)n / (float)exact) /
                              (float)log((double)stack->max_distance / (double)exact) *
                              (float)(n_buckets - exact));
    return offset + (bucket < n_buckets ? bucket : n_buckets - 1);
}

int position_bias_init(struct position_bias *bias, const struct stack_spec *stack, size_t n_tokens,
                       struct workspace *workspace, struct error *err)
{
    /* In steps, so that a text which grows by a token does not take more memory each time. */
    bias->span = n_tokens / SPAN_STEP * SPAN_STEP + SPAN_STEP;
    bias->values = workspace_take(workspace, 2 * bias->span + 1, stack->n_heads * sizeof(float),
                                  "position biases", err);
    return bias->values ? 0 : -1;
}

void position_bias_fill(struct position_bias *bias, const float *table,
                        const struct stack_spec *stack)
{
    size_t row = 2 * bias->span + 1;

    for (size_t i = 0; i < row; i++) {
        size_t bucket = position_bucket((long)i - (long)bias->span, stack);

        for (size_t h = 0; h < stack->n_heads; h++)
            bias->values[h * row + i] = table[bucket * stack->n_heads + h];
    }
}
