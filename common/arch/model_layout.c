/* model_layout.c - walk through the parts of a model as its spec describes them, and note for each
 * its name, its shape, and the tensor that a checkpoint has there.
 *
 * Experts are the one part that is stored in several ways: which of them follows from the tensors
 * that are there. */
#include "model_layout.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/families.h"
#include "base/memory.h"

/* A config may speak of more layers and experts than any file can hold. */
enum { MISSING_MAX = 100 };

static const struct place top = {.prefix = ""};

struct layouter {
    struct model_layout *layout;
    const struct model_spec *spec;
    struct buffer name;
    size_t n_missing;
};

/* ---- names ---- */

static void add_numbered(struct buffer *out, const char *text, char mark, size_t number)
{
    for (; *text; text++)
        if (*text == mark)
            buffer_format(out, "%zu", number);
        else
            buffer_add_char(out, *text);
}

void layout_name(struct buffer *out, struct place place, const char *name, const char *ending)
{
    buffer_clear(out);
    add_numbered(out, place.prefix, '#', place.layer);
    add_numbered(out, name, '@', place.expert);
    buffer_add_text(out, ending);
}

static const struct tensor *find(struct layouter *layouter, struct place place, const char *name,
                                 const char *ending)
{
    layout_name(&layouter->name, place, name, ending);
    return checkpoint_names_find_plain(layouter->layout->names, layouter->name.data);
}

/* ---- entries ---- */

static struct layout_entry *add_entry(struct layouter *layouter, struct place place,
                                      const char *name, const char *ending, size_t n_dims,
                                      size_t first, size_t second, size_t third)
{
    struct model_layout *layout = layouter->layout;
    const struct tensor *tensor = find(layouter, place, name, ending);
    size_t n = layout->n_entries;
    struct layout_entry *entry;

    if ((n & (n - 1)) == 0) /* doubles at powers of two */
        layout->entries = memory_resize(layout->entries, n ? 2 * n : 1, sizeof *layout->entries);
    entry = &layout->entries[layout->n_entries++];
    *entry = (struct layout_entry){
        .name = arena_copy(&layout->arena, layouter->name.data, layouter->name.size),
        .n_dims = n_dims, .shape = {first, second, third}, .tensor = tensor, .group = SIZE_MAX,
        .expert = SIZE_MAX};
    layouter->n_missing += tensor == NULL;
    return entry;
}

/* In place of the name that it has in the family's first way of storing experts. */
static void use_instead(struct layouter *layouter, struct layout_entry *entry,
                        const struct tensor *tensor)
{
    if (entry->tensor || !tensor)
        return;
    entry->tensor = tensor;
    layouter->n_missing--;
}

static void add_vector(struct layouter *layouter, struct place place, const char *name,
                       const char *ending, size_t n)
{
    add_entry(layouter, place, name, ending, 1, n, 0, 0);
}

/* W [n_out, n_in], or stored as [n_in, n_out]. */
static void add_linear(struct layouter *layouter, struct place place, const char *name,
                       size_t n_out, size_t n_in, bool is_transposed, bool has_bias)
{
    add_entry(layouter, place, name, ".weight", 2, is_transposed ? n_in : n_out,
              is_transposed ? n_out : n_in, 0);
    if (has_bias)
        add_vector(layouter, place, name, ".bias", n_out);
}

static void add_norm(struct layouter *layouter, struct place place, const char *name,
                     enum norm_kind kind, size_t n)
{
    add_vector(layouter, place, name, ".weight", n);
    if (kind == NORM_LAYER || kind == NORM_LAYER_OFFSET)
        add_vector(layouter, place, name, ".bias", n);
}

/* ---- routers and experts ---- */

static void add_gate(struct layouter *layouter, const struct moe_spec *spec, size_t n,
                     const struct gate_names *names, struct place place)
{
    size_t n_in = spec->gate == GATE_LINEAR ? n : spec->gate_size;

    if (names->hidden)
        add_linear(layouter, place, names->hidden, spec->gate_size, n, false,
                   spec->gate == GATE_MLP);
    if (spec->gate == GATE_COSINE) {
        add_vector(layouter, place, names->temperature, "", 1);
        add_entry(layouter, place, names->out, "", 2, spec->n_experts, n_in, 0);
    } else {
        add_linear(layouter, place, names->out, spec->n_experts, n_in, false, false);
    }
}

static void add_router(struct layouter *layouter, const struct moe_spec *spec, size_t n,
                       const struct moe_names *names, size_t n_names, struct place place)
{
    if (names->gates) {
        add_gate(layouter, spec, n, &names->gates[spec->gate], place);
    } else if (names->router_matrix) {
        add_entry(layouter, place, names->router_matrix, "", 2, spec->n_experts, n, 0);
    } else {
        size_t first = layouter->layout->n_entries;

        add_linear(layouter, place, names->router, spec->n_experts, n, false,
                   spec->has_router_bias);
        for (size_t i = 1; i < n_names; i++)
            if (names[i].router)
                use_instead(layouter, &layouter->layout->entries[first],
                            find(layouter, place, names[i].router, ".weight"));
    }
}

/* The way that the tensors of the layer stand in; the family's first, when there are none. */
static const struct moe_names *find_way(struct layouter *layouter, const struct moe_names *names,
                                        size_t n_names, struct place place, enum expert_way *way)
{
    bool is_found = false;

    for (size_t i = n_names; i > 0; i--) {
        const struct moe_names *row = &names[i - 1];
        const struct {
            const char *name, *ending;
            enum expert_way way;
        } ways[] = {
            {row->turned_up, "", EXPERTS_TURNED},      {row->turned_gate_up, "", EXPERTS_TURNED},
            {row->fused_gate_up, "", EXPERTS_FUSED},   {row->stacked_up, "", EXPERTS_STACKED},
            {row->up, ".weight", EXPERTS_APART},
        };

        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            if (!ways[w].name)
                continue;
            if (find(layouter, place, ways[w].name, ways[w].ending)) {
                *way = ways[w].way;
                return row;
            }
            if (i == 1 && !is_found)
                *way = ways[w].way;
        }
    }
    return names;
}

static void add_expert_entry(struct layouter *layouter, struct place place, const char *name,
                             const char *ending, size_t n_dims, size_t first, size_t second,
                             size_t third, enum expert_matrix matrix, size_t expert)
{
    struct layout_entry *entry;

    if (!name)
        return;
    entry = add_entry(layouter, place, name, ending, n_dims, first, second, third);
    entry->group = layouter->layout->n_experts - 1;
    entry->matrix = matrix;
    entry->expert = expert;
}

static void add_expert_biases(struct layouter *layouter, const struct stack_spec *stack,
                              const struct moe_names *names, struct place place)
{
    if (stack->is_gated)
        add_vector(layouter, place, names->gate, ".bias", stack->moe.intermediate_size);
    add_vector(layouter, place, names->up, ".bias", stack->moe.intermediate_size);
    add_vector(layouter, place, names->down, ".bias", stack->hidden_size);
}

static void add_experts(struct layouter *layouter, const struct layout_experts *experts,
                        struct place place)
{
    const struct stack_spec *stack = experts->stack;
    const struct moe_names *names = experts->names;
    size_t n = stack->hidden_size, m = stack->moe.intermediate_size, e = stack->moe.n_experts;
    size_t n_gate = stack->has_double_gate ? 2 * m : m;

    switch (experts->way) {
    case EXPERTS_APART:
        for (size_t i = 0; i < e && layouter->n_missing < MISSING_MAX; i++) {
            place.expert = i;
            if (stack->is_gated)
                add_expert_entry(layouter, place, names->gate, ".weight", 2, m, n, 0, EXPERT_GATE,
                                 i);
            add_expert_entry(layouter, place, names->up, ".weight", 2, m, n, 0, EXPERT_UP, i);
            add_expert_entry(layouter, place, names->down, ".weight", 2, n, m, 0, EXPERT_DOWN, i);
            if (stack->moe.has_expert_bias)
                add_expert_biases(layouter, stack, names, place);
        }
        break;
    case EXPERTS_STACKED:
        add_expert_entry(layouter, place, names->stacked_gate, "", 2, e * m, n, 0, EXPERT_GATE,
                         SIZE_MAX);
        add_expert_entry(layouter, place, names->stacked_up, "", 2, e * m, n, 0, EXPERT_UP,
                         SIZE_MAX);
        add_expert_entry(layouter, place, names->stacked_down, "", 2, e * m, n, 0, EXPERT_DOWN,
                         SIZE_MAX);
        break;
    case EXPERTS_FUSED:
        add_expert_entry(layouter, place, names->fused_gate_up, "", 3, e, 2 * m, n, EXPERT_GATE,
                         SIZE_MAX);
        add_expert_entry(layouter, place, names->fused_down, "", 3, e, n, m, EXPERT_DOWN, SIZE_MAX);
        break;
    case EXPERTS_TURNED:
        add_expert_entry(layouter, place, names->turned_gate, "", 3, e, n, n_gate, EXPERT_GATE,
                         SIZE_MAX);
        add_expert_entry(layouter, place, names->turned_gate_up, "", 3, e, n, 2 * m, EXPERT_UP,
                         SIZE_MAX);
        add_expert_entry(layouter, place, names->turned_up, "", 3, e, n, m, EXPERT_UP, SIZE_MAX);
        add_expert_entry(layouter, place, names->turned_down, "", 3, e, m, n, EXPERT_DOWN,
                         SIZE_MAX);
        if (names->turned_gate_up_bias)
            add_entry(layouter, place, names->turned_gate_up_bias, "", 2, e, 2 * m, 0);
        if (names->turned_down_bias)
            add_entry(layouter, place, names->turned_down_bias, "", 2, e, n, 0);
        break;
    }
}

static void add_shared_expert(struct layouter *layouter, const struct stack_spec *stack,
                              const struct moe_names *names, struct place place)
{
    size_t n = stack->hidden_size, m = stack->moe.shared_size;

    if (stack->is_gated)
        add_linear(layouter, place, names->shared_gate, m, n, false, false);
    add_linear(layouter, place, names->shared_up, m, n, false, false);
    add_linear(layouter, place, names->shared_down, n, m, false, false);
    if (stack->moe.has_shared_gate)
        add_linear(layouter, place, names->shared_router, 1, n, false, false);
}

static void add_moe(struct layouter *layouter, const struct stack_spec *stack, struct place place)
{
    struct model_layout *layout = layouter->layout;
    const struct family_names *all = layouter->spec->family->names;
    bool is_encoder = stack->names == all->encoder_layers;
    const struct moe_names *names = is_encoder ? all->encoder_moe : all->moe;
    size_t n_names = is_encoder ? all->n_encoder_moe : all->n_moe;
    struct layout_experts *experts;

    add_router(layouter, &stack->moe, stack->hidden_size, names, n_names, place);
    if (stack->moe.has_choice_bias)
        add_vector(layouter, place, names->choice_bias, "", stack->moe.n_experts);
    layout->experts = memory_resize(layout->experts, layout->n_experts + 1,
                                    sizeof *layout->experts);
    experts = &layout->experts[layout->n_experts++];
    *experts = (struct layout_experts){.stack = stack, .layer = place.layer};
    experts->names = find_way(layouter, names, n_names, place, &experts->way);
    add_experts(layouter, experts, place);
    if (stack->moe.has_bias)
        add_vector(layouter, place, names->bias, "", stack->hidden_size);
    if (stack->moe.shared_size)
        add_shared_expert(layouter, stack, names, place);
}

/* Of queries and outputs, over keys and values that all of them share. */
static void add_attention_moe(struct layouter *layouter, const struct stack_spec *stack,
                              struct place place)
{
    const struct moe_names *names = stack->names->attention_moe;
    const struct moe_spec *spec = &stack->attention_moe;
    size_t n = stack->hidden_size, n_kv = stack->n_kv_heads * stack->head_dim;
    size_t e = spec->n_experts;
    bool bias = stack->has_qkv_bias;

    if (!stack->lacks_kv && stack->names->kv) {
        add_linear(layouter, place, stack->names->kv, 2 * n_kv, n, false, bias);
    } else if (!stack->lacks_kv) {
        add_linear(layouter, place, stack->names->k, n_kv, n, false, bias);
        add_linear(layouter, place, stack->names->v, n_kv, n, false, bias);
    }
    add_router(layouter, spec, n, names, 1, place);
    if (names->bias)
        add_vector(layouter, place, names->bias, "", n);
    if (names->turned_up) {
        add_entry(layouter, place, names->turned_up, "", 3, e, n, n_kv);
        add_entry(layouter, place, names->turned_down, "", 3, e, n_kv, n);
    } else {
        add_entry(layouter, place, names->fused_gate_up, "", 3, e, n_kv, n);
        add_entry(layouter, place, names->fused_down, "", 3, e, n, n_kv);
    }
}

/* ---- attention and the MLP ---- */

/* The shapes: docs/models.md, "Latent attention". */
static void add_mla(struct layouter *layouter, const struct stack_spec *stack, struct place place)
{
    const struct mla_names *names = stack->names->mla;
    const struct mla_spec *spec = &stack->mla;
    size_t n = stack->hidden_size, n_q = stack->n_heads * stack->head_dim;
    size_t rotating = stack->head_dim - spec->qk_nope_head_dim;
    bool bias = stack->has_qkv_bias;

    if (spec->q_lora_rank == 0) {
        add_linear(layouter, place, names->q, n_q, n, false, false);
    } else {
        add_linear(layouter, place, names->q_a, spec->q_lora_rank, n, false, bias);
        add_norm(layouter, place, names->q_norm, NORM_RMS, spec->q_lora_rank);
        add_linear(layouter, place, names->q_b, n_q, spec->q_lora_rank, false, false);
    }
    add_linear(layouter, place, names->kv_a, spec->kv_lora_rank + rotating, n, false, bias);
    add_norm(layouter, place, names->kv_norm, NORM_RMS, spec->kv_lora_rank);
    add_linear(layouter, place, names->kv_b,
               stack->n_heads * (spec->qk_nope_head_dim + stack->v_head_dim), spec->kv_lora_rank,
               false, false);
}

static void add_attention(struct layouter *layouter, const struct stack_spec *stack,
                          struct place place)
{
    const struct layer_names *names = stack->names;
    size_t n = stack->hidden_size, n_q = stack->n_heads * stack->head_dim;
    size_t n_kv = stack->n_kv_heads * stack->head_dim;
    bool bias = stack->has_qkv_bias, turned = stack->is_conv1d;

    if (stack->attention_moe.n_experts) {
        add_attention_moe(layouter, stack, place);
        return;
    }
    if (stack->qkv == QKV_LATENT) {
        add_mla(layouter, stack, place);
    } else if (stack->qkv == QKV_SEPARATE) {
        add_linear(layouter, place, names->q, n_q, n, turned, bias);
        add_linear(layouter, place, names->k, n_kv, n, turned, bias);
        add_linear(layouter, place, names->v, n_kv, n, turned, bias);
    } else {
        add_linear(layouter, place, names->qkv, n_q + 2 * n_kv, n, turned, bias);
    }
    add_linear(layouter, place, names->o, n, stack->n_heads * stack->v_head_dim, turned,
               stack->has_o_bias);
    if (stack->has_sinks)
        add_vector(layouter, place, names->sinks, "", stack->n_heads);
    if (stack->position == POSITION_RELATIVE && (place.layer == 0 || stack->has_bias_per_layer))
        add_entry(layouter, place, names->relative_bias, ".weight", 2, stack->n_buckets,
                  stack->n_heads, 0);
}

static void add_cross_attention(struct layouter *layouter, const struct stack_spec *stack,
                                struct place place)
{
    const struct layer_names *names = stack->names;
    size_t n = stack->hidden_size, n_q = stack->n_heads * stack->head_dim;
    size_t n_kv = stack->n_kv_heads * stack->head_dim;
    bool bias = stack->has_qkv_bias;

    add_norm(layouter, place, names->cross_norm, stack->norm, n);
    add_linear(layouter, place, names->cross_q, n_q, n, false, bias);
    add_linear(layouter, place, names->cross_k, n_kv, n, false, bias);
    add_linear(layouter, place, names->cross_v, n_kv, n, false, bias);
    add_linear(layouter, place, names->cross_o, n, n_q, false, stack->has_o_bias);
}

static void add_mlp(struct layouter *layouter, const struct stack_spec *stack,
                    const struct layer_names *names, struct place place)
{
    size_t n = stack->hidden_size, m = stack->intermediate_size;
    bool bias = stack->has_mlp_bias, turned = stack->is_conv1d;

    if (stack->is_gated && names->gate_up) {
        add_linear(layouter, place, names->gate_up, 2 * m, n, turned, bias);
    } else {
        add_linear(layouter, place,
                   stack->is_gated && names->gated_up ? names->gated_up : names->up, m, n, turned,
                   bias);
        if (stack->is_gated)
            add_linear(layouter, place, names->gate, stack->has_double_gate ? 2 * m : m, n, turned,
                       bias);
    }
    add_linear(layouter, place, names->down, n, m, turned, bias);
}

/* ---- layers ---- */

static void add_layer(struct layouter *layouter, const struct stack_spec *stack, size_t number)
{
    const struct layer_names *names = stack->names;
    struct place place = {.prefix = names->prefix, .layer = number};
    size_t n = stack->hidden_size;
    bool is_sparse = stack->is_sparse && stack->is_sparse[number];

    add_norm(layouter, place, names->norm1, stack->norm, n);
    add_attention(layouter, stack, place);
    add_norm(layouter, place, names->norm2, stack->norm, n);
    if (is_sparse)
        add_moe(layouter, stack, place);
    else
        add_mlp(layouter, stack, names, place);
    if (is_sparse && stack->has_extra_mlp) {
        add_norm(layouter, place, names->extra_mlp->norm2, stack->norm, n);
        add_mlp(layouter, stack, names->extra_mlp, place);
    }
    if (stack->has_qk_norm) {
        add_norm(layouter, place, names->q_norm, stack->norm,
                 stack->head_dim * (stack->has_flat_qk_norm ? stack->n_heads : 1));
        add_norm(layouter, place, names->k_norm, stack->norm,
                 stack->head_dim * (stack->has_flat_qk_norm ? stack->n_kv_heads : 1));
    }
    if (stack->has_post_norms) {
        add_norm(layouter, place, names->post_attention_norm, stack->norm, n);
        add_norm(layouter, place, names->post_mlp_norm, stack->norm, n);
    }
    if (stack->has_cross_attention)
        add_cross_attention(layouter, stack, place);
}

static void add_stack(struct layouter *layouter, const struct stack_spec *stack)
{
    for (size_t i = 0; i < stack->n_layers && layouter->n_missing < MISSING_MAX; i++)
        add_layer(layouter, stack, i);
    if (stack->has_final_norm)
        add_norm(layouter, top, stack->names->final_norm, stack->norm, stack->hidden_size);
}

/* ---- what stands before and behind the layers ---- */

/* The file of a tied pair may hold the head alone: then it is the embedding. So does one that the
 * saver of safetensors wrote, which notes what it left out. */
static const struct tensor *find_head_alone(struct layouter *layouter, const char *embedding)
{
    const struct checkpoint_names *names = layouter->layout->names;
    const struct checkpoint *checkpoint = names->checkpoint;
    const struct tensor *tensor = checkpoint_names_find_alias(names, embedding, true);
    bool is_tied = layouter->spec->has_tied_head;
    struct buffer plain = {0};

    for (size_t i = 0; tensor && !is_tied && i < checkpoint->n_metadata; i++) {
        tensor_names_plain(checkpoint->metadata[i].key, &plain);
        is_tied = strcmp(plain.data, embedding) == 0 &&
                  strcmp(checkpoint->metadata[i].value, tensor->name) == 0;
    }
    buffer_release(&plain);
    return is_tied ? tensor : NULL;
}

/* T5 stores its one embedding under any of three names. */
static void add_embedding(struct layouter *layouter)
{
    static const char *const aliases[] = {"encoder.embed_tokens", "decoder.embed_tokens"};
    const struct model_spec *spec = layouter->spec;
    struct layout_entry *entry = add_entry(layouter, top, spec->family->names->embedding,
                                           ".weight", 2, spec->vocab_size, spec->hidden_size, 0);

    entry->may_have_more_rows = entry->is_embedding = true;
    for (size_t i = 0; spec->family->is_encoder_decoder && i < 2; i++)
        use_instead(layouter, entry, find(layouter, top, aliases[i], ".weight"));
    if (!entry->tensor)
        use_instead(layouter, entry, find_head_alone(layouter, entry->name));
}

static void add_own_table(struct layouter *layouter, const struct stack_spec *stack)
{
    const char *name = stack->names->table;
    const struct tensor *tensor = name ? find(layouter, top, name, ".weight") : NULL;
    struct layout_entry *entry;

    if (!tensor || tensor == layouter->layout->entries[0].tensor)
        return;
    entry = add_entry(layouter, top, name, ".weight", 2, layouter->spec->vocab_size,
                      stack->hidden_size, 0);
    entry->may_have_more_rows = entry->is_embedding = true;
}

static void add_embeddings(struct layouter *layouter)
{
    const struct model_spec *spec = layouter->spec;
    const struct family_names *names = spec->family->names;

    add_embedding(layouter);
    add_own_table(layouter, &spec->stack);
    if (spec->is_encoder_decoder)
        add_own_table(layouter, &spec->encoder);
    if (spec->n_positions)
        add_entry(layouter, top, names->positions, ".weight", 2, spec->n_positions,
                  spec->hidden_size, 0);
    if (spec->n_token_types)
        add_entry(layouter, top, names->token_types, ".weight", 2, spec->n_token_types,
                  spec->hidden_size, 0);
    if (spec->has_embedding_norm)
        add_norm(layouter, top, names->embedding_norm, spec->stack.norm, spec->hidden_size);
}

static void add_head(struct layouter *layouter)
{
    const struct model_spec *spec = layouter->spec;
    const char *name = spec->family->names->head;
    struct layout_entry *entry;

    if (spec->has_head_bias) {
        entry = add_entry(layouter, top, name, ".bias", 1, spec->vocab_size, 0, 0);
        entry->may_have_more_rows = true;
    }
    entry = add_entry(layouter, top, name, ".weight", 2, spec->vocab_size, spec->hidden_size, 0);
    entry->may_have_more_rows = entry->may_be_absent = true;
    if (spec->family->names->other_head)
        use_instead(layouter, entry, find(layouter, top, spec->family->names->other_head, ".weight"));
    layouter->n_missing -= entry->tensor == NULL;
}

static void add_classifier(struct layouter *layouter)
{
    const struct model_spec *spec = layouter->spec;
    const struct classifier_names *names = classifier_names_of(spec->classifier);
    const struct tensor *tensor;
    size_t n = spec->hidden_size;

    if (!names)
        return;
    if (names->dense)
        add_linear(layouter, top, names->dense, n, n, false, true);
    tensor = find(layouter, top, names->out, ".weight");
    add_linear(layouter, top, names->out, tensor && tensor->n_dims ? tensor->shape[0] : 1, n,
               false, names->has_bias);
}

/* ---- all ---- */

static void index_entries(struct model_layout *layout)
{
    const struct checkpoint *checkpoint = layout->names->checkpoint;

    layout->entry_of = memory_zalloc(checkpoint->n_tensors, sizeof *layout->entry_of);
    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        layout->entry_of[i] = SIZE_MAX;
    for (size_t i = layout->n_entries; i > 0; i--) { /* the first that uses a tensor counts */
        const struct layout_entry *entry = &layout->entries[i - 1];

        if (entry->tensor)
            layout->entry_of[entry->tensor - checkpoint->tensors] = i - 1;
    }
    for (size_t i = 0; i < layout->n_entries; i++)
        hash_map_add(&layout->by_name, layout->entries[i].name, strlen(layout->entries[i].name), i);
}

void layout_make(struct model_layout *layout, const struct model_spec *spec, enum model_type type,
                 const struct checkpoint_names *names)
{
    struct layouter layouter = {.layout = layout, .spec = spec};

    *layout = (struct model_layout){.spec = spec, .names = names};
    add_embeddings(&layouter);
    add_stack(&layouter, &spec->stack);
    if (spec->is_encoder_decoder)
        add_stack(&layouter, &spec->encoder);
    if (model_spec_has_head(spec, type))
        add_head(&layouter);
    add_classifier(&layouter);
    index_entries(layout);
    buffer_release(&layouter.name);
}

void layout_release(struct model_layout *layout)
{
    free(layout->entries);
    free(layout->experts);
    free(layout->entry_of);
    hash_map_release(&layout->by_name);
    arena_release(&layout->arena);
    *layout = (struct model_layout){0};
}

const struct layout_entry *layout_find(const struct model_layout *layout, const char *name)
{
    const size_t *index = hash_map_find(&layout->by_name, name, strlen(name));

    return index ? &layout->entries[*index] : NULL;
}

const struct layout_experts *layout_find_experts(const struct model_layout *layout,
                                                 const struct stack_spec *stack, size_t layer)
{
    for (size_t i = 0; i < layout->n_experts; i++)
        if (layout->experts[i].stack == stack && layout->experts[i].layer == layer)
            return &layout->experts[i];
    return NULL;
}
