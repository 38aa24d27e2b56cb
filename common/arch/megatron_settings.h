/* megatron_settings.h - the model that the args of a Megatron-LM checkpoint describe, and which
 * config.json says the same.
 *
 * Where a class of transformers computes just that, the model is shown as one of it; else as one of
 * our family "Megatron", whose config.json holds the settings under Megatron's names, and which can
 * be run but not written. Source: docs/models.md, "Megatron-LM". */
#ifndef COCKTAIL_MEGATRON_SETTINGS_H
#define COCKTAIL_MEGATRON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/families.h"
#include "base/buffer.h"
#include "base/error.h"
#include "format/megatron_files.h"

struct megatron_settings {
    bool is_legacy;      /* names as before Megatron-Core */
    const char *stack;   /* what stands in front of "layers." and the final norm */
    size_t padded_vocab_size, vocab_size, hidden_size, n_layers, n_heads, n_kv_heads, head_dim;
    size_t intermediate_size, max_positions;
    size_t n_experts, n_chosen, expert_size, shared_size;
    uint8_t *is_sparse;  /* [n_layers]; NULL without experts */
    bool is_gated, has_bias, has_qkv_bias, has_qk_norm, is_tied;
    bool has_norm_bias;  /* layer norms, not RMS norms */
    bool has_positions;  /* a table of them */
    bool has_router_bias, has_choice_bias, has_shared_gate;
    const struct family *family;
    bool is_padded;      /* vocab_size is the padded one: the true one is not said */
    char *config;        /* the text of config.json */
    char *no_place;      /* NULL, or what of it no class of transformers has */
};

/* Whether all ranks were told the same of the model. ERROR_FORMAT, naming the one that was not. */
int megatron_settings_check_alike(const struct megatron_files *files, struct error *err);

/* ERROR_FORMAT for settings that are out of range or contradict one another or the tensors;
 * ERROR_UNSUPPORTED for what we cannot run, by its name. Released with megatron_settings_release. */
int megatron_settings_read(struct megatron_settings *settings, const struct megatron_files *files,
                           struct error *err);
void megatron_settings_release(struct megatron_settings *settings);

#endif
