/* extract_part.c - what a tensor of the fine-tuned model is: its module in the class, its fellow in the base, and
 * whether it is to be decomposed. */
#include <stdlib.h>
#include <string.h>

#include "adapter/extract_job.h"
#include "arch/families.h"
#include "base/memory.h"

static bool contains(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strstr(text, *words))
            return true;
    return false;
}

/* GPT-NeoX's head has another name in files than in the class (transformers 5). */
void extract_name(const struct job *job, const char *name, const char **module, const char **leaf)
{
    struct arena *arena = &job->extraction->adapter.arena;
    struct buffer written = {0};
    char *text, *dot;

    if (strcmp(name, "embed_out.weight") == 0)
        buffer_add_text(&written, "lm_head.weight");
    else if (job->style.body)
        tensor_names_write(name, job->style, &written);
    else
        buffer_add_text(&written, name);
    text = arena_copy(arena, written.data, written.size);
    buffer_release(&written);
    dot = strrchr(text, '.');
    *leaf = dot ? dot + 1 : text;
    *module = dot ? text : "";
    if (dot)
        *dot = '\0';
}

void extract_name_like(const struct job *job, const struct tensor *like, const char *plain,
                       const char **module, const char **leaf)
{
    const char *own = job->tuned.plain[like - job->tuned.checkpoint->tensors];
    size_t n = strlen(like->name), m = strlen(own);
    bool is_prefixed = n >= m && strcmp(like->name + n - m, own) == 0;
    char *name = memory_format("%.*s%s", is_prefixed ? (int)(n - m) : 0, like->name, plain);

    extract_name(job, name, module, leaf);
    free(name);
}

/* What PEFT 0.21 takes for the matrices of experts and routers in every model that has some, and turns into
 * parameters: where others are called so, they are given as parameters at once. */
static bool is_for_peft_an_expert(const char *module)
{
    static const char *const names[] = {"gate",    "router", "gate_proj", "up_proj", "down_proj",
                                        "w1",      "w2",     "w3"};
    const char *dot = strrchr(module, '.');

    for (size_t i = 0; dot && i < sizeof names / sizeof *names; i++)
        if (strcmp(dot + 1, names[i]) == 0)
            return true;
    return false;
}

/* Of a router, whose names differ between files and classes. */
static void name_router(const struct job *job, const struct expert_name *router,
                        struct extract_part *part)
{
    struct buffer plain = {0};

    expert_name_write_class(job->layout, router, &plain);
    extract_name_like(job, part->tuned, plain.data, &part->module, &part->leaf);
    buffer_release(&plain);
    if (!part->base && job->base_layout)
        part->base = expert_name_tensor(job->base_layout, router);
}

void extract_name_part(const struct job *job, size_t index, struct extract_part *part)
{
    static const char *const embeddings[] = {"embed", "wte", "wpe", "relative_attention_bias", NULL};
    static const char *const norms[] = {"norm", "Norm", NULL};
    struct expert_name name;

    *part = (struct extract_part){.tuned = &job->tuned.checkpoint->tensors[index],
                          .plain = job->tuned.plain[index]};
    part->base = checkpoint_names_match(&job->tuned, index, &job->base);
    if (job->layout && expert_name_find(job->layout, part->tuned->name, &name) &&
        name.part == EXPERT_PART_ROUTER)
        name_router(job, &name, part);
    else
        extract_name(job, part->tuned->name, &part->module, &part->leaf);
    part->is_parameter = job->has_parameters && is_for_peft_an_expert(part->module);
    part->is_head = tensor_names_is_encoder_head(part->plain) ||
                    strncmp(part->plain, "lm_head.", 8) == 0;
    part->is_embedding = !part->is_head && !contains(part->module, norms) &&
                         (contains(part->module, embeddings) ||
                          strcmp(part->module, "shared") == 0); /* T5's; Qwen has shared experts */
}

static bool is_listed(const char *list, const char *module)
{
    while (*list) {
        size_t n = strcspn(list, ","), length = strlen(module);

        if (n && n <= length && strncmp(module + length - n, list, n) == 0 &&
            (n == length || module[length - n - 1] == '.'))
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

/* 1: found in the name; no pattern gives `otherwise`. */
static int is_found(const struct regex *pattern, const char *module, int otherwise,
                    struct error *err)
{
    struct regex_scan scan;
    size_t start, end;
    int found;

    if (!pattern)
        return otherwise;
    regex_scan_begin(&scan, pattern);
    regex_scan_text(&scan, module, strlen(module));
    found = regex_scan_next(&scan, &start, &end, err);
    regex_scan_end(&scan);
    return found;
}

/* Whether another module always has the same values: PEFT would part the two. */
static bool is_shared(const struct extract_part *part)
{
    const struct tied_name *owned;

    for (size_t i = 0; (owned = tensor_names_find_owned(part->plain, i)); i++)
        if (!owned->is_head)
            return true;
    return false;
}

bool extract_is_within(const struct hash_map *modules, const char *module)
{
    size_t n = strlen(module);

    while (n > 0) {
        if (hash_map_find(modules, module, n))
            return true;
        do
            n--;
        while (n > 0 && module[n] != '.');
    }
    return false;
}

int extract_is_chosen(const struct job *job, const char *module, struct error *err)
{
    const struct extract_options *options = job->options;
    int included, excluded;

    if (options->modules && !is_listed(options->modules, module))
        return 0;
    included = is_found(options->include, module, 1, err);
    excluded = included > 0 ? is_found(options->exclude, module, 0, err) : 0;
    return included < 0 || excluded < 0 ? -1 : included && !excluded;
}

int extract_is_target(const struct job *job, const struct extract_part *part, struct error *err)
{
    if (strcmp(part->leaf, "weight") || !*part->module || part->tuned->n_dims != 2 || !part->base ||
        !tensor_same_shape(part->tuned, part->base) ||
        extract_is_within(&job->around, part->module))
        return 0;
    if ((part->is_embedding || part->is_head) &&
        (!job->options->embeddings || job->is_tied || (part->is_head && job->heads_stay) ||
         is_shared(part)))
        return 0;
    return extract_is_chosen(job, part->module, err);
}

/* ---- whether the two fit ---- */

/* Embeddings of more or fewer tokens, heads of other classes. */
static bool may_have_grown(const struct extract_part *part)
{
    return (part->is_head || tensor_names_is_embedding(part->plain)) &&
           part->tuned->n_dims == part->base->n_dims &&
           (part->tuned->n_dims < 2 || part->tuned->shape[1] == part->base->shape[1]);
}

int extract_check_part(const struct extract_part *part, struct error *err)
{
    if (!part->base && !part->is_head)
        return error_set(err, ERROR_INCOMPATIBLE, "tensor '%s': the base has none of that name",
                         part->tuned->name);
    if (part->base && !tensor_same_shape(part->tuned, part->base) && !may_have_grown(part))
        return error_set(err, ERROR_INCOMPATIBLE, "tensor '%s': has another shape in the base",
                         part->tuned->name);
    if (!dtype_info(part->tuned->dtype)->is_mixable ||
        (part->base && !dtype_info(part->base->dtype)->is_mixable))
        return error_set(err, ERROR_UNSUPPORTED, "tensor '%s': of dtype %s no difference is taken",
                         part->tuned->name, dtype_info(part->tuned->dtype)->name);
    return 0;
}
