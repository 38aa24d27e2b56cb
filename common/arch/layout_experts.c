#include "layout_experts.h"

#include <stdint.h>

#include "arch/families.h"
#include "base/buffer.h"
#include "tensor/tensor_source.h"

static const struct tensor *find_expert_tensor(const struct model_layout *layout,
                                               const struct layout_experts *experts, size_t expert,
                                               const char *name, const char *ending)
{
    struct place place = {experts->stack->names->prefix, experts->layer, expert};
    const struct layout_entry *entry;
    struct buffer text = {0};

    layout_name(&text, place, name, ending);
    entry = layout_find(layout, text.data);
    buffer_release(&text);
    return entry ? entry->tensor : NULL;
}

/* n_rows rows of n items from row `first` on, of what is seen as [.., n]. */
static int take_rows(const struct tensor *tensor, size_t first, size_t n_rows, size_t n,
                     struct arena *arena, struct tensor *out, struct error *err)
{
    return tensor_part(out, tensor, first * n, 2, (const size_t[]){n_rows, n}, NULL, arena, err);
}

int layout_expert(const struct model_layout *layout, const struct layout_experts *experts,
                  size_t expert, enum expert_matrix matrix, struct arena *arena,
                  struct tensor *out, bool *is_transposed, struct error *err)
{
    const struct moe_names *names = experts->names;
    const struct stack_spec *stack = experts->stack;
    size_t n = stack->hidden_size, m = stack->moe.intermediate_size;
    size_t n_gate = stack->has_double_gate ? 2 * m : m;
    size_t n_up = names->turned_gate_up ? 2 * m : m;
    const struct {
        const char *names[3], *ending; /* gate, up, down */
    } all[] = {
        [EXPERTS_APART] = {{names->gate, names->up, names->down}, ".weight"},
        [EXPERTS_STACKED] = {{names->stacked_gate, names->stacked_up, names->stacked_down}, ""},
        [EXPERTS_FUSED] = {{names->fused_gate_up, names->fused_gate_up, names->fused_down}, ""},
        [EXPERTS_TURNED] = {{names->turned_gate,
                             names->turned_gate_up ? names->turned_gate_up : names->turned_up,
                             names->turned_down}, ""},
    };
    const struct tensor *tensor = find_expert_tensor(
        layout, experts, expert, all[experts->way].names[matrix], all[experts->way].ending);

    *is_transposed = experts->way == EXPERTS_TURNED ||
                     (experts->way == EXPERTS_STACKED && matrix == EXPERT_DOWN);
    switch (experts->way) {
    case EXPERTS_APART:
        *out = *tensor;
        return 0;
    case EXPERTS_STACKED:
        return take_rows(tensor, expert * m, m, n, arena, out, err);
    case EXPERTS_FUSED:
        if (matrix == EXPERT_DOWN)
            return take_rows(tensor, expert * n, n, m, arena, out, err);
        return take_rows(tensor, expert * 2 * m + (matrix == EXPERT_UP ? m : 0), m, n, arena, out,
                         err);
    case EXPERTS_TURNED:
        if (matrix == EXPERT_DOWN)
            return take_rows(tensor, expert * m, m, n, arena, out, err);
        return take_rows(tensor, expert * n, n, matrix == EXPERT_GATE ? n_gate : n_up, arena, out,
                         err);
    }
    return 0;
}

/* ---- one way of storing experts from another ---- */

/* The matrix as [n_out, n_in], or as [n_in, n_out]. */
static int take_matrix(const struct model_layout *layout, const struct layout_experts *experts,
                       size_t expert, enum expert_matrix matrix, bool wants_transposed,
                       struct arena *arena, struct tensor *out, struct error *err)
{
    struct tensor *stored = arena_alloc(arena, sizeof *stored);
    bool is_transposed;

    if (layout_expert(layout, experts, expert, matrix, arena, stored, &is_transposed, err))
        return -1;
    if (is_transposed == wants_transposed) {
        *out = *stored;
        return 0;
    }
    return tensor_part(out, stored, 0, 2, (const size_t[]){stored->shape[1], stored->shape[0]},
                       (const size_t[]){1, stored->shape[1]}, arena, err);
}

/* All experts of the group: gate and up of each where `is_both`, else one matrix. */
static int join_experts(const char *name, enum expert_matrix matrix, bool is_both,
                        bool is_transposed, const struct model_layout *other,
                        const struct layout_experts *experts, struct arena *arena,
                        struct tensor *joined, struct error *err)
{
    size_t n_experts = experts->stack->moe.n_experts, n = 0;
    struct tensor *parts = arena_alloc(arena, 2 * n_experts * sizeof *parts);
    const struct tensor **list = arena_alloc(arena, 2 * n_experts * sizeof(*list));

    for (size_t e = 0; e < n_experts; e++)
        for (size_t i = 0; i < (is_both ? 2 : 1); i++, n++) {
            list[n] = &parts[n];
            if (take_matrix(other, experts, e, i ? EXPERT_UP : matrix, is_transposed, arena,
                            &parts[n], err))
                return -1;
        }
    return tensor_join(joined, name, list, n, 0, arena, err);
}

/* As `entry` has them. */
static int join_like(const struct layout_entry *entry, bool is_fused,
                     const struct model_layout *other, const struct layout_experts *experts,
                     struct arena *arena, struct tensor *out, struct error *err)
{
    struct tensor *joined = arena_alloc(arena, sizeof *joined);
    bool is_both = is_fused && entry->matrix == EXPERT_GATE;
    bool is_transposed = !is_fused && entry->matrix == EXPERT_DOWN;

    return join_experts(entry->tensor->name, entry->matrix, is_both, is_transposed, other, experts,
                        arena, joined, err) ||
                   tensor_part(out, joined, 0, entry->n_dims, entry->shape, NULL, arena, err)
               ? -1
               : 0;
}

const struct tensor *layout_fused(const struct model_layout *layout,
                                  const struct layout_experts *experts, enum expert_matrix matrix,
                                  struct arena *arena, struct error *err)
{
    const struct stack_spec *stack = experts->stack;
    bool is_down = matrix == EXPERT_DOWN;
    size_t n = stack->hidden_size, m = stack->moe.intermediate_size;
    const size_t shape[3] = {stack->moe.n_experts, is_down ? n : 2 * m, is_down ? m : n};
    struct tensor *joined = arena_alloc(arena, sizeof *joined);
    struct tensor *fused = arena_alloc(arena, sizeof *fused);
    const char *name = is_down ? "down_proj" : "gate_up_proj";

    if (experts->way == EXPERTS_FUSED)
        return find_expert_tensor(layout, experts, 0,
                                  is_down ? experts->names->fused_down
                                          : experts->names->fused_gate_up, "");
    if (experts->way == EXPERTS_TURNED || !stack->is_gated) {
        error_set(err, ERROR_UNSUPPORTED, "experts of layer %zu: do not go together in '%s'",
                  experts->layer, name);
        return NULL;
    }
    return join_experts(name, matrix, !is_down, false, layout, experts, arena, joined, err) ||
                   tensor_part(fused, joined, 0, 3, shape, NULL, arena, err)
               ? NULL
               : fused;
}

const struct tensor *layout_match(const struct model_layout *layout,
                                  const struct layout_entry *entry,
                                  const struct model_layout *other, struct arena *arena,
                                  struct error *err)
{
    const struct layout_entry *same = layout_find(other, entry->name);
    const struct layout_experts *experts;
    struct tensor *made;
    int rc;

    if (same)
        return same->tensor;
    if (entry->group == SIZE_MAX || entry->group >= other->n_experts ||
        layout->experts[entry->group].way == EXPERTS_TURNED)
        return NULL;
    experts = &other->experts[entry->group];
    if (experts->way == EXPERTS_TURNED)
        return NULL;
    made = arena_alloc(arena, sizeof *made);
    if (layout->experts[entry->group].way == EXPERTS_APART)
        rc = take_matrix(other, experts, entry->expert, entry->matrix, false, arena, made, err);
    else
        rc = join_like(entry, layout->experts[entry->group].way == EXPERTS_FUSED, other, experts,
                       arena, made, err);
    return rc ? NULL : made;
}
