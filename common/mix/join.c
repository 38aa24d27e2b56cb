/* join.c - which tokens the result has, and which row of each model is whose. */
#include "join.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "mix/token_part.h"

/* ---- loading ---- */

/* Rows that all its parts over the tokens have. */
static int count_rows(struct model_folder *model, size_t *n_rows, struct notices *notices,
                      struct error *err)
{
    const struct checkpoint *weights = model_folder_weights(model, notices, err);
    struct arena arena = {0};
    struct buffer plain = {0};

    if (!weights)
        return -1;
    if (!token_part_find(weights, TOKEN_PART_EMBEDDING))
        return error_set(err, ERROR_UNSUPPORTED, "'%s': none of its tensors is known as the embedding of "
                         "its tokens", model->name);
    *n_rows = SIZE_MAX;
    for (size_t i = 0; i < weights->n_tensors; i++) {
        const struct tensor *tensor = token_part_as_rows(&weights->tensors[i], &arena);

        if (token_part_of(tensor, &plain) != TOKEN_PART_NONE && tensor->shape[0] < *n_rows)
            *n_rows = tensor->shape[0];
    }
    buffer_release(&plain);
    arena_release(&arena);
    return 0;
}

/* A tokenizer of which only the ids are known cannot give others its tokens. */
static int check_vocabulary(const struct vocabulary *vocabulary, const char *name, struct error *err)
{
    if (vocabulary->problem)
        return error_set(err, ERROR_UNSUPPORTED, "the tokenizer of '%s' cannot be joined with others: "
                         "%.300s", name, vocabulary->problem);
    if (vocabulary->is_guess)
        return error_set(err, ERROR_UNSUPPORTED, "the tokenizer of '%s' cannot be joined with others: "
                         "its class is not known, and which token has which id with it", name);
    return 0;
}

static int load_model(struct join_model *loaded, struct model_folder *model, struct notices *notices,
                      struct error *err)
{
    loaded->name = model->name;
    if (model_folder_vocabulary(model, &loaded->vocabulary, err) ||
        check_vocabulary(&loaded->vocabulary, model->name, err))
        return -1;
    loaded->is_assumed = !loaded->vocabulary.kind;
    return count_rows(model, &loaded->n_rows, notices, err);
}

/* Whose tokens come first. */
static int choose_source(struct join *join, struct model_folder *const *models, struct error *err)
{
    struct model_folder *wanted = join->options.source == JOIN_OTHER ? join->options.tokenizer
                                                                     : models[0];
    size_t i = 0;

    join->from = wanted;
    while (i < join->n_models && models[i] != wanted)
        i++;
    join->source = i < join->n_models ? &join->models[i].vocabulary : &join->other;
    if (i == join->n_models && (model_folder_vocabulary(wanted, &join->other, err) ||
                                check_vocabulary(&join->other, wanted->name, err)))
        return -1;
    if (!join->source->kind || !join->models[0].vocabulary.kind)
        return error_set(err, ERROR_FORMAT, "'%s' has no tokenizer",
                         join->source->kind ? models[0]->name : wanted->name);
    return 0;
}

static const struct vocabulary *vocabulary_of(const struct join *join, size_t model)
{
    return &join->models[join->models[model].is_assumed ? 0 : model].vocabulary;
}

/* ---- tokens of the result ---- */

struct union_maker {
    struct join *join;
    struct hash_map added; /* text -> number among those of the source, then join->added */
    size_t next_id, n_ordinary, capacity;
    struct notices *notices;
};

/* The id that a loader gives the first token that is in no vocabulary. */
static size_t first_id(const struct vocabulary *vocabulary)
{
    size_t id = vocabulary->n_plain;

    for (size_t i = 0; i < vocabulary->n_added; i++)
        if (vocabulary->added[i].id >= id)
            id = (size_t)vocabulary->added[i].id + 1;
    return id;
}

static int collision(const struct join *join, const struct added_token *token, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "the tokenizer of '%s' cannot take more tokens: '" ERROR_NAME
                     "' would get an id that another token has", join->from->name, token->content);
}

/* Adds it to what is found in a text first; it may stand in the vocabulary already. */
static int append(struct union_maker *maker, struct added_token token, struct error *err)
{
    struct join *join = maker->join;
    uint32_t id = token_table_id(&join->tokens, token.content, token.length);

    token.id = id == TOKEN_NONE ? (uint32_t)maker->next_id : id;
    if (id == TOKEN_NONE) {
        if (maker->next_id > TOKEN_ID_MAX ||
            (maker->next_id < join->n_ids && join->has_token[maker->next_id]))
            return collision(join, &token, err);
        if (token_table_put(&join->tokens, token.content, token.length, token.id, NULL, err))
            return -1;
        maker->next_id++;
        join->n_new++;
    }
    if (join->n_added == maker->capacity) {
        maker->capacity = maker->capacity ? 2 * maker->capacity : 16;
        join->added = memory_resize(join->added, maker->capacity, sizeof *join->added);
    }
    hash_map_add(&maker->added, token.content, token.length, join->source->n_added + join->n_added);
    join->added[join->n_added++] = token;
    return 0;
}

static int compare_added(const void *a, const void *b)
{
    const struct added_token *x = *(const struct added_token *const *)a;
    const struct added_token *y = *(const struct added_token *const *)b;

    return (x->id > y->id) - (x->id < y->id);
}

/* Ordinary tokens of a model, in the order of their ids: in its tokenizer they are not found in a text
 * first, in that of the result there is no other way. */
static int add_ordinary(struct union_maker *maker, size_t model, struct error *err)
{
    const struct join_model *from = &maker->join->models[model];
    const struct token_table *tokens = &from->vocabulary.tokens;
    struct hash_map added = {0};
    int rc = 0;

    for (size_t i = 0; i < from->vocabulary.n_added; i++)
        hash_map_add(&added, from->vocabulary.added[i].content, from->vocabulary.added[i].length, i);
    for (size_t i = 0; rc == 0 && i < tokens->n_by_id; i++) {
        struct added_token token = {.normalized = true};
        const char *text;
        uint32_t entry = tokens->by_id[i];

        if (entry == TOKEN_NONE)
            continue;
        text = token_table_bytes(tokens, entry, &token.length);
        token.content = (char *)(uintptr_t)text;
        if (token.length == 0 || tokens->entries[entry].id >= from->n_rows ||
            hash_map_find(&added, text, token.length) ||
            token_table_id(&maker->join->tokens, text, token.length) != TOKEN_NONE)
            continue;
        maker->n_ordinary++;
        rc = append(maker, token, err);
    }
    hash_map_release(&added);
    return rc;
}

static bool same_settings(const struct added_token *a, const struct added_token *b)
{
    return a->single_word == b->single_word && a->lstrip == b->lstrip && a->rstrip == b->rstrip &&
           a->normalized == b->normalized && a->special == b->special;
}

/* One of the result's, by its number in maker->added. */
static const struct added_token *known_added(const struct union_maker *maker, size_t number)
{
    const struct vocabulary *source = maker->join->source;

    return number < source->n_added ? &source->added[number]
                                    : &maker->join->added[number - source->n_added];
}

/* Those that a model finds in a text first. */
static int add_special(struct union_maker *maker, size_t model, struct error *err)
{
    const struct join_model *from = &maker->join->models[model];
    size_t n = from->vocabulary.n_added, n_other = 0;
    const struct added_token **sorted = memory_zalloc(n + 1, sizeof *sorted);
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        sorted[i] = &from->vocabulary.added[i];
    qsort(sorted, n, sizeof *sorted, compare_added);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const size_t *known = hash_map_find(&maker->added, sorted[i]->content, sorted[i]->length);

        if (!known)
            rc = append(maker, *sorted[i], err);
        else if (!same_settings(sorted[i], known_added(maker, *known)))
            n_other++;
    }
    free(sorted);
    if (n_other)
        notices_add(maker->notices, "added tokens of '%s' (%zu) have other settings (special, normalized, …) "
                    "than in models before it, which are kept", from->name, n_other);
    return rc;
}

/* Tokens that a recipe names and nobody has. */
static int add_named(struct union_maker *maker, struct error *err)
{
    const struct join_options *options = &maker->join->options;

    for (size_t i = 0; i < options->n_rules; i++) {
        struct added_token token = {.content = (char *)(uintptr_t)options->rules[i].token,
                                    .length = strlen(options->rules[i].token), .normalized = true};

        if (token_table_id(&maker->join->tokens, token.content, token.length) == TOKEN_NONE &&
            append(maker, token, err))
            return -1;
    }
    return 0;
}

static int copy_source(struct union_maker *maker, struct error *err)
{
    struct join *join = maker->join;
    const struct token_table *tokens = &join->source->tokens;

    if (!tokens->is_dense)
        return error_set(err, ERROR_UNSUPPORTED, "the ids of the tokenizer of '%s' have holes: %u is the "
                         "last of %zu tokens; rows for all of them are not made", join->from->name,
                         (unsigned)tokens->max_id, tokens->n_entries);
    join->n_ids = tokens->n_entries ? (size_t)tokens->max_id + 1 : 0;
    join->has_token = memory_try(join->n_ids + 1, sizeof *join->has_token, "the tokens", err);
    if (!join->has_token)
        return -1;
    memset(join->has_token, 0, join->n_ids + 1);
    for (size_t i = 0; i < tokens->n_entries; i++) {
        size_t length;
        const char *text = token_table_bytes(tokens, (uint32_t)i, &length);

        if (token_table_put(&join->tokens, text, length, tokens->entries[i].id, NULL, err))
            return -1;
        join->has_token[tokens->entries[i].id] = true;
    }
    for (size_t i = 0; i < join->source->n_added; i++)
        hash_map_add(&maker->added, join->source->added[i].content, join->source->added[i].length, i);
    maker->next_id = first_id(join->source);
    return 0;
}

static void tell_union(const struct union_maker *maker)
{
    const struct join *join = maker->join;

    if (join->n_new == 0)
        return;
    notices_add(maker->notices, "the result has the tokens of '%s' and %zu more, from id %zu on",
                join->from->name, join->n_new, maker->next_id - join->n_new);
    if (maker->n_ordinary)
        notices_add(maker->notices, "ordinary tokens of the other models (%zu) become added ones, which are "
                    "found in a text before it is cut by any rule", maker->n_ordinary);
}

static int make_tokens(struct join *join, struct notices *notices, struct error *err)
{
    struct union_maker maker = {.join = join, .notices = notices};
    bool is_union = join->options.source == JOIN_UNION;
    size_t n_old;
    int rc = copy_source(&maker, err);

    for (size_t i = 1; rc == 0 && is_union && i < join->n_models; i++)
        rc = join->models[i].is_assumed ? 0 : add_ordinary(&maker, i, err);
    for (size_t i = 1; rc == 0 && is_union && i < join->n_models; i++)
        rc = join->models[i].is_assumed ? 0 : add_special(&maker, i, err);
    if (rc == 0)
        rc = add_named(&maker, err);
    hash_map_release(&maker.added);
    if (rc)
        return -1;
    tell_union(&maker);
    n_old = join->n_ids;
    if (join->n_new && maker.next_id > n_old)
        join->n_ids = maker.next_id;
    join->has_token = memory_resize(join->has_token, join->n_ids + 1, sizeof *join->has_token);
    memset(join->has_token + n_old, 0, join->n_ids + 1 - n_old);
    for (size_t i = 0; i < join->n_added; i++)
        join->has_token[join->added[i].id] = true;
    for (size_t i = 0; i < join->n_ids; i++)
        join->n_tokens += join->has_token[i];
    token_table_seal(&join->tokens);
    return 0;
}

/* ---- rows ---- */

static int count_all_rows(struct join *join, struct error *err)
{
    size_t multiple = join->options.multiple ? join->options.multiple : 1, rest;

    join->n_rows = join->n_ids;
    if (join->options.keeps_padding && join->models[0].n_rows > join->n_rows)
        join->n_rows = join->models[0].n_rows;
    rest = join->n_rows % multiple;
    if (rest && __builtin_add_overflow(join->n_rows, multiple - rest, &join->n_rows))
        join->n_rows = SIZE_MAX;
    if (join->n_rows > TOKEN_ID_MAX)
        return error_set(err, ERROR_FORMAT, "%zu tokens, rounded up to a multiple of %zu, are more rows "
                         "than an embedding can have", join->n_tokens, multiple);
    return 0;
}

struct row_counts { /* of one model */
    size_t n_dropped, n_behind;
    const char *dropped, *behind; /* the first of each */
};

/* The row of each token of the result in the model. */
static void fill_rows(struct join *join, size_t model, struct row_counts *counts)
{
    struct join_model *of = &join->models[model];
    const struct token_table *tokens = &vocabulary_of(join, model)->tokens;
    bool is_source = vocabulary_of(join, model) == join->source;

    for (size_t i = 0; i < tokens->n_entries; i++) {
        size_t length;
        const char *text = token_table_bytes(tokens, (uint32_t)i, &length);
        uint32_t id = tokens->entries[i].id, wanted;

        /* Of its own tokens each keeps its number, also of two with the same text. */
        wanted = is_source ? id : token_table_id(&join->tokens, text, length);
        if (wanted == TOKEN_NONE) {
            if (counts->n_dropped++ == 0)
                counts->dropped = text;
        } else if (id >= of->n_rows) {
            if (counts->n_behind++ == 0)
                counts->behind = text;
        } else {
            of->rows[wanted] = id;
        }
        of->is_renumbered = of->is_renumbered || wanted != id;
    }
}

static size_t count_unused(const struct join *join, size_t model)
{
    const struct token_table *tokens = &vocabulary_of(join, model)->tokens;
    size_t n_rows = join->models[model].n_rows, n_used = 0;

    for (size_t i = 0; i < tokens->n_by_id; i++)
        n_used += tokens->by_id[i] != TOKEN_NONE && tokens->entries[tokens->by_id[i]].id < n_rows;
    return n_used > n_rows ? 0 : n_rows - n_used;
}

static void tell_rows(const struct join *join, size_t model, const struct row_counts *counts,
                      struct notices *notices)
{
    const struct join_model *of = &join->models[model];
    size_t n_unused = count_unused(join, model);

    if (of->is_assumed)
        notices_add(notices, "'%s' has no tokenizer: it is taken to be that of '%s'", of->name,
                    join->models[0].name);
    if (counts->n_dropped)
        notices_add(notices, "tokens of '%s' that the result does not have (%zu: '" ERROR_NAME "', …): "
                    "their rows are left out", of->name, counts->n_dropped, counts->dropped);
    if (counts->n_behind)
        notices_add(notices, "tokens of '%s' with ids behind the %zu rows of its embedding (%zu: '"
                    ERROR_NAME "', …): it counts as having none of them", of->name, of->n_rows,
                    counts->n_behind, counts->behind);
    if (n_unused && !join->options.keeps_padding)
        notices_add(notices, "rows of the embedding of '%s' that no token has (%zu): they are not kept",
                    of->name, n_unused);
}

/* Tokens of the result that no model has a row of. */
static void tell_without_row(const struct join *join, struct notices *notices)
{
    size_t n = 0, first = 0;
    const char *text;

    for (size_t id = 0; id < join->n_ids; id++) {
        const struct join_rule *rule = join_rule_of(join, id);
        bool has_row = !join->has_token[id] || (rule && rule->kind != JOIN_ROW_USUAL);

        for (size_t i = 0; !has_row && i < join->n_models; i++)
            has_row = join->models[i].rows[id] != TOKEN_NONE;
        if (!has_row && n++ == 0)
            first = id;
    }
    text = n ? token_table_token(&join->tokens, (uint32_t)first, &(size_t){0}) : NULL;
    if (n)
        notices_add(notices, "tokens of the result that no model has a row of (%zu: '" ERROR_NAME "', "
                    "…): it becomes zero", n, text ? text : "");
}

static int find_rows(struct join *join, struct notices *notices, struct error *err)
{
    for (size_t i = 0; i < join->n_models; i++) {
        struct row_counts counts = {0};

        join->models[i].rows = memory_try(join->n_ids + 1, sizeof *join->models[i].rows, "the tokens",
                                          err);
        if (!join->models[i].rows)
            return -1;
        memset(join->models[i].rows, 0xff, (join->n_ids + 1) * sizeof *join->models[i].rows);
        fill_rows(join, i, &counts);
        tell_rows(join, i, &counts, notices);
    }
    return 0;
}

/* ---- rules ---- */

static int check_rule(struct join *join, struct join_rule *rule, struct error *err)
{
    uint32_t id = token_table_id(&join->tokens, rule->token, strlen(rule->token)), other;
    const struct join_model *model = &join->models[rule->model];

    join->rules[id] = (size_t)(rule - join->options.rules) + 1;
    if (rule->is_forced && rule->kind == JOIN_ROW_USUAL)
        return error_set(err, ERROR_FORMAT, "token '" ERROR_NAME "': 'force' without a 'source' says "
                         "nothing", rule->token);
    if (rule->kind == JOIN_ROW_MODEL && model->rows[id] == TOKEN_NONE)
        return error_set(err, ERROR_FORMAT, "token '" ERROR_NAME "': its source '" ERROR_NAME "' does not "
                         "have it", rule->token, model->name);
    if (rule->kind != JOIN_ROW_TOKEN)
        return 0;
    if (rule->other) {
        other = token_table_id(&vocabulary_of(join, rule->model)->tokens, rule->other,
                               strlen(rule->other));
        if (other == TOKEN_NONE)
            return error_set(err, ERROR_FORMAT, "token '" ERROR_NAME "': '" ERROR_NAME "' has no token '"
                             ERROR_NAME "'", rule->token, model->name, rule->other);
        rule->other_id = other;
    }
    if (rule->other_id >= model->n_rows)
        return error_set(err, ERROR_FORMAT, "token '" ERROR_NAME "': '" ERROR_NAME "' has no row %zu, "
                         "only %zu rows", rule->token, model->name, rule->other_id, model->n_rows);
    return 0;
}

static int check_rules(struct join *join, struct error *err)
{
    size_t n = join->options.n_rules;
    struct join_rule *own = memory_zalloc(n + 1, sizeof *own);

    if (n)
        memcpy(own, join->options.rules, n * sizeof *own);
    join->options.rules = own;
    join->rules = memory_zalloc(join->n_ids + 1, sizeof *join->rules);
    for (size_t i = 0; i < n; i++)
        if (check_rule(join, &own[i], err))
            return -1;
    return 0;
}

/* ---- all of it ---- */

/* Whether a text is cut into other pieces before the vocabulary is asked; merges are other ones anyway. */
static bool cuts_alike(const struct vocabulary *a, const struct vocabulary *b)
{
    return strcmp(a->kind, b->kind) == 0 &&
           strcmp(a->parts[TOKENIZER_NORMALIZER], b->parts[TOKENIZER_NORMALIZER]) == 0 &&
           strcmp(a->parts[TOKENIZER_PRETOKENIZER], b->parts[TOKENIZER_PRETOKENIZER]) == 0;
}

/* Tokens are compared by their spelling, which follows from rules. */
static void compare_rules(const struct join *join, struct notices *notices)
{
    for (size_t i = 0; i < join->n_models; i++) {
        const struct join_model *model = &join->models[i];

        if (!model->is_assumed && !cuts_alike(join->source, &model->vocabulary))
            notices_add(notices, "the tokenizers of '%s' (%s) and '%s' (%s) cut texts in other ways: "
                        "the same word may be other tokens in them", join->from->name,
                        join->source->kind, model->name, model->vocabulary.kind);
    }
}

/* Whether all ranks take the same rows. */
static int compare_ranks(const struct join *join, struct error *err)
{
    char hex[DIGEST_HEX_MAX];
    struct digest digest;

    if (ranks_count() == 1)
        return 0;
    digest_init(&digest, DIGEST_SHA256);
    for (size_t i = 0; i < join->n_models; i++)
        digest_add(&digest, join->models[i].rows, join->n_ids * sizeof *join->models[i].rows);
    digest_hex(&digest, hex);
    hex[16] = '\0';
    return ranks_compare("digest of the tokenizers' ids", hex, err);
}

int join_open(struct join *join, struct model_folder *const *models, size_t n_models,
              const struct join_options *options, struct notices *notices, struct error *err)
{
    *join = (struct join){.options = *options, .n_models = n_models};
    join->options.rules = NULL;
    join->options.n_rules = 0;
    join->models = memory_zalloc(n_models, sizeof *join->models);
    for (size_t i = 0; i < n_models; i++)
        if (load_model(&join->models[i], models[i], notices, err))
            return -1;
    if (choose_source(join, models, err))
        return -1;
    compare_rules(join, notices);
    join->options.rules = options->rules;
    join->options.n_rules = options->n_rules;
    if (make_tokens(join, notices, err) || count_all_rows(join, err) ||
        find_rows(join, notices, err) || check_rules(join, err) || compare_ranks(join, err))
        return -1;
    tell_without_row(join, notices);
    return 0;
}

void join_release(struct join *join)
{
    for (size_t i = 0; i < join->n_models; i++) {
        vocabulary_release(&join->models[i].vocabulary);
        free(join->models[i].rows);
    }
    vocabulary_release(&join->other);
    token_table_release(&join->tokens);
    free(join->models);
    free(join->has_token);
    free(join->added);
    if (join->rules) /* the copy was made with them */
        free((void *)(uintptr_t)join->options.rules);
    free(join->rules);
    *join = (struct join){0};
}

const struct join_rule *join_rule_of(const struct join *join, size_t id)
{
    return id < join->n_ids && join->rules[id] ? &join->options.rules[join->rules[id] - 1] : NULL;
}

size_t join_find(const struct join *join, const char *name)
{
    for (size_t i = 0; i < join->n_models; i++)
        if (strcmp(join->models[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}
