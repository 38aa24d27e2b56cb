#include "base/isa.h"

#include <string.h>

#include "math/gemm_fast.h"
#include "test.h"

static void the_best_is_used_unless_one_is_named(void)
{
    struct error err = {0};
    enum isa best = isa_in_use();

    CHECK(isa_has(best) && isa_has(ISA_PLAIN));
    for (enum isa isa = best + 1; isa < N_ISAS; isa++)
        CHECK(!isa_has(isa));
    CHECK(isa_choose("plain", &err) == 0 && isa_in_use() == ISA_PLAIN);
    CHECK(isa_products_in_use() == ISA_PRODUCTS_OWN);
    CHECK(isa_choose("blas", &err) == 0 && isa_in_use() == best);
    CHECK(isa_products_in_use() == ISA_PRODUCTS_BLAS);
    if (isa_has(ISA_AVX2))
        CHECK(isa_choose("avx2", &err) == 0 && isa_in_use() == ISA_AVX2);
    CHECK(isa_choose(NULL, &err) == 0 && isa_in_use() == best);
    CHECK(isa_choose("", &err) == 0 && isa_products_in_use() == ISA_PRODUCTS_OWN);
}

static void what_is_not_there_is_refused(void)
{
    struct error err = {0};
    enum isa best = isa_in_use();

    CHECK(isa_choose("AVX2", &err) == -1 && err.code == ERROR_USAGE);
    CHECK(strcmp(err.text, "COCKTAIL_ISA must be plain, avx2, avx512, amx or blas, not 'AVX2'") ==
          0);
    err = (struct error){0};
    if (!isa_has_amx()) {
        CHECK(isa_choose("amx", &err) == -1 && err.code == ERROR_UNSUPPORTED);
        CHECK(strcmp(err.text, "COCKTAIL_ISA is 'amx', which this processor does not have; leave "
                               "it unset to use the best there is") == 0);
    }
    CHECK(isa_in_use() == best);
}

static void bf16_is_forgone_where_others_lack_it(void)
{
    bool had = isa_has_bf16();

    isa_allow_bf16(false);
    CHECK(!isa_has_bf16() && !gemm_fast_has_bf16(ISA_AVX512));
    isa_allow_bf16(true);
    CHECK(isa_has_bf16() == had && gemm_fast_has_bf16(ISA_AVX512) == had);
    CHECK(!had || isa_has(ISA_AVX512));
}

TESTS(TEST(the_best_is_used_unless_one_is_named), TEST(what_is_not_there_is_refused),
      TEST(bf16_is_forgone_where_others_lack_it))
