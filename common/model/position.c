#include "position.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "math/vector.h"

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
                         const struct batch *batch, struct error *err)
{
    size_t n_tokens = batch->n_sequences ? batch->ends[batch->n_sequences - 1] : 0;
    size_t n_pairs = rope->n_dims / 2, start = 0;
    float *frequencies;

    *angles = (struct position_angles){.n_pairs = n_pairs};
    angles->cosines = memory_try(n_tokens, 2 * n_pairs * sizeof(float), "angles", err);
    if (!angles->cosines)
        return -1;
    angles->sines = angles->cosines + n_tokens * n_pairs;
    frequencies = memory_zalloc(n_pairs, sizeof *frequencies);
    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t n = batch->ends[s] - start, first = batch->caches ? batch->caches[s]->n_tokens : 0;

        rope_spec_frequencies(rope, first + n, frequencies);
        fill_sequence(angles, rope, start, n, first, frequencies);
        start = batch->ends[s];
    }
    free(frequencies);
    return 0;
}

void position_angles_release(struct position_angles *angles)
{
    free(angles->cosines);
    *angles = (struct position_angles){0};
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
                       struct error *err)
{
    bias->span = n_tokens;
    bias->values = memory_try(2 * n_tokens + 1, stack->n_heads * sizeof(float), "position biases",
                              err);
    return bias->values ? 0 : -1;
}

void position_bias_release(struct position_bias *bias)
{
    free(bias->values);
    *bias = (struct position_bias){0};
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
