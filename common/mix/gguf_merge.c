#include "gguf_merge.h"

#include <stdlib.h>
#include <string.h>

#include "arch/gguf_limits.h"
#include "arch/gguf_settings.h"
#include "arch/gguf_tokenizer_write.h"
#include "base/memory.h"
#include "mix/gguf_plan.h"

bool gguf_merge_is_output(const char *path)
{
    const char *extension = gguf_writer.extension;
    size_t length = path ? strlen(path) : 0, n = strlen(extension);

    return path && length >= n && strcmp(path + length - n, extension) == 0;
}

/* ---- what it is ---- */

static const struct gguf_architecture *find_architecture(const struct gguf_merge *merge,
                                                         struct error *err)
{
    const struct model_folder *base = &merge->models[0];
    const char *type = base->has_config ? base->config.model_type : NULL;
    const struct gguf_architecture *found = type ? gguf_architecture_of(type) : NULL;

    if (found && merge->spec)
        return found;
    error_set(err, ERROR_UNSUPPORTED, "'%s': %s cannot be written as GGUF; what can: cocktail-convert(1)",
              base->name, type ? type : "a file without config.json");
    return NULL;
}

static const struct way {
    const char *name;
    enum dtype dtype;
    bool packs;
    uint32_t file_type;
} ways[] = {
    {"f32", DTYPE_F32, false, 0},
    {"f16", DTYPE_F16, false, 1},
    {"bf16", DTYPE_BF16, false, 32},
    {"q8_0", DTYPE_F16, true, 7},
};

/* Asked for, or else that of most bytes as a folder would have them, or BF16. */
static const struct way *find_way(const struct gguf_merge *merge, const struct plan *plan)
{
    size_t bytes[N_DTYPES] = {0}, best = 2;

    for (size_t i = 0; merge->dtype && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(merge->dtype, ways[i].name) == 0)
            return &ways[i];
    for (size_t i = 0; i < plan->n_items; i++)
        bytes[plan->items[i].out.dtype] += plan->items[i].out.size_bytes;
    for (size_t d = 0; d < N_DTYPES; d++)
        if (bytes[d] > bytes[ways[best].dtype])
            best = d == DTYPE_F32 ? 0 : d == DTYPE_F16 ? 1 : 2;
    return &ways[best];
}

/* ---- what has no place ---- */

static void tell_modules(const struct gguf_merge *merge, struct notices *notices)
{
    const struct sentence_folder *sentence = &merge->models[0].sentence;

    for (size_t i = 0; i < sentence->n_modules; i++)
        if (strcmp(sentence->modules[i].kind, "Transformer") != 0 &&
            strcmp(sentence->modules[i].kind, "Pooling") != 0)
            notices_add(notices, "module '" ERROR_NAME "' of '%s' is left out: a GGUF file has no "
                        "place for it", sentence->modules[i].kind, merge->models[0].name);
}

static void tell_activation(const struct gguf_merge *merge,
                            const struct gguf_architecture *architecture, struct notices *notices)
{
    if (architecture->set & GGUF_BERT && merge->spec->stack.activation == ACTIVATION_GELU)
        notices_add(notices, "llama.cpp computes the GELU of '%s' by an approximation, not "
                    "exactly as its config.json says", merge->models[0].name);
}

/* ---- what the file says ---- */

static const struct {
    const char *pooling;
    enum gguf_pooling type;
} poolings[] = {
    {"mean", GGUF_POOLING_MEAN}, {"cls", GGUF_POOLING_CLS}, {"lasttoken", GGUF_POOLING_LAST}};

static int find_pooling(const struct gguf_merge *merge, enum gguf_pooling *type, struct error *err)
{
    const struct model_folder *base = &merge->models[0];
    const char *pooling = base->sentence.pooling ? base->sentence.pooling : merge->pooling;

    *type = GGUF_POOLING_NONE;
    if (!merge->is_encoder || !pooling)
        return 0;
    for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++)
        if (strcmp(pooling, poolings[i].pooling) == 0)
            *type = poolings[i].type;
    if (*type == GGUF_POOLING_NONE)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': a GGUF file cannot say the pooling %s",
                         base->name, pooling);
    return 0;
}

/* What llama.cpp looks for in models that are called Phi-3; it ends where one is missing. */
static bool has_phi3_tokens(const struct model_folder *model)
{
    static const char *const texts[] = {"</s>", "<unk>", "<s>", "<|endoftext|>"};
    struct vocabulary vocabulary = {0};
    struct error ignored = {0};
    bool has = model_folder_vocabulary(model, &vocabulary, &ignored) == 0;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        has = has && vocabulary.kind &&
              token_table_id(&vocabulary.tokens, texts[i], strlen(texts[i])) != TOKEN_NONE;
    vocabulary_release(&vocabulary);
    return has;
}

static void add_name(const struct gguf_merge *merge, struct buffer *name)
{
    const struct gguf_value *own = merge->gguf ? gguf_find(merge->gguf, "general.name") : NULL;
    char *label = model_folder_label(&merge->models[0]), *slash = strrchr(label, '/');

    if (own && own->type == GGUF_STRING && !own->is_array)
        buffer_add_text(name, gguf_text(own, 0).bytes);
    else
        buffer_add_text(name, slash ? slash + 1 : label);
    free(label);
}

/* What the model is called: as its file says, or by the last part of its name, and nothing that
 * llama.cpp would act on. To be freed. */
static char *name_of(const struct gguf_merge *merge)
{
    static const char *const traps[] = {"phi-3", "phi3"};
    const struct model_folder *model = &merge->models[0];
    struct buffer name = {0};

    add_name(merge, &name);
    for (size_t i = 0; i < 2; i++)
        for (char *found; (found = strcasestr(name.data, traps[i])) && !has_phi3_tokens(model);)
            buffer_splice(&name, (size_t)(found - name.data) + 3, strlen(traps[i]) - 3, "_3");
    return name.data;
}

static size_t count_rows(const struct plan *plan, size_t fallback)
{
    for (size_t i = 0; i < plan->n_items; i++)
        if (strcmp(plan->items[i].out.name, "token_embd.weight") == 0)
            return plan->items[i].out.shape[0];
    return fallback;
}

/* What is named once, in the order of the models. */
static size_t list_bases(const struct gguf_merge *merge, char **ids)
{
    size_t n = 0;

    for (size_t i = 0; i < merge->n_models; i++) {
        char *id = model_folder_hub_id(&merge->models[i]);
        size_t k = 0;

        while (id && k < n && strcmp(ids[k], id) != 0)
            k++;
        if (id && k == n)
            ids[n++] = id;
        else
            free(id);
    }
    return n;
}

static int put_metadata(struct gguf_metadata *metadata, const struct gguf_merge *merge,
                        const struct plan *plan, const struct gguf_architecture *architecture,
                        const struct way *way, struct notices *notices, struct error *err)
{
    const struct model_folder *base = &merge->models[0];
    char *name = name_of(merge);
    char **ids = memory_zalloc(merge->n_models, sizeof *ids);
    struct gguf_settings settings = {
        .architecture = architecture, .spec = merge->spec, .config = &base->config,
        .name = name, .bases = (const char *const *)ids, .n_bases = list_bases(merge, ids),
        .file_type = way->file_type, .n_rows = count_rows(plan, merge->spec->vocab_size)};
    int rc = find_pooling(merge, &settings.pooling, err);

    if (rc == 0)
        gguf_settings_put(metadata, &settings);
    if (rc == 0)
        rc = gguf_tokenizer_write(metadata, base, settings.n_rows, notices, err);
    folder_names_free(ids, settings.n_bases);
    free(name);
    return rc;
}

/* ---- all ---- */

int gguf_merge_plan(struct plan *plan, struct plan *from, struct gguf_metadata *metadata,
                    const struct gguf_merge *merge, struct notices *notices, struct error *err)
{
    const struct gguf_architecture *architecture = find_architecture(merge, err);
    const struct way *way;

    if (!architecture)
        return -1;
    if (gguf_limits_check(architecture, merge->spec, err))
        return error_context(err, "'%s'", merge->models[0].name);
    tell_modules(merge, notices);
    tell_activation(merge, architecture, notices);
    way = find_way(merge, from);
    if (gguf_plan_make(plan, from,
                       &(struct gguf_plan_options){
                           .name = merge->models[0].name, .architecture = architecture,
                           .spec = merge->spec, .dtype = way->dtype, .packs = way->packs,
                           .is_copy = merge->is_copy},
                       notices, err))
        return -1;
    return put_metadata(metadata, merge, plan, architecture, way, notices, err);
}
