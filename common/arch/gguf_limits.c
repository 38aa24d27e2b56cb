#include "gguf_limits.h"

#include <math.h>

#include "arch/families.h"

enum {
    /* Rows of q are as many as the model is wide. */
    SQUARE = GGUF_QWEN2 | GGUF_QWEN2_MOE | GGUF_PHI3 | GGUF_GPT2 | GGUF_BERT | GGUF_OLMOE,
    PAIRED = GGUF_LLAMA | GGUF_MIXTRAL | GGUF_GRANITE_MOE, /* built by the same code */
    SLIDING = GGUF_GEMMA2 | GGUF_GEMMA3,
    ALWAYS_TIED = GGUF_GEMMA | GGUF_GEMMA2,
    NEVER_TIED = GGUF_QWEN2_MOE | GGUF_OLMOE,
    NORMED = GGUF_MIXTRAL | GGUF_QWEN3_MOE | GGUF_GRANITE_MOE, /* weights of experts sum to 1 */
};

struct question {
    const struct gguf_architecture *architecture;
    const struct model_spec *spec;
    const struct stack_spec *stack;
    unsigned set;
};

/* ---- attention ---- */

static bool has_other_heads(const struct question *q)
{
    return q->stack->v_head_dim != q->stack->head_dim ||
           (q->set & GGUF_OLMOE && q->stack->n_kv_heads != q->stack->n_heads) ||
           (q->set & SQUARE && q->stack->n_heads * q->stack->head_dim != q->spec->hidden_size);
}

/* The largest of Gemma 2 and 3, which llama.cpp tells by the number of layers, divide by another root. */
static double score_scale(const struct question *q)
{
    size_t n_layers = q->set & GGUF_GEMMA2 ? 46 : 62;

    size_t width = q->spec->hidden_size / q->stack->n_heads;

    if (q->set & SLIDING && q->stack->n_layers == n_layers)
        return 1 / sqrt((double)width);
    return 1 / sqrt((double)q->stack->head_dim);
}

static bool has_other_scale(const struct question *q)
{
    double usual = score_scale(q);

    return !(q->set & GGUF_GRANITE_MOE) &&
           fabs((double)q->stack->score_scale - usual) > 1e-6 * usual;
}

static bool slides(const struct question *q)
{
    for (size_t i = 0; q->stack->window && q->stack->slides && i < q->stack->n_layers; i++)
        if (q->stack->slides[i])
            return true;
    return false;
}

static bool has_window(const struct question *q)
{
    return !(q->set & SLIDING) && slides(q) && q->stack->window < q->stack->rope[0].max_positions;
}

static bool has_other_cap(const struct question *q)
{
    return q->set & GGUF_GEMMA2 ? q->stack->score_softcap == 0 || q->spec->logit_softcap == 0
                                : q->stack->score_softcap != 0;
}

static bool has_logit_cap(const struct question *q)
{
    return !(q->set & SLIDING) && q->spec->logit_softcap != 0;
}

static bool has_other_order(const struct question *q)
{
    return q->set & GGUF_BERT ? q->stack->is_causal : !q->stack->is_causal;
}

static bool scales_by_layer(const struct question *q)
{
    return q->stack->scales_by_layer;
}

static bool has_clip(const struct question *q)
{
    return q->stack->qkv_clip > 0;
}

/* ---- positions ---- */

static bool is_rotary(const struct question *q)
{
    return q->stack->position == POSITION_ROTARY;
}

static bool has_dynamic_rope(const struct question *q)
{
    return is_rotary(q) && q->stack->rope[0].kind == ROPE_DYNAMIC;
}

/* The keys for these are read for other architectures only. */
static bool is_other_yarn(const struct rope_spec *rope)
{
    return !rope->truncates || rope->beta_fast != 32 || rope->beta_slow != 1;
}

static bool has_other_rope(const struct question *q)
{
    enum rope_kind kind = q->stack->rope[0].kind;

    return is_rotary(q) && ((kind == ROPE_LLAMA3 && !(q->set & PAIRED)) ||
                            (kind == ROPE_LONGROPE && !(q->set & (PAIRED | GGUF_PHI3))) ||
                            (kind == ROPE_YARN && is_other_yarn(&q->stack->rope[0])) ||
                            q->stack->rope[0].short_mscale != 0 ||
                            q->stack->rope[0].long_mscale != 0);
}

/* Of sliding layers only the base can be another. */
static bool has_sliding_rope(const struct question *q)
{
    const struct rope_spec *rope = &q->stack->rope[1];

    return is_rotary(q) && q->set & SLIDING && slides(q) &&
           (q->set & GGUF_GEMMA2
                ? rope->kind != q->stack->rope[0].kind || rope->factor != q->stack->rope[0].factor ||
                      rope->theta != q->stack->rope[0].theta
                : rope->kind != ROPE_DEFAULT);
}

static bool has_partial_rope(const struct question *q)
{
    return is_rotary(q) && !(q->set & GGUF_PHI3) &&
           q->stack->rope[0].n_dims != q->stack->head_dim;
}

/* ---- the rest ---- */

static bool has_other_activation(const struct question *q)
{
    if (q->set & GGUF_BERT) /* llama.cpp's own is another in any case: gguf_settings.c tells */
        return q->stack->activation != ACTIVATION_GELU &&
               q->stack->activation != ACTIVATION_GELU_TANH;
    return q->stack->activation != (q->set & (GGUF_GEMMAS | GGUF_GPT2) ? ACTIVATION_GELU_TANH
                                                                       : ACTIVATION_SILU);
}

static bool has_other_head(const struct question *q)
{
    return q->spec->has_head_bias || (q->set & ALWAYS_TIED && !q->spec->has_tied_head) ||
           (q->set & NEVER_TIED && q->spec->has_tied_head);
}

static bool has_other_scales(const struct question *q)
{
    double usual = q->set & GGUF_GEMMAS ? sqrt((double)q->spec->hidden_size) : 1;

    if (q->set & GGUF_GRANITE_MOE)
        return false;
    return fabs((double)q->spec->embedding_scale - usual) > 0.01 * usual ||
           q->spec->logit_scale != 1 || q->stack->residual_scale != 1;
}

static bool has_dense_layers(const struct question *q)
{
    for (size_t i = 0; q->set & GGUF_EXPERTS && i < q->stack->n_layers; i++)
        if (!q->stack->is_sparse || !q->stack->is_sparse[i])
            return true;
    return false;
}

static bool has_other_router(const struct question *q)
{
    enum router_kind router = q->stack->moe.router;
    bool sums = router == ROUTER_TOP_P_SUM_1 || router == ROUTER_TOP_LOGITS;

    return q->set & GGUF_EXPERTS &&
           (q->set & NORMED ? !sums : router != ROUTER_TOP_P || q->stack->moe.n_groups > 0);
}

static bool has_shared_expert(const struct question *q)
{
    return q->set & GGUF_QWEN2_MOE ? q->stack->moe.shared_size == 0 || !q->stack->moe.has_shared_gate
                                   : q->stack->moe.shared_size > 0;
}

/* The families whose models are of the architecture; a class of other code may call itself the same. */
static const struct built_as {
    const struct family *family;
    unsigned set;
} built_as[] = {
    {&family_llama, GGUF_LLAMA},          {&family_mistral, GGUF_LLAMA},
    {&family_mixtral, GGUF_MIXTRAL},      {&family_qwen2, GGUF_QWEN2},
    {&family_qwen3, GGUF_QWEN3},          {&family_qwen2_moe, GGUF_QWEN2_MOE},
    {&family_qwen3_moe, GGUF_QWEN3_MOE},  {&family_gemma, GGUF_GEMMA},
    {&family_gemma2, GGUF_GEMMA2},        {&family_gemma3, GGUF_GEMMA3},
    {&family_phi3, GGUF_PHI3},            {&family_gpt2, GGUF_GPT2},
    {&family_bert, GGUF_BERT},            {&family_granite_moe, GGUF_GRANITE_MOE},
    {&family_olmoe, GGUF_OLMOE},
};

static bool is_of_other_family(const struct question *q)
{
    for (size_t i = 0; i < sizeof built_as / sizeof *built_as; i++)
        if (built_as[i].family == q->spec->family && built_as[i].set & q->set)
            return false;
    return true;
}

static bool is_latent(const struct question *q)
{
    return q->stack->qkv == QKV_LATENT;
}

static const struct limit {
    bool (*is_beyond)(const struct question *question);
    const char *what;
} limits[] = {
    {is_latent, "multi-head latent attention"},
    {is_of_other_family, "layers of that kind"},
    {has_other_heads, "heads of that width"},
    {has_dynamic_rope, "dynamic scaling of rotary embeddings"},
    {has_other_rope, "this scaling of rotary embeddings"},
    {has_sliding_rope, "a scaling of rotary embeddings of its own in sliding layers"},
    {has_partial_rope, "heads that rotate in part"},
    {has_window, "a sliding window shorter than the context"},
    {has_other_scale, "this scale of attention (query_pre_attn_scalar, scale_attn_weights)"},
    {scales_by_layer, "scale_attn_by_inverse_layer_idx"},
    {has_other_cap, "this attn_logit_softcapping"},
    {has_logit_cap, "final_logit_softcapping"},
    {has_clip, "clip_qkv"},
    {has_other_order, "whether tokens see those that follow (is_causal)"},
    {has_other_activation, "this activation"},
    {has_other_head, "an output head that is tied, untied or biased so"},
    {has_other_scales, "factors of embeddings, residuals or logits"},
    {has_dense_layers, "layers without experts"},
    {has_other_router, "whether the weights of experts are made to sum to 1 (norm_topk_prob)"},
    {has_shared_expert, "this shared expert"},
};

int gguf_limits_check(const struct gguf_architecture *architecture, const struct model_spec *spec,
                      struct error *err)
{
    struct question question = {architecture, spec, &spec->stack, architecture->set};

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].is_beyond(&question))
            return error_set(err, ERROR_UNSUPPORTED, "a GGUF file of architecture %s cannot say: %s; "
                             "llama.cpp would compute something else", architecture->name,
                             limits[i].what);
    return 0;
}

bool gguf_limits_slides(const struct gguf_architecture *architecture, size_t layer)
{
    return layer % (architecture->set & GGUF_GEMMA2 ? 2 : 6) < (architecture->set & GGUF_GEMMA2 ? 1 : 5);
}
