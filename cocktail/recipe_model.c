#include "recipe_model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

#include "model_argument.h"

/* Whether the folder that it would lie in is there: then it is rather a path that is wrong than the
 * name of a model on a Hub that does not answer. */
static bool is_in_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *above = slash ? memory_format("%.*s", (int)(slash - path), path) : memory_copy(".");
    struct stat info;
    bool is = stat(above, &info) == 0 && S_ISDIR(info.st_mode);

    free(above);
    return is;
}

char *recipe_model_find(const struct recipe_reference *model, const char *directory,
                        const struct common_options *common, struct error *err)
{
    char *path = directory ? memory_format("%s/%s", directory, model->path) : NULL;
    char *argument;
    struct stat info;

    if (path && stat(path, &info) == 0)
        return path;
    free(path);
    argument = model->revision ? memory_format("%s@%s", model->path, model->revision)
                               : memory_copy(model->path);
    path = model_argument_find(argument, model->is_adapter ? HUB_NEED_ADAPTER : HUB_NEED_MODEL, common,
                               err);
    if (!path && (err->code == ERROR_USAGE || /* of a recipe, not of the command line */
                  (err->code == ERROR_NETWORK && is_in_folder(model->path))))
        err->code = ERROR_FORMAT;
    free(argument);
    return path;
}
