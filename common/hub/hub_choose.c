#include "hub_choose.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "base/model_files.h"

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* ---- texts ---- */

static bool is_in_stale_folder(const char *path)
{
    bool is_stale = false;

    for (const char *slash; !is_stale && (slash = strchr(path, '/')); path = slash + 1) {
        char *folder = memory_format("%.*s", (int)(slash - path), path);

        is_stale = model_files_is_stale_folder(folder);
        free(folder);
    }
    return is_stale;
}

static bool is_text(const char *path)
{
    static const char *const patterns[] = {
        "*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja", "*.py", "*.md", "LICENSE", NULL,
    };
    const char *name = name_of(path);

    return model_files_match(patterns, name) && !model_files_is_weights(name) &&
           !model_files_is_stale(name) && !is_in_stale_folder(path);
}

/* ---- what an index names ---- */

static int use_shard(struct hub_listing *listing, const char *directory, struct json_text name,
                     struct error *err)
{
    char *path = folder_join(directory, name.bytes);
    struct hub_file *file =
        memchr(name.bytes, '\0', name.length) ? NULL : hub_listing_find(listing, path);

    free(path);
    if (!file)
        return error_set(err, ERROR_FORMAT, "shard '" ERROR_NAME "' is not there",
                         name.bytes);
    file->use = HUB_WEIGHTS;
    return 0;
}

static int use_weight_map(struct hub_listing *listing, const char *directory,
                          struct json_reader *reader, struct error *err)
{
    struct json_text key, name;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0)
        if (json_reader_string(reader, &name, err) || use_shard(listing, directory, name, err))
            return -1;
    return more;
}

static int use_shards(struct hub_listing *listing, const char *directory, const struct buffer *text,
                      struct error *err)
{
    struct json_reader reader;
    struct json_text key;
    int more;

    json_reader_init(&reader, text->data, text->size);
    reader.takes_constants = true; /* Python wrote it */
    more = json_reader_object(&reader, err) ? -1 : 1;
    while (more > 0 && (more = json_reader_member(&reader, &key, err)) > 0)
        if (json_text_is(key, "weight_map") ? use_weight_map(listing, directory, &reader, err)
                                            : json_reader_skip(&reader, err))
            more = -1;
    json_reader_release(&reader);
    return more;
}

static int use_index(struct hub_listing *listing, const struct hub_wish *wish,
                     const char *directory, struct hub_file *index, struct error *err)
{
    struct buffer text = {0};
    int rc;

    buffer_add(&text, "", 0);
    index->use = HUB_WEIGHTS;
    rc = wish->read(wish->context, index, &text, err);
    if (rc == 0 && use_shards(listing, directory, &text, err))
        rc = error_context(err, "'%s'", index->path);
    buffer_release(&text);
    return rc;
}

/* ---- weights ---- */

/* The name of a file of the directory itself, not of a folder in it; NULL for others. */
static const char *name_in(const struct hub_file *file, const char *directory)
{
    size_t length = strlen(directory);
    const char *name = file->path;

    if (length && (strncmp(name, directory, length) != 0 || name[length] != '/'))
        return NULL;
    name += length ? length + 1 : 0;
    return strchr(name, '/') ? NULL : name;
}

/* The only *.pt or *.pth; several are none. */
static struct hub_file *find_lone(const struct hub_listing *listing, const char *directory)
{
    struct hub_file *lone = NULL;

    for (size_t i = 0; i < listing->n_files; i++) {
        const char *name = name_in(&listing->files[i], directory);

        if (!name || !model_files_is_lone_weights(name))
            continue;
        if (lone)
            return NULL;
        lone = &listing->files[i];
    }
    return lone;
}

static void use_numbered(struct hub_listing *listing, const char *first)
{
    for (unsigned i = 1; i < MODEL_NUMBERED_MAX; i++) {
        char *path = model_files_numbered(first, i);
        struct hub_file *file = hub_listing_find(listing, path);

        free(path);
        if (file) /* whoever reads them says which is missing */
            file->use = HUB_WEIGHTS;
    }
}

static void use_heads(struct hub_listing *listing, const char *directory)
{
    for (size_t i = 0; i < listing->n_files; i++) {
        const char *name = name_in(&listing->files[i], directory);

        if (name && model_files_is_head(name))
            listing->files[i].use = HUB_WEIGHTS;
    }
}

static int use_weights(struct hub_listing *listing, const struct hub_wish *wish,
                       const char *directory, struct error *err)
{
    struct hub_file *lone;

    for (size_t i = 0; i < MODEL_WEIGHTS_NAMES; i++) {
        char *path = folder_join(directory, model_weights_names[i].name);
        struct hub_file *file = hub_listing_find(listing, path);

        free(path);
        if (!file)
            continue;
        file->use = HUB_WEIGHTS;
        use_heads(listing, directory);
        if (model_weights_names[i].is_numbered)
            use_numbered(listing, file->path);
        return model_weights_names[i].is_index ? use_index(listing, wish, directory, file, err) : 0;
    }
    lone = find_lone(listing, directory);
    if (lone) {
        lone->use = HUB_WEIGHTS;
        use_heads(listing, directory);
    }
    return 0;
}

/* One of modules.json: {"path": "2_Dense", …}. Its weights, if it has some. */
static int use_module(struct hub_listing *listing, const struct hub_wish *wish,
                      struct json_reader *reader, struct error *err)
{
    struct json_text key, path;
    int more, rc = 0;

    if (json_reader_object(reader, err))
        return -1;
    while (rc == 0 && (more = json_reader_member(reader, &key, err)) > 0) {
        if (json_text_is(key, "path") && json_reader_peek(reader) == JSON_STRING) {
            rc = json_reader_string(reader, &path, err);
            if (rc == 0 && path.length && hub_listing_check_path(path.bytes, path.length, err) == 0)
                rc = use_weights(listing, wish, path.bytes, err);
        } else {
            rc = json_reader_skip(reader, err);
        }
    }
    return rc || more || err->code ? -1 : 0;
}

static int use_modules(struct hub_listing *listing, const struct hub_wish *wish,
                       const struct hub_file *modules, struct error *err)
{
    struct json_reader reader;
    struct buffer text = {0};
    int more = -1;

    buffer_add(&text, "", 0);
    if (wish->read(wish->context, modules, &text, err)) {
        buffer_release(&text);
        return -1;
    }
    json_reader_init(&reader, text.data, text.size);
    reader.takes_constants = true;
    if (json_reader_array(&reader, err) == 0)
        while ((more = json_reader_item(&reader, err)) > 0)
            if (use_module(listing, wish, &reader, err)) {
                more = -1;
                break;
            }
    json_reader_release(&reader);
    buffer_release(&text);
    return more ? error_context(err, "'%s'", modules->path) : 0;
}

static int use_model(struct hub_listing *listing, const struct hub_wish *wish, struct error *err)
{
    struct hub_file *modules = hub_listing_find(listing, "modules.json");

    if (modules && use_modules(listing, wish, modules, err))
        return -1;
    /* Old folders have the model one level down, and say so in modules.json or not at all. */
    return use_weights(listing, wish, "", err) ||
                   (!modules && use_weights(listing, wish, "0_Transformer", err))
               ? -1
               : 0;
}

/* ---- patterns ---- */

/* "folder/" stands for all that is in it, as in huggingface_hub. */
static int use_pattern(struct hub_listing *listing, const char *pattern, struct error *err)
{
    size_t length = strlen(pattern);
    char *whole = memory_format("%s%s", pattern, length && pattern[length - 1] == '/' ? "*" : "");
    bool is_found = false;

    for (size_t i = 0; i < listing->n_files; i++) {
        struct hub_file *file = &listing->files[i];

        if (fnmatch(whole, file->path, FNM_NOESCAPE) != 0)
            continue;
        file->use = model_files_is_weights(name_of(file->path)) ? HUB_WEIGHTS : HUB_TEXT;
        is_found = true;
    }
    free(whole);
    return is_found ? 0
                    : error_set(err, ERROR_USAGE, "no file of the repository matches '" ERROR_NAME
                                "'", pattern);
}

/* ---- adapters ---- */

static void use_adapter(struct hub_listing *listing)
{
    struct hub_file *file = hub_listing_find(listing, "adapter_model.safetensors");

    if (!file)
        file = hub_listing_find(listing, "adapter_model.bin");
    if (file)
        file->use = HUB_WEIGHTS;
    file = hub_listing_find(listing, "adapter_config.json");
    if (file)
        file->use = HUB_TEXT;
}

/* ---- all ---- */

int hub_choose(struct hub_listing *listing, const struct hub_wish *wish, struct error *err)
{
    for (size_t i = 0; i < listing->n_files; i++) {
        struct hub_file *file = &listing->files[i];

        file->use = wish->n_patterns == 0 && is_text(file->path) ? HUB_TEXT : HUB_UNUSED;
    }
    for (size_t i = 0; i < wish->n_patterns; i++)
        if (use_pattern(listing, wish->patterns[i], err))
            return -1;
    if (wish->n_patterns || wish->need == HUB_NEED_TEXTS)
        return 0;
    if (wish->need == HUB_NEED_MODEL)
        return use_model(listing, wish, err);
    use_adapter(listing);
    return 0;
}

bool hub_choose_has(const struct hub_listing *listing, enum hub_use use)
{
    for (size_t i = 0; i < listing->n_files; i++)
        if (listing->files[i].use == use)
            return true;
    return false;
}
