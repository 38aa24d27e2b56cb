/* blocks_body.h - the functions of blocks.h for one width of lanes.h; blocks_plain.c, blocks_avx2.c
 * and blocks_avx512.c include it. */
#ifndef COCKTAIL_BLOCKS_BODY_H
#define COCKTAIL_BLOCKS_BODY_H

#include "math/lanes.h"
#include "mix/blocks_kernels.h"

enum { BLOCK = COMBINE_BLOCK_ITEMS };

LANES_INLINE lanes only(lanes_bits mask, lanes x)
{
    return (lanes)(mask & (lanes_bits)x);
}

LANES_INLINE lanes size_of(lanes x)
{
    return (lanes)((lanes_bits)x & 0x7FFFFFFF);
}

LANES_INLINE void add_to(float *sum, lanes x)
{
    lanes_store(lanes_load(sum) + x, sum);
}

/* 0 … LANES - 1 */
LANES_INLINE lanes_bits places(void)
{
    static const uint32_t all[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    lanes_bits x;

    memcpy(&x, all, sizeof x);
    return x;
}

LANES_INLINE lanes_integers load_integers(const int32_t *from)
{
    lanes_integers x;

    memcpy(&x, from, sizeof x);
    return x;
}

/* ---- sums in double ---- */

/* Eight sums, and how they are added up in the end, whatever the width. Bits of items 0 … 7 say of
 * which something is added. */

#if LANES == 16
struct sums {
    __m512d all;
};

LANES_INLINE struct sums widened(const float *x)
{
    return (struct sums){_mm512_cvtps_pd(_mm256_loadu_ps(x))};
}

LANES_INLINE struct sums widened_size(const float *x)
{
    __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));

    return (struct sums){_mm512_cvtps_pd(_mm256_and_ps(_mm256_loadu_ps(x), mask))};
}

LANES_INLINE struct sums added(struct sums a, struct sums b)
{
    return (struct sums){_mm512_add_pd(a.all, b.all)};
}

LANES_INLINE struct sums kept_added(struct sums a, uint8_t kept, struct sums sum)
{
    return (struct sums){_mm512_mask_add_pd(sum.all, kept, a.all, sum.all)};
}

/* The product of two floats is exact in double: so this rounds as often as a * b + sum does. */
LANES_INLINE struct sums multiplied(struct sums a, struct sums b, struct sums sum)
{
    return (struct sums){_mm512_fmadd_pd(a.all, b.all, sum.all)};
}
#elif LANES == 8
struct sums {
    __m256d low, high;
};

LANES_INLINE struct sums widened(const float *x)
{
    return (struct sums){_mm256_cvtps_pd(_mm_loadu_ps(x)), _mm256_cvtps_pd(_mm_loadu_ps(x + 4))};
}

LANES_INLINE struct sums widened_size(const float *x)
{
    __m256 size = _mm256_and_ps(_mm256_loadu_ps(x),
                                _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF)));

    return (struct sums){_mm256_cvtps_pd(_mm256_castps256_ps128(size)),
                         _mm256_cvtps_pd(_mm256_extractf128_ps(size, 1))};
}

LANES_INLINE struct sums added(struct sums a, struct sums b)
{
    return (struct sums){_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}

LANES_INLINE struct sums kept_added(struct sums a, uint8_t kept, struct sums sum)
{
    __m256i bits = _mm256_set1_epi64x(kept), low = _mm256_setr_epi64x(1, 2, 4, 8), high;

    high = _mm256_slli_epi64(low, 4);
    low = _mm256_cmpeq_epi64(_mm256_and_si256(bits, low), low);
    high = _mm256_cmpeq_epi64(_mm256_and_si256(bits, high), high);
    a.low = _mm256_and_pd(a.low, _mm256_castsi256_pd(low));
    a.high = _mm256_and_pd(a.high, _mm256_castsi256_pd(high));
    return added(a, sum);
}

LANES_INLINE struct sums multiplied(struct sums a, struct sums b, struct sums sum)
{
    return (struct sums){_mm256_fmadd_pd(a.low, b.low, sum.low),
                         _mm256_fmadd_pd(a.high, b.high, sum.high)};
}
#else
struct sums {
    double each[8];
};

LANES_INLINE struct sums widened(const float *x)
{
    struct sums sums;

    for (size_t l = 0; l < 8; l++)
        sums.each[l] = (double)x[l];
    return sums;
}

LANES_INLINE struct sums widened_size(const float *x)
{
    struct sums sums;

    for (size_t l = 0; l < 8; l++)
        sums.each[l] = (double)__builtin_fabsf(x[l]);
    return sums;
}

LANES_INLINE struct sums added(struct sums a, struct sums b)
{
    for (size_t l = 0; l < 8; l++)
        a.each[l] += b.each[l];
    return a;
}

LANES_INLINE struct sums kept_added(struct sums a, uint8_t kept, struct sums sum)
{
    for (size_t l = 0; l < 8; l++)
        sum.each[l] += kept >> l & 1 ? a.each[l] : 0;
    return sum;
}

LANES_INLINE struct sums multiplied(struct sums a, struct sums b, struct sums sum)
{
    for (size_t l = 0; l < 8; l++)
        sum.each[l] += a.each[l] * b.each[l];
    return sum;
}
#endif

LANES_INLINE double total(struct sums sums)
{
    double each[8];

    memcpy(each, &sums, sizeof each);
    return ((each[0] + each[4]) + (each[2] + each[6])) +
           ((each[1] + each[5]) + (each[3] + each[7]));
}

LANES_TARGET static double dot(const float *a, const float *b)
{
    struct sums sum = {0};

    for (size_t k = 0; k < BLOCK; k += 8)
        sum = multiplied(widened(a + k), widened(b + k), sum);
    return total(sum);
}

/* The three of two vectors. */
LANES_TARGET static void dots(const float *a, const float *b, double *aa, double *ab, double *bb)
{
    struct sums first = {0}, both = {0}, second = {0};

    for (size_t k = 0; k < BLOCK; k += 8) {
        struct sums x = widened(a + k), y = widened(b + k);

        first = multiplied(x, x, first);
        both = multiplied(x, y, both);
        second = multiplied(y, y, second);
    }
    *aa += total(first);
    *ab += total(both);
    *bb += total(second);
}

LANES_TARGET static double size_sum(const float *x)
{
    struct sums sum = {0};

    for (size_t k = 0; k < BLOCK; k += 8)
        sum = added(widened_size(x + k), sum);
    return total(sum);
}

LANES_INLINE uint8_t eight_bits(const uint64_t *words, size_t k)
{
    return (uint8_t)(words[k / 64] >> k % 64);
}

LANES_TARGET static void magnitudes(const float *x, const uint64_t *kept, double *all, double *some)
{
    struct sums sum = {0}, kept_sum = {0};

    for (size_t k = 0; k < BLOCK; k += 8) {
        struct sums own = widened_size(x + k);

        sum = added(own, sum);
        kept_sum = kept_added(own, eight_bits(kept, k), kept_sum);
    }
    *all += total(sum);
    *some += total(kept_sum);
}

LANES_TARGET static double kept_squares(const float *x, const uint64_t *kept)
{
    struct sums sum = {0};

    for (size_t k = 0; k < BLOCK; k += 8) {
        struct sums own = widened(x + k);

        sum = kept_added(multiplied(own, own, (struct sums){0}), eight_bits(kept, k), sum);
    }
    return total(sum);
}

/* ---- item by item ---- */

LANES_TARGET static void subtract(const float *a, const float *b, float *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES)
        lanes_store(lanes_load(a + k) - lanes_load(b + k), out + k);
}

LANES_TARGET static void subtract_from_bf16(const void *a, const float *b, float *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES)
        lanes_store(lanes_load_bf16((const char *)a + 2 * k) - lanes_load(b + k), out + k);
}

LANES_TARGET static void add_scaled(const float *x, float factor, float *sum)
{
    for (size_t k = 0; k < BLOCK; k += LANES)
        add_to(sum + k, lanes_load(x + k) * factor);
}

LANES_TARGET static void sizes(const float *x, int32_t *bits)
{
    for (size_t k = 0; k < BLOCK; k += LANES)
        lanes_store(size_of(lanes_load(x + k)), bits + k);
}

/* Adding what makes the lower half carry just when the upper half is to be rounded up. */
LANES_TARGET static void round_to_bf16(const float *x, uint16_t *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes own = lanes_load(x + k);
        lanes_bits bits = (lanes_bits)own, is_nan = (lanes_bits)(own != own);
        lanes_short made;

        bits = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
        bits = (is_nan & 0x7FC0) | (~is_nan & bits);
        made = __builtin_convertvector(bits, lanes_short);
        memcpy(out + k, &made, sizeof made);
    }
}

LANES_TARGET static void canonical(const float *x, float *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes own = lanes_load(x + k);

        lanes_store(lanes_select((lanes_bits)(own != own), lanes_set(__builtin_nanf("")), own),
                    out + k);
    }
}

/* Of two: halves round as quotients do, and are cheaper. */
LANES_TARGET static void variances_of_two(const float *x, float *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes a = lanes_load(x + k), b = lanes_load(x + BLOCK + k);
        lanes mean = (a + b) * 0.5f;

        a -= mean;
        b -= mean;
        lanes_store(size_of((a * a + b * b) * 0.5f), out + k);
    }
}

LANES_TARGET static void variances(const float *x, size_t n, float *out)
{
    float divisor = (float)n;

    if (n == 2) {
        variances_of_two(x, out);
        return;
    }
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes mean = {0}, sum = {0};

        for (size_t i = 0; i < n; i++)
            mean += lanes_load(x + i * BLOCK + k);
        mean /= divisor;
        for (size_t i = 0; i < n; i++) {
            lanes distance = lanes_load(x + i * BLOCK + k) - mean;

            sum += distance * distance;
        }
        lanes_store(size_of(sum / divisor), out + k);
    }
}

/* ---- choosing ---- */

/* Of each lane a bit: whether low <= x <= low + span, as integers without a sign. */
LANES_INLINE uint32_t bits_within(lanes_bits x, uint32_t low, uint32_t span)
{
#if LANES == 16
    return _mm512_cmple_epu32_mask((__m512i)(x - low), _mm512_set1_epi32((int)span));
#elif LANES == 8
    return (uint32_t)_mm256_movemask_ps((__m256)(x - low <= span));
#else
    lanes_bits mask = (lanes_bits)(x - low <= span);

    return (mask[0] & 1) | (mask[1] & 2) | (mask[2] & 4) | (mask[3] & 8);
#endif
}

LANES_INLINE lanes_bits load_sizes(const float *x)
{
    return (lanes_bits)size_of(lanes_load(x));
}

/* x where the bit of items k … k + LANES - 1 is set, else 0. */
LANES_INLINE lanes where_kept(const uint64_t *kept, size_t k, lanes x)
{
#if LANES == 16
    return (lanes)_mm512_maskz_mov_ps((__mmask16)(kept[k / 64] >> k % 64), (__m512)x);
#else
    return only(-((uint32_t)(kept[k / 64] >> k % 64) >> places() & 1), x);
#endif
}

LANES_INLINE lanes term_items(const struct block_term *term, size_t k)
{
    lanes x = lanes_load(term->x + k);

    return (term->kept ? where_kept(term->kept, k, x) : x) * term->factor;
}

LANES_TARGET static void weigh(const struct block_term *terms, size_t n, float *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes sum = {0};

        for (size_t i = 0; i < n; i++)
            sum += term_items(&terms[i], k) * terms[i].weight;
        lanes_store(sum, out + k);
    }
}

LANES_TARGET static void vote(const struct block_term *terms, size_t n, float least, float instead,
                              float *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes sum = {0}, plus = {0}, minus = {0}, plus_weights = {0}, minus_weights = {0};
        lanes_bits is_plus;

        for (size_t i = 0; i < n; i++) {
            lanes x = term_items(&terms[i], k), vote = x * terms[i].vote;
            lanes value = x * terms[i].weight, weight = lanes_set(terms[i].weight);
            lanes_bits above = (lanes_bits)(vote > 0), below = (lanes_bits)(vote < 0);

            sum += vote;
            plus += only(above, value);
            minus += only(below, value);
            plus_weights += only(above, weight);
            minus_weights += only(below, weight);
        }
        is_plus = (lanes_bits)(sum >= 0);
        plus = lanes_select(is_plus, plus, minus);
        plus_weights = lanes_select(is_plus, plus_weights, minus_weights);
        plus_weights = lanes_select((lanes_bits)(size_of(plus_weights) < least),
                                    lanes_set(instead), plus_weights);
        if (least > 0)
            plus /= plus_weights;
        lanes_store(lanes_select((lanes_bits)(sum != sum), sum, plus), out + k);
    }
}

LANES_TARGET static void add(const float *sum, float *base)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes x = lanes_load(sum + k), old = lanes_load(base + k);

        lanes_store(lanes_select((lanes_bits)(x == 0), old, old + x), base + k);
    }
}

LANES_TARGET static void add_large(const float *x, float limit, const float *change, float *base)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes old = lanes_load(base + k);
        lanes_bits is_small = (lanes_bits)(size_of(lanes_load(x + k)) < limit);

        lanes_store(lanes_select(is_small, old, old + lanes_load(change + k)), base + k);
    }
}

LANES_TARGET static void drop_small(float *x, float limit)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes own = lanes_load(x + k);

        lanes_store(only(~(lanes_bits)(size_of(own) <= limit), own), x + k);
    }
}

LANES_TARGET static void tally(const float *x, float factor, float *changed, float *sum,
                               float *alone)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes own = lanes_load(x + k);

        add_to(changed + k, only((lanes_bits)(own != 0), lanes_set(1)));
        add_to(sum + k, own);
        add_to(alone + k, own * factor);
    }
}

LANES_TARGET static void count_changes(const float *x, const float *changed, size_t *shared,
                                       size_t *alone)
{
    lanes_integers n_shared = {0}, n_alone = {0};

    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes n = lanes_load(changed + k);
        lanes_integers is_changed = lanes_load(x + k) != 0;

        n_shared -= is_changed & (n > 1);
        n_alone -= is_changed & (n == 1);
    }
    for (size_t l = 0; l < LANES; l++) {
        *shared += (size_t)n_shared[l];
        *alone += (size_t)n_alone[l];
    }
}

LANES_TARGET static void average(const float *changed, const float *alone, float *sum)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes n = lanes_load(changed + k), one = lanes_set(1);
        lanes mean = lanes_load(sum + k) / lanes_select((lanes_bits)(n < 1), one, n);

        lanes_store(lanes_select((lanes_bits)(n == 1), lanes_load(alone + k), mean), sum + k);
    }
}

LANES_TARGET static void swap(const float *base, const float *other, float t, float *out)
{
    for (size_t k = 0; k < BLOCK; k += LANES) {
        lanes a = lanes_load(base + k), y = lanes_load(other + k), one = lanes_set(1);
        lanes distance = size_of(a - y), near, mixed;

        distance = lanes_select((lanes_bits)(distance < 1e-6f), lanes_set(1e-6f), distance);
        near = lanes_set(t) / distance;
        near = lanes_select((lanes_bits)(near > 1), one, near);
        mixed = near * y + (one - near) * a;
        lanes_store(lanes_select((lanes_bits)(near == 0), a, mixed), out + k);
    }
}

LANES_TARGET static void within(const float *x, int32_t low, int32_t high, uint64_t *kept)
{
    uint32_t span = (uint32_t)high - (uint32_t)low;

    for (size_t word = 0; word < BLOCKS_WORDS; word++) {
        kept[word] = 0;
        for (size_t k = 0; low <= high && k < 64; k += LANES)
            kept[word] |= (uint64_t)bits_within(load_sizes(x + word * 64 + k), (uint32_t)low, span)
                          << k;
    }
}

LANES_TARGET static size_t count_equal(const float *x, int32_t value)
{
    lanes_integers counts = {0};
    size_t n = 0;

    for (size_t k = 0; k < BLOCK; k += LANES)
        counts -= (lanes_integers)load_sizes(x + k) == value;
    for (size_t l = 0; l < LANES; l++)
        n += (size_t)counts[l];
    return n;
}

/* Few are picked: so a branch for each is cheap. */
LANES_TARGET static size_t pick(const float *x, int32_t low, int32_t high, int32_t *picked)
{
    uint32_t span = (uint32_t)high - (uint32_t)low;
    size_t n = 0;

    for (size_t k = 0; k < BLOCK; k += LANES) {
        uint32_t left = bits_within(load_sizes(x + k), (uint32_t)low, span);

        for (; left; left &= left - 1) {
            memcpy(&picked[n], x + k + (size_t)__builtin_ctz(left), sizeof *picked);
            picked[n++] &= INT32_MAX;
        }
    }
    return n;
}

LANES_TARGET static void below(const int32_t *draws, int32_t limit, uint64_t *kept)
{
    for (size_t word = 0; word < BLOCKS_WORDS; word++) {
        kept[word] = 0;
        for (size_t k = 0; limit > 0 && k < 64; k += LANES)
            kept[word] |= (uint64_t)bits_within((lanes_bits)load_integers(draws + word * 64 + k), 0,
                                                (uint32_t)limit - 1) << k;
    }
}

LANES_TARGET static void chance(const int32_t *draws, const int32_t *bits, int32_t lowest,
                                int32_t highest, uint64_t *kept, uint64_t *open)
{
    below(draws, lowest, kept);
    below(draws, highest, open);
    for (size_t word = 0; word < BLOCKS_WORDS; word++) {
        uint64_t zeros = 0;

        for (size_t k = 0; k < 64; k += LANES)
            zeros |= (uint64_t)bits_within((lanes_bits)load_integers(bits + word * 64 + k), 0, 0)
                     << k;
        open[word] &= ~kept[word] & ~zeros;
    }
}

/* Below 0 the first, else at most the last. */
LANES_TARGET static void find_buckets(const int32_t *bits, size_t n, int32_t shift, int32_t least,
                                      int32_t last, int32_t *buckets)
{
    size_t k = 0;

    for (; n - k >= LANES; k += LANES) {
        lanes_integers own = (load_integers(bits + k) >> shift) - least, is_above = own > 0;

        own &= is_above;
        own = (own & ~(own > last)) | (last & (own > last));
        memcpy(buckets + k, &own, sizeof own);
    }
    for (; k < n; k++) {
        int32_t own = (bits[k] >> shift) - least;

        buckets[k] = own < 0 ? 0 : own > last ? last : own;
    }
}

LANES_INLINE lanes_bits draw(lanes_bits x, uint32_t first, uint32_t second)
{
    x ^= first;
    x ^= x >> 17;
    x *= 0xed5ad4bb;
    x ^= x >> 11;
    x += second;
    x *= 0xac4c1b51;
    x ^= x >> 15;
    x *= 0x31848bab;
    return x ^ x >> 14;
}

LANES_TARGET static void toss(uint32_t place, uint32_t one, uint32_t other, size_t n, int32_t *out)
{
    size_t k = 0;
    lanes_bits x;

    for (; n - k >= LANES; k += LANES) {
        x = draw(places() + (place + (uint32_t)k), one, other) >> 1;
        memcpy(out + k, &x, sizeof x);
    }
    x = draw(places() + (place + (uint32_t)k), one, other) >> 1;
    memcpy(out + k, &x, (n - k) * sizeof *out);
}

/* ---- doubles, eight at once ---- */

typedef double eight __attribute__((vector_size(64)));
typedef int64_t eight_masks __attribute__((vector_size(64)));

LANES_TARGET static void widen_less(const float *x, double less, double *out)
{
    for (size_t k = 0; k < BLOCK; k += 8) {
        struct sums own = widened(x + k);
        eight wide;

        memcpy(&wide, &own, sizeof wide);
        wide -= less;
        memcpy(out + k, &wide, sizeof wide);
    }
}

LANES_TARGET static double sum(const double *x)
{
    eight found = {0}, own;
    struct sums sums;

    for (size_t k = 0; k < BLOCK; k += 8) {
        memcpy(&own, x + k, sizeof own);
        found += own;
    }
    memcpy(&sums, &found, sizeof sums);
    return total(sums);
}

LANES_TARGET static double sum_products(const double *a, const double *b)
{
    eight sum = {0}, x, y;
    struct sums sums;

    for (size_t k = 0; k < BLOCK; k += 8) {
        memcpy(&x, a + k, sizeof x);
        memcpy(&y, b + k, sizeof y);
        sum += x * y;
    }
    memcpy(&sums, &sum, sizeof sums);
    return total(sums);
}

LANES_TARGET static double ratios(const double *a, double a_factor, const double *b,
                                  double b_factor, double *p, double *z)
{
    eight largest = {0}, x, y, size;
    eight_masks stays;
    double each[8], found = 0;

    for (size_t k = 0; k < BLOCK; k += 8) {
        memcpy(&x, a + k, sizeof x);
        memcpy(&y, b + k, sizeof y);
        x = x * a_factor + 1e-8;
        y = y * b_factor + 1e-8;
        memcpy(p + k, &x, sizeof x);
        x = (x - y) / y;
        memcpy(z + k, &x, sizeof x);
        size = (eight)((eight_masks)x & INT64_MAX);
        stays = (eight_masks)((size <= largest) | (largest != largest));
        largest = (eight)(((eight_masks)largest & stays) | ((eight_masks)size & ~stays));
    }
    memcpy(each, &largest, sizeof each);
    for (size_t l = 0; l < 8; l++)
        found = each[l] <= found || found != found ? found : each[l];
    return found;
}

/* 2^n exp(r) with n the nearest integer to x / ln 2. The compiler makes vectors of these two. */
LANES_TARGET static void exponential(double *x)
{
    const double to_integer = 0x1.8p52; /* added, it leaves no bits for fractions */

    for (size_t k = 0; k < BLOCK; k++) {
        double at = x[k] < -700 ? -700 : x[k];
        double n = at * 1.4426950408889634 + to_integer, r, p;
        uint64_t bits;

        memcpy(&bits, &n, sizeof bits);
        bits = (bits + 1023) << 52;
        n -= to_integer;
        r = (at - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
        p = 1 / 39916800.0;
        p = p * r + 1 / 3628800.0;
        p = p * r + 1 / 362880.0;
        p = p * r + 1 / 40320.0;
        p = p * r + 1 / 5040.0;
        p = p * r + 1 / 720.0;
        p = p * r + 1 / 120.0;
        p = p * r + 1 / 24.0;
        p = p * r + 1 / 6.0;
        p = p * r + 0.5;
        p = p * r + 1;
        p = p * r + 1;
        memcpy(&n, &bits, sizeof n);
        x[k] = p * n;
    }
}

LANES_TARGET static void log_near_1(double *z)
{
    for (size_t k = 0; k < BLOCK; k++) {
        double x = z[k], p = -1 / 14.0;

        p = p * x + 1 / 13.0;
        p = p * x - 1 / 12.0;
        p = p * x + 1 / 11.0;
        p = p * x - 1 / 10.0;
        p = p * x + 1 / 9.0;
        p = p * x - 1 / 8.0;
        p = p * x + 1 / 7.0;
        p = p * x - 1 / 6.0;
        p = p * x + 1 / 5.0;
        p = p * x - 1 / 4.0;
        p = p * x + 1 / 3.0;
        p = p * x - 1 / 2.0;
        p = p * x + 1;
        z[k] = p * x;
    }
}

/* ---- what rows of floats have become ---- */

enum { WIDEST = 16, PARTS = WIDEST / LANES };

/* Sixteen sums, of one order. */
LANES_INLINE double total_of(const lanes *sums)
{
    float each[WIDEST];
    double all = 0;

    memcpy(each, sums, sizeof each);
    for (size_t l = 0; l < WIDEST; l++)
        all += (double)each[l];
    return all;
}

/* x + x^2 / 2 + x^3 / 6 … */
LANES_INLINE lanes growth_of(lanes x)
{
    lanes p = lanes_set(1.0f / 720);

    p = p * x + 1.0f / 120;
    p = p * x + 1.0f / 24;
    p = p * x + 1.0f / 6;
    p = p * x + 0.5f;
    return x + x * x * p;
}

LANES_TARGET static bool grow(const float *shares, const float *x, float *growths, double *sum)
{
    lanes sums[PARTS] = {{0}};
    lanes_integers is_large = {0};
    bool are_small = true;

    for (size_t k = 0; k < BLOCK; k += WIDEST) {
        LANES_UNROLL
        for (size_t part = 0; part < PARTS; part++) {
            size_t place = k + part * LANES;
            lanes own = lanes_load(x + place), growth = growth_of(own);

            is_large |= ~(size_of(own) <= BLOCKS_GROW_MAX);
            sums[part] += growth * lanes_load(shares + place);
            lanes_store(growth, growths + place);
        }
    }
    for (size_t l = 0; l < LANES; l++)
        are_small &= !is_large[l];
    *sum += total_of(sums);
    return are_small;
}

/* (1 + z) ln(1 + z) - z, which is z^2 (1/2 - z/6 + z^2/12 - z^3/20 …) */
LANES_INLINE lanes divergence_of(lanes z)
{
    lanes p = lanes_set(1 / 132.0f);

    p = p * z - 1 / 110.0f;
    p = p * z + 1 / 90.0f;
    p = p * z - 1 / 72.0f;
    p = p * z + 1 / 56.0f;
    p = p * z - 1 / 42.0f;
    p = p * z + 1 / 30.0f;
    p = p * z - 1 / 20.0f;
    p = p * z + 1 / 12.0f;
    p = p * z - 1 / 6.0f;
    p = p * z + 0.5f;
    return z * z * p;
}

LANES_TARGET static double diverge(const float *shares, const float *growths, double share_sum,
                                   double mean_growth)
{
    float scale = (float)(1 / share_sum), mean = (float)mean_growth, left = 1e-8f;
    float factor = (float)(1 / (1 + mean_growth));
    lanes sums[PARTS] = {{0}};

    for (size_t k = 0; k < BLOCK; k += WIDEST) {
        LANES_UNROLL
        for (size_t part = 0; part < PARTS; part++) {
            size_t place = k + part * LANES;
            lanes share = lanes_load(shares + place) * scale, whole = share + left;
            lanes z = (lanes_load(growths + place) - mean) * factor * share / whole;

            sums[part] += whole * divergence_of(z);
        }
    }
    return total_of(sums);
}

/* Those of n below the limit. */
LANES_TARGET static size_t count_below(const int32_t *row, size_t n, int32_t limit)
{
    lanes_integers counts = {0};
    size_t k = 0, below = 0;

    for (; n - k >= LANES; k += LANES) {
        lanes_integers own;

        memcpy(&own, row + k, sizeof own);
        counts -= own < limit;
    }
    for (; k < n; k++)
        below += row[k] < limit;
    for (size_t l = 0; l < LANES; l++)
        below += (size_t)counts[l];
    return below;
}

/* Sizes are 0 … INT32_MAX, of which the last is no number. */
LANES_TARGET static size_t rank(const int32_t *row, size_t n, size_t i)
{
    int32_t own = row[i], next = own < INT32_MAX ? own + 1 : own;

    return count_below(row, i, own) + count_below(row + i + 1, n - i - 1, next);
}

const struct blocks_version LANES_NAME(blocks) = {
    .name = LANES_VERSION,
    .dot = dot,
    .dots = dots,
    .magnitudes = magnitudes,
    .size_sum = size_sum,
    .kept_squares = kept_squares,
    .variances = variances,
    .subtract = subtract,
    .subtract_from_bf16 = subtract_from_bf16,
    .add_scaled = add_scaled,
    .sizes = sizes,
    .round_to_bf16 = round_to_bf16,
    .canonical = canonical,
    .count_equal = count_equal,
    .pick = pick,
    .below = below,
    .chance = chance,
    .find_buckets = find_buckets,
    .toss = toss,
    .weigh = weigh,
    .vote = vote,
    .add = add,
    .add_large = add_large,
    .drop_small = drop_small,
    .tally = tally,
    .count_changes = count_changes,
    .average = average,
    .swap = swap,
    .within = within,
    .widen_less = widen_less,
    .sum = sum,
    .sum_products = sum_products,
    .ratios = ratios,
    .exp = exponential,
    .log1p = log_near_1,
    .grow = grow,
    .diverge = diverge,
    .rank = rank,
};

#endif
