/* gguf_templates.c - a template is a text in a file of its own, or in tokenizer_config.json of older folders. */
#include "gguf_templates.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#define KEY "tokenizer.chat_template"
#define ADDITIONAL "additional_chat_templates"

static const size_t file_bytes_max = 16 * 1000 * 1000;

static bool is_plain_name(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
            return false;
    return n > 0 && n <= 100;
}

/* ---- reading ---- */

static int add_template(struct folder *folder, const struct gguf_value *value, const char *name,
                        struct error *err)
{
    struct buffer text = {0};
    char *path;

    if (value->is_array || value->type != GGUF_STRING)
        return error_set(err, ERROR_FORMAT, "'" ERROR_NAME "': not a text", value->key);
    if (name && !is_plain_name(name, strlen(name)))
        return error_set(err, ERROR_FORMAT, "'" ERROR_NAME "': a template may not have this name",
                         value->key);
    path = name ? memory_format(ADDITIONAL "/%s.jinja", name) : memory_copy("chat_template.jinja");
    buffer_add(&text, gguf_text(value, 0).bytes, gguf_text(value, 0).length);
    folder_add(folder, path, text.data, text.size); /* moved */
    free(path);
    return 0;
}

int gguf_templates_add(const struct gguf *gguf, struct folder *folder, struct error *err)
{
    for (size_t i = 0; i < gguf->n_values; i++) {
        const struct gguf_value *value = &gguf->values[i];
        const char *rest = value->key + sizeof KEY - 1;

        if (strncmp(value->key, KEY, sizeof KEY - 1) != 0 || (*rest && *rest != '.'))
            continue;
        if (add_template(folder, value, *rest ? rest + 1 : NULL, err))
            return -1;
    }
    return 0;
}

/* ---- writing ---- */

struct names {
    struct gguf_text *items;
    size_t n_items;
};

static void put_named(struct gguf_metadata *metadata, struct names *names, const char *name,
                      size_t n, const char *text, size_t size)
{
    char *key = memory_format(KEY ".%.*s", (int)n, name);

    gguf_put_text(metadata, key, text, size);
    free(key);
    names->items = memory_resize(names->items, names->n_items + 1, sizeof *names->items);
    names->items[names->n_items].bytes = memory_format("%.*s", (int)n, name);
    names->items[names->n_items++].length = n;
}

static bool is_listed(const struct names *names, const char *name, size_t n)
{
    for (size_t i = 0; i < names->n_items; i++)
        if (names->items[i].length == n && memcmp(names->items[i].bytes, name, n) == 0)
            return true;
    return false;
}

/* "chat_template" of tokenizer_config.json: a text, or a list of {"name", "template"}. */
static int put_config(struct gguf_metadata *metadata, struct names *names, const cJSON *json,
                      struct error *err)
{
    const cJSON *template = json_find(json, "chat_template"), *item;

    if (cJSON_IsString(template))
        gguf_put_text(metadata, KEY, template->valuestring, strlen(template->valuestring));
    if (!cJSON_IsArray(template))
        return 0;
    cJSON_ArrayForEach(item, template) {
        const char *name = json_find_string(item, "name");
        const char *text = json_find_string(item, "template");

        if (!name || !text || !is_plain_name(name, strlen(name)) ||
            is_listed(names, name, strlen(name)))
            return error_set(err, ERROR_FORMAT, "chat_template: an entry without a name of its own "
                             "or a template");
        if (strcmp(name, "default") == 0)
            gguf_put_text(metadata, KEY, text, strlen(text));
        else
            put_named(metadata, names, name, strlen(name), text, strlen(text));
    }
    return 0;
}

static int put_main(struct gguf_metadata *metadata, struct names *names,
                    const struct folder *folder, const char *directory, struct error *err)
{
    char *path = folder_join(directory, "chat_template.jinja"), *text = NULL;
    bool is_file = folder_look(folder, path) != FOLDER_ABSENT;
    size_t size;
    int rc = 0;

    if (!is_file) {
        free(path);
        path = folder_join(directory, "tokenizer_config.json");
        if (folder_look(folder, path) == FOLDER_ABSENT)
            goto done;
    }
    text = folder_read_text(folder, path, file_bytes_max, &size, err);
    if (!text) {
        rc = -1;
    } else if (is_file) {
        gguf_put_text(metadata, KEY, text, size);
    } else {
        cJSON *json = json_parse(text, size, err);

        rc = json ? put_config(metadata, names, json, err) : -1;
        if (rc)
            error_context(err, "'%s/%s'", folder->path, path);
        cJSON_Delete(json);
    }
done:
    free(text);
    free(path);
    return rc;
}

static int put_file(struct gguf_metadata *metadata, struct names *names,
                    const struct folder *folder, const char *directory, const char *file,
                    struct error *err)
{
    size_t n = strlen(file), size;
    char *path, *text;

    if (n < 6 || strcmp(file + n - 6, ".jinja") != 0 || !is_plain_name(file, n - 6) ||
        is_listed(names, file, n - 6))
        return 0;
    path = folder_join(directory, file);
    text = folder_read_text(folder, path, file_bytes_max, &size, err);
    if (text)
        put_named(metadata, names, file, n - 6, text, size);
    free(path);
    free(text);
    return text ? 0 : -1;
}

static int put_additional(struct gguf_metadata *metadata, struct names *names,
                          const struct folder *folder, const char *directory, struct error *err)
{
    char *path = folder_join(directory, ADDITIONAL), **files = NULL;
    size_t n_files = 0;
    int rc = 0;

    if (folder_look(folder, path) == FOLDER_DIRECTORY)
        rc = folder_list(folder, path, &files, &n_files, err);
    for (size_t i = 0; rc == 0 && i < n_files; i++)
        rc = put_file(metadata, names, folder, path, files[i], err);
    if (files)
        folder_names_free(files, n_files);
    free(path);
    return rc;
}

int gguf_templates_write(struct gguf_metadata *metadata, const struct folder *folder,
                         const char *directory, struct error *err)
{
    struct names names = {0};
    int rc = put_main(metadata, &names, folder, directory, err);

    if (rc == 0)
        rc = put_additional(metadata, &names, folder, directory, err);
    if (rc == 0 && names.n_items)
        gguf_put_texts(metadata, KEY "s", names.items, names.n_items);
    for (size_t i = 0; i < names.n_items; i++)
        free((char *)(uintptr_t)names.items[i].bytes);
    free(names.items);
    return rc;
}
