#include "budget.h"

#include "model/mla.h"

/* Of what forward.c holds for all tokens of a batch: x, normed, delta, q k v, heads. */
enum { TOKENS_MIN = 512, TOKENS_MAX = 1024, TOKENS_MAX_EXPERTS = 4096, BYTES_MAX = 128 << 20 };

static size_t floats_of(const struct stack_spec *stack)
{
    if (stack->qkv == QKV_LATENT)
        return 3 * stack->hidden_size + mla_width(stack) +
               stack->n_heads * stack->mla.kv_lora_rank;
    return 3 * stack->hidden_size +
           (stack->n_heads + 2 * stack->n_kv_heads) * stack->head_dim +
           stack->n_heads * stack->v_head_dim;
}

size_t budget_tokens(const struct model_spec *spec)
{
    size_t n_floats = floats_of(&spec->stack), n;
    size_t n_most = spec->stack.moe.n_experts ? TOKENS_MAX_EXPERTS : TOKENS_MAX;

    if (spec->is_encoder_decoder && floats_of(&spec->encoder) > n_floats)
        n_floats = floats_of(&spec->encoder);
    n = BYTES_MAX / (n_floats * sizeof(float));
    return n < TOKENS_MIN ? TOKENS_MIN : n > n_most ? n_most : n;
}
