#include "token_part.h"

#include <string.h>

#include "arch/tensor_names.h"

static bool is_bias(const char *plain)
{
    static const char *const biases[] = {
        "lm_head.bias", "lm_head.decoder.bias", "embed_out.bias", "cls.predictions.bias",
        "cls.predictions.decoder.bias", "vocab_projector.bias", "predictions.bias", "decoder.bias",
        "predictions.decoder.bias", "generator_lm_head.bias", "final_logits_bias",
    };

    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++)
        if (strcmp(plain, biases[i]) == 0)
            return true;
    return false;
}

/* [1, tokens] */
static bool is_one_row(const struct tensor *tensor)
{
    return tensor->n_dims == 2 && tensor->shape[0] == 1;
}

enum token_part token_part_of(const struct tensor *tensor, struct buffer *plain)
{
    const struct tied_name *tied;

    tensor_names_plain(tensor->name, plain);
    if (is_bias(plain->data))
        return tensor->n_dims == 1 || is_one_row(tensor) ? TOKEN_PART_BIAS : TOKEN_PART_NONE;
    if (tensor->n_dims != 2)
        return TOKEN_PART_NONE;
    tied = tensor_names_find_tied(plain->data);
    if (tied && tied->is_head)
        return TOKEN_PART_HEAD;
    return tensor_names_is_embedding(plain->data) ? TOKEN_PART_EMBEDDING : TOKEN_PART_NONE;
}

const struct tensor *token_part_find(const struct checkpoint *weights, enum token_part kind)
{
    struct buffer plain = {0};
    const struct tensor *found = NULL;

    for (size_t i = 0; i < weights->n_tensors; i++) {
        const struct tensor *tensor = &weights->tensors[i];

        if (token_part_of(tensor, &plain) == kind &&
            (!found || (kind == TOKEN_PART_EMBEDDING && !tensor_names_find_tied(plain.data))))
            found = tensor;
    }
    buffer_release(&plain);
    return found;
}

/* A table of positions may be as long as the vocabulary, by chance. */
static bool is_of_positions(const char *name)
{
    return strstr(name, "pos") || strstr(name, "wpe");
}

int token_part_check_other(const struct tensor *tensor, const struct tensor *embedding,
                           struct error *err)
{
    /* A second table, of which each layer has a part of each row; Gemma 3n's is shorter than the first. */
    bool is_table = strstr(tensor->name, "embed_tokens_per_layer.weight") != NULL;
    size_t n_tokens = embedding->shape[0];
    struct name_layer layer;

    /* Where a vocabulary is as large as the hidden size, sizes say nothing. */
    if (!is_table &&
        (tensor->n_dims == 0 || n_tokens == embedding->shape[1] || is_of_positions(tensor->name) ||
         tensor_names_find_layer(tensor->name, &layer) ||
         (tensor->shape[0] != n_tokens && !(is_one_row(tensor) && tensor->shape[1] == n_tokens))))
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "' seems to have a row for each token, and is "
                     "not known: its rows cannot be moved", tensor->name);
}

static const struct tensor *reshaped(const struct tensor *tensor, size_t first, size_t second,
                                     struct arena *arena)
{
    struct tensor *made = arena_alloc(arena, sizeof *made);
    size_t *shape = arena_alloc(arena, 2 * sizeof *shape);

    shape[0] = first;
    shape[1] = second;
    *made = *tensor;
    made->shape = shape;
    return made;
}

const struct tensor *token_part_as_rows(const struct tensor *tensor, struct arena *arena)
{
    struct buffer plain = {0};
    bool is_row = is_one_row(tensor) && token_part_of(tensor, &plain) == TOKEN_PART_BIAS;

    buffer_release(&plain);
    return is_row ? reshaped(tensor, tensor->shape[1], 1, arena) : tensor;
}

void token_part_shape_like(struct tensor *made, const struct tensor *like, struct arena *arena)
{
    if (is_one_row(like) && made->shape[0] != 1)
        *made = *reshaped(made, 1, made->shape[0], arena);
}
