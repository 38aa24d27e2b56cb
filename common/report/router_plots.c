#include "router_plots.h"

#include <dirent.h>
#include <string.h>

#include "base/outdir.h"

static bool is_of_two(const struct router_models *models)
{
    return models->n > 1;
}

static bool is_of_any(const struct router_models *models)
{
    (void)models;
    return true;
}

/* One expert a token is never chosen together with another. */
static bool has_pairs(const struct router_models *models)
{
    const struct router_watch *watch = models->watches[0];

    for (size_t g = 0; g < watch->n_groups; g++)
        if (watch->groups[g].routers[0]->tally.n_chosen > 1)
            return true;
    return false;
}

static const struct plot {
    const char *name;
    void (*draw)(struct buffer *out, const struct router_models *models);
    bool (*is_wanted)(const struct router_models *models);
} plots[] = {
    {"load.svg", router_draw_load, is_of_any},
    {"coactivation.svg", router_draw_coactivation, has_pairs},
    {"agreement.svg", router_draw_agreement, is_of_two},
};

static bool is_plot(const char *name)
{
    for (size_t i = 0; i < sizeof plots / sizeof *plots; i++)
        if (strcmp(name, plots[i].name) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A directory with nothing else in it. */
static bool holds_plots(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    bool holds = directory != NULL;

    while (holds && (entry = readdir(directory)))
        holds = is_plot(entry->d_name);
    if (directory)
        closedir(directory);
    return holds;
}

static bool is_directory(const char *path)
{
    DIR *directory = opendir(path);

    if (directory)
        closedir(directory);
    return directory != NULL;
}

int router_plots_check(const char *directory, bool force, struct error *err)
{
    if (force && is_directory(directory) && !holds_plots(directory))
        return error_set(err, ERROR_EXISTS, "'%s' holds more than plots of routers: --force "
                         "replaces these only", directory);
    return outdir_check(directory, force, holds_plots, err);
}

int router_plots_write(const char *directory, bool force, const struct router_models *models,
                       struct error *err)
{
    struct outdir *outdir;
    struct buffer text = {0};
    int rc = router_plots_check(directory, force, err);

    if (rc)
        return -1;
    outdir = outdir_open(directory, force, holds_plots, err);
    if (!outdir)
        return -1;
    for (size_t i = 0; rc == 0 && i < sizeof plots / sizeof *plots; i++) {
        if (!plots[i].is_wanted(models))
            continue;
        buffer_clear(&text);
        plots[i].draw(&text, models);
        rc = outdir_write(outdir, plots[i].name, text.data, text.size, err);
    }
    if (rc == 0)
        rc = outdir_commit(outdir, err);
    outdir_close(outdir);
    buffer_release(&text);
    return rc;
}
