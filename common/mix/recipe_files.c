#include "recipe_files.h"

#include <stdlib.h>
#include <string.h>

#include "arch/tensor_names.h"
#include "base/json.h"
#include "base/memory.h"
#include "jinja/chat_templates.h"
#include "text/vocabulary.h"

static const size_t text_bytes_max = 100 * 1000 * 1000;
enum { TEMPLATE_LENGTH_MIN = 20 };

/* ---- tokenizer ---- */

static int moves(const struct recipe *recipe, size_t line, struct error *err, const char *why)
{
    return error_set(err, ERROR_UNSUPPORTED, "%s:%zu: tokenizer: %s; embeddings cannot be moved to "
                     "other tokens yet", recipe->file, line, why);
}

/* Rows of the embedding; 0 when it is not found. */
static size_t count_rows(struct model_folder *model, struct error *err)
{
    struct notices ignored = {0};
    const struct checkpoint *weights = model_folder_weights(model, &ignored, err);
    struct buffer plain = {0};
    size_t rows = 0;

    for (size_t i = 0; weights && !rows && i < weights->n_tensors; i++) {
        tensor_names_plain(weights->tensors[i].name, &plain);
        if (tensor_names_is_embedding(plain.data) && weights->tensors[i].n_dims == 2)
            rows = weights->tensors[i].shape[0];
    }
    buffer_release(&plain);
    notices_release(&ignored);
    return rows;
}

/* mergekit cuts the embedding to the tokens, or pads it to a multiple. */
static int check_rows(const struct recipe *recipe, const struct vocabulary *vocabulary,
                      struct model_folder *model, struct error *err)
{
    size_t n_tokens = vocabulary->tokens.n_entries, n_rows = count_rows(model, err);
    size_t multiple = recipe->tokenizer.pad_line ? (size_t)recipe->tokenizer.pad_to_multiple_of : 1;
    size_t wanted = (n_tokens + multiple - 1) / multiple * multiple;

    if (err->code)
        return -1;
    if (n_rows == 0 || n_rows == wanted)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "%s:%zu: tokenizer: %zu tokens want %zu rows of the "
                     "embedding, '%s' has %zu; embeddings cannot be cut or padded yet",
                     recipe->file, recipe->tokenizer.line, n_tokens, wanted, model->name, n_rows);
}

static int compare(const struct recipe *recipe, const struct vocabulary *wanted,
                   struct model_folder *model, const char *wanted_name, struct error *err)
{
    struct vocabulary own;
    struct buffer difference = {0};
    bool is_same;

    if (model_folder_vocabulary(model, &own, err))
        return -1;
    is_same = !own.kind || vocabulary_same(wanted, &own, wanted_name, model->name, &difference);
    vocabulary_release(&own);
    if (!is_same)
        moves(recipe, recipe->tokenizer.line, err, difference.data);
    buffer_release(&difference);
    return is_same ? check_rows(recipe, wanted, model, err) : -1;
}

int recipe_files_check_tokenizer(const struct recipe *recipe, const struct model_folder *wanted,
                                 struct model_folder *const *models, size_t n_models,
                                 struct error *err)
{
    const struct recipe_tokenizer *tokenizer = &recipe->tokenizer;
    struct vocabulary vocabulary;
    int rc = 0;

    if (!tokenizer->line)
        return 0;
    if (tokenizer->is_union)
        return moves(recipe, tokenizer->line, err, "source 'union'");
    if (tokenizer->n_tokens)
        return moves(recipe, tokenizer->tokens[0].line, err, "'tokens' with a source of their own");
    if (model_folder_vocabulary(wanted, &vocabulary, err))
        return -1;
    if (!vocabulary.kind)
        rc = recipe_fail(recipe, tokenizer->line, err, "'" ERROR_NAME "' has no tokenizer",
                         wanted->name);
    for (size_t i = 0; rc == 0 && i < n_models; i++)
        rc = compare(recipe, &vocabulary, models[i], wanted->name, err);
    vocabulary_release(&vocabulary);
    return rc;
}

static const char *const tokenizer_files[] = {
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model",
    "added_tokens.json", "merges.txt", "vocab.json", "vocab.txt", "chat_template.jinja",
    "spiece.model", "sentencepiece.bpe.model",
};

static int copy_tokenizer(const struct model_folder *from, struct model_folder *donor,
                          struct error *err)
{
    for (size_t i = 0; i < sizeof tokenizer_files / sizeof *tokenizer_files; i++) {
        char *source = folder_join(model_folder_tokenizer_at(from), tokenizer_files[i]);
        char *target = folder_join(model_folder_tokenizer_at(donor), tokenizer_files[i]);
        bool is_there = folder_look(from->folder, source) == FOLDER_FILE;
        size_t size = 0;
        char *text = is_there ? folder_read_text(from->folder, source, text_bytes_max, &size, err)
                              : NULL;

        if (text)
            folder_add(donor->folder, target, text, size);
        else if (!is_there)
            folder_hide(donor->folder, target);
        free(source);
        free(target);
        if (err->code)
            return -1;
    }
    return 0;
}

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
                     const struct model_folder *tokenizer, struct model_folder *donor,
                     struct error *err)
{
    char *copy = memory_alloc(size + 1), *chat_template;

    memcpy(copy, text, size);
    folder_add(donor->folder, "mergekit_config.yml", copy, size);
    if (tokenizer && tokenizer != donor && copy_tokenizer(tokenizer, donor, err))
        return -1;
    if (!recipe->chat_template)
        return 0;
    if (choose_template(recipe, models, n_models, &chat_template, err))
        return -1;
    return chat_template ? put_template(donor, chat_template, err) : 0;
}
