/* moe_output.h - what a mixture of experts made of dense models is: its class, and its config.json.
 *
 * The four architectures and their rules are those of mergekit-moe 0.1.5; docs/models.md, "Experts made
 * of dense models". */
#ifndef COCKTAIL_MOE_OUTPUT_H
#define COCKTAIL_MOE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_folder.h"
#include "arch/model_spec.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/notices.h"

struct moe_output { /* a row of the table */
    const char *name;         /* as "architecture" of a file names it */
    const char *class_name, *model_type;
    unsigned kinds;           /* of dense models that it takes */
    size_t least_shared, most_shared;
    bool gates_shared;        /* the shared expert has a row of a router of its own */
    bool is_fused;            /* experts of a layer in one tensor, as transformers 5 holds them */
    bool needs_qkv_bias;      /* zeros where the base has none */
    bool has_o_bias;          /* if the base has one */
    bool keeps_window;        /* of the base; else all of a text is seen */
    bool has_plain_heads;     /* as wide as hidden_size / num_attention_heads */
    /* The settings of its class alone. */
    void (*edit)(struct buffer *text, const struct model_spec *spec, size_t n_experts,
                 bool has_shared);
    const char *router, *shared_router; /* plain names behind the layer's */
    const char *shared_prefix;
};

struct moe_wanted { /* what it is to be made of */
    struct model_folder *const *models; /* [n_models]: the base, then experts, then shared ones */
    size_t n_models, n_shared;
    bool shared_has_positive, shared_has_prompts; /* positive ones; any */
    bool is_random;           /* by the gate mode "random": then a gate needs no prompts */
    const char *architecture; /* how the name begins, in any case; NULL: whatever fits */
};

/* Mixtral where it fits, else the first that does; a notice when several do. NULL with an error:
 * ERROR_INCOMPATIBLE for models of different kinds, ERROR_UNSUPPORTED for a kind that nothing is made of,
 * ERROR_FORMAT for an unknown architecture and for shared experts that do not suit. */
const struct moe_output *moe_output_choose(const struct moe_wanted *wanted,
                                           struct notices *notices, struct error *err);

/* Adds config.json: that of the base, of which `spec` is, edited. ERROR_INCOMPATIBLE for what its class
 * has no place for. */
int moe_output_add_config(const struct moe_output *output, const struct model_folder *base,
                          const struct model_spec *spec, size_t n_experts, size_t n_chosen,
                          bool has_shared, struct buffer *text, struct notices *notices,
                          struct error *err);

#endif
