#include "rank_slices.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "tensor/tensor_source.h"

enum rule { RULE_NONE, RULE_ROWS, RULE_COLUMNS, RULE_EMBEDDING, RULE_COPIES, RULE_DROP };

/* In this order; the endings of longer names first. */
static const struct {
    const char *ending;
    enum rule rule;
} rules[] = {
    {"attention.wq.weight", RULE_ROWS},         {"attention.wk.weight", RULE_ROWS},
    {"attention.wv.weight", RULE_ROWS},         {"attention.wo.weight", RULE_COLUMNS},
    {"feed_forward.w1.weight", RULE_ROWS},      {"feed_forward.w3.weight", RULE_ROWS},
    {"feed_forward.w2.weight", RULE_COLUMNS},   {"attention_norm.weight", RULE_COPIES},
    {"ffn_norm.weight", RULE_COPIES},           {"norm.weight", RULE_COPIES},
    {"tok_embeddings.weight", RULE_EMBEDDING},  {"output.weight", RULE_ROWS},
    {"rope.freqs", RULE_DROP}, /* follows from the settings */
};

struct joiner {
    struct checkpoint *checkpoint;
    size_t *next;                /* [n_tensors] the next one of that name; 0: none */
    const struct tensor **parts; /* [n_files] of one name */
    size_t hidden_size;          /* 0: cannot be told */
};

static enum rule find_rule(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t n = strlen(name), n_ending = strlen(rules[i].ending);

        if (n >= n_ending && strcmp(name + n - n_ending, rules[i].ending) == 0 &&
            (n == n_ending || name[n - n_ending - 1] == '.'))
            return rules[i].rule;
    }
    return RULE_NONE;
}

static size_t file_of(const struct checkpoint *checkpoint, const struct tensor *tensor)
{
    size_t i = 0;

    while (checkpoint->files[i].source != tensor->source)
        i++;
    return i;
}

/* The parts of the name that tensor `first` is the first of, by file; how many there are, or 0 with
 * an error. */
static size_t find_parts(struct joiner *joiner, size_t first, struct error *err)
{
    struct checkpoint *checkpoint = joiner->checkpoint;
    size_t n_parts = 0;

    memset(joiner->parts, 0, checkpoint->n_files * sizeof *joiner->parts);
    for (size_t i = first; n_parts == 0 || i != 0; i = joiner->next[i]) {
        size_t file = file_of(checkpoint, &checkpoint->tensors[i]);
        struct tensor *part;

        if (joiner->parts[file]) {
            error_set(err, ERROR_FORMAT, "duplicate tensor '" ERROR_NAME "' in '%s'",
                      checkpoint->tensors[i].name, checkpoint->files[file].name);
            return 0;
        }
        part = arena_alloc(&checkpoint->arena, sizeof *part); /* the array of tensors will move */
        *part = checkpoint->tensors[i];
        joiner->parts[file] = part;
        n_parts++;
    }
    return n_parts;
}

/* Slices of one dtype, that have one shape. */
static int check_slices(const struct joiner *joiner, struct error *err)
{
    const struct checkpoint *checkpoint = joiner->checkpoint;
    const struct tensor *first = joiner->parts[0];
    struct buffer text = {0};

    if (first->n_dims != 2)
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': its slice in '%s' has "
                         "%zu dimensions, not 2", first->name, checkpoint->files[0].name,
                         first->n_dims);
    for (size_t i = 1; i < checkpoint->n_files; i++) {
        const struct tensor *part = joiner->parts[i];

        if (tensor_same_shape(first, part) && first->dtype == part->dtype)
            continue;
        buffer_format(&text, "%s ", dtype_info(first->dtype)->name);
        tensor_add_shape(&text, first);
        buffer_format(&text, " in '%s' and %s ", checkpoint->files[0].name,
                      dtype_info(part->dtype)->name);
        tensor_add_shape(&text, part);
        error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': its slices do not fit "
                  "together: %s in '%s'", first->name, text.data, checkpoint->files[i].name);
        buffer_release(&text);
        return -1;
    }
    return 0;
}

/* Every file must have its slice. */
static int join_slices(const struct joiner *joiner, size_t n_parts, enum rule rule,
                       struct tensor *out, struct error *err)
{
    struct checkpoint *checkpoint = joiner->checkpoint;
    size_t n_files = checkpoint->n_files, lacking = 0, having = 0, dim;

    if (n_parts < n_files) {
        while (joiner->parts[lacking])
            lacking++;
        while (!joiner->parts[having])
            having++;
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': in '%s' is a slice of "
                         "it, in '%s' there is none", joiner->parts[having]->name,
                         checkpoint->files[having].name, checkpoint->files[lacking].name);
    }
    if (check_slices(joiner, err))
        return -1;
    /* Llama 1 and 2 cut the embedding's columns, Llama 3 its rows. */
    dim = rule == RULE_EMBEDDING ? joiner->parts[0]->shape[1] != joiner->hidden_size
                                 : rule == RULE_COLUMNS;
    return tensor_join(out, out->name, joiner->parts, n_files, dim, &checkpoint->arena, err);
}

static int check_copies(const struct joiner *joiner, struct error *err)
{
    const struct checkpoint *checkpoint = joiner->checkpoint;
    size_t first = 0;

    while (!joiner->parts[first])
        first++;
    for (size_t i = first + 1; i < checkpoint->n_files; i++) {
        int same = joiner->parts[i] ? tensor_equal(joiner->parts[first], joiner->parts[i], err)
                                    : 1;

        if (same < 0)
            return -1;
        if (!same)
            return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': in '%s' it is "
                             "another than in '%s', where a copy belongs",
                             joiner->parts[i]->name, checkpoint->files[i].name,
                             checkpoint->files[first].name);
    }
    return 0;
}

static int refuse(const struct joiner *joiner, const char *name, struct error *err)
{
    const char *files[2] = {NULL, NULL};

    for (size_t i = 0, n = 0; i < joiner->checkpoint->n_files && n < 2; i++)
        if (joiner->parts[i])
            files[n++] = joiner->checkpoint->files[i].name;
    return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "' is in '%s' and in '%s', and "
                     "its name does not tell how to put the parts together", name, files[0],
                     files[1]);
}

/* Makes *out of the name that tensor `first` is the first of: 1, 0 when it is dropped, or -1. */
static int join_name(struct joiner *joiner, size_t first, struct tensor *out, struct error *err)
{
    size_t n_parts = find_parts(joiner, first, err);
    enum rule rule;

    *out = joiner->checkpoint->tensors[first];
    rule = find_rule(out->name);
    if (n_parts == 0)
        return -1;
    switch (rule) {
    case RULE_DROP: return 0;
    case RULE_COPIES: return check_copies(joiner, err) ? -1 : 1;
    case RULE_NONE: return n_parts > 1 ? refuse(joiner, out->name, err) : 1;
    default: return join_slices(joiner, n_parts, rule, out, err) ? -1 : 1;
    }
}

/* Links the tensors of one name. */
static void link_names(struct joiner *joiner)
{
    struct checkpoint *checkpoint = joiner->checkpoint;
    size_t *last = memory_zalloc(checkpoint->n_tensors, sizeof *last); /* by the first one */

    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        const char *name = checkpoint->tensors[i].name;
        size_t first = *hash_map_find(&checkpoint->by_name, name, strlen(name));

        if (first != i)
            joiner->next[last[first]] = i;
        last[first] = i;
    }
    free(last);
}

int rank_slices_join(struct checkpoint *checkpoint, struct error *err)
{
    struct joiner joiner = {.checkpoint = checkpoint};
    const struct tensor *norm = checkpoint_find(checkpoint, "norm.weight");
    size_t n_tensors = checkpoint->n_tensors, n = 0;
    struct tensor *tensors;
    int rc = 0;

    if (checkpoint->by_name.n_entries == n_tensors)
        return 0;
    checkpoint->is_joined = true;
    joiner.hidden_size = norm && norm->n_dims == 1 ? norm->shape[0] : 0;
    joiner.next = memory_zalloc(n_tensors, sizeof *joiner.next);
    joiner.parts = memory_zalloc(checkpoint->n_files, sizeof *joiner.parts);
    tensors = memory_zalloc(checkpoint->by_name.n_entries, sizeof *tensors);
    link_names(&joiner);
    for (size_t i = 0; rc >= 0 && i < n_tensors; i++) {
        const char *name = checkpoint->tensors[i].name;

        if (*hash_map_find(&checkpoint->by_name, name, strlen(name)) == i &&
            (rc = join_name(&joiner, i, &tensors[n], err)) > 0)
            n++;
    }
    free(joiner.next);
    free(joiner.parts);
    if (rc < 0) {
        free(tensors);
        return -1;
    }
    free(checkpoint->tensors);
    checkpoint->tensors = tensors;
    checkpoint->n_tensors = n;
    hash_map_release(&checkpoint->by_name);
    for (size_t i = 0; i < n; i++)
        hash_map_add(&checkpoint->by_name, tensors[i].name, strlen(tensors[i].name), i);
    return 0;
}
