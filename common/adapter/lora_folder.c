#include "lora_folder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/tensor_names.h"
#include "base/json.h"
#include "base/memory.h"
#include "tensor/tensor_source.h"

enum lora_part { PART_A, PART_B, PART_EMBEDDING_A, PART_EMBEDDING_B, PART_BIAS, PART_MAGNITUDE };

static const struct {
    const char *mark, *end; /* and perhaps the adapter's name between them */
    enum lora_part part;
} parts[] = {
    {".lora_A", ".weight", PART_A},
    {".lora_B", ".weight", PART_B},
    {".lora_B", ".bias", PART_BIAS},
    {".lora_embedding_A", "", PART_EMBEDDING_A},
    {".lora_embedding_B", "", PART_EMBEDDING_B},
    {".lora_magnitude_vector", "", PART_MAGNITUDE},
    {".lora_magnitude_vector", ".weight", PART_MAGNITUDE},
};

static const char prefix[] = "base_model.model.";

/* ---- names ---- */

/* Whether `rest`, behind a mark, is `end`, or ".NAME" and `end`. */
static bool is_end(const char *rest, const char *end)
{
    const char *dot;

    if (strcmp(rest, end) == 0)
        return true;
    if (*rest != '.')
        return false;
    dot = strchr(rest + 1, '.');
    return strcmp(dot ? dot : rest + strlen(rest), end) == 0;
}

/* The row of `parts`, and where its mark begins; NULL when the name has none. */
static const char *find_mark(const char *name, enum lora_part *part)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *mark = strstr(name, parts[i].mark);

        if (mark && is_end(mark + strlen(parts[i].mark), parts[i].end)) {
            *part = parts[i].part;
            return mark;
        }
    }
    return NULL;
}

static int refuse_name(const char *name, struct error *err)
{
    if (strstr(name, "lora_down") || strstr(name, "lora_up") || strncmp(name, "lora_", 5) == 0)
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': an adapter in the layout "
                         "of kohya or diffusers, which is not read, only that of PEFT", name);
    return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': neither part of a LoRA nor of a "
                     "module that adapter_config.json says is stored whole", name);
}

/* ---- modules ---- */

static struct lora_module *take_module(struct lora_folder *lora, const char *name, size_t length)
{
    const char *kept = arena_copy(&lora->arena, name, length);
    size_t n = lora->n_modules, at = hash_map_add(&lora->by_module, kept, length, n);

    if (at == n) {
        lora->modules[n] = (struct lora_module){.name = kept};
        lora->n_modules++;
    }
    return &lora->modules[at];
}

static int add_part(struct lora_folder *lora, const struct tensor *tensor, const char *name,
                    size_t length, enum lora_part part, struct error *err)
{
    struct lora_module *module = take_module(lora, name, length);
    bool is_a = part == PART_A || part == PART_EMBEDDING_A;
    const struct tensor **place = is_a                     ? &module->a
                                  : part == PART_BIAS      ? &module->bias
                                  : part == PART_MAGNITUDE ? &module->magnitude
                                                           : &module->b;

    if (*place)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': stands there twice",
                         tensor->name);
    *place = tensor;
    module->is_embedding |= part == PART_EMBEDDING_A || part == PART_EMBEDDING_B;
    return 0;
}

static bool has_tensor(const struct lora_folder *lora, const char *name)
{
    char *stored = memory_format("%s%s", prefix, name);
    bool has = checkpoint_find(lora->checkpoint, stored) != NULL;

    free(stored);
    return has;
}

/* Beside a module that is saved PEFT stores, with `bias` or embeddings, the parts of its wrapper once more, the
 * adapter's name in them: "score.modules_to_save.NAME.dense.bias". Where the part behind the name begins. */
static const char *skip_adapter_name(const struct lora_folder *lora, const char *name, size_t at,
                                     const char *rest)
{
    const char *dot = strchr(rest, '.');
    char *without = dot ? memory_format("%.*s%s", (int)at, name, dot) : NULL;
    bool has = without && has_tensor(lora, without);

    free(without);
    return has ? dot + 1 : rest;
}

/* The name in the base of a tensor that is stored whole, in the arena. */
static const char *whole_name(struct lora_folder *lora, const char *name)
{
    static const char *const wrappers[] = {".base_layer.", ".modules_to_save.default.",
                                           ".modules_to_save."};
    struct buffer text = {0};
    const char *kept;

    buffer_add_text(&text, name);
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        const char *at = strstr(text.data, wrappers[i]), *rest;
        size_t start;

        if (!at)
            continue;
        start = (size_t)(at - text.data);
        rest = skip_adapter_name(lora, text.data, start, at + strlen(wrappers[i]));
        buffer_splice(&text, start + 1, (size_t)(rest - at) - 1, "");
    }
    kept = arena_copy(&lora->arena, text.data, text.size);
    buffer_release(&text);
    return kept;
}

/* Stored whole are modules_to_save, biases that were trained along, embeddings and heads whose rows or
 * values were. */
static int is_whole(struct lora_folder *lora, const char *stored, const char *name,
                    struct error *err)
{
    const char *last = strrchr(name, '.');
    struct buffer plain = {0};
    char *module;
    int is;

    if (!last)
        return 0;
    module = memory_format("%.*s", (int)(last - name), name);
    tensor_names_plain(name, &plain);
    is = lora_config_is_saved(&lora->config, module, err);
    if (!is)
        is = strstr(stored, ".base_layer.") ||
             (strcmp(last, ".bias") == 0 && lora->config.biases != LORA_BIAS_NONE) ||
             tensor_names_is_embedding(plain.data) || tensor_names_find_tied(plain.data) ||
             strcmp(plain.data, "lm_head.bias") == 0;
    buffer_release(&plain);
    free(module);
    return is;
}

static int add_whole(struct lora_folder *lora, const struct tensor *tensor, const char *name,
                     struct error *err)
{
    size_t n = lora->n_wholes, at = hash_map_add(&lora->by_whole, name, strlen(name), n);

    if (at != n) {
        int is_equal = tensor_equal(lora->wholes[at].tensor, tensor, err);

        if (is_equal)
            return is_equal < 0 ? -1 : 0;
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': stands there twice, with other "
                         "values", tensor->name);
    }
    lora->wholes[lora->n_wholes++] = (struct lora_whole){name, tensor};
    return 0;
}

static int add_tensor(struct lora_folder *lora, const struct tensor *tensor, struct error *err)
{
    const char *name = tensor->name, *mark;
    enum lora_part part;
    int is;

    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return refuse_name(name, err);
    name += strlen(prefix);
    mark = find_mark(name, &part);
    if (mark)
        return add_part(lora, tensor, name, (size_t)(mark - name), part, err);
    if (strstr(name, ".original_module.")) /* what a module that is saved was before */
        return 0;
    name = whole_name(lora, name);
    is = strstr(name, ".lora_") ? 0 : is_whole(lora, tensor->name, name, err);
    if (is <= 0)
        return is ? -1 : refuse_name(tensor->name, err);
    return add_whole(lora, tensor, name, err);
}

/* ---- checks ---- */

static int check_finite(const struct tensor *tensor, struct error *err)
{
    enum { STEP = 1024 };
    double values[STEP];
    _Alignas(double) char stored[STEP * sizeof(double)];

    if (dtype_info(tensor->dtype)->kind != DTYPE_FLOAT)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %s, where floats should be",
                         tensor->name, dtype_info(tensor->dtype)->name);
    for (size_t first = 0; first < tensor->n_items; first += STEP) {
        size_t n = tensor->n_items - first < STEP ? tensor->n_items - first : STEP;

        if (tensor_read(tensor, first, n, stored, err))
            return -1;
        dtype_to_double(tensor->dtype, stored, values, n);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(values[i]))
                return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': value %zu is not "
                                 "finite", tensor->name, first + i);
    }
    return 0;
}

static int fail(const struct lora_module *module, const char *what, struct error *err)
{
    return error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': %s", module->name, what);
}

static int check_vector(const struct lora_module *module, const struct tensor *vector,
                        const char *name, struct error *err)
{
    if (!vector || vector->n_items == module->b->shape[0])
        return 0;
    return error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': %zu values in its %s, %zu rows in "
                     "its B", module->name, vector->n_items, name, module->b->shape[0]);
}

static int check_shapes(const struct lora_module *module, struct error *err)
{
    if (!module->a || !module->b)
        return fail(module, module->a ? "has an A and no B" : "has no A", err);
    if (module->a->n_dims == 4)
        return error_set(err, ERROR_UNSUPPORTED, "module '" ERROR_NAME "': is a convolution, and "
                         "these are not merged", module->name);
    if (module->a->n_dims != 2 || module->b->n_dims != 2)
        return fail(module, "its A and B are no matrices", err);
    if (module->a->shape[0] == 0)
        return fail(module, "has rank 0", err);
    if (module->a->shape[0] != module->b->shape[1])
        return error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': its A has rank %zu, its B %zu",
                         module->name, module->a->shape[0], module->b->shape[1]);
    if (module->a->shape[1] == 0 || module->b->shape[0] == 0)
        return fail(module, "its A or B is empty; was it saved from a part of the model?", err);
    return check_vector(module, module->magnitude, "magnitudes", err) ||
                   check_vector(module, module->bias, "bias", err)
               ? -1
               : 0;
}

static int check_parts(const struct lora_folder *lora, const struct lora_module *module,
                       struct error *err)
{
    if (check_shapes(module, err))
        return -1;
    if (lora->config.dora && !module->magnitude)
        return fail(module, "has no magnitudes (lora_magnitude_vector), which DoRA needs", err);
    if (!lora->config.dora && module->magnitude)
        return fail(module, "has magnitudes, but adapter_config.json does not say use_dora", err);
    if (module->bias && !lora->config.lora_bias)
        return fail(module, "has a bias at its B, but adapter_config.json does not say lora_bias",
                    err);
    return 0;
}

/* ---- parameters ---- */

static const char inner[] = ".base_layer";

/* How many wrappers are around it, and the name without them. */
static size_t count_levels(const char *name, size_t *length)
{
    size_t n = 0;

    *length = strlen(name);
    while (*length > strlen(inner) &&
           strncmp(name + *length - strlen(inner), inner, strlen(inner)) == 0) {
        *length -= strlen(inner);
        n++;
    }
    return n;
}

/* How many of PEFT's wrappers the file has around a module. */
static size_t count_wrappers(const struct lora_folder *lora, const char *module)
{
    struct buffer name = {0};
    size_t n = 0;

    buffer_add_text(&name, module);
    while (hash_map_find(&lora->by_module, name.data, name.size)) {
        buffer_add_text(&name, inner);
        n++;
    }
    buffer_release(&name);
    return n;
}

/* The parameters of a module that are changed. A name without a dot ("down_proj") fits any module, but means this
 * one only where the file has more wrappers than the other names need: one of a router has its weight alone. */
static int find_names(struct lora_folder *lora, const struct lora_module *module,
                      const char ***names, size_t *n, struct error *err)
{
    size_t n_there = count_wrappers(lora, module->name);

    if (lora_config_parameters(&lora->config, module->name, false, names, n, &lora->arena, err) ||
        (*n != n_there &&
         lora_config_parameters(&lora->config, module->name, true, names, n, &lora->arena, err)))
        return -1;
    return *n <= n_there
               ? 0
               : error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': target_parameters names %zu "
                           "of its parameters, the file has %zu", module->name, *n, n_there);
}

/* PEFT wraps the module once for each of its parameters, and stores what the outermost, which is the
 * last parameter's, wraps as its base_layer. 1 when it is such a module, 0, or -1. */
static int find_parameter(struct lora_folder *lora, struct lora_module *module, struct error *err)
{
    const char **names;
    size_t length, level = count_levels(module->name, &length), n;
    char *key;
    int rc;

    module->name = arena_copy(&lora->arena, module->name, length);
    if (find_names(lora, module, &names, &n, err))
        return -1;
    if (n == 0)
        return level ? fail(module, "stands within another, and target_parameters says nothing of "
                            "it", err)
                     : 0;
    if (level >= n)
        return fail(module, "has more parts than target_parameters names", err);
    module->parameter = names[n - 1 - level];
    key = memory_format("%s.%s", module->name, module->parameter);
    rc = lora_config_rank(&lora->config, key, &module->rank, &module->scale, err);
    free(key);
    if (rc)
        return -1;
    module->n_experts = module->a->shape[0] / module->rank;
    if (module->a->shape[0] % module->rank)
        return error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': its A has %zu rows, which are "
                         "not experts of rank %zu", module->name, module->a->shape[0],
                         module->rank);
    return 1;
}

/* ---- modules ---- */

static int check_rank(struct lora_folder *lora, struct lora_module *module, struct error *err)
{
    if (lora_config_rank(&lora->config, module->name, &module->rank, &module->scale, err))
        return -1;
    module->n_experts = 1;
    if (module->rank != module->a->shape[0])
        return error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': its A has rank %zu, "
                         "adapter_config.json says %zu", module->name, module->a->shape[0],
                         module->rank);
    return 0;
}

static int check_module(struct lora_folder *lora, struct lora_module *module, struct error *err)
{
    bool says_modules = !lora->config.targets_all || !lora->config.parameters.n_names;
    int is;

    if (check_parts(lora, module, err))
        return -1;
    is = says_modules ? lora_config_is_target(&lora->config, module->name, err) : 0;
    if (is > 0)
        return check_rank(lora, module, err);
    if (is == 0)
        is = find_parameter(lora, module, err);
    if (is)
        return is < 0 ? -1 : 0;
    return fail(module, "is none that adapter_config.json names (target_modules, "
                "exclude_modules, modules_to_save, layers_to_transform)", err);
}

/* A name that stands for no module is a mistake, or the file is not all of it. */
static int check_used(const struct lora_names *names, const char *setting, struct error *err)
{
    for (size_t i = 0; i < names->n_names; i++)
        if (!names->is_used[i])
            return error_set(err, ERROR_FORMAT, "%s names '" ERROR_NAME "', and no module of the "
                             "file is called so", setting, names->names[i]);
    return 0;
}

/* Likewise; but a target may be within a module that is saved, or left out of what is changed. */
static int check_targets(struct lora_folder *lora, struct error *err)
{
    struct lora_config *config = &lora->config;

    for (size_t i = 0; i < lora->n_wholes; i++)
        if (lora_config_mark_target(config, lora->wholes[i].name, err))
            return -1;
    return config->excluded.names || config->excluded.pattern || config->has_layers
               ? 0
               : check_used(&config->targets, "target_modules", err);
}

/* Likewise; but PEFT adds some that a model may lack, and may leave out one that is tied to another. */
static int check_saved(const struct lora_config *config, struct error *err)
{
    const struct lora_names *saved = &config->saved;

    for (size_t i = 0; i < saved->n_names; i++)
        saved->is_used[i] |= json_bool(config->json, "ensure_weight_tying", false) ||
                             lora_config_is_saved_by_task(config, saved->names[i]);
    return check_used(saved, "modules_to_save", err);
}

/* ---- all of it ---- */

static int read_tensors(struct lora_folder *lora, struct error *err)
{
    const struct checkpoint *checkpoint = lora->checkpoint;

    lora->modules = memory_zalloc(checkpoint->n_tensors + 1, sizeof *lora->modules);
    lora->wholes = memory_zalloc(checkpoint->n_tensors + 1, sizeof *lora->wholes);
    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        if (add_tensor(lora, &checkpoint->tensors[i], err))
            return -1;
    for (size_t i = 0; i < lora->n_modules; i++)
        if (check_module(lora, &lora->modules[i], err))
            return -1;
    for (size_t i = 0; i < checkpoint->n_tensors; i++)
        if (check_finite(&checkpoint->tensors[i], err))
            return -1;
    if (lora->n_modules + lora->n_wholes == 0)
        return error_set(err, ERROR_FORMAT, "holds no tensor");
    return check_targets(lora, err) ||
                   check_used(&lora->config.parameters, "target_parameters", err) ||
                   check_saved(&lora->config, err)
               ? -1
               : 0;
}

static int open_weights(struct lora_folder *lora, struct notices *notices, struct error *err)
{
    static const char *const names[] = {"adapter_model.safetensors", "adapter_model.bin"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (folder_look(lora->folder, names[i]) == FOLDER_ABSENT)
            continue;
        lora->checkpoint = checkpoint_open(lora->folder, "", names[i], notices, err);
        if (!lora->checkpoint)
            return -1;
        if (read_tensors(lora, err))
            return error_context(err, "'%s/%s'", lora->name, names[i]);
        lora_config_tell_unused(&lora->config, notices);
        return 0;
    }
    return error_set(err, ERROR_FORMAT, "'%s': no adapter_model.safetensors in it, nor "
                     "adapter_model.bin", lora->name);
}

/* One of the adapter's files stands for all of them. The path of the directory, to be freed; NULL: it is a file
 * of another name. */
static char *find_folder(const char *path, struct error *err)
{
    static const char *const names[] = {"adapter_model.safetensors", "adapter_model.bin",
                                        "adapter_config.json"};
    const char *slash = strrchr(path, '/');
    struct stat info;

    if (stat(path, &info) || S_ISDIR(info.st_mode))
        return memory_copy(path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(slash ? slash + 1 : path, names[i]) == 0)
            return slash ? memory_format("%.*s", (int)(slash + 1 - path), path) : memory_copy(".");
    error_set(err, ERROR_FORMAT, "'%s': no adapter, which is a directory with adapter_config.json and "
              "adapter_model.safetensors or adapter_model.bin", path);
    return NULL;
}

int lora_folder_open(struct lora_folder *lora, const char *path, const char *name,
                     bool follow_symlinks, struct notices *notices, struct error *err)
{
    char *directory = find_folder(path, err);

    *lora = (struct lora_folder){.name = memory_copy(name ? name : path)};
    if (directory)
        lora->folder = folder_open(directory, follow_symlinks, err);
    free(directory);
    if (lora->folder && name)
        folder_call(lora->folder, name);
    if (lora->folder && lora_config_load(&lora->config, lora->folder, notices, err) == 0 &&
        open_weights(lora, notices, err) == 0)
        return 0;
    lora_folder_release(lora);
    return -1;
}

void lora_folder_release(struct lora_folder *lora)
{
    checkpoint_close(lora->checkpoint);
    lora_config_release(&lora->config);
    hash_map_release(&lora->by_module);
    hash_map_release(&lora->by_whole);
    arena_release(&lora->arena);
    folder_close(lora->folder);
    free(lora->modules);
    free(lora->wholes);
    free(lora->name);
    *lora = (struct lora_folder){0};
}
