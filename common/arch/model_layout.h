/* model_layout.h - which tensors a model is made of, in which shapes, and where a checkpoint has them.
 *
 * The one place that knows it: running takes its weights from here, mixing finds out here which
 * tensors of two models are the same part, and whether a checkpoint is what config.json says.
 * Names are plain (tensor_names.h) and those of the family (families.h). */
#ifndef COCKTAIL_MODEL_LAYOUT_H
#define COCKTAIL_MODEL_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/checkpoint_names.h"
#include "arch/model_spec.h"
#include "base/arena.h"
#include "base/hash.h"
#include "tensor/tensor.h"

struct place { /* where names begin */
    const char *prefix;
    size_t layer, expert;
};

/* "layers.#." and "mlp.up_proj" and ".weight" -> "layers.3.mlp.up_proj.weight"; '@' stands for the
 * expert. Replaces what `out` holds. */
void layout_name(struct buffer *out, struct place place, const char *name, const char *ending);

/* The matrices of an expert, and how they are stored. Names: struct moe_names. */
enum expert_matrix { EXPERT_GATE, EXPERT_UP, EXPERT_DOWN };
enum expert_way {
    EXPERTS_APART,   /* gate, up and down of each */
    EXPERTS_STACKED, /* [E I, H] gate, likewise up and the transposed down */
    EXPERTS_FUSED,   /* [E, 2I, H], rows of gate before those of up, and [E, H, I] */
    EXPERTS_TURNED,  /* [E, H, 2I], gate and up in turn, or [E, H, I] each; and [E, I, H] */
};

struct layout_experts { /* those in place of one layer's MLP */
    const struct stack_spec *stack;
    size_t layer;
    const struct moe_names *names; /* of this way */
    enum expert_way way;
};

struct layout_entry {
    const char *name;            /* plain */
    size_t n_dims, shape[3];
    bool may_be_absent;          /* an output head */
    bool may_have_more_rows;     /* than there are tokens: padded */
    bool is_embedding;
    const struct tensor *tensor; /* that the checkpoint has; NULL: none */
    /* Of experts: the group (SIZE_MAX: no such), what it holds, and of which one (SIZE_MAX: all). */
    size_t group, expert;
    enum expert_matrix matrix;   /* EXPERT_GATE of fused ones: gate and up */
};

struct model_layout { /* read-only for its users */
    const struct model_spec *spec;
    const struct checkpoint_names *names;
    struct layout_entry *entries;
    size_t n_entries;
    struct layout_experts *experts;
    size_t n_experts;
    size_t *entry_of;            /* [n_tensors] of the checkpoint: index, SIZE_MAX: none */
    struct hash_map by_name;
    struct arena arena;
};

/* What a model of the spec is made of, with its output head if it has one as a `type`, and where
 * `names` has it. Both must outlive the layout. Nothing is refused: what is missing has no tensor.
 * Released with layout_release. */
void layout_make(struct model_layout *layout, const struct model_spec *spec, enum model_type type,
                 const struct checkpoint_names *names);
void layout_release(struct model_layout *layout);

/* The entry of that name, or NULL. */
const struct layout_entry *layout_find(const struct model_layout *layout, const char *name);

/* NULL: that layer has none. */
const struct layout_experts *layout_find_experts(const struct model_layout *layout,
                                                 const struct stack_spec *stack, size_t layer);

#endif
