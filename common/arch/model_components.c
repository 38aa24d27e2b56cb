#include "model_components.h"

#include <stdlib.h>
#include <string.h>

#include "arch/checkpoint_names.h"
#include "base/memory.h"
#include "base/model_files.h"

static void add_component(struct model_components *components,
                          const struct model_component *component)
{
    components->items = memory_resize(components->items, components->n_items + 1,
                                      sizeof *components->items);
    components->items[components->n_items++] = *component;
}

static int add_model(struct model_components *components, struct model_folder *model,
                     struct notices *notices, struct error *err)
{
    const struct checkpoint *checkpoint = model_folder_weights(model, notices, err);

    if (!checkpoint)
        return -1;
    add_component(components, &(struct model_component){COMPONENT_MODEL, "",
                                                        model->sentence.transformer, NULL,
                                                        checkpoint});
    return 0;
}

/* ---- modules ---- */

static int add_module(struct model_components *components, struct model_folder *model,
                      const struct sentence_module *module, struct notices *notices,
                      struct error *err)
{
    const struct checkpoint *checkpoint;
    bool has_weights;

    if (strcmp(module->path, model->sentence.transformer) == 0 ||
        model_components_find(components, module->path) ||
        folder_look(model->folder, module->path) != FOLDER_DIRECTORY)
        return 0;
    if (checkpoint_look(model->folder, module->path, &has_weights, err))
        return -1;
    if (!has_weights)
        return 0;
    checkpoint = model_folder_checkpoint(model, module->path, NULL, notices, err);
    if (!checkpoint)
        return -1;
    add_component(components, &(struct model_component){COMPONENT_MODULE, module->path,
                                                        module->path, module->kind, checkpoint});
    return 0;
}

/* ---- heads ---- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_of_model(const struct checkpoint *model, const char *path)
{
    for (size_t i = 0; i < model->n_files; i++)
        if (strcmp(model->files[i].name, path) == 0)
            return true;
    return false;
}

/* Whether it holds tensors of the model once more, say in another format. */
static bool repeats(const struct checkpoint *head, const struct checkpoint *model)
{
    struct checkpoint_names names, model_names;
    bool does = false;

    checkpoint_names_init(&names, head);
    checkpoint_names_init(&model_names, model);
    for (size_t i = 0; !does && i < head->n_tensors; i++)
        does = checkpoint_names_match(&names, i, &model_names) != NULL;
    checkpoint_names_release(&names);
    checkpoint_names_release(&model_names);
    return does;
}

/* NULL with an error, or, for a file that only might be a head, with a notice. */
static const struct checkpoint *open_head(struct model_folder *model, const char *name,
                                    const struct checkpoint *weights, struct notices *notices,
                                    struct error *err)
{
    struct error failure = {0};
    const struct checkpoint *head =
        model_folder_checkpoint(model, model->sentence.transformer, name, notices, &failure);
    bool is_known = model_files_is_head(name);

    if (!head && !is_known &&
        (failure.code == ERROR_FORMAT || failure.code == ERROR_UNSUPPORTED)) {
        notices_add(notices, "'" ERROR_NAME "' is not taken for a head of '%s': %s", name,
                    model->name, failure.text);
        return NULL;
    }
    if (!head)
        error_set(err, failure.code, "%s", failure.text);
    if (head && !is_known && repeats(head, weights)) {
        notices_add(notices, "'" ERROR_NAME "' is not taken for a head of '%s': it holds tensors "
                    "of the model once more", name, model->name);
        head = NULL;
    }
    return head;
}

static int add_head(struct model_components *components, struct model_folder *model,
                    const char *name, struct notices *notices, struct error *err)
{
    const char *directory = model->sentence.transformer;
    const struct checkpoint *weights = components->items[0].checkpoint;
    const struct checkpoint *head = NULL;
    char *path = folder_join(directory, name);

    if ((model_files_is_head(name) || model_files_is_lone_weights(name)) &&
        !is_of_model(weights, path) && folder_look(model->folder, path) == FOLDER_FILE)
        head = open_head(model, name, weights, notices, err);
    free(path);
    if (head)
        add_component(components, &(struct model_component){COMPONENT_HEAD,
                                                            name_of(head->files[0].name), directory,
                                                            NULL, head});
    return err->code ? -1 : 0;
}

static int add_heads(struct model_components *components, struct model_folder *model,
                     struct notices *notices, struct error *err)
{
    char **names;
    size_t n_names;
    int rc = folder_list(model->folder, model->sentence.transformer, &names, &n_names, err);

    for (size_t i = 0; rc == 0 && i < n_names; i++)
        rc = add_head(components, model, names[i], notices, err);
    folder_names_free(names, n_names);
    return rc;
}

/* ---- all ---- */

int model_components_open(struct model_components *components, struct model_folder *model,
                          struct notices *notices, struct error *err)
{
    *components = (struct model_components){0};
    if (add_model(components, model, notices, err))
        return -1;
    if (model->file) /* weights and nothing else */
        return 0;
    for (size_t i = 0; i < model->sentence.n_modules; i++)
        if (add_module(components, model, &model->sentence.modules[i], notices, err))
            return -1;
    return add_heads(components, model, notices, err);
}

void model_components_release(struct model_components *components)
{
    free(components->items);
    *components = (struct model_components){0};
}

const struct model_component *model_components_find(const struct model_components *components,
                                                    const char *path)
{
    for (size_t i = 0; i < components->n_items; i++)
        if (strcmp(components->items[i].path, path) == 0)
            return &components->items[i];
    return NULL;
}

size_t model_components_n_tensors(const struct model_components *components)
{
    size_t n = 0;

    for (size_t i = 0; i < components->n_items; i++)
        n += components->items[i].checkpoint->n_tensors;
    return n;
}

size_t model_components_n_files(const struct model_components *components)
{
    size_t n = 0;

    for (size_t i = 0; i < components->n_items; i++)
        n += components->items[i].checkpoint->n_files;
    return n;
}

char *model_component_tensor_name(const struct model_component *component,
                                  const struct tensor *tensor)
{
    return folder_join(component->path, tensor->name);
}
