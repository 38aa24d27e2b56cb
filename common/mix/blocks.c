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

double blocks_dot(const float *a, const float *b)
{
    return best()->dot(a, b);
}

void blocks_dots(const float *a, const float *b, double *aa, double *ab, double *bb)
{
    best()->dots(a, b, aa, ab, bb);
}

void blocks_magnitudes(const float *x, const uint64_t *kept, double *all, double *some)
{
    best()->magnitudes(x, kept, all, some);
}

double blocks_size_sum(const float *x)
{
    return best()->size_sum(x);
}

double blocks_kept_squares(const float *x, const uint64_t *kept)
{
    return best()->kept_squares(x, kept);
}

void blocks_variances(const float *x, size_t n, float *out)
{
    best()->variances(x, n, out);
}

void blocks_subtract_from_bf16(const void *a, const float *b, float *out)
{
    best()->subtract_from_bf16(a, b, out);
}

void blocks_subtract(const float *a, const float *b, float *out)
{
    best()->subtract(a, b, out);
}

void blocks_add_scaled(const float *x, float factor, float *sum)
{
    best()->add_scaled(x, factor, sum);
}

void blocks_sizes(const float *x, int32_t *bits)
{
    best()->sizes(x, bits);
}

void blocks_round_to_bf16(const float *x, uint16_t *out)
{
    best()->round_to_bf16(x, out);
}

void blocks_canonical(const float *x, float *out)
{
    best()->canonical(x, out);
}

size_t blocks_count_equal(const float *x, int32_t value)
{
    return best()->count_equal(x, value);
}

size_t blocks_pick(const float *x, int32_t low, int32_t high, int32_t *picked)
{
    return best()->pick(x, low, high, picked);
}

void blocks_below(const int32_t *draws, int32_t limit, uint64_t *kept)
{
    best()->below(draws, limit, kept);
}

void blocks_chance(const int32_t *draws, const int32_t *bits, int32_t lowest, int32_t highest,
                   uint64_t *kept, uint64_t *open)
{
    best()->chance(draws, bits, lowest, highest, kept, open);
}

void blocks_find_buckets(const int32_t *bits, size_t n, int32_t shift, int32_t least, int32_t last,
                         int32_t *buckets)
{
    best()->find_buckets(bits, n, shift, least, last, buckets);
}

void blocks_toss(uint32_t place, uint32_t one, uint32_t other, size_t n, int32_t *out)
{
    best()->toss(place, one, other, n, out);
}

void blocks_weigh(const struct block_term *terms, size_t n, float *out)
{
    best()->weigh(terms, n, out);
}

void blocks_vote(const struct block_term *terms, size_t n, float least, float instead, float *out)
{
    best()->vote(terms, n, least, instead, out);
}

void blocks_add(const float *sum, float *base)
{
    best()->add(sum, base);
}

void blocks_add_large(const float *x, float limit, const float *change, float *base)
{
    best()->add_large(x, limit, change, base);
}

void blocks_drop_small(float *x, float limit)
{
    best()->drop_small(x, limit);
}

void blocks_tally(const float *x, float factor, float *changed, float *sum, float *alone)
{
    best()->tally(x, factor, changed, sum, alone);
}

void blocks_count_changes(const float *x, const float *changed, size_t *shared, size_t *alone)
{
    best()->count_changes(x, changed, shared, alone);
}

void blocks_average(const float *changed, const float *alone, float *sum)
{
    best()->average(changed, alone, sum);
}

void blocks_swap(const float *base, const float *other, float t, float *out)
{
    best()->swap(base, other, t, out);
}

void blocks_within(const float *x, int32_t low, int32_t high, uint64_t *kept)
{
    best()->within(x, low, high, kept);
}

bool blocks_grow(const float *shares, const float *x, float *growths, double *sum)
{
    return best()->grow(shares, x, growths, sum);
}

double blocks_diverge(const float *shares, const float *growths, double share_sum,
                      double mean_growth)
{
    return best()->diverge(shares, growths, share_sum, mean_growth);
}

size_t blocks_rank(const int32_t *row, size_t n, size_t i)
{
    return best()->rank(row, n, i);
}

void blocks_widen_less(const float *x, double less, double *out)
{
    best()->widen_less(x, less, out);
}

double blocks_sum(const double *x)
{
    return best()->sum(x);
}

double blocks_sum_products(const double *a, const double *b)
{
    return best()->sum_products(a, b);
}

double blocks_ratios(const double *a, double a_factor, const double *b, double b_factor, double *p,
                     double *z)
{
    return best()->ratios(a, a_factor, b, b_factor, p, z);
}

void blocks_exp(double *x)
{
    best()->exp(x);
}

void blocks_log1p(double *x)
{
    best()->log1p(x);
}
