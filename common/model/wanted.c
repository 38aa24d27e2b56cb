#include "wanted.h"

#include <string.h>

size_t wanted_gather(const struct batch *batch, size_t n, float *rows)
{
    size_t n_kept = 0;

    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t start = batch_start(batch->ends, s), n_rows = batch->wanted[s].end - batch->wanted[s].first;

        memmove(rows + n_kept * n, rows + (start + batch->wanted[s].first) * n, n_rows * n * sizeof *rows);
        n_kept += n_rows;
    }
    return n_kept;
}

void wanted_scatter(const struct batch *batch, size_t n, float *rows)
{
    size_t n_left = 0;

    for (size_t s = 0; s < batch->n_sequences; s++)
        n_left += batch->wanted[s].end - batch->wanted[s].first;
    for (size_t s = batch->n_sequences; s-- > 0;) {
        size_t start = batch_start(batch->ends, s), n_rows = batch->wanted[s].end - batch->wanted[s].first;

        n_left -= n_rows;
        memmove(rows + (start + batch->wanted[s].first) * n, rows + n_left * n, n_rows * n * sizeof *rows);
    }
}
