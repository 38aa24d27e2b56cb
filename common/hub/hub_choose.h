/* hub_choose.h - which files of a repository are fetched: those that a merge needs. */
#ifndef COCKTAIL_HUB_CHOOSE_H
#define COCKTAIL_HUB_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "hub/hub_listing.h"

enum hub_need {
    HUB_NEED_MODEL,
    HUB_NEED_TEXTS,   /* all but the weights */
    HUB_NEED_ADAPTER, /* texts, and adapter_model.safetensors, or else adapter_model.bin */
};

struct hub_wish {
    enum hub_need need;
    const char *const *patterns; /* [n_patterns] instead of `need`; fnmatch, '*' crosses '/' */
    size_t n_patterns;
    /* The text of a file: a choice depends on what an index and modules.json name. */
    int (*read)(void *context, const struct hub_file *file, struct buffer *out, struct error *err);
    void *context;
};

/* Sets `use` of every file. A model is: texts (*.json, *.txt, *.md … and LICENSE) in any folder, and
 * one kind of weights for the model and for each module of a sentence-transformers folder, found as
 * checkpoint_open finds them, with the heads beside them that have known names; nothing that a merge
 * leaves out. ERROR_FORMAT for a malformed index, or one that names files which are not there;
 * ERROR_USAGE for a pattern that matches nothing. */
int hub_choose(struct hub_listing *listing, const struct hub_wish *wish, struct error *err);

/* Whether something is chosen for this. */
bool hub_choose_has(const struct hub_listing *listing, enum hub_use use);

#endif
