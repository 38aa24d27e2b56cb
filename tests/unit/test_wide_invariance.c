/* test_wide_invariance.c - the same bits in any company (invariance.h) from matrices that are cut into
 * blocks, tiles and tasks, in each format that has kernels of its own: models of one layer that this
 * test makes, because those in fixtures/ are too small for that. */
#include "invariance.h"
#include "made_gguf.h"
#include "math/random.h"
#include "tensor/ggml_blocks.h"

enum { HIDDEN = 512, INNER = 768, N_HEADS = 8, N_KV_HEADS = 2, N_VOCABULARY = 331, N_EXPERTS = 8 };

/* Where a block has its scales, as half floats, and of what size. */
static const struct kind {
    enum ggml_format format;
    bool has_experts;
    size_t n_scales, scales_at;
    double scale;
    bool has_slow_way; /* which is tried for a few of them */
} kinds[] = {
    {GGML_F32, false, 0, 0, 0, true},       {GGML_F16, false, 0, 0, 0, false},
    {GGML_BF16, false, 0, 0, 0, true},      {GGML_BF16, true, 0, 0, 0, false},
    {GGML_Q4_0, false, 1, 0, 0.01, false},         {GGML_Q5_0, false, 1, 0, 0.005, false},
    {GGML_Q8_0, false, 1, 0, 0.0006, true}, {GGML_IQ4_NL, false, 1, 0, 0.0006, false},
    {GGML_Q3_K, false, 1, 108, 0.001, false},      {GGML_Q4_K, false, 2, 0, 0.0002, true},
    {GGML_Q5_K, false, 2, 0, 0.0001, false},       {GGML_Q6_K, false, 1, 208, 0.00003, false},
    {GGML_MXFP4, false, 0, 0, 0, false},           {GGML_MXFP4, true, 0, 0, 0, false},
    {GGML_Q4_K, true, 2, 0, 0.0002, false},
};

enum { N_KINDS = sizeof kinds / sizeof *kinds, NEXT_TO_ONE = 120 /* 2^-7 in MXFP4 */ };

/* ---- making a model ---- */

static void fill_block(const struct kind *kind, struct random *random, unsigned char *block)
{
    const struct ggml_type *type = ggml_type(kind->format);

    for (size_t i = 0; i < type->block_bytes; i++)
        block[i] = (unsigned char)random_below(random, 256);
    if (kind->format == GGML_MXFP4)
        block[0] = (unsigned char)(NEXT_TO_ONE + random_below(random, 3));
    for (size_t i = 0; i < kind->n_scales; i++) {
        double scale = kind->scale * (0.5 + random_uniform(random));

        dtype_from_double(DTYPE_F16, &scale, block + kind->scales_at + 2 * i, 1);
    }
}

static void fill_numbers(enum dtype dtype, double spread, double mean, size_t n,
                         struct random *random, unsigned char *out)
{
    size_t item_bytes = dtype_info(dtype)->n_bits / 8;

    for (size_t i = 0; i < n; i++) {
        double value = mean + spread * (random_uniform(random) - 0.5);

        dtype_from_double(dtype, &value, out + i * item_bytes, 1);
    }
}

/* n_in inputs of n_out outputs, of n matrices. */
static void add_matrix(struct made_gguf *made, const struct kind *kind, const char *name,
                       size_t n_in, size_t n_out, size_t n)
{
    const struct ggml_type *type = ggml_type(kind->format);
    size_t n_blocks = n_in * n_out * n / type->block_items, n_bytes = n_blocks * type->block_bytes;
    unsigned char *bytes = malloc(n_bytes);
    struct random random;

    scratch_must(bytes != NULL, "make", name);
    random_init(&random, n_in * 7 + n_out + made->n_infos);
    if (kind->format >= N_GGML_BLOCKS)
        fill_numbers(type->dtype, 0.15, 0, n_blocks, &random, bytes);
    else
        for (size_t i = 0; i < n_blocks; i++)
            fill_block(kind, &random, bytes + i * type->block_bytes);
    made_tensor_of(made, name, type->id, n > 1 ? 3 : 2, (const uint64_t[]){n_in, n_out, n}, bytes,
                   n_bytes);
    free(bytes);
}

static void add_norm(struct made_gguf *made, const char *name)
{
    unsigned char bytes[HIDDEN * sizeof(float)];
    struct random random;

    random_init(&random, made->n_infos);
    fill_numbers(DTYPE_F32, 0.5, 1, HIDDEN, &random, bytes);
    made_tensor_of(made, name, 0, MADE_DIMS(HIDDEN), bytes, sizeof bytes);
}

static void add_settings(struct gguf_metadata *metadata, const struct kind *kind)
{
    gguf_put_text(metadata, "general.architecture", "llama", 5);
    gguf_put_u32(metadata, "llama.block_count", 1);
    gguf_put_u32(metadata, "llama.context_length", 4096);
    gguf_put_u32(metadata, "llama.embedding_length", HIDDEN);
    gguf_put_u32(metadata, "llama.feed_forward_length", INNER);
    gguf_put_u32(metadata, "llama.attention.head_count", N_HEADS);
    gguf_put_u32(metadata, "llama.attention.head_count_kv", N_KV_HEADS);
    gguf_put_f32(metadata, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_put_u32(metadata, "llama.vocab_size", N_VOCABULARY);
    if (kind->has_experts) {
        gguf_put_u32(metadata, "llama.expert_count", N_EXPERTS);
        gguf_put_u32(metadata, "llama.expert_used_count", 2);
    }
}

static void add_mlp(struct made_gguf *made, const struct kind *kind)
{
    static const struct kind router = {.format = GGML_F32};

    if (!kind->has_experts) {
        add_matrix(made, kind, "blk.0.ffn_gate.weight", HIDDEN, INNER, 1);
        add_matrix(made, kind, "blk.0.ffn_up.weight", HIDDEN, INNER, 1);
        add_matrix(made, kind, "blk.0.ffn_down.weight", INNER, HIDDEN, 1);
        return;
    }
    add_matrix(made, &router, "blk.0.ffn_gate_inp.weight", HIDDEN, N_EXPERTS, 1);
    add_matrix(made, kind, "blk.0.ffn_gate_exps.weight", HIDDEN, INNER, N_EXPERTS);
    add_matrix(made, kind, "blk.0.ffn_up_exps.weight", HIDDEN, INNER, N_EXPERTS);
    add_matrix(made, kind, "blk.0.ffn_down_exps.weight", INNER, HIDDEN, N_EXPERTS);
}

static void make_model(const struct kind *kind, const char *name)
{
    struct made_gguf made = {0};

    add_settings(&made.metadata, kind);
    add_matrix(&made, kind, "token_embd.weight", HIDDEN, N_VOCABULARY, 1);
    add_norm(&made, "blk.0.attn_norm.weight");
    add_matrix(&made, kind, "blk.0.attn_q.weight", HIDDEN, HIDDEN, 1);
    add_matrix(&made, kind, "blk.0.attn_k.weight", HIDDEN, HIDDEN / N_HEADS * N_KV_HEADS, 1);
    add_matrix(&made, kind, "blk.0.attn_v.weight", HIDDEN, HIDDEN / N_HEADS * N_KV_HEADS, 1);
    add_matrix(&made, kind, "blk.0.attn_output.weight", HIDDEN, HIDDEN, 1);
    add_norm(&made, "blk.0.ffn_norm.weight");
    add_mlp(&made, kind);
    add_norm(&made, "output_norm.weight");
    add_matrix(&made, kind, "output.weight", HIDDEN, N_VOCABULARY, 1);
    made_write(&made, name);
}

/* ---- company ---- */

static const struct kind *now;

static size_t limit(const struct way *way)
{
    if (way->is_slow)
        return now->has_slow_way ? 3 : 0;
    return now->format == GGML_F32 && way == ways ? N_MANY : N_TEXTS;
}

static void each_kind(void check(const char *path, company_limit *most))
{
    for (now = kinds; now < kinds + N_KINDS; now++) {
        char *name = memory_format("%s%s.gguf", ggml_type(now->format)->name,
                                   now->has_experts ? "-experts" : "");

        make_model(now, name);
        check(scratch_path(name), limit);
        free(name);
    }
}

static void neighbours_do_not_change_a_bit(void)
{
    each_kind(check_neighbours);
}

static void pieces_and_caches_do_not_change_a_bit(void)
{
    each_kind(check_story);
}

TESTS(TEST(neighbours_do_not_change_a_bit), TEST(pieces_and_caches_do_not_change_a_bit))
