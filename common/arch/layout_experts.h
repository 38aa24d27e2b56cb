/* layout_experts.h - single experts, and what one way of storing them calls for put together from
 * what another has, by tensors that read from several. */
#ifndef COCKTAIL_LAYOUT_EXPERTS_H
#define COCKTAIL_LAYOUT_EXPERTS_H

#include "arch/model_layout.h"
#include "base/arena.h"
#include "base/error.h"

/* One matrix of an expert, W [n_out, n_in], or stored as [n_in, n_out]. EXPERT_UP of turned experts
 * that have no gate of their own is both in turn. */
int layout_expert(const struct model_layout *layout, const struct layout_experts *experts,
                  size_t expert, enum expert_matrix matrix, struct arena *arena,
                  struct tensor *out, bool *is_transposed, struct error *err);

/* All experts as one tensor in the arena: EXPERT_GATE [n_experts, 2 I, H], an expert's gate before its up,
 * EXPERT_DOWN [n_experts, H, I]. ERROR_UNSUPPORTED for turned ones, and those without a gate. The layout must
 * have been checked. NULL on error. */
const struct tensor *layout_fused(const struct model_layout *layout,
                                  const struct layout_experts *experts, enum expert_matrix matrix,
                                  struct arena *arena, struct error *err);

/* What `other`, a layout of an equal spec, has for `entry` of `layout`, in the same shape: a tensor
 * of its checkpoint, or experts put together in the arena. NULL without an error when it lacks it. */
const struct tensor *layout_match(const struct model_layout *layout,
                                  const struct layout_entry *entry,
                                  const struct model_layout *other, struct arena *arena,
                                  struct error *err);

#endif
