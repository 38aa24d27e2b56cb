#include "compute.h"

#include <string.h>

#include "base/isa.h"
#include "math/gemm_fast.h"

#include "terminal.h"

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

void compute_choose(const struct common_options *common)
{
    struct notices notices = {0};

    if (!common->compute || strcmp(common->compute, "fast") != 0)
        return;
    tell_fast(&notices);
    terminal_notices(&notices, common);
    notices_release(&notices);
}
