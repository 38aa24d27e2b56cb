#include "loaded_model.h"

#include <stdlib.h>
#include <string.h>

#include "model_argument.h"
#include "terminal.h"

static int find_type(struct loaded_model *loaded, const char *path,
                     const struct loaded_model_options *options, struct error *err)
{
    if (loaded->folder.file)
        return error_set(err, ERROR_FORMAT, "'%s': is a weights file; to run it, name the "
                         "directory that holds it with its config.json", path);
    if (model_folder_need_config(&loaded->folder, err) ||
        architecture_type(&loaded->folder.config, options->type, path, &loaded->type, err))
        return -1;
    if (options->types && !(options->types & 1u << loaded->type))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': is %s %s; this command cannot use that, "
                         "unless --type says that it is something else", path,
                         loaded->type >= MODEL_ENCODER && loaded->type != MODEL_RERANKER ? "an"
                                                                                         : "a",
                         model_type_name(loaded->type));
    return 0;
}

static int load_tokenizer(struct loaded_model *loaded, struct error *err)
{
    loaded->tokenizer =
        tokenizer_load(loaded->folder.folder, model_folder_tokenizer_at(&loaded->folder), err);
    return loaded->tokenizer ? 0 : -1;
}

int loaded_model_open(struct loaded_model *loaded, const char *argument,
                      const struct loaded_model_options *options,
                      const struct common_options *common, struct error *err)
{
    struct notices notices = {0};
    char *path = model_argument_find(argument, HUB_NEED_MODEL, common, err);
    int rc = -1;

    *loaded = (struct loaded_model){0};
    if (!path ||
        model_folder_open_as(&loaded->folder, path, argument, options->follow_symlinks, err))
        goto done;
    if (find_type(loaded, argument, options, err) ||
        (!options->no_tokenizer && load_tokenizer(loaded, err)))
        goto done;
    loaded->threads = threads_new(common->n_threads, err);
    if (loaded->threads)
        loaded->model =
            model_load(&loaded->folder, loaded->type, loaded->threads, &notices, err);
    if (loaded->model) {
        loaded_model_set_capacity(loaded->model, options->capacity);
        rc = 0;
    }
    terminal_notices(&notices, common);
done:
    notices_release(&notices);
    free(path);
    return rc;
}

void loaded_model_set_capacity(struct model *model, const char *capacity)
{
    if (capacity && strcmp(capacity, "dropless") == 0)
        model_lift_capacity(model);
}

void loaded_model_release(struct loaded_model *loaded)
{
    model_free(loaded->model);
    tokenizer_free(loaded->tokenizer);
    threads_free(loaded->threads);
    model_folder_release(&loaded->folder);
    *loaded = (struct loaded_model){0};
}
