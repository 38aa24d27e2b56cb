#include "complete_fit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/layout_check.h"
#include "arch/model_stack.h"
#include "base/memory.h"

enum { NOTICES_MAX = 100 };

/* The name with "#" for each number between dots, in the arena. */
static const char *without_numbers(const char *name, size_t length, struct arena *arena)
{
    char *text = arena_copy(arena, name, length), *to = text;

    for (const char *from = name; from < name + length;) {
        size_t n = strspn(from, "0123456789");
        bool is_number = n > 0 && from != name && from[-1] == '.' &&
                         (from[n] == '.' || from + n == name + length);

        if (is_number) {
            *to++ = '#';
            from += n;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return text;
}

/* Its module, where the tensor is the weight of one that has a fellow in another layer. */
static char *fellow_module(const struct tensor *tensor, const struct hash_map *patterns,
                           struct arena *arena)
{
    size_t n = strlen(tensor->name), m = strlen(".weight");
    const char *pattern;

    if (tensor->n_dims != 2 || n <= m || strcmp(tensor->name + n - m, ".weight") != 0)
        return NULL;
    pattern = without_numbers(tensor->name, n - m, arena);
    return hash_map_find(patterns, pattern, strlen(pattern))
               ? memory_format("%.*s", (int)(n - m), tensor->name)
               : NULL;
}

/* A parameter that has a fellow in another layer: 1, when it is one that the adapter says it changes, 0,
 * or -1. */
static int is_target_parameter(struct fitter *fitter, const char *name,
                               const struct hash_map *patterns, struct arena *arena)
{
    const char *pattern = without_numbers(name, strlen(name), arena), *dot = strrchr(name, '.');
    const char **names;
    size_t n = 0;
    char *module;

    if (!dot || !hash_map_find(patterns, pattern, strlen(pattern)))
        return 0;
    module = arena_copy(arena, name, (size_t)(dot - name));
    if (lora_config_parameters(&fitter->adapter->lora.config, module, true, &names, &n, arena,
                               fitter->err))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], dot + 1) == 0)
            return 1;
    return 0;
}

/* That the file does not lack the tensor: it has others like it, in other layers. */
static int check_there(struct fitter *fitter, const struct tensor *tensor,
                       const struct hash_map *patterns, struct arena *arena)
{
    struct lora_config *config = &fitter->adapter->lora.config;
    char *module = config->targets_all ? NULL : fellow_module(tensor, patterns, arena);
    int is = module ? lora_config_is_target(config, module, fitter->err) : 0;

    if (is > 0)
        fitter_refuse_incomplete(fitter, module, "target_modules");
    free(module);
    if (is == 0)
        is = is_target_parameter(fitter, tensor->name, patterns, arena);
    if (is > 0 && !fitter->err->code)
        fitter_refuse_incomplete(fitter, tensor->name, "target_parameters");
    return is ? -1 : 0;
}

/* A target that the file has in other layers and lacks in one: it is not all there. But the class in transformers,
 * to which the adapter was made, has no layers that predict further tokens. */
static int check_layers(struct fitter *fitter)
{
    const struct lora_folder *lora = &fitter->adapter->lora;
    size_t n_layers = model_stack_count_layers(fitter->model, NULL);
    struct hash_map patterns = {0};
    struct arena arena = {0};
    int rc = 0;

    for (size_t i = 0; i < lora->n_modules; i++) {
        const struct lora_module *module = &lora->modules[i];
        char *name = module->parameter ? memory_format("%s.%s", module->name, module->parameter)
                                       : memory_copy(module->name);
        const char *pattern = without_numbers(name, strlen(name), &arena);

        hash_map_add(&patterns, pattern, strlen(pattern), 0);
        free(name);
    }
    for (size_t i = 0; rc == 0 && i < fitter->weights->n_tensors; i++)
        if (!fitter->is_changed[i] &&
            !layout_is_next_token(&fitter->names, n_layers ? n_layers : SIZE_MAX, i))
            rc = check_there(fitter, &fitter->weights->tensors[i], &patterns, &arena);
    hash_map_release(&patterns);
    arena_release(&arena);
    return rc;
}

static bool has_module(const struct fitter *fitter, const char *module)
{
    char *name = memory_format("%s.weight", module);
    bool has = fitter_find_own(fitter, name) != SIZE_MAX || fitter_find_owner(fitter, name);

    free(name);
    return has;
}

/* A target that neither the file nor the base has a module for may be misspelt: exclude_modules or
 * layers_to_transform would have left it out all the same. But it may also be one that only the class has, a
 * pooler say. */
static int tell_targets(struct fitter *fitter, struct notices *notices)
{
    struct lora_config *config = &fitter->adapter->lora.config;
    const struct lora_names *targets = &config->targets;
    size_t n_unused = 0;

    for (size_t i = 0; i < targets->n_names; i++)
        n_unused += !targets->is_used[i];
    for (size_t i = 0; n_unused && i < fitter->weights->n_tensors; i++)
        if (lora_config_mark_target(config, fitter->weights->tensors[i].name, fitter->err))
            return -1;
    for (size_t i = 0; n_unused && i < targets->n_names && notices->n_texts < NOTICES_MAX; i++)
        if (!targets->is_used[i] && !has_module(fitter, targets->names[i]))
            notices_add(notices, "'%s': target_modules names '" ERROR_NAME "', and no module of the file or "
                        "of '%s' is called so", fitter->adapter->lora.name, targets->names[i],
                        fitter->model->name);
    return 0;
}

int complete_fit(struct fitter *fitter, struct notices *notices)
{
    return check_layers(fitter) || tell_targets(fitter, notices) ? -1 : 0;
}
