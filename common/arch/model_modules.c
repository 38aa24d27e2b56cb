#include "model_modules.h"

#include <stdlib.h>
#include <string.h>

#include "arch/model_stack.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"

bool model_module_is_rest(const char *name)
{
    return strcmp(name, "shared") == 0 || strcmp(name, "default") == 0;
}

size_t model_modules_find(const char *const *names, size_t n_names, const char *tensor)
{
    size_t rest = n_names;

    for (size_t i = 0; i < n_names; i++) {
        if (model_module_is_rest(names[i]))
            rest = i;
        else if (model_stack_is_of(names[i], tensor))
            return i;
    }
    return rest;
}

struct join {
    const struct model_module *modules;
    const char **names; /* [n_modules] */
    size_t n_modules;
    struct tensor *tensors;
    size_t n_tensors;
};

static int add_module(struct join *join, size_t index, struct notices *notices, struct error *err)
{
    const struct model_module *module = &join->modules[index];
    const struct checkpoint *weights = model_folder_weights(module->model, notices, err);
    size_t n_before = join->n_tensors;

    if (!weights)
        return -1;
    join->tensors = memory_resize(join->tensors, join->n_tensors + weights->n_tensors + 1,
                                  sizeof *join->tensors);
    for (size_t i = 0; i < weights->n_tensors; i++) {
        size_t found = model_modules_find(join->names, join->n_modules, weights->tensors[i].name);

        if (found == join->n_modules)
            return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "' of '" ERROR_NAME "' is in "
                             "none of the modules; what is in no other is called 'shared' or "
                             "'default'", weights->tensors[i].name, module->model->name);
        if (found == index)
            join->tensors[join->n_tensors++] = weights->tensors[i];
    }
    return join->n_tensors > n_before
               ? 0
               : error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': no tensor of '" ERROR_NAME
                           "' is in it", module->name, module->model->name);
}

static int set_config(struct model_folder *model, const struct join *join, struct error *err)
{
    struct buffer text = {0};

    buffer_add(&text, model->config.text, model->config.size);
    for (size_t i = 0; i < join->n_modules; i++) {
        const struct model_module *module = &join->modules[i];

        if (model_stack_is_counted(module->name) &&
            model_stack_set_n_layers(model, &text, module->name,
                                     model_stack_count_layers(module->model, module->name), err)) {
            buffer_release(&text);
            return -1;
        }
    }
    return model_folder_set_config(model, &text, err);
}

int model_modules_join(struct model_folder *model, const struct model_module *modules,
                       size_t n_modules, struct notices *notices, struct error *err)
{
    struct join join = {.modules = modules, .n_modules = n_modules};
    struct checkpoint *own = model_folder_own(model, model_folder_weights(model, notices, err));
    int rc = own ? 0 : -1;

    join.names = memory_zalloc(n_modules, sizeof *join.names);
    for (size_t i = 0; i < n_modules; i++)
        join.names[i] = modules[i].name;
    for (size_t i = 0; rc == 0 && i < n_modules; i++)
        rc = add_module(&join, i, notices, err);
    free(join.names);
    if (rc) {
        free(join.tensors);
        return -1;
    }
    if (checkpoint_replace_tensors(own, join.tensors, join.n_tensors, err))
        return error_context(err, "'%s'", model->name);
    return set_config(model, &join, err);
}
