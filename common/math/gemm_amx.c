/* gemm_amx.c - y^T = W x^T in tiles of 16 outputs by 16 rows of x, 32 inputs at a time.
 *
 * A tile of W is 16 rows of 32 numbers, as they are stored. A tile of x must have two inputs of a
 * row side by side and 16 rows beside one another, so x is packed: for each 32 inputs the three
 * parts of its rows, one behind the other. Eight tile registers: four of sums (32 outputs by 32
 * rows), two of W, two of x. Blocks of inputs keep the packed rows in the second-level cache; the
 * sums wait in memory between them. */
#include "math/gemm_amx.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "math/lanes.h"

#define AMX_TARGET __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw")))

enum {
    N_PARTS = 3,
    STEP_IN = 32,    /* inputs of a tile */
    BLOCK_IN = 1024, /* inputs whose packed rows stay in the cache */
    PAIR = 32,       /* outputs, or rows, of two tiles */
    TILE_ITEMS = 256, /* of 32 bits */
    STEP_ITEMS = N_PARTS * TILE_ITEMS,
};

static size_t n_steps_of(size_t n_in)
{
    return (n_in + STEP_IN - 1) / STEP_IN;
}

size_t amx_packed_bytes(size_t n_in)
{
    return n_steps_of(n_in) * STEP_ITEMS * sizeof(uint32_t);
}

/* ---- packing ---- */

/* Rows become columns: in each round blocks of 1, 2, 4, 8 change places across the diagonal. */
AMX_TARGET static void transpose(__m512i rows[16])
{
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    LANES_UNROLL
    for (int size = 1; size < 16; size *= 2) {
        __m512i distance = _mm512_set1_epi32(size);
        __mmask16 is_far = _mm512_test_epi32_mask(places, distance);
        __m512i upper = _mm512_mask_add_epi32(places, is_far, _mm512_sub_epi32(places, distance),
                                              _mm512_set1_epi32(16));
        __m512i lower = _mm512_mask_add_epi32(_mm512_add_epi32(places, distance), is_far, places,
                                              _mm512_set1_epi32(16));

        LANES_UNROLL
        for (int i = 0; i < 16; i++)
            if (!(i & size)) {
                __m512i a = rows[i], b = rows[i + size];

                rows[i] = _mm512_permutex2var_epi32(a, upper, b);
                rows[i + size] = _mm512_permutex2var_epi32(a, lower, b);
            }
    }
}

/* x without its first eight significant bits: exact. */
AMX_TARGET static __m512 rest_of(__m512 x)
{
    __m512i first = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32((int)0xffff0000));

    return _mm512_sub_ps(x, _mm512_castsi512_ps(first));
}

/* The upper halves of 32 floats. */
AMX_TARGET static __m512i halves_of(__m512 a, __m512 b)
{
    __m512i lower = _mm512_srli_epi32(_mm512_castps_si512(a), 16);
    __m512i upper = _mm512_srli_epi32(_mm512_castps_si512(b), 16);

    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(lower)),
                              _mm512_cvtepi32_epi16(upper), 1);
}

/* 32 inputs of the rows: their three parts. */
AMX_TARGET static void pack_step(size_t n_rows, const float *x, size_t x_stride, size_t n,
                                 uint32_t *packed)
{
    __m512 a[AMX_ROWS] = {0}, b[AMX_ROWS] = {0};
    __mmask16 mask_a = n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);
    __mmask16 mask_b = n >= 32 ? 0xffff : n <= 16 ? 0 : (__mmask16)((1u << (n - 16)) - 1);
    __m512i halves[AMX_ROWS];

    for (size_t row = 0; row < n_rows; row++) {
        a[row] = _mm512_maskz_loadu_ps(mask_a, x + row * x_stride);
        b[row] = _mm512_maskz_loadu_ps(mask_b, x + row * x_stride + (n < 16 ? 0 : 16));
    }
    for (size_t part = 0; part < N_PARTS; part++) {
        for (size_t row = 0; row < AMX_ROWS; row++) {
            halves[row] = halves_of(a[row], b[row]);
            a[row] = rest_of(a[row]);
            b[row] = rest_of(b[row]);
        }
        transpose(halves);
        for (size_t pair = 0; pair < 16; pair++)
            _mm512_store_si512(packed + part * TILE_ITEMS + pair * AMX_ROWS, halves[pair]);
    }
}

void amx_pack(size_t n_rows, const float *x, size_t x_stride, size_t n_in, void *packed)
{
    uint32_t *step = packed;

    for (size_t in = 0; in < n_in; in += STEP_IN, step += STEP_ITEMS)
        pack_step(n_rows, x + in, x_stride, n_in - in < STEP_IN ? n_in - in : STEP_IN, step);
}

/* ---- multiplying ---- */

struct tile_config { /* as the processor wants it */
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t n_rows[16];
};

/* gcc 12 does not know that the instructions of tiles read and write memory. */
static void settle_memory(const void *memory)
{
    __asm__ volatile("" : : "r"(memory) : "memory");
}

AMX_TARGET static void configure(void)
{
    struct tile_config config = {.palette = 1};

    for (size_t i = 0; i < 8; i++) {
        config.row_bytes[i] = 64;
        config.n_rows[i] = 16;
    }
    settle_memory(&config);
    _tile_loadconfig(&config);
}

struct weights { /* [n_out, n_in], from the first output and input of a block on */
    const uint16_t *items;
    size_t stride, n_out, n_in;
};

/* 32 outputs by 32 inputs: where they lie or, at the edge of W, copied beside zeros. */
static struct weights step_of(const struct weights *w, size_t in, uint16_t edge[PAIR * STEP_IN])
{
    size_t n_in = w->n_in - in < STEP_IN ? w->n_in - in : STEP_IN;

    if (w->n_out >= PAIR && n_in == STEP_IN)
        return (struct weights){w->items + in, w->stride, PAIR, STEP_IN};
    memset(edge, 0, PAIR * STEP_IN * sizeof *edge);
    for (size_t out = 0; out < w->n_out && out < PAIR; out++)
        memcpy(edge + out * STEP_IN, w->items + out * w->stride + in, n_in * sizeof *edge);
    settle_memory(edge);
    return (struct weights){edge, STEP_IN, PAIR, STEP_IN};
}

/* sums [32 outputs, 32 rows] += a block of inputs; the second 16 rows are packed at `other`. */
AMX_TARGET static void multiply_pair(const struct weights *w, const uint32_t *packed,
                                     const uint32_t *other, float *sums)
{
    size_t line = AMX_ROWS_MAX * sizeof *sums;
    uint16_t edge[PAIR * STEP_IN];

    settle_memory(sums);
    _tile_loadd(0, sums, line);
    _tile_loadd(1, sums + AMX_ROWS, line);
    _tile_loadd(2, sums + 16 * AMX_ROWS_MAX, line);
    _tile_loadd(3, sums + 16 * AMX_ROWS_MAX + AMX_ROWS, line);
    for (size_t in = 0; in < w->n_in; in += STEP_IN) {
        struct weights step = step_of(w, in, edge);

        _tile_loadd(4, step.items, step.stride * sizeof *edge);
        _tile_loadd(5, step.items + 16 * step.stride, step.stride * sizeof *edge);
        for (size_t part = 0; part < N_PARTS; part++) {
            _tile_loadd(6, packed, 64);
            _tile_loadd(7, other, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
            packed += TILE_ITEMS;
            other += TILE_ITEMS;
        }
    }
    _tile_stored(0, sums, line);
    _tile_stored(1, sums + AMX_ROWS, line);
    _tile_stored(2, sums + 16 * AMX_ROWS_MAX, line);
    _tile_stored(3, sums + 16 * AMX_ROWS_MAX + AMX_ROWS, line);
    settle_memory(sums);
}

/* 16 outputs of 16 rows, or fewer. */
AMX_TARGET static void store_tile(const float *sums, size_t n_rows, size_t n_out, float *y,
                                  size_t y_stride)
{
    __mmask16 mask = n_out >= 16 ? 0xffff : (__mmask16)((1u << n_out) - 1);
    __m512i lines[16];

    for (size_t out = 0; out < 16; out++)
        lines[out] = _mm512_load_si512(sums + out * AMX_ROWS_MAX);
    transpose(lines);
    for (size_t row = 0; row < 16 && row < n_rows; row++)
        _mm512_mask_storeu_ps(y + row * y_stride, mask, _mm512_castsi512_ps(lines[row]));
}

AMX_TARGET void amx_multiply(size_t n_rows, const void *packed, const void *w, size_t w_stride,
                             size_t n_out, size_t n_in, float *sums, float *y, size_t y_stride)
{
    size_t row_items = n_steps_of(n_in) * STEP_ITEMS, n_groups = (n_rows + AMX_ROWS - 1) / AMX_ROWS;

    configure();
    memset(sums, 0, (n_out + PAIR - 1) / PAIR * PAIR * AMX_ROWS_MAX * sizeof *sums);
    for (size_t in = 0; in < n_in; in += BLOCK_IN)
        for (size_t out = 0; out < n_out; out += PAIR) {
            struct weights block = {(const uint16_t *)w + out * w_stride + in, w_stride,
                                    n_out - out, n_in - in < BLOCK_IN ? n_in - in : BLOCK_IN};
            const uint32_t *x = (const uint32_t *)packed + in / STEP_IN * STEP_ITEMS;

            for (size_t group = 0; group < n_groups; group += 2)
                multiply_pair(&block, x + group * row_items,
                              x + (group + 1 < n_groups ? group + 1 : group) * row_items,
                              sums + out * AMX_ROWS_MAX + group * AMX_ROWS);
        }
    _tile_release();
    for (size_t row = 0; row < n_rows; row += AMX_ROWS)
        for (size_t out = 0; out < n_out; out += 16)
            store_tile(sums + out * AMX_ROWS_MAX + row, n_rows - row, n_out - out,
                       y + row * y_stride + out, y_stride);
}
#else

size_t amx_packed_bytes(size_t n_in)
{
    return n_in;
}

void amx_pack(size_t n_rows, const float *x, size_t x_stride, size_t n_in, void *packed)
{
    (void)n_rows, (void)x, (void)x_stride, (void)n_in, (void)packed;
}

void amx_multiply(size_t n_rows, const void *packed, const void *w, size_t w_stride, size_t n_out,
                  size_t n_in, float *sums, float *y, size_t y_stride)
{
    (void)n_rows, (void)packed, (void)w, (void)w_stride, (void)n_out;
    (void)n_in, (void)sums, (void)y, (void)y_stride;
}
#endif
