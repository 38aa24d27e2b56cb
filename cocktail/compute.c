#include "compute.h"

#include <string.h>

#include "base/isa.h"
#include "base/ranks.h"
#include "math/gemm_fast.h"

#include "terminal.h"

/* All ranks use the best instructions that each of them has, and make products in one way: their own,
 * unless all are told of the same other one. */
static int agree(const struct common_options *common, struct error *err)
{
    static const char *const names[N_ISAS] = {"plain", "avx2", "avx512"};
    enum { BEST, WAY, OTHER_WAYS, BF16, N };
    size_t way = isa_products_in_use() * N_ISAS + isa_in_use();
    size_t n_ways = (ISA_PRODUCTS_FAST + 1) * N_ISAS;
    size_t least[N] = {isa_in_use(), way, n_ways - way, isa_has_bf16()};

    if (ranks_least(least, N, err))
        return -1;
    isa_allow_bf16(least[BF16]);
    if (least[WAY] + least[OTHER_WAYS] == n_ways)
        return 0;
    if (way != least[BEST] && !common->quiet)
        fprintf(stderr, "cocktail: note: %suses %s, the best that each rank has\n", ranks_label(),
                names[least[BEST]]);
    return isa_choose(names[least[BEST]], err);
}

static void tell_fast(struct notices *notices)
{
    enum isa isa = isa_in_use();

    if (!isa_choose_fast())
        notices_add(notices, "COCKTAIL_ISA says how matrix products are done; --compute fast "
                             "changes nothing");
    else if (!gemm_fast_has_int8(isa))
        notices_add(notices, "--compute fast needs AVX2, which is not in use; everything is computed "
                             "exactly");
    else if (!gemm_fast_has_bf16(isa))
        notices_add(notices, "computing fast: inputs of matrix products with quantised weights are "
                             "rounded to 8 bits; without AVX512_BF16 others are computed exactly");
    else
        notices_add(notices, "computing fast: inputs of matrix products are rounded to 8 bits "
                             "where weights are quantised, else to bf16");
}

int compute_choose(const struct common_options *common, struct error *err)
{
    struct notices notices = {0};

    if (agree(common, err))
        return -1;
    if (!common->compute || strcmp(common->compute, "fast") != 0)
        return 0;
    tell_fast(&notices);
    terminal_notices(&notices, common);
    notices_release(&notices);
    return 0;
}
