#include "mix_experts.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "tensor/tensor_floats.h"
#include "tensor/tensor_source.h"

struct input { /* of one adapter */
    float *a, *b; /* all experts', as they are stored */
    float *own_b; /* [n_out, rank], of the expert whose turn it is */
    size_t a_shape[2], b_shape[2];
    struct tensor a_tensor, b_tensor;
    struct lora_module expert;
};

struct experts {
    const struct mix_module *module;
    struct input *inputs;          /* [n_inputs] */
    struct mix_input *mix_inputs;  /* [n_inputs], of one expert */
    struct arena arena;
};

/* ---- reading ---- */

static float *read_all(const struct tensor *tensor, struct error *err)
{
    float *values = memory_try(tensor->n_items, sizeof *values, "factors of experts", err);

    if (values && tensor_read_floats(tensor, values, err)) {
        free(values);
        return NULL;
    }
    return values;
}

static int open_input(struct experts *experts, size_t i, struct error *err)
{
    const struct mix_module *module = experts->module;
    const struct lora_module *from = module->inputs[i].module;
    struct input *input = &experts->inputs[i];

    input->a = read_all(from->a, err);
    input->b = input->a ? read_all(from->b, err) : NULL;
    if (input->b)
        input->own_b = memory_try(module->n_out, from->rank * sizeof(float), "factors of an expert",
                                  err);
    input->expert = *from;
    input->expert.a = &input->a_tensor;
    input->expert.b = &input->b_tensor;
    input->expert.parameter = NULL;
    input->expert.n_experts = 1;
    experts->mix_inputs[i] = module->inputs[i];
    experts->mix_inputs[i].module = &input->expert;
    return input->own_b ? 0 : -1;
}

/* The expert's rows of A lie together, its columns of B n_experts apart. */
static int turn_to(struct experts *experts, size_t i, size_t expert, struct error *err)
{
    const struct mix_module *module = experts->module;
    struct input *input = &experts->inputs[i];
    size_t rank = input->expert.rank, width = rank * module->n_experts;

    for (size_t o = 0; o < module->n_out; o++)
        for (size_t k = 0; k < rank; k++)
            input->own_b[o * rank + k] = input->b[o * width + k * module->n_experts + expert];
    memcpy(input->a_shape, (size_t[]){rank, module->n_in}, sizeof input->a_shape);
    memcpy(input->b_shape, (size_t[]){module->n_out, rank}, sizeof input->b_shape);
    return tensor_floats(&input->a_tensor, module->name, 2, input->a_shape,
                         input->a + expert * rank * module->n_in, module->name, &experts->arena,
                         err) ||
                   tensor_floats(&input->b_tensor, module->name, 2, input->b_shape, input->own_b,
                                 module->name, &experts->arena, err)
               ? -1
               : 0;
}

/* ---- mixing ---- */

static int mix_one(struct experts *experts, size_t expert, const struct mix_how *how,
                   struct gemm *gemm, float *a, float *b, float *own_b, struct error *err)
{
    const struct mix_module *module = experts->module;
    size_t rank = module->rank, width = rank * module->n_experts;
    char *name = memory_format("%s.%s.%zu", module->name, module->parameter, expert);
    struct mix_module one = *module;
    int rc = 0;

    one.name = name; /* by which chance draws, too */
    one.inputs = experts->mix_inputs;
    one.n_experts = 1;
    for (size_t i = 0; rc == 0 && i < module->n_inputs; i++)
        rc = turn_to(experts, i, expert, err);
    if (rc == 0)
        rc = mix_module_make(&one, how, gemm, a + expert * rank * module->n_in, own_b, NULL, err);
    for (size_t o = 0; rc == 0 && o < module->n_out; o++)
        for (size_t k = 0; k < rank; k++)
            b[o * width + k * module->n_experts + expert] = own_b[o * rank + k];
    free(name);
    return rc;
}

int mix_experts_make(const struct mix_module *module, const struct mix_how *how, struct gemm *gemm,
                     float *a, float *b, struct error *err)
{
    struct experts experts = {
        .module = module,
        .inputs = memory_zalloc(module->n_inputs, sizeof *experts.inputs),
        .mix_inputs = memory_zalloc(module->n_inputs, sizeof *experts.mix_inputs),
    };
    float *own_b = memory_try(module->n_out, module->rank * sizeof *own_b, "factors of an expert",
                              err);
    int rc = own_b ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < module->n_inputs; i++)
        rc = open_input(&experts, i, err);
    for (size_t e = 0; rc == 0 && e < module->n_experts; e++) {
        rc = mix_one(&experts, e, how, gemm, a, b, own_b, err);
        arena_release(&experts.arena);
        experts.arena = (struct arena){0};
    }
    for (size_t i = 0; i < module->n_inputs; i++) {
        free(experts.inputs[i].a);
        free(experts.inputs[i].b);
        free(experts.inputs[i].own_b);
    }
    free(experts.inputs);
    free(experts.mix_inputs);
    arena_release(&experts.arena);
    free(own_b);
    return rc;
}
