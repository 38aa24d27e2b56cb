#include "mlp.h"

#include "math/gemm.h"
#include "model/forward.h"

struct rows {
    enum activation activation;
    float *gate; /* or NULL */
    float *up;
    size_t n, n_gate; /* in a row of up, of gate */
};

static void activate_rows(void *context, size_t begin, size_t end)
{
    const struct rows *rows = context;
    size_t n = rows->n;

    for (size_t r = begin; r < end; r++) {
        float *up = rows->up + r * n, *gate = rows->gate ? rows->gate + r * rows->n_gate : NULL;

        if (!gate) {
            vector_activate(rows->activation, up, n, up);
        } else if (rows->n_gate == n) {
            vector_gate(rows->activation, gate, up, n, up);
        } else {
            vector_gate(rows->activation, gate + n, gate, n, gate);
            vector_gate(ACTIVATION_IDENTITY, gate, up, n, up);
        }
    }
}

void mlp_multiply(const struct model *model, const struct linear *linear, const float *x,
                  size_t n_rows, float *y, size_t y_stride)
{
    gemm_multiply(model->gemm, n_rows, x, linear->matrix.n_in, &linear->matrix, linear->bias, y,
                  y_stride);
}

void mlp_run(const struct model *model, enum activation activation, const struct linear *gate,
             const struct linear *up, const struct linear *down, const float *x, size_t n_rows,
             float *gate_rows, float *up_rows, float *out)
{
    bool is_gated = gate->matrix.data != NULL;
    size_t n = up->matrix.n_out, n_gate = gate->matrix.n_out;
    struct rows rows = {activation, is_gated ? gate_rows : NULL, up_rows, n, n_gate};

    mlp_multiply(model, up, x, n_rows, up_rows, n);
    if (is_gated)
        mlp_multiply(model, gate, x, n_rows, gate_rows, n_gate);
    forward_each(model->threads, n_rows, n, activate_rows, &rows);
    mlp_multiply(model, down, up_rows, n_rows, out, down->matrix.n_out);
}
