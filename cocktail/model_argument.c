#include "model_argument.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapter/adapter_path.h"
#include "base/folder.h"
#include "base/memory.h"
#include "base/model_files.h"
#include "base/nearest.h"
#include "hub/hub_fetch.h"

#include "terminal.h"

/* ---- what may be meant ---- */

static bool is_model_like(const char *directory, const char *name)
{
    char *path = memory_format("%s/%s", directory, name);
    struct stat info;
    bool is = stat(path, &info) == 0 && (S_ISDIR(info.st_mode) || model_files_is_weights(name));

    free(path);
    return is;
}

/* The path of a directory or weights file beside it with nearly that name, to be freed; or NULL. */
static char *find_near(const char *argument)
{
    const char *slash = strrchr(argument, '/');
    struct nearest nearest = {.typed = slash ? slash + 1 : argument};
    size_t n_above = slash ? (size_t)(slash - argument) : 0, n_names = 0;
    char *above = slash == argument ? memory_copy("/")
                  : slash           ? memory_format("%.*s", (int)n_above, argument)
                                    : memory_copy(".");
    struct error ignored = {0};
    struct folder *folder = folder_open(above, true, &ignored);
    char **names = NULL, *near = NULL;

    if (folder && folder_list(folder, "", &names, &n_names, &ignored) == 0)
        for (size_t i = 0; i < n_names; i++)
            if (is_model_like(above, names[i]))
                nearest_consider(&nearest, names[i]);
    if (nearest.word)
        near = memory_format("%.*s%s", (int)(slash ? n_above + 1 : 0), argument, nearest.word);
    folder_names_free(names, n_names);
    folder_close(folder);
    free(above);
    return near;
}

static int refuse_word(const char *argument, const char *near, struct error *err)
{
    if (near)
        return error_set(err, ERROR_USAGE, "'%s': no such directory or file; did you mean '%s'?",
                         argument, near);
    return error_set(err, ERROR_USAGE, "'%s': no such directory or file, nor is it in the cache of "
                     "the Hub; " HUB_ID_FORM " ('cocktail pull %s' would fetch one without an "
                     "organisation)", argument, argument);
}

int model_argument_refuse(const char *argument, struct error *err)
{
    struct hub_id id;
    struct stat info;
    char *address = hub_id_of_address(argument), *near = find_near(argument);

    if (address)
        error_set(err, ERROR_USAGE, "'%s': no such directory or file, but an address; the name of "
                  "that model is '%s'", argument, address);
    else if (stat(argument, &info) == 0)
        error_set(err, ERROR_USAGE, "'%s': is a path, and nothing to fetch; " HUB_ID_FORM,
                  argument);
    else if (hub_id_parse_bare(&id, argument)) {
        refuse_word(argument, near, err);
        hub_id_release(&id);
    } else if (near)
        error_set(err, ERROR_USAGE, "'%s': no such directory or file; did you mean '%s'?",
                  argument, near);
    else
        error_set(err, ERROR_USAGE, "'%s': no such directory or file; " HUB_ID_FORM, argument);
    free(address);
    free(near);
    return -1;
}

/* ---- finding ---- */

/* Both readings are named when neither leads anywhere. */
static char *fetch(const char *argument, const struct hub_id *id, enum hub_need need,
                   const struct common_options *common, struct error *err)
{
    struct terminal_progress shown;
    struct hub_fetch_options options = {.need = need, .progress = &shown.progress};
    struct hub_snapshot snapshot;
    struct notices notices = {0};
    char *path = NULL;
    int rc;

    terminal_progress_start(&shown, "fetching", common);
    rc = hub_fetch(&snapshot, id, &options, &notices, err);
    terminal_progress_end(&shown);
    terminal_notices(&notices, common);
    notices_release(&notices);
    if (rc == 0) {
        path = memory_copy(snapshot.path);
        hub_snapshot_release(&snapshot);
    } else if (err->code == ERROR_NETWORK) {
        char *near = find_near(argument);

        error_context(err, near ? "'%s': no such directory (did you mean '%s'?), and not fetched "
                                  "from the Hub"
                                : "'%s': no such directory, and not fetched from the Hub",
                      argument, near);
        free(near);
    } else {
        error_context(err, "'%s' from the Hub", argument);
    }
    return path;
}

/* A mistyped path is a word, too: one without an organisation counts only when the cache has it. */
static bool parse_id(struct hub_id *id, const char *argument, struct error *err)
{
    bool is_cached = false;

    if (hub_id_parse(id, argument))
        return true;
    if (!hub_id_parse_bare(id, argument))
        return false;
    if (hub_fetch_look(id, &is_cached, err) == 0 && is_cached)
        return true;
    hub_id_release(id);
    return false;
}

static char *find_one(const char *argument, enum hub_need need,
                      const struct common_options *common, struct error *err)
{
    struct hub_id id;
    struct stat info;
    char *path;

    if (stat(argument, &info) == 0)
        return memory_copy(argument);
    if (errno != ENOENT && errno != ENOTDIR) {
        error_errno(err, "cannot open '%s'", argument);
        return NULL;
    }
    if (!parse_id(&id, argument, err)) {
        if (!err->code)
            model_argument_refuse(argument, err);
        return NULL;
    }
    path = fetch(argument, &id, need, common, err);
    hub_id_release(&id);
    return path;
}

/* The adapter of MODEL+ADAPTER. */
static char *find_adapter(const char *argument, enum hub_need need,
                          const struct common_options *common, struct error *err)
{
    struct stat info;

    if (strchr(argument, '+') && stat(argument, &info) != 0) {
        error_set(err, ERROR_USAGE, "'%s': no such directory; a model takes one adapter, and 'cocktail "
                  "adapter mix' makes one of several", argument);
        return NULL;
    }
    return find_one(argument, need == HUB_NEED_TEXTS ? need : HUB_NEED_ADAPTER, common, err);
}

char *model_argument_find(const char *argument, enum hub_need need,
                          const struct common_options *common, struct error *err)
{
    char *parts[2], *paths[2] = {NULL, NULL}, *path = NULL;

    if (!adapter_path_split(argument, &parts[0], &parts[1]))
        return find_one(argument, need, common, err);
    paths[0] = find_one(parts[0], need, common, err);
    if (paths[0])
        paths[1] = find_adapter(parts[1], need, common, err);
    if (paths[1])
        path = memory_format("%s+%s", paths[0], paths[1]);
    for (size_t i = 0; i < 2; i++) {
        free(parts[i]);
        free(paths[i]);
    }
    return path;
}

char **model_arguments_find(const char *const *arguments, size_t n, enum hub_need need,
                            const struct common_options *common, struct error *err)
{
    char **paths = memory_zalloc(n, sizeof *paths);

    for (size_t i = 0; i < n; i++) {
        paths[i] = model_argument_find(arguments[i], need, common, err);
        if (!paths[i]) {
            model_arguments_free(paths, n);
            return NULL;
        }
    }
    return paths;
}

void model_arguments_free(char **paths, size_t n)
{
    for (size_t i = 0; paths && i < n; i++)
        free(paths[i]);
    free(paths);
}
