/* extract_room.c - how large an adapter will be, as far as that is known before anything is decomposed. */
#include <stdlib.h>
#include <string.h>

#include "adapter/extract_job.h"
#include "base/memory.h"
#include "tensor/output_tensor.h"
#include "tensor/tensor_source.h"

/* 1 when the first values of both differ, as they do where any do that were trained; else 0, or -1. */
static int differs_early(const struct extract_part *part, struct error *err)
{
    enum { MOST = 4096 };
    const struct tensor *pair[2] = {part->tuned, part->base};
    size_t n = part->tuned->n_items < MOST ? part->tuned->n_items : MOST;
    char *bytes = memory_alloc(MOST * sizeof(double));
    double *values = memory_zalloc(2 * MOST, sizeof *values);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = tensor_read(pair[i], 0, n, bytes, err);
        if (rc == 0)
            dtype_to_double(pair[i]->dtype, bytes, values + i * MOST, n);
    }
    if (rc == 0)
        rc = memcmp(values, values + MOST, n * sizeof *values) != 0;
    free(values);
    free(bytes);
    return rc;
}

static int add_size(const struct job *job, const struct extract_part *part, size_t *n_bytes,
                    struct error *err)
{
    const size_t *shape = part->tuned->shape;
    size_t rank = job->options->size.rank ? job->options->size.rank : 1;
    bool is_alike = part->base && tensor_same_shape(part->tuned, part->base);
    int target = extract_is_target(job, part, err), differs = 1;

    if (target >= 0 && is_alike)
        differs = differs_early(part, err);
    if (target < 0 || differs < 0)
        return -1;
    if (!differs)
        return 0;
    if (!target) {
        struct output_tensor stored = output_tensor_like(part->tuned);

        if (output_tensor_measure(&stored, err))
            return -1;
        *n_bytes += stored.size_bytes;
        return 0;
    }
    for (size_t i = 0; i < 2; i++)
        rank = rank < shape[i] ? rank : shape[i];
    *n_bytes += rank * (shape[0] + shape[1]) * sizeof(float);
    return 0;
}

int extract_check_room(const struct job *job, struct error *err)
{
    size_t n_bytes = 0;

    if (!job->options->output)
        return 0;
    for (size_t i = 0; i < job->tuned.checkpoint->n_tensors; i++) {
        struct error ignored = {0};
        struct extract_part part;

        if (!tensor_names_is_parameter(&job->tuned.checkpoint->tensors[i]) ||
            extract_is_of_experts(job, i))
            continue;
        extract_name_part(job, i, &part);
        if (extract_check_part(&part, &ignored) == 0 && add_size(job, &part, &n_bytes, err))
            return error_context(err, "'%s'", job->tuned_name);
    }
    return adapter_check_space(job->options->output, n_bytes, err);
}
