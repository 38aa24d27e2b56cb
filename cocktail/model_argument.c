#include "model_argument.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "hub/hub_fetch.h"

#include "terminal.h"

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
        error_context(err, "'%s': no such directory, and not fetched from the Hub", argument);
    } else {
        error_context(err, "'%s' from the Hub", argument);
    }
    return path;
}

char *model_argument_find(const char *argument, enum hub_need need,
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
    if (!hub_id_parse(&id, argument)) {
        error_set(err, ERROR_USAGE, "'%s': no such directory or file", argument);
        return NULL;
    }
    path = fetch(argument, &id, need, common, err);
    hub_id_release(&id);
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
