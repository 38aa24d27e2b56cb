/* join_files.c - the files that say which token has which id: config.json, generation_config.json, and
 * those of the tokenizer. */
#include "join.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer_append.h"

static const size_t text_bytes_max = 200 * 1000 * 1000;

/* ---- ids in config.json ---- */

struct renumbering {
    const struct join *join;
    const struct vocabulary *old;
    const cJSON *fallback; /* the same file of the model whose tokenizer it is, or NULL */
    const char *file, *model;
    struct notices *notices;
};

static bool has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);

    return n >= m && strcmp(name + n - m, ending) == 0;
}

static bool holds_ids(const char *name)
{
    static const char *const endings[] = {"_token_id", "_token_ids", "_token_index"};
    static const char *const names[] = {"suppress_tokens", "begin_suppress_tokens"};

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (has_ending(name, endings[i]))
            return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The id of the same token in the result, or TOKEN_NONE. */
static uint32_t new_id(const struct renumbering *by, double old)
{
    size_t length;
    const char *text = old >= 0 && old <= TOKEN_ID_MAX && old == (double)(uint32_t)old
                           ? token_table_token(&by->old->tokens, (uint32_t)old, &length)
                           : NULL;

    return text ? token_table_id(&by->join->tokens, text, length) : TOKEN_NONE;
}

/* A list without those that are gone; NULL when none is left. */
static cJSON *renumber_list(const struct renumbering *by, const cJSON *list)
{
    cJSON *made = cJSON_CreateArray();
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        uint32_t id = cJSON_IsNumber(item) ? new_id(by, item->valuedouble) : TOKEN_NONE;

        if (id != TOKEN_NONE)
            cJSON_AddItemToArray(made, cJSON_CreateNumber(id));
    }
    if (cJSON_GetArraySize(made) == 0) {
        cJSON_Delete(made);
        return NULL;
    }
    if (cJSON_GetArraySize(made) != cJSON_GetArraySize(list) && by->notices)
        notices_add(by->notices, "%s of '%s': tokens of %s that the result does not have are taken out",
                    by->file, by->model, list->string);
    return made;
}

/* What the member becomes; NULL: it stays. */
static cJSON *renumber(const struct renumbering *by, const cJSON *member)
{
    const cJSON *other = json_find(by->fallback, member->string);
    uint32_t id = cJSON_IsNumber(member) ? new_id(by, member->valuedouble) : TOKEN_NONE;
    cJSON *made = NULL;

    if (cJSON_IsArray(member) && cJSON_GetArraySize(member))
        made = renumber_list(by, member);
    else if (!cJSON_IsNumber(member) || member->valuedouble < 0)
        return NULL;
    else if (id != TOKEN_NONE)
        made = cJSON_CreateNumber(id);
    if (!made && by->notices)
        notices_add(by->notices, "%s of '%s': the result does not have the token of %s: %s", by->file,
                    by->model, member->string, other ? "it is that of the model whose tokenizer is kept"
                                                     : "it is left empty");
    if (!made)
        made = other ? cJSON_Duplicate(other, true) : cJSON_CreateNull();
    return made;
}

/* Edits the members of a tree that name tokens; whether any has changed. */
static bool renumber_members(const struct renumbering *by, cJSON *object)
{
    bool has_changed = false;
    cJSON *member = object ? object->child : NULL, *next;

    for (; member; member = next) {
        cJSON *made = holds_ids(member->string) ? renumber(by, member) : NULL;

        next = member->next;
        if (made && cJSON_Compare(made, member, true)) {
            cJSON_Delete(made);
        } else if (made) {
            char *name = memory_copy(member->string);

            has_changed = true;
            cJSON_ReplaceItemInObjectCaseSensitive(object, name, made);
            free(name);
        }
    }
    return has_changed;
}

/* Writes the members of `edited` that differ from those of `old` into the text of the latter. */
static void edit_changed(struct buffer *text, const cJSON *old, const cJSON *edited)
{
    const cJSON *member;

    cJSON_ArrayForEach(member, edited)
    {
        const cJSON *before = cJSON_GetObjectItemCaseSensitive(old, member->string);
        char *printed;

        if (before && cJSON_Compare(before, member, true))
            continue;
        printed = cJSON_PrintUnformatted(member);
        if (!printed)
            memory_exhausted();
        json_edit_member(text, member->string, printed);
        cJSON_free(printed);
    }
}

static void set_size(cJSON *object, size_t n_rows)
{
    if (json_find(object, "vocab_size"))
        cJSON_ReplaceItemInObjectCaseSensitive(object, "vocab_size", cJSON_CreateNumber((double)n_rows));
    else
        cJSON_AddItemToObject(object, "vocab_size", cJSON_CreateNumber((double)n_rows));
}

static int edit_config(const struct join *join, struct model_folder *model,
                       const struct renumbering *by, struct error *err)
{
    cJSON *edited = cJSON_Duplicate(model->config.json, true);
    cJSON *inner = edited ? cJSON_GetObjectItemCaseSensitive(edited, "text_config") : NULL;
    struct buffer text = {0};

    if (!edited)
        memory_exhausted();
    inner = cJSON_IsObject(inner) ? inner : NULL;
    if (!inner || json_find(edited, "vocab_size"))
        set_size(edited, join->n_rows);
    if (inner)
        set_size(inner, join->n_rows);
    if (by) {
        renumber_members(by, edited);
        if (inner)
            renumber_members(by, inner);
    }
    buffer_add(&text, model->config.text, model->config.size);
    edit_changed(&text, model->config.json, edited);
    cJSON_Delete(edited);
    return model_folder_set_config(model, &text, err);
}

/* The tree of a JSON file of the folder, and its text; NULL when there is none, or with an error. */
static cJSON *read_json(const struct model_folder *model, const char *path, struct buffer *text,
                        struct error *err)
{
    size_t size = 0;
    char *bytes = folder_look(model->folder, path) == FOLDER_FILE
                      ? folder_read_text(model->folder, path, text_bytes_max, &size, err) : NULL;
    cJSON *json = bytes ? json_parse(bytes, size, err) : NULL;

    if (bytes && !json)
        error_context(err, "'%s/%s'", model->folder->path, path);
    if (json && text)
        buffer_add(text, bytes, size);
    free(bytes);
    return json;
}

static int edit_generation(const struct join *join, struct model_folder *model,
                           const struct renumbering *config_by, struct error *err)
{
    struct renumbering by = *config_by;
    char *path = folder_join(model->sentence.transformer, "generation_config.json");
    struct buffer text = {0};
    cJSON *json = read_json(model, path, &text, err), *edited, *fallback = NULL;

    by.file = "generation_config.json";
    if (json)
        fallback = read_json(join->from, "generation_config.json", NULL, err);
    by.fallback = fallback;
    edited = json && !err->code ? cJSON_Duplicate(json, true) : NULL;
    if (edited && renumber_members(&by, edited)) {
        edit_changed(&text, json, edited);
        folder_add(model->folder, path, text.data, text.size);
        text = (struct buffer){0};
    }
    buffer_release(&text);
    cJSON_Delete(json);
    cJSON_Delete(edited);
    cJSON_Delete(fallback);
    free(path);
    return err->code ? -1 : 0;
}

int join_set_config(const struct join *join, struct model_folder *model, size_t which,
                    struct notices *notices, struct error *err)
{
    const struct join_model *of = &join->models[which];
    const struct join_model *own = of->is_assumed ? &join->models[0] : of;
    struct renumbering by = {.join = join, .old = &own->vocabulary, .file = "config.json",
                             .model = model->name, .notices = notices};

    if (!model->has_config)
        return 0;
    if (join->from->has_config)
        by.fallback = join->from->config.json;
    if (!of->is_renumbered)
        return edit_config(join, model, NULL, err);
    return edit_config(join, model, &by, err) || edit_generation(join, model, &by, err) ? -1 : 0;
}

/* ---- the tokenizer ---- */

static const char *const tokenizer_files[] = {
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model",
    "added_tokens.json", "merges.txt", "vocab.json", "vocab.txt", "chat_template.jinja",
    "spiece.model", "sentencepiece.bpe.model", "tekken.json",
};

/* Files that say the tokens once more, and know nothing of those behind them. */
static const char *const older_files[] = {
    "tokenizer.model", "added_tokens.json", "merges.txt", "vocab.json", "vocab.txt", "spiece.model",
    "sentencepiece.bpe.model", "tekken.json",
};

static int copy_files(const struct model_folder *from, struct model_folder *donor, struct error *err)
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

static int edit_file(const struct join *join, struct model_folder *donor, const char *name,
                     int (*append)(struct buffer *, const struct added_token *, size_t, struct error *),
                     struct error *err)
{
    char *path = folder_join(model_folder_tokenizer_at(donor), name);
    struct buffer text = {0};
    size_t size = 0;
    char *bytes = folder_look(donor->folder, path) == FOLDER_FILE
                      ? folder_read_text(donor->folder, path, text_bytes_max, &size, err) : NULL;

    if (bytes) {
        buffer_add(&text, bytes, size);
        if (append(&text, join->added, join->n_added, err) == 0) {
            folder_add(donor->folder, path, text.data, text.size);
            text = (struct buffer){0};
        } else {
            error_context(err, "'%s/%s'", donor->folder->path, path);
        }
    }
    buffer_release(&text);
    free(bytes);
    free(path);
    return err->code ? -1 : 0;
}

static void hide_older(struct model_folder *donor, struct notices *notices)
{
    struct buffer names = {0};

    for (size_t i = 0; i < sizeof older_files / sizeof *older_files; i++) {
        char *path = folder_join(model_folder_tokenizer_at(donor), older_files[i]);

        if (folder_look(donor->folder, path) == FOLDER_FILE) {
            buffer_format(&names, "%s%s", names.size ? ", " : "", older_files[i]);
            folder_hide(donor->folder, path);
        }
        free(path);
    }
    if (names.size)
        notices_add(notices, "without the new tokens, and so not taken over from '%s': %s", donor->name,
                    names.data);
    buffer_release(&names);
}

/* What a loader makes of the files must be what rows were moved for. */
static int check_result(const struct join *join, const struct model_folder *donor, struct error *err)
{
    struct vocabulary found;
    const struct token_table *tokens = &join->tokens;
    int rc = model_folder_vocabulary(donor, &found, err);

    for (size_t i = 0; rc == 0 && i < tokens->n_entries; i++) {
        size_t length;
        const char *text = token_table_bytes(tokens, (uint32_t)i, &length);
        uint32_t id = token_table_id(&found.tokens, text, length);

        if (id != tokens->entries[i].id)
            rc = error_set(err, ERROR_UNSUPPORTED, "the tokenizer of '%s' cannot take more tokens: '"
                           ERROR_NAME "' would get %s id than %u", join->from->name, text,
                           id == TOKEN_NONE ? "no" : "another", (unsigned)tokens->entries[i].id);
    }
    vocabulary_release(&found);
    return rc;
}

int join_add_files(const struct join *join, struct model_folder *donor, struct notices *notices,
                   struct error *err)
{
    bool is_own = strcmp(join->from->name, donor->name) == 0 &&
                  strcmp(join->from->path, donor->path) == 0;
    char *path;
    bool has_json;

    if (!is_own && copy_files(join->from, donor, err))
        return -1;
    if (join->n_added == 0)
        return 0;
    path = folder_join(model_folder_tokenizer_at(donor), "tokenizer.json");
    has_json = folder_look(donor->folder, path) == FOLDER_FILE;
    free(path);
    if (!has_json)
        return error_set(err, ERROR_UNSUPPORTED, "'%s' has no tokenizer.json, to which tokens could be "
                         "added; transformers writes one with save_pretrained", join->from->name);
    if (edit_file(join, donor, "tokenizer.json", tokenizer_append_json, err) ||
        edit_file(join, donor, "tokenizer_config.json", tokenizer_append_config, err))
        return -1;
    hide_older(donor, notices);
    return check_result(join, donor, err);
}
