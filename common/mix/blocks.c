/* blocks.c - which version runs. */
#include "blocks.h"

#include "base/isa.h"
#include "mix/blocks_kernels.h"

const struct blocks_version *blocks_version(size_t i)
{
#if defined(__x86_64__)
    if (i == ISA_AVX2 && isa_has(ISA_AVX2))
        return &blocks_avx2;
    if (i == ISA_AVX512 && isa_has(ISA_AVX512))
        return &blocks_avx512;
#endif
    return i == ISA_PLAIN ? &blocks_plain : NULL;
}

static const struct blocks_version *best(void)
{
    return blocks_version(isa_in_use());
}

void blocks_vote(const float *x, float term_weight, float weight, struct block_votes *votes)
{
    best()->vote(x, term_weight, weight, votes);
}

void blocks_count(struct block_votes *votes, float least, float instead)
{
    best()->count(votes, least, instead);
}

void blocks_add(const float *sum, float *base)
{
    best()->add(sum, base);
}

void blocks_drop_small(float *x, float limit)
{
    best()->drop_small(x, limit);
}

void blocks_tally(const float *x, float factor, float *changed, float *sum, float *alone)
{
    best()->tally(x, factor, changed, sum, alone);
}

void blocks_average(const float *changed, const float *alone, float *sum)
{
    best()->average(changed, alone, sum);
}

void blocks_swap(const float *base, const float *other, float t, float *out)
{
    best()->swap(base, other, t, out);
}

void blocks_within(const int32_t *bits, int32_t low, int32_t high, int32_t *kept)
{
    best()->within(bits, low, high, kept);
}

size_t blocks_rank(const int32_t *row, size_t n, size_t i)
{
    return best()->rank(row, n, i);
}

void blocks_exp(double *x)
{
    best()->exp(x);
}

void blocks_log1p(double *x)
{
    best()->log1p(x);
}
