#include "mlp.h"

#include "model/linear.h"
#include "model/rows.h"

struct rows {
    enum activation activation;
    float *gate; /* or NULL */
    float *up;
    size_t n, n_gate; /* in a row of up, of gate */
};

void mlp_turn_rows(enum activation activation, float *gate, size_t n_gate, float *up, size_t n,
                   size_t n_rows)
{
    for (size_t r = 0; r < n_rows; r++, up += n) {
        if (!gate) {
            vector_activate(activation, up, n, up);
            continue;
        }
        if (n_gate == n) {
            vector_gate(activation, gate, up, n, up);
        } else {
            vector_gate(activation, gate + n, gate, n, gate);
            vector_gate(ACTIVATION_IDENTITY, gate, up, n, up);
        }
        gate += n_gate;
    }
}

static void activate_rows(void *context, size_t begin, size_t end)
{
    const struct rows *rows = context;

    mlp_turn_rows(rows->activation, rows->gate ? rows->gate + begin * rows->n_gate : NULL,
                  rows->n_gate, rows->up + begin * rows->n, rows->n, end - begin);
}

void mlp_run(const struct engine *engine, enum activation activation, const struct linear *gate,
             const struct linear *up, const struct linear *down, const float *x, size_t n_rows,
             float *gate_rows, float *up_rows, float *out)
{
    bool is_gated = gate->matrix.data != NULL;
    size_t n = up->matrix.n_out, n_gate = gate->matrix.n_out;
    struct rows rows = {activation, is_gated ? gate_rows : NULL, up_rows, n, n_gate};

    linear_run_each(engine, (const struct linear *[]){up, gate}, is_gated ? 2 : 1, x, n_rows,
                    (float *[]){up_rows, gate_rows}, (size_t[]){n, n_gate});
    rows_each(engine->threads, n_rows, n, activate_rows, &rows);
    linear_run(engine, down, up_rows, n_rows, out, down->matrix.n_out);
}
