#include "gguf_settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/gguf_limits.h"
#include "base/memory.h"

struct putter {
    struct gguf_metadata *out;
    const struct gguf_settings *settings;
    const struct stack_spec *stack;
    unsigned set;
    char key[128]; /* of the architecture, for one call */
};

static const char *key_of(struct putter *putter, const char *name)
{
    snprintf(putter->key, sizeof putter->key, "%s.%s", putter->settings->architecture->name, name);
    return putter->key;
}

static void put_count(struct putter *putter, const char *name, size_t value)
{
    gguf_put_u32(putter->out, key_of(putter, name), (uint32_t)value);
}

static void put_real(struct putter *putter, const char *name, double value)
{
    gguf_put_f32(putter->out, key_of(putter, name), (float)value);
}

static void put_text(struct gguf_metadata *out, const char *key, const char *text)
{
    gguf_put_text(out, key, text, strlen(text));
}

/* ---- general ---- */

/* A number of general.base_model, as the Hub reads it. */
static void put_base(struct gguf_metadata *out, size_t i, const char *id)
{
    const char *slash = strchr(id, '/');
    char key[80], *organization = memory_format("%.*s", slash ? (int)(slash - id) : 0, id);
    char *url = memory_format("https://huggingface.co/%s", id);

    snprintf(key, sizeof key, "general.base_model.%zu.name", i);
    put_text(out, key, slash ? slash + 1 : id);
    if (slash) {
        snprintf(key, sizeof key, "general.base_model.%zu.organization", i);
        put_text(out, key, organization);
    }
    snprintf(key, sizeof key, "general.base_model.%zu.repo_url", i);
    put_text(out, key, url);
    free(organization);
    free(url);
}

static void put_general(struct gguf_metadata *out, const struct gguf_settings *settings)
{
    put_text(out, "general.architecture", settings->architecture->name);
    put_text(out, "general.type", "model");
    put_text(out, "general.name", settings->name);
    if (settings->n_bases)
        gguf_put_u32(out, "general.base_model.count", (uint32_t)settings->n_bases);
    for (size_t i = 0; i < settings->n_bases; i++)
        put_base(out, i, settings->bases[i]);
    gguf_put_u32(out, "general.quantization_version", 2);
    gguf_put_u32(out, "general.file_type", settings->file_type);
}

/* ---- positions ---- */

static size_t count_positions(const struct putter *putter)
{
    return putter->stack->position == POSITION_LEARNED ? putter->settings->spec->n_positions
                                                       : putter->stack->rope[0].max_positions;
}

/* llama.cpp multiplies by 1 + 0.1 ln(factor) on its own. */
static void put_yarn(struct putter *putter, const struct rope_spec *rope)
{
    double attention = rope->attention_factor / (1 + 0.1 * log(rope->factor));

    put_count(putter, "rope.scaling.original_context_length", rope->original_positions);
    if (fabs(attention - 1) > 1e-6)
        put_real(putter, "rope.scaling.attn_factor", attention);
}

static void put_scaling(struct putter *putter, const struct rope_spec *rope)
{
    static const char *const names[] = {
        [ROPE_LINEAR] = "linear", [ROPE_YARN] = "yarn", [ROPE_LONGROPE] = "longrope"};

    if (rope->kind != ROPE_LINEAR && rope->kind != ROPE_YARN && rope->kind != ROPE_LONGROPE)
        return; /* llama3's factors are a tensor */
    put_text(putter->out, key_of(putter, "rope.scaling.type"), names[rope->kind]);
    if (rope->kind == ROPE_LONGROPE) {
        put_count(putter, "rope.scaling.original_context_length", rope->original_positions);
        put_real(putter, "rope.scaling.attn_factor", rope->attention_factor);
        return;
    }
    put_real(putter, "rope.scaling.factor", rope->factor);
    if (rope->kind == ROPE_YARN)
        put_yarn(putter, rope);
}

static void put_positions(struct putter *putter)
{
    const struct rope_spec *rope = putter->stack->rope;

    if (putter->stack->position != POSITION_ROTARY)
        return;
    put_count(putter, "rope.dimension_count", rope[0].n_dims);
    put_real(putter, "rope.freq_base", rope[0].theta);
    if (putter->set & GGUF_GEMMA3 && putter->stack->window)
        put_real(putter, "rope.freq_base_swa", rope[1].theta);
    put_scaling(putter, &rope[0]);
}

/* The division of rope_spec.c, as a factor; its rounded frequencies would not give it back. */
static double llama3_factor(const struct rope_spec *rope, double frequency)
{
    double length = 2 * M_PI / frequency, positions = (double)rope->original_positions, smooth;

    if (length < positions / rope->high_freq_factor)
        return 1;
    if (length > positions / rope->low_freq_factor)
        return rope->factor;
    smooth = (positions / length - rope->low_freq_factor) /
             (rope->high_freq_factor - rope->low_freq_factor);
    return 1 / ((1 - smooth) / rope->factor + smooth);
}

void gguf_settings_rope_freqs(const struct rope_spec *rope, float *factors)
{
    for (size_t i = 0; i < rope->n_dims / 2; i++)
        factors[i] = (float)llama3_factor(
            rope, pow(rope->theta, -2.0 * (double)i / (double)rope->n_dims));
}

/* ---- attention ---- */

static void put_window(struct putter *putter)
{
    const struct stack_spec *stack = putter->stack;
    bool *slides, is_usual = true;

    if (!(putter->set & (GGUF_GEMMA2 | GGUF_GEMMA3)) || !stack->window)
        return;
    put_count(putter, "attention.sliding_window", stack->window);
    slides = memory_zalloc(stack->n_layers, sizeof *slides);
    for (size_t i = 0; i < stack->n_layers; i++) {
        slides[i] = stack->slides[i] != 0;
        is_usual &= slides[i] == gguf_limits_slides(putter->settings->architecture, i);
    }
    if (!is_usual)
        gguf_put_bools(putter->out, key_of(putter, "attention.sliding_window_pattern"), slides,
                       stack->n_layers);
    free(slides);
}

static void put_attention(struct putter *putter)
{
    const struct stack_spec *stack = putter->stack;
    bool is_rotary = stack->position == POSITION_ROTARY;

    put_count(putter, "attention.head_count", stack->n_heads);
    put_count(putter, "attention.head_count_kv", stack->n_kv_heads);
    if (is_rotary) {
        put_count(putter, "attention.key_length", stack->head_dim);
        put_count(putter, "attention.value_length", stack->v_head_dim);
    }
    put_real(putter, stack->norm == NORM_LAYER ? "attention.layer_norm_epsilon"
                                               : "attention.layer_norm_rms_epsilon",
             (double)stack->norm_eps);
    if (!stack->is_causal)
        gguf_put_bool(putter->out, key_of(putter, "attention.causal"), false);
    if (putter->set & GGUF_GRANITE_MOE)
        put_real(putter, "attention.scale", (double)stack->score_scale);
    put_window(putter);
    if (stack->score_softcap != 0)
        put_real(putter, "attn_logit_softcapping", (double)stack->score_softcap);
    if (putter->settings->spec->logit_softcap != 0)
        put_real(putter, "final_logit_softcapping", (double)putter->settings->spec->logit_softcap);
}

/* ---- experts and factors ---- */

static void put_experts(struct putter *putter)
{
    const struct moe_spec *moe = &putter->stack->moe;

    if (!(putter->set & GGUF_EXPERTS))
        return;
    put_count(putter, "expert_count", moe->n_experts);
    put_count(putter, "expert_used_count", moe->n_chosen);
    if (putter->set & (GGUF_QWEN2_MOE | GGUF_QWEN3_MOE))
        put_count(putter, "expert_feed_forward_length", moe->intermediate_size);
    if (putter->set & GGUF_QWEN2_MOE)
        put_count(putter, "expert_shared_feed_forward_length", moe->shared_size);
}

static void put_factors(struct putter *putter)
{
    static const char *const scaling[] = {"logits_scaling", NULL};
    double value = config_number(putter->settings->config, scaling);

    if (!(putter->set & GGUF_GRANITE_MOE))
        return;
    put_real(putter, "embedding_scale", (double)putter->settings->spec->embedding_scale);
    put_real(putter, "residual_scale", (double)putter->stack->residual_scale);
    put_real(putter, "logit_scale", value > 0 ? value : 1);
}

/* The width of the MLP; where experts have none of their own, of theirs. */
static size_t feed_forward(const struct putter *putter)
{
    bool is_expert = putter->set & GGUF_EXPERTS &&
                     !(putter->set & (GGUF_QWEN2_MOE | GGUF_QWEN3_MOE));

    return is_expert ? putter->stack->moe.intermediate_size : putter->stack->intermediate_size;
}

void gguf_settings_put(struct gguf_metadata *metadata, const struct gguf_settings *settings)
{
    const struct stack_spec *stack = &settings->spec->stack;
    struct putter putter = {.out = metadata, .settings = settings, .stack = stack,
                            .set = settings->architecture->set};

    put_general(metadata, settings);
    put_count(&putter, "vocab_size", settings->n_rows);
    put_count(&putter, "context_length", count_positions(&putter));
    put_count(&putter, "embedding_length", settings->spec->hidden_size);
    put_count(&putter, "block_count", stack->n_layers);
    put_count(&putter, "feed_forward_length", feed_forward(&putter));
    put_attention(&putter);
    put_positions(&putter);
    put_experts(&putter);
    put_factors(&putter);
    if (settings->pooling != GGUF_POOLING_NONE)
        put_count(&putter, "pooling_type", settings->pooling);
    if (putter.set & GGUF_BERT)
        gguf_put_u32(metadata, "tokenizer.ggml.token_type_count",
                     (uint32_t)settings->spec->n_token_types);
}
