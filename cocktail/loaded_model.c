#include "loaded_model.h"

#include <stdlib.h>
#include <string.h>

#include "arch/config_keys.h"

#include "model_argument.h"
#include "terminal.h"

static int find_type(struct loaded_model *loaded, const char *path,
                     const struct loaded_model_options *options, struct error *err)
{
    if (loaded->folder.file)
        return error_set(err, ERROR_FORMAT, "'%s': is a weights file; to run it, name the "
                         "directory that holds it with its config.json", path);
    if (model_folder_need_config(&loaded->folder, err) ||
        model_folder_type(&loaded->folder, options->type, &loaded->type, err))
        return -1;
    if (options->types == 1u << MODEL_RERANKER && loaded->folder.sentence.is_cross_encoder &&
        loaded->type != MODEL_RERANKER)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': a cross-encoder whose scores are logits of "
                         "a decoder (module LogitScore) is not supported", path);
    if (options->types && !(options->types & 1u << loaded->type))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': is %s %s; this command cannot use that, "
                         "unless --type says that it is something else", path,
                         loaded->type >= MODEL_ENCODER && loaded->type != MODEL_RERANKER ? "an"
                                                                                         : "a",
                         model_type_name(loaded->type));
    return 0;
}

int loaded_model_settings(struct sentence_settings *settings, const struct model_folder *folder,
                          enum model_type type, struct notices *notices, struct error *err)
{
    *settings = (struct sentence_settings){0};
    if (type != MODEL_ENCODER && type != MODEL_RERANKER)
        return 0;
    if (type == MODEL_RERANKER && sentence_folder_check_scorer(&folder->sentence, err))
        return error_context(err, "'%s'", folder->name);
    if (sentence_settings_load(settings, &folder->sentence, folder->folder, err))
        return -1;
    for (size_t i = 0; i < settings->notices.n_texts; i++)
        notices_add(notices, "%s", settings->notices.texts[i]);
    return 0;
}

struct tokenizer *loaded_model_tokenizer(const struct model_folder *folder,
                                         const struct sentence_settings *settings,
                                         struct error *err)
{
    struct tokenizer *tokenizer =
        tokenizer_load(folder->folder, model_folder_tokenizer_at(folder), err);

    if (tokenizer && settings->lowers_case && tokenizer_lower_case(tokenizer, err)) {
        tokenizer_free(tokenizer);
        return NULL;
    }
    return tokenizer;
}

static int load_tokenizer(struct loaded_model *loaded, struct error *err)
{
    loaded->tokenizer = loaded_model_tokenizer(&loaded->folder, &loaded->settings, err);
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
        loaded_model_settings(&loaded->settings, &loaded->folder, loaded->type, &notices, err) ||
        (!options->no_tokenizer && load_tokenizer(loaded, err)))
        goto done;
    loaded->owns_threads = !options->threads;
    loaded->threads = options->threads ? options->threads : threads_new(common->n_threads, err);
    if (loaded->threads)
        loaded->model =
            model_load(&loaded->folder, loaded->type, loaded->threads, &notices, err);
    if (loaded->model) {
        loaded_model_set_capacity(loaded->model, options->capacity);
        config_keys_tell(&loaded->folder.config, argument, &notices);
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
    if (loaded->owns_threads)
        threads_free(loaded->threads);
    sentence_settings_release(&loaded->settings);
    model_folder_release(&loaded->folder);
    *loaded = (struct loaded_model){0};
}
