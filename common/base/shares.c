#include "shares.h"

/* A thing is whose its middle lies in. Doubles, so that no product overflows. */
struct share share_of(const size_t *sizes, size_t n, size_t which, size_t n_shares)
{
    double total = 0, before = 0;
    struct share share = {0, 0};

    for (size_t i = 0; i < n; i++)
        total += (double)sizes[i];
    for (size_t i = 0; i < n; i++) {
        double middle = (before + (double)sizes[i] / 2) / total * (double)n_shares;

        before += (double)sizes[i];
        share.begin += middle < (double)which;
        share.end += middle < (double)which + 1;
    }
    if (which + 1 == n_shares)
        share.end = n;
    return share;
}
