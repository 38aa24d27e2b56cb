#include "largest.h"

#include <string.h>

enum { N_LOOKS = 3 };

/* Of 31 bits: 11, 11 and 9. */
static const unsigned shifts[N_LOOKS + 1] = {31, 20, 9, 0};

static uint32_t bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffff;
}

void largest_init(struct largest *largest, size_t k)
{
    memset(largest, 0, sizeof *largest);
    largest->n_left = k;
    if (k == 0) { /* above all */
        largest->n_looks = N_LOOKS;
        largest->limit = 0x7fffffff;
    }
}

bool largest_goes_on(const struct largest *largest)
{
    return largest->n_looks < N_LOOKS;
}

void largest_look(struct largest *largest, const float *x, size_t n)
{
    unsigned known = shifts[largest->n_looks], shift = shifts[largest->n_looks + 1];
    uint32_t mask = ((uint32_t)1 << (known - shift)) - 1;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(x[i]);

        if (bits >> known == largest->limit >> known)
            largest->cells[bits >> shift & mask]++;
    }
}

void largest_turn(struct largest *largest)
{
    unsigned shift = shifts[largest->n_looks + 1];
    size_t n_cells = (size_t)1 << (shifts[largest->n_looks] - shift), cell = n_cells - 1;

    while (cell > 0 && largest->cells[cell] < largest->n_left)
        largest->n_left -= largest->cells[cell--];
    largest->limit |= (uint32_t)cell << shift;
    largest->n_looks++;
    memset(largest->cells, 0, sizeof largest->cells);
}

void largest_keep(struct largest *largest, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(x[i]);

        if (bits > largest->limit)
            continue;
        if (bits == largest->limit && largest->n_left > 0)
            largest->n_left--;
        else
            x[i] = 0;
    }
}
