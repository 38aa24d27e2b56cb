#include "recipe_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "jinja/chat_templates.h"

static const size_t text_bytes_max = 100 * 1000 * 1000;
enum { TEMPLATE_LENGTH_MIN = 20 };

/* ---- chat template ---- */

static char *read_beside(const struct model_folder *model, const char *name, size_t *size,
                         struct error *err)
{
    char *path = folder_join(model_folder_tokenizer_at(model), name), *text = NULL;

    if (folder_look(model->folder, path) == FOLDER_FILE)
        text = folder_read_text(model->folder, path, text_bytes_max, size, err);
    free(path);
    return text;
}

/* That of tokenizer_config.json: text, or the one of several that is called default. */
static const char *find_in_config(const cJSON *config)
{
    const cJSON *found = json_find(config, "chat_template"), *item;

    if (cJSON_IsString(found))
        return found->valuestring;
    cJSON_ArrayForEach(item, found)
    {
        const char *name = json_find_string(item, "name");

        if (name && strcmp(name, "default") == 0)
            return json_find_string(item, "template");
    }
    return NULL;
}

/* To be freed, without blanks around it; NULL when the model has none, or with an error. */
static char *read_template(const struct model_folder *model, struct error *err)
{
    size_t size = 0, first, length;
    char *text = read_beside(model, "chat_template.jinja", &size, err), *file;

    if (!text && err->code == ERROR_NONE && (file = read_beside(model, "tokenizer_config.json",
                                                                &size, err))) {
        cJSON *json = json_parse(file, size, err);
        const char *found = json ? find_in_config(json) : NULL;

        text = found ? memory_copy(found) : NULL;
        cJSON_Delete(json);
        free(file);
    }
    if (!text)
        return NULL;
    first = strspn(text, " \t\r\n");
    length = strlen(text);
    while (length > first && strchr(" \t\r\n", text[length - 1]))
        length--;
    memmove(text, text + first, length - first);
    text[length - first] = '\0';
    return text;
}

/* The one that most models have; of equally many the first. */
static int most_frequent(struct model_folder *const *models, size_t n_models, char **text,
                         struct error *err)
{
    char **all = memory_zalloc(n_models, sizeof *all);
    size_t best = n_models, most = 0;

    *text = NULL;
    for (size_t i = 0; i < n_models && err->code == ERROR_NONE; i++)
        all[i] = read_template(models[i], err);
    for (size_t i = 0; i < n_models; i++) {
        size_t n = 0;

        for (size_t k = 0; all[i] && k < n_models; k++)
            n += all[k] && strcmp(all[i], all[k]) == 0;
        if (n > most) {
            most = n;
            best = i;
        }
    }
    if (best < n_models)
        *text = memory_copy(all[best]);
    for (size_t i = 0; i < n_models; i++)
        free(all[i]);
    free(all);
    return err->code ? -1 : 0;
}

static int choose_template(const struct recipe *recipe, struct model_folder *const *models,
                           size_t n_models, char **text, struct error *err)
{
    const char *wanted = recipe->chat_template, *known = chat_template_find(wanted);

    *text = NULL;
    if (strcmp(wanted, "auto") == 0)
        return most_frequent(models, n_models, text, err);
    if (!known && (strlen(wanted) < TEMPLATE_LENGTH_MIN || !strchr(wanted, '{')))
        return recipe_fail(recipe, recipe->chat_template_line, err, "chat_template '" ERROR_NAME
                           "' is none of auto, alpaca, chatml, exaone, llama3 and mistral, and no "
                           "template", wanted);
    *text = memory_copy(known ? known : wanted);
    return 0;
}

/* In a file of its own, as transformers 5 keeps it; tokenizer_config.json must not say another. */
static int put_template(struct model_folder *donor, char *text, struct error *err)
{
    const char *at = model_folder_tokenizer_at(donor);
    char *path = folder_join(at, "chat_template.jinja");
    char *config_path = folder_join(at, "tokenizer_config.json");
    size_t size = 0;
    char *config = read_beside(donor, "tokenizer_config.json", &size, err);
    cJSON *json = config ? json_parse(config, size, err) : NULL;
    struct buffer edited = {0};

    folder_add(donor->folder, path, text, strlen(text));
    if (json && json_find(json, "chat_template")) {
        buffer_add(&edited, config, size);
        json_edit_member(&edited, "chat_template", NULL);
        folder_add(donor->folder, config_path, edited.data, edited.size);
    }
    cJSON_Delete(json);
    free(config);
    free(config_path);
    free(path);
    return err->code ? -1 : 0;
}

int recipe_files_add(const struct recipe *recipe, const char *text, size_t size,
                     struct model_folder *const *models, size_t n_models,
                     struct model_folder *donor, struct error *err)
{
    char *copy = memory_alloc(size + 1), *chat_template;

    memcpy(copy, text, size);
    folder_add(donor->folder, "mergekit_config.yml", copy, size);
    if (!recipe->chat_template)
        return 0;
    if (choose_template(recipe, models, n_models, &chat_template, err))
        return -1;
    return chat_template ? put_template(donor, chat_template, err) : 0;
}
