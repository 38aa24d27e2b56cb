/* isa.h - the instruction sets that kernels are written for, and which of them are used.
 *
 * A kernel has a version for each of enum isa. What runs is the best that the processor has, or what
 * COCKTAIL_ISA names; matrix products have two more ways to be done (gemm.h). */
#ifndef COCKTAIL_ISA_H
#define COCKTAIL_ISA_H

#include <stdbool.h>

#include "base/error.h"

enum isa {
    ISA_PLAIN,  /* C for any processor */
    ISA_AVX2,   /* with FMA and F16C */
    ISA_AVX512, /* F alone; whoever has it has what stands above, too */
    N_ISAS,
};

enum isa_products { /* by what matrix products are done */
    ISA_PRODUCTS_OWN, /* kernels of the instruction set in use */
    ISA_PRODUCTS_AMX, /* of BF16 weights by the processor's tiles, others as above */
    ISA_PRODUCTS_BLAS,
    ISA_PRODUCTS_FAST, /* with x rounded, where gemm_fast.h has a way, else as the first */
};

/* Whether the processor has it. */
bool isa_has(enum isa isa);
bool isa_has_amx(void);
/* AVX512_BF16, and it may be used. */
bool isa_has_bf16(void);
/* Whether it may, as it may at first: not where ranks without it do the same job. Before other threads
 * run. */
void isa_allow_bf16(bool is_allowed);

/* What is used from now on: "plain", "avx2", "avx512", "amx" or "blas", the last two with the best
 * of the others; NULL or "": the best without these two. ERROR_USAGE for another word,
 * ERROR_UNSUPPORTED for what the processor lacks. Before other threads run. */
int isa_choose(const char *name, struct error *err);

/* From now on products are ISA_PRODUCTS_FAST, if they were ISA_PRODUCTS_OWN; false, and nothing
 * changes, if not. */
bool isa_choose_fast(void);

enum isa isa_in_use(void);
enum isa_products isa_products_in_use(void);

#endif
