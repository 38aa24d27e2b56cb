#include "tensor_names.h"

#include <stdlib.h>
#include <string.h>

/* What others put around a model. */
static const char *const wrappers[] = {
    "module.", "base_model.model.", "0.auto_model.", "auto_model.",
};

/* What torch.compile, FSDP and activation checkpointing put in front of the name of any part. */
static const char *const inner_wrappers[] = {
    "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.",
};

static const struct {
    const char *ending;
    unsigned n_dims_min; /* a causal mask has four dimensions, a bias of the same name has one */
} not_parameters[] = {
    {"embeddings.position_ids", 0}, {".token_type_ids", 0}, {"rotary_emb.inv_freq", 0},
    {".attn.bias", 2},              {".attn.masked_bias", 0}, {".attention.bias", 2},
    {".attention.masked_bias", 0},  {".attn.mask", 2},      {".attn.cum_weight", 2},
    {"._extra_state", 0},           {".SCB", 0},            {".weight_format", 0},
    {".g_idx", 0},                  {"rope.freqs", 0},
};

static const struct tied_name tied_names[] = {
    {"lm_head.weight",
     {"embed_tokens.weight", "wte.weight", "shared.weight", "encoder.embed_tokens.weight",
      "decoder.embed_tokens.weight", "embed_in.weight", "word_embeddings.weight",
      "backbone.embeddings.weight"},
     true},
    {"embed_out.weight", {"embed_in.weight"}, true},
    {"output.weight", {"tok_embeddings.weight"}, true},
    {"cls.predictions.decoder.weight", {"embeddings.word_embeddings.weight"}, true},
    {"lm_head.decoder.weight", {"embeddings.word_embeddings.weight"}, true},
    {"vocab_projector.weight", {"embeddings.word_embeddings.weight"}, true},
    {"predictions.decoder.weight", {"embeddings.word_embeddings.weight"}, true},
    {"generator_lm_head.weight", {"embeddings.word_embeddings.weight"}, true},
    {"decoder.weight", {"embeddings.tok_embeddings.weight"}, true},
    {"proj_out.weight", {"decoder.embed_tokens.weight"}, true},
    {"output_layer.weight", {"embedding.word_embeddings.weight"}, true},
    {"predictions.decoder.bias", {"predictions.bias"}, false},
    {"cls.predictions.decoder.bias", {"cls.predictions.bias"}, false},
    {"lm_head.decoder.bias", {"lm_head.bias"}, false},
    {"encoder.embed_tokens.weight", {"shared.weight"}, false},
    {"decoder.embed_tokens.weight", {"shared.weight", "encoder.embed_tokens.weight"}, false},
};

static const char *const encoder_heads[] = {
    "cls.", "lm_head.", "vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "classifier.",
    "pre_classifier.", "score.", "embed_out.", "qa_outputs.", "v_head.",
};

static bool has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);

    return n >= m && strcmp(name + n - m, ending) == 0;
}

static const char *skip_any(const char *name, const char *const *all, size_t n_all)
{
    for (size_t i = 0; i < n_all;) {
        size_t n = strlen(all[i]);

        if (strncmp(name, all[i], n) == 0) {
            name += n;
            i = 0;
        } else {
            i++;
        }
    }
    return name;
}

/* Wrappers and what any architecture has in front; again and again, so "base_model.model.model." or
 * "model.language_model." need no row. */
static const char *skip_prefixes(const char *name)
{
    const char *last;

    do {
        last = name;
        name = skip_any(name, wrappers, sizeof wrappers / sizeof *wrappers);
        name += architecture_body_length(name);
    } while (name != last);
    return name;
}

/* Without what is wrapped around single parts. */
static void add_unwrapped(struct buffer *out, const char *name)
{
    while (*name) {
        const char *dot;

        name = skip_any(name, inner_wrappers, sizeof inner_wrappers / sizeof *inner_wrappers);
        dot = strchr(name, '.');
        if (!dot)
            break;
        buffer_add(out, name, (size_t)(dot + 1 - name));
        name = dot + 1;
    }
    buffer_add_text(out, name);
}

/* The part behind the prefixes, with today's names of norms. */
static void add_plain(struct buffer *out, const char *name)
{
    static const char *const old_names[][2] = {{"LayerNorm.gamma", "LayerNorm.weight"},
                                               {"LayerNorm.beta", "LayerNorm.bias"}};

    for (size_t i = 0; i < 2; i++)
        if (has_ending(name, old_names[i][0])) {
            buffer_add(out, name, strlen(name) - strlen(old_names[i][0]));
            buffer_add_text(out, old_names[i][1]);
            return;
        }
    buffer_add_text(out, name);
}

void tensor_names_plain(const char *name, struct buffer *out)
{
    struct buffer unwrapped = {0};

    add_unwrapped(&unwrapped, name);
    buffer_clear(out);
    add_plain(out, skip_prefixes(unwrapped.data ? unwrapped.data : ""));
    buffer_release(&unwrapped);
}

/* Adds the prefix of the architecture for a plain name; in a class without a head without its body. */
static void add_prefix(struct buffer *out, const char *plain, struct name_style style, bool has_body)
{
    if (has_body && !tensor_names_is_encoder_head(plain))
        buffer_add_text(out, style.body);
    if (style.layers && strncmp(plain, "layer.", 6) == 0)
        buffer_add_text(out, style.layers);
}

/* Whether the part of a name that ends at `end` is what layers are counted under. */
static bool is_list_of_layers(const char *name, size_t end)
{
    static const char *const lists[] = {"layers", "layer", "h", "block", "blocks"};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        size_t n = strlen(lists[i]);

        if (end >= n && strncmp(name + end - n, lists[i], n) == 0 &&
            (end == n || name[end - n - 1] == '.'))
            return true;
    }
    return false;
}

bool tensor_names_find_layer(const char *name, struct name_layer *layer)
{
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t n = strspn(dot + 1, "0123456789"), start = (size_t)(dot + 1 - name);

        if (n == 0 || n > 9 || dot[1 + n] != '.' || !is_list_of_layers(name, start - 1))
            continue;
        *layer = (struct name_layer){strtoul(dot + 1, NULL, 10), start, n};
        return true;
    }
    return false;
}

void tensor_names_write(const char *name, struct name_style style, struct buffer *out)
{
    struct buffer unwrapped = {0}, prefix = {0};
    const char *whole, *plain;
    bool is_read = false;

    add_unwrapped(&unwrapped, name);
    whole = unwrapped.data ? unwrapped.data : "";
    plain = skip_prefixes(whole);
    buffer_clear(out);
    /* The class with a head reads the names of the one without, and the other way round. */
    for (int has_body = 0; style.body && !is_read && has_body < 2; has_body++) {
        buffer_clear(&prefix);
        add_prefix(&prefix, plain, style, has_body);
        is_read = (size_t)(plain - whole) == prefix.size &&
                  strncmp(whole, prefix.size ? prefix.data : "", prefix.size) == 0;
    }
    if (!style.body)
        add_plain(out, skip_any(whole, wrappers, sizeof wrappers / sizeof *wrappers));
    else if (is_read)
        add_plain(out, whole);
    else
        add_prefix(out, plain, style, !style.is_bare);
    if (style.body && !is_read)
        add_plain(out, plain);
    buffer_release(&unwrapped);
    buffer_release(&prefix);
}

bool tensor_names_is_parameter(const struct tensor *tensor)
{
    for (size_t i = 0; i < sizeof not_parameters / sizeof *not_parameters; i++)
        if (has_ending(tensor->name, not_parameters[i].ending) &&
            tensor->n_dims >= not_parameters[i].n_dims_min)
            return false;
    return true;
}

const struct tied_name *tensor_names_find_tied(const char *plain)
{
    for (size_t i = 0; i < sizeof tied_names / sizeof *tied_names; i++)
        if (strcmp(plain, tied_names[i].name) == 0)
            return &tied_names[i];
    return NULL;
}

static bool is_owner(const struct tied_name *tied, const char *plain)
{
    for (size_t k = 0; tied->owners[k]; k++)
        if (strcmp(plain, tied->owners[k]) == 0)
            return true;
    return false;
}

const struct tied_name *tensor_names_find_owned(const char *owner, size_t i)
{
    for (size_t k = 0; k < sizeof tied_names / sizeof *tied_names; k++)
        if (is_owner(&tied_names[k], owner) && i-- == 0)
            return &tied_names[k];
    return NULL;
}

bool tensor_names_is_embedding(const char *plain)
{
    for (size_t i = 0; i < sizeof tied_names / sizeof *tied_names; i++)
        if (tied_names[i].is_head && is_owner(&tied_names[i], plain))
            return true;
    return false;
}

bool tensor_names_is_encoder_head(const char *plain)
{
    for (size_t i = 0; i < sizeof encoder_heads / sizeof *encoder_heads; i++)
        if (strncmp(plain, encoder_heads[i], strlen(encoder_heads[i])) == 0)
            return true;
    return false;
}

bool tensor_names_is_pooler(const char *plain)
{
    return strncmp(plain, "pooler.", 7) == 0 ||
           has_ending(plain, ".EncDecAttention.relative_attention_bias.weight");
}

bool tensor_names_is_expert(const char *plain)
{
    static const char *const parts[] = {".experts.", ".output_experts.", "moe.input_linear.",
                                        "moe.output_linear.", "mlp.input_linear.",
                                        "mlp.output_linear.", "block_sparse_moe.w"};

    if (strstr(plain, ".router.") || has_ending(plain, ".experts.bias"))
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(plain, parts[i]))
            return true;
    return false;
}

bool tensor_names_is_attention_expert(const char *plain)
{
    return tensor_names_is_expert(plain) &&
           (strstr(plain, "attn.") != NULL || strstr(plain, "attention.") != NULL);
}

bool tensor_names_is_consolidated(const char *name)
{
    return has_ending(name, ".attention.wq.weight");
}
