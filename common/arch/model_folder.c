#include "model_folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

/* Splits the path of a weights file into its directory and its name. */
static int open_file(struct model_folder *model, const char *path, bool follow_symlinks,
                     struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == path ? memory_copy("/")
                      : slash       ? memory_format("%.*s", (int)(slash - path), path)
                                    : memory_copy(".");

    model->folder = folder_open(directory, follow_symlinks, err);
    model->file = memory_copy(slash ? slash + 1 : path);
    model->sentence.transformer = "";
    free(directory);
    return model->folder ? 0 : -1;
}

static bool has_file(const struct model_folder *model, const char *name)
{
    char *path = folder_join(model->sentence.transformer, name);
    bool has = folder_look(model->folder, path) != FOLDER_ABSENT;

    free(path);
    return has;
}

static int open_directory(struct model_folder *model, const char *path, bool follow_symlinks,
                          struct error *err)
{
    bool is_consolidated, has_config;
    const char *directory;

    model->folder = folder_open(path, follow_symlinks, err);
    if (!model->folder || sentence_folder_load(&model->sentence, model->folder, err))
        return -1;
    directory = model->sentence.transformer;
    has_config = has_file(model, "config.json");
    /* A folder may hold both layouts: then both files, and the weights decide. */
    is_consolidated = has_file(model, "params.json") &&
                      (!has_config || checkpoint_look_consolidated(model->folder, directory));
    if (!has_config && !is_consolidated)
        return 0;
    if (config_load(&model->config, model->folder, directory, is_consolidated, err))
        return -1;
    model->has_config = true;
    return 0;
}

int model_folder_open(struct model_folder *model, const char *path, bool follow_symlinks,
                      struct error *err)
{
    struct stat info;
    int rc;

    *model = (struct model_folder){.name = memory_copy(path)};
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        rc = open_file(model, path, follow_symlinks, err);
    else
        rc = open_directory(model, path, follow_symlinks, err);
    if (rc)
        model_folder_release(model);
    return rc;
}

void model_folder_release(struct model_folder *model)
{
    free(model->name);
    free(model->file);
    folder_close(model->folder);
    config_release(&model->config);
    sentence_folder_release(&model->sentence);
    *model = (struct model_folder){0};
}

void model_folder_call(struct model_folder *model, const char *name)
{
    free(model->name);
    model->name = memory_copy(name);
}

int model_folder_need_config(const struct model_folder *model, struct error *err)
{
    if (model->has_config || model->file)
        return 0;
    return error_set(err, ERROR_FORMAT, "'%s': no config.json in it, nor params.json",
                     model->name);
}

static bool has_module(const struct model_folder *model, const char *kind)
{
    for (size_t i = 0; i < model->sentence.n_modules; i++)
        if (strcmp(model->sentence.modules[i].kind, kind) == 0)
            return true;
    return false;
}

/* False when the folder leaves it to config.json. A cross-encoder that scores by the logits of two
 * tokens is a decoder that is asked a question. */
static bool find_made_for(const struct model_folder *model, enum model_type *type)
{
    const struct sentence_folder *sentence = &model->sentence;

    if (sentence->is_cross_encoder && has_module(model, "LogitScore"))
        return false;
    *type = sentence->is_cross_encoder ? MODEL_RERANKER : MODEL_ENCODER;
    return sentence->is_cross_encoder || (sentence->n_modules && sentence->pooling);
}

int model_folder_type(const struct model_folder *model, const char *wanted, enum model_type *type,
                      struct error *err)
{
    enum model_type made_for;

    if (find_made_for(model, &made_for) &&
        (!wanted || strcmp(wanted, model_type_name(made_for)) == 0)) {
        *type = made_for;
        return 0;
    }
    return architecture_type(&model->config, wanted, model->name, type, err);
}

const char *model_folder_default_pooling(const struct model_folder *model)
{
    return model->has_config && architecture_is_decoder(&model->config) ? "lasttoken" : "cls";
}

struct checkpoint *model_folder_weights(const struct model_folder *model, struct notices *notices,
                                        struct error *err)
{
    return checkpoint_open(model->folder, model->file ? "" : model->sentence.transformer,
                           model->file, notices, err);
}

int model_folder_vocabulary(const struct model_folder *model, struct vocabulary *vocabulary,
                            struct error *err)
{
    *vocabulary = (struct vocabulary){0};
    if (model->file)
        return 0;
    if (vocabulary_load(vocabulary, model->folder, model->sentence.transformer, err))
        return -1;
    if (vocabulary->kind || !*model->sentence.transformer)
        return 0;
    return vocabulary_load(vocabulary, model->folder, "", err);
}

bool model_folder_is_tied(const struct model_folder *model)
{
    int tied;

    if (!model->has_config)
        return false;
    tied = config_tied(&model->config);
    /* A family that we do not know: transformers ties unless it is told not to. */
    return (tied >= 0 ? tied : architecture_tied_by_default(&model->config)) != 0;
}
