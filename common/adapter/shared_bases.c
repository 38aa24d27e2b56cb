#include "shared_bases.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/adapted_model.h"
#include "adapter/adapter_path.h"
#include "base/memory.h"

/* The path of the base as written, and as it is really; to be freed. A base that is not there has no other
 * path than the one that is written: opening it says so. */
static char *base_of(const char *path, char **real, bool *has_adapter)
{
    char *base = NULL, *adapter = NULL;

    *has_adapter = adapter_path_split(path, &base, &adapter);
    free(adapter);
    if (!base)
        base = memory_copy(path);
    *real = memory_realpath(base);
    if (!*real)
        *real = memory_copy(base);
    return base;
}

static char *real_base(const char *path, bool *has_adapter)
{
    char *real;

    free(base_of(path, &real, has_adapter));
    return real;
}

bool shared_bases_is_one(const char *const *paths, size_t n)
{
    char *first = NULL;
    bool is_one = n > 0, is_any = false;

    for (size_t i = 0; is_one && i < n; i++) {
        bool has_adapter;
        char *real = real_base(paths[i], &has_adapter);

        is_any |= has_adapter;
        is_one = !first || strcmp(first, real) == 0;
        free(first);
        first = real;
    }
    free(first);
    return is_one && is_any;
}

static struct shared_base *find(const struct shared_bases *bases, const char *path)
{
    for (size_t i = 0; i < bases->n_items; i++)
        if (strcmp(bases->items[i].path, path) == 0)
            return &bases->items[i];
    return NULL;
}

void shared_bases_init(struct shared_bases *bases, const char *const *paths, size_t n)
{
    char **reals = memory_zalloc(n + 1, sizeof *reals);
    bool *has_adapter = memory_zalloc(n + 1, sizeof *has_adapter);

    *bases = (struct shared_bases){.items = memory_zalloc(n + 1, sizeof *bases->items)};
    for (size_t i = 0; i < n; i++)
        reals[i] = real_base(paths[i], &has_adapter[i]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (k != i && has_adapter[k] && strcmp(reals[i], reals[k]) == 0 &&
                !find(bases, reals[i]))
                bases->items[bases->n_items++].path = memory_copy(reals[i]);
    for (size_t i = 0; i < n; i++)
        free(reals[i]);
    free(reals);
    free(has_adapter);
}

void shared_bases_release(struct shared_bases *bases)
{
    for (size_t i = 0; i < bases->n_items; i++) {
        free(bases->items[i].path);
        model_folder_release(&bases->items[i].folder);
    }
    free(bases->items);
    *bases = (struct shared_bases){0};
}

/* `shown` is what the user wrote for a model of it. */
static int open_base(struct shared_base *base, const char *path, const char *shown,
                     bool follow_symlinks, struct error *err)
{
    char *name = NULL, *adapter = NULL;
    int rc = 0;

    if (base->is_open)
        return 0;
    if (shown && !adapter_path_split(shown, &name, &adapter))
        name = memory_copy(shown);
    rc = model_folder_open(&base->folder, path, name, follow_symlinks, err);
    base->is_open = rc == 0;
    free(adapter);
    free(name);
    return rc;
}

int shared_bases_open(struct shared_bases *bases, struct model_folder *model, const char *path,
                      const char *name, bool follow_symlinks, struct notices *notices,
                      struct error *err)
{
    bool has_adapter;
    char *real, *written = base_of(path, &real, &has_adapter);
    struct shared_base *base = find(bases, real);
    int rc = base ? open_base(base, written, name, follow_symlinks, err) : 0;

    if (rc == 0)
        rc = adapted_model_open_on(model, base ? &base->folder : NULL, path, name, follow_symlinks,
                                   notices, err);
    free(written);
    free(real);
    return rc;
}
