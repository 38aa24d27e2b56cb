#include "isa.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static enum isa chosen = N_ISAS; /* none yet: the best */
static enum isa_products products;
static bool forgoes_bf16;

bool isa_has(enum isa isa)
{
#if defined(__x86_64__)
    /* AVX2 stands for F16C, too, which no processor with AVX2 and FMA lacks and which clang 14
     * cannot ask for. */
    if (isa == ISA_AVX2 || isa == ISA_AVX512)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               (isa == ISA_AVX2 || __builtin_cpu_supports("avx512f"));
#endif
    return isa == ISA_PLAIN;
}

/* The processor's word, and the system's, whose leave a program needs. */
bool isa_has_amx(void)
{
#if defined(__x86_64__)
    enum { /* bits of cpuid, and of arch_prctl: arch/x86/include/uapi/asm/prctl.h */
        BF16_TILES = 1 << 22,
        TILES = 1 << 24,
        ASK_FOR_STATE = 0x1023,
        STATE_OF_TILES = 18,
    };
    unsigned a, b, c, d;

    return isa_has(ISA_AVX512) && __builtin_cpu_supports("avx512bw") &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & BF16_TILES) && (d & TILES) &&
           syscall(SYS_arch_prctl, ASK_FOR_STATE, STATE_OF_TILES) == 0;
#else
    return false;
#endif
}

bool isa_has_bf16(void)
{
#if defined(__x86_64__)
    return !forgoes_bf16 && isa_has(ISA_AVX512) && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

void isa_allow_bf16(bool is_allowed)
{
    forgoes_bf16 = !is_allowed;
}

static enum isa best(void)
{
    return isa_has(ISA_AVX512) ? ISA_AVX512 : isa_has(ISA_AVX2) ? ISA_AVX2 : ISA_PLAIN;
}

int isa_choose(const char *name, struct error *err)
{
    static const struct {
        const char *name;
        enum isa isa; /* N_ISAS: the best */
        enum isa_products products;
    } rows[] = {
        {"", N_ISAS, ISA_PRODUCTS_OWN},         {"plain", ISA_PLAIN, ISA_PRODUCTS_OWN},
        {"avx2", ISA_AVX2, ISA_PRODUCTS_OWN},   {"avx512", ISA_AVX512, ISA_PRODUCTS_OWN},
        {"amx", N_ISAS, ISA_PRODUCTS_AMX},      {"blas", N_ISAS, ISA_PRODUCTS_BLAS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name ? name : "") != 0)
            continue;
        if ((rows[i].isa < N_ISAS && !isa_has(rows[i].isa)) ||
            (rows[i].products == ISA_PRODUCTS_AMX && !isa_has_amx()))
            return error_set(err, ERROR_UNSUPPORTED, "COCKTAIL_ISA is '%s', which this processor "
                             "does not have; leave it unset to use the best there is", name);
        chosen = rows[i].isa;
        products = rows[i].products;
        return 0;
    }
    return error_set(err, ERROR_USAGE, "COCKTAIL_ISA must be plain, avx2, avx512, amx or blas, not '"
                     ERROR_NAME "'", name);
}

bool isa_choose_fast(void)
{
    if (products != ISA_PRODUCTS_OWN && products != ISA_PRODUCTS_FAST)
        return false;
    products = ISA_PRODUCTS_FAST;
    return true;
}

enum isa isa_in_use(void)
{
    return chosen == N_ISAS ? best() : chosen;
}

enum isa_products isa_products_in_use(void)
{
    return products;
}
