#include "mix_module.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/largest.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "math/svd.h"
#include "tensor/tensor_source.h"

enum { BLOCK_ITEMS = 1 << 18, STEP = 1 << 10 };

/* A matrix of one adapter: a tensor, or the product of two. */
struct operand {
    const struct tensor *tensor; /* NULL: scale * b a */
    float *a, *b;                /* [rank, n_cols], [n_rows, rank]; owned */
    size_t rank;
    float scale, weight;
    uint64_t stream;             /* of random numbers */
    struct largest largest;
    float *values;               /* of a block; owned */
};

struct mixture { /* of one matrix */
    const struct mix_how *how;
    struct gemm *gemm;
    size_t n_rows, n_cols, block_rows;
    struct operand *operands;
    size_t n_operands;
};

/* ---- reading ---- */

static int read_floats(const struct tensor *tensor, size_t first, size_t n, float *out,
                       struct error *err)
{
    _Alignas(double) char stored[STEP * sizeof(double)];
    double values[STEP];

    for (size_t done = 0; done < n;) {
        size_t some = n - done < STEP ? n - done : STEP;

        if (tensor_read(tensor, first + done, some, stored, err))
            return -1;
        dtype_to_double(tensor->dtype, stored, values, some);
        for (size_t i = 0; i < some; i++)
            out[done + i] = (float)values[i];
        done += some;
    }
    return 0;
}

static float *read_all(const struct tensor *tensor, struct error *err)
{
    float *values = memory_try(tensor->n_items, sizeof *values, "a matrix of an adapter", err);

    if (values && read_floats(tensor, 0, tensor->n_items, values, err)) {
        free(values);
        return NULL;
    }
    return values;
}

/* Rows first_row … of the operand's matrix, to its values. */
static int read_rows(const struct mixture *mixture, struct operand *operand, size_t first_row,
                     size_t n_rows, struct error *err)
{
    size_t n_cols = mixture->n_cols, n = n_rows * n_cols;
    struct gemm_matrix a = {.format = &matrix_f32_transposed, .data = operand->a, .n_out = n_cols,
                            .n_in = operand->rank, .stride = n_cols};

    if (interrupt_check(err))
        return -1;
    if (operand->tensor)
        return read_floats(operand->tensor, first_row * n_cols, n, operand->values, err);
    gemm_multiply(mixture->gemm, n_rows, operand->b + first_row * operand->rank, operand->rank, &a,
                  NULL, operand->values, n_cols);
    for (size_t i = 0; i < n; i++)
        operand->values[i] *= operand->scale;
    return 0;
}

/* ---- one matrix ---- */

static size_t rows_of_block(const struct mixture *mixture, size_t first_row)
{
    size_t left = mixture->n_rows - first_row;

    return left < mixture->block_rows ? left : mixture->block_rows;
}

static int find_largest(const struct mixture *mixture, struct operand *operand, struct error *err)
{
    double n_kept = mixture->how->density * (double)(mixture->n_rows * mixture->n_cols);

    largest_init(&operand->largest, (size_t)n_kept);
    while (largest_goes_on(&operand->largest)) {
        for (size_t row = 0; row < mixture->n_rows; row += mixture->block_rows) {
            size_t n = rows_of_block(mixture, row);

            if (read_rows(mixture, operand, row, n, err))
                return -1;
            largest_look(&operand->largest, operand->values, n * mixture->n_cols);
        }
        largest_turn(&operand->largest);
    }
    return 0;
}

static void prune(const struct mixture *mixture, struct operand *operand, size_t first, size_t n)
{
    const struct mix_how *how = mixture->how;

    if (how->density >= 1)
        return;
    if (how->method->pruning == ADAPTER_KEEPS_LARGEST)
        largest_keep(&operand->largest, operand->values, n);
    if (how->method->pruning == ADAPTER_KEEPS_BY_CHANCE)
        mix_block_thin(operand->values, first, n, how->density, how->seed, operand->stream);
}

static int combine_rows(const struct mixture *mixture, size_t first_row, float *out,
                        struct error *err)
{
    size_t n_rows = rows_of_block(mixture, first_row), n = n_rows * mixture->n_cols;
    size_t first = first_row * mixture->n_cols, n_operands = mixture->n_operands;
    const float **values = memory_zalloc(n_operands, sizeof *values);
    float *weights = memory_zalloc(n_operands, sizeof *weights);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n_operands; i++) {
        struct operand *operand = &mixture->operands[i];

        rc = read_rows(mixture, operand, first_row, n_rows, err);
        if (rc == 0)
            prune(mixture, operand, first, n);
        values[i] = operand->values;
        weights[i] = operand->weight;
    }
    if (rc == 0 && mixture->how->method->votes)
        mix_block_vote(values, weights, n_operands, n, mixture->how->counts_signs, out + first);
    else if (rc == 0)
        mix_block_sum(values, weights, n_operands, n, out + first);
    free(values);
    free(weights);
    return rc;
}

/* out [n_rows, n_cols] */
static int combine(struct mixture *mixture, float *out, struct error *err)
{
    bool looks = mixture->how->method->pruning == ADAPTER_KEEPS_LARGEST && mixture->how->density < 1;

    mixture->block_rows = BLOCK_ITEMS / mixture->n_cols + 1;
    for (size_t i = 0; i < mixture->n_operands; i++) {
        struct operand *operand = &mixture->operands[i];

        operand->values = memory_try(rows_of_block(mixture, 0), mixture->n_cols * sizeof(float),
                                     "rows of an adapter", err);
        if (!operand->values || (looks && find_largest(mixture, operand, err)))
            return -1;
    }
    for (size_t row = 0; row < mixture->n_rows; row += mixture->block_rows)
        if (combine_rows(mixture, row, out, err))
            return -1;
    return 0;
}

static struct mixture mixture_of(const struct mix_module *module, const struct mix_how *how,
                                 struct gemm *gemm, size_t n_rows, size_t n_cols)
{
    return (struct mixture){.how = how, .gemm = gemm, .n_rows = n_rows, .n_cols = n_cols,
                            .n_operands = module->n_inputs,
                            .operands = memory_zalloc(module->n_inputs, sizeof(struct operand))};
}

static void mixture_release(struct mixture *mixture)
{
    for (size_t i = 0; i < mixture->n_operands; i++) {
        free(mixture->operands[i].a);
        free(mixture->operands[i].b);
        free(mixture->operands[i].values);
    }
    free(mixture->operands);
}

/* Another one for each part of each module of each adapter (FNV-1a). */
static uint64_t stream_of(const struct mix_module *module, const struct mix_input *input, char part)
{
    uint64_t hash = 0xcbf29ce484222325 ^ (unsigned char)part ^ (uint64_t)input->number << 8;

    for (const char *c = module->name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
    return hash;
}

/* ---- A and B each ---- */

/* Half of weight and scale goes to each; a sign to A. */
static int combine_factor(const struct mix_module *module, const struct mix_how *how,
                          struct gemm *gemm, bool is_a, float *out, struct error *err)
{
    struct mixture mixture = is_a ? mixture_of(module, how, gemm, module->rank, module->n_in)
                                  : mixture_of(module, how, gemm, module->n_out, module->rank);
    int rc;

    for (size_t i = 0; i < module->n_inputs; i++) {
        const struct mix_input *input = &module->inputs[i];
        struct operand *operand = &mixture.operands[i];
        double share = input->weight * input->module->scale;

        operand->tensor = is_a ? input->module->a : input->module->b;
        operand->weight = (float)(sqrt(fabs(share)) * (is_a && share < 0 ? -1 : 1));
        operand->stream = stream_of(module, input, is_a ? 'A' : 'B');
    }
    rc = combine(&mixture, out, err);
    mixture_release(&mixture);
    return rc;
}

/* ---- their products ---- */

/* Where the rank is more than there is, the rest is 0. */
static void take_factors(const struct mix_module *module, const struct svd *svd, float *a, float *b)
{
    size_t n_in = module->n_in, n_out = module->n_out, rank = module->rank;

    memset(a, 0, rank * n_in * sizeof *a);
    memset(b, 0, n_out * rank * sizeof *b);
    for (size_t r = 0; r < svd->rank; r++) {
        memcpy(a + r * n_in, svd->right + r * n_in, n_in * sizeof *a);
        for (size_t i = 0; i < n_out; i++)
            b[i * rank + r] = svd->left[r * n_out + i];
    }
}

static int combine_product(const struct mix_module *module, const struct mix_how *how,
                           struct gemm *gemm, float *out, struct error *err)
{
    struct mixture mixture = mixture_of(module, how, gemm, module->n_out, module->n_in);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < module->n_inputs; i++) {
        const struct mix_input *input = &module->inputs[i];
        struct operand *operand = &mixture.operands[i];

        operand->rank = input->module->rank;
        operand->scale = (float)input->module->scale;
        operand->weight = (float)input->weight;
        operand->stream = stream_of(module, input, 'W');
        operand->a = read_all(input->module->a, err);
        operand->b = operand->a ? read_all(input->module->b, err) : NULL;
        rc = operand->b ? 0 : -1;
    }
    if (rc == 0)
        rc = combine(&mixture, out, err);
    mixture_release(&mixture);
    return rc;
}

static int check_finite(const struct mix_module *module, const float *x, size_t n,
                        struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': the adapters' values are "
                             "so large that what becomes of them is not finite", module->name);
    return 0;
}

/* ---- side by side ---- */

static int stand_side_by_side(const struct mix_module *module, float *a, float *b, struct error *err)
{
    size_t n_in = module->n_in, n_out = module->n_out, at = 0;

    for (size_t k = 0; k < module->n_inputs; k++) {
        const struct lora_module *from = module->inputs[k].module;
        float weight = (float)module->inputs[k].weight, scale = (float)from->scale, *own;

        if (read_floats(from->a, 0, from->rank * n_in, a + at * n_in, err))
            return -1;
        for (size_t i = at * n_in; i < (at + from->rank) * n_in; i++)
            a[i] = a[i] * weight * scale;
        own = read_all(from->b, err);
        if (!own)
            return -1;
        for (size_t i = 0; i < n_out; i++)
            memcpy(b + i * module->rank + at, own + i * from->rank, from->rank * sizeof *b);
        free(own);
        at += from->rank;
    }
    return 0;
}

/* ---- decomposed ---- */

static int decompose_whole(const struct mix_module *module, const struct mix_how *how,
                           struct gemm *gemm, struct svd *svd, struct error *err)
{
    size_t n_in = module->n_in, n_out = module->n_out;
    float *product = memory_try(n_out, n_in * sizeof *product, "a matrix", err);
    struct svd_size size = {module->rank, 1};
    int rc = product ? combine_product(module, how, gemm, product, err) : -1;

    if (rc == 0)
        rc = check_finite(module, product, n_out * n_in, err);
    if (rc == 0)
        rc = svd_approximate(svd, product, n_out, n_in, size, gemm, err);
    free(product);
    return rc;
}

static size_t sum_of_ranks(const struct mix_module *module)
{
    size_t n = 0;

    for (size_t k = 0; k < module->n_inputs; k++)
        n += module->inputs[k].module->rank;
    return n;
}

/* Whether the sum of products is plainly that of all A below one another and all B side by side, of a
 * rank at which it pays not to make it. */
static bool is_thin(const struct mix_module *module, const struct mix_how *how)
{
    size_t least = module->n_in < module->n_out ? module->n_in : module->n_out;

    return how->method->pruning == ADAPTER_KEEPS_ALL && !how->method->votes &&
           sum_of_ranks(module) <= least / 2;
}

static int decompose_thin(const struct mix_module *module, struct svd *svd, struct error *err)
{
    size_t n_in = module->n_in, n_out = module->n_out, n = sum_of_ranks(module);
    struct mix_module both = *module;
    float *a = memory_try(n, n_in * sizeof *a, "a matrix", err), *b = NULL, *turned = NULL;
    int rc = -1;

    both.rank = n;
    if (a)
        b = memory_try(n, n_out * sizeof *b, "a matrix", err);
    if (b)
        turned = memory_try(n, n_out * sizeof *turned, "a matrix", err);
    if (turned && stand_side_by_side(&both, a, b, err) == 0 &&
        check_finite(module, a, n * n_in, err) == 0) {
        for (size_t i = 0; i < n_out; i++)
            for (size_t r = 0; r < n; r++)
                turned[r * n_out + i] = b[i * n + r];
        rc = svd_of_product(svd, turned, a, n, n_out, n_in, module->rank, err);
    }
    free(a);
    free(b);
    free(turned);
    return rc;
}

static int decompose_product(const struct mix_module *module, const struct mix_how *how,
                             struct gemm *gemm, float *a, float *b, struct error *err)
{
    struct svd svd = {0};
    int rc = is_thin(module, how) ? decompose_thin(module, &svd, err)
                                  : decompose_whole(module, how, gemm, &svd, err);

    if (rc == 0)
        take_factors(module, &svd, a, b);
    svd_release(&svd);
    return rc;
}

/* ---- all of it ---- */

static int add_biases(const struct mix_module *module, float *bias, struct error *err)
{
    memset(bias, 0, module->n_out * sizeof *bias);
    for (size_t k = 0; k < module->n_inputs; k++) {
        const struct mix_input *input = &module->inputs[k];
        double share = input->weight * input->module->scale;
        float *own;

        if (!input->module->bias)
            continue;
        own = read_all(input->module->bias, err);
        if (!own)
            return -1;
        for (size_t i = 0; i < module->n_out; i++)
            bias[i] = (float)(bias[i] + share * own[i]);
        free(own);
    }
    return check_finite(module, bias, module->n_out, err);
}

int mix_module_make(const struct mix_module *module, const struct mix_how *how, struct gemm *gemm,
                    float *a, float *b, float *bias, struct error *err)
{
    int rc;

    switch (how->method->parts) {
    case ADAPTER_PRODUCTS:
        rc = decompose_product(module, how, gemm, a, b, err);
        break;
    case ADAPTER_SIDE_BY_SIDE:
        rc = stand_side_by_side(module, a, b, err);
        break;
    default:
        rc = combine_factor(module, how, gemm, true, a, err) ||
             combine_factor(module, how, gemm, false, b, err) ? -1 : 0;
    }
    if (rc || check_finite(module, a, module->rank * module->n_in, err) ||
        check_finite(module, b, module->n_out * module->rank, err))
        return -1;
    return bias ? add_biases(module, bias, err) : 0;
}
