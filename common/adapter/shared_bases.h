/* shared_bases.h - several models, of which those that are one base with adapters have it open once: its
 * files, headers and what they say of it. */
#ifndef COCKTAIL_SHARED_BASES_H
#define COCKTAIL_SHARED_BASES_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"

struct shared_base {
    char *path;                 /* real */
    bool is_open;
    struct model_folder folder; /* must stay where it is while models have it */
};

struct shared_bases { /* a zeroed struct has none */
    struct shared_base *items;
    size_t n_items;
};

/* Whether all paths name one base, alone or with an adapter, and one at least has one. */
bool shared_bases_is_one(const char *const *paths, size_t n);

/* Those that several of the paths name, one of them with an adapter. */
void shared_bases_init(struct shared_bases *bases, const char *const *paths, size_t n);
/* After the models that were opened with it. */
void shared_bases_release(struct shared_bases *bases);
/* As adapted_model_open, for one of the paths. */
int shared_bases_open(struct shared_bases *bases, struct model_folder *model, const char *path,
                      const char *name, bool follow_symlinks, struct notices *notices,
                      struct error *err);

#endif
