/* hub_settings.h - what the environment says about the Hub: where it is, where its cache is, who we
 * are. The variables are those of huggingface_hub (docs/formats.md, "The Hub"). */
#ifndef COCKTAIL_HUB_SETTINGS_H
#define COCKTAIL_HUB_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct hub_settings {
    char *endpoint;           /* "https://huggingface.co", without a slash at the end */
    char *cache;              /* a directory, which may not exist yet */
    char *token;              /* NULL: none */
    char *certificates;       /* a file with those to trust, or NULL: those of the system */
    bool is_offline;          /* nothing may be asked */
    const char *offline_name; /* says this variable; borrowed */
    bool has_no_symlinks;     /* the cache must do without */
    size_t etag_timeout_s;    /* for questions */
    size_t download_timeout_s; /* for files */
};

/* ERROR_USAGE for a variable that makes no sense; values of tokens are not shown. Released with
 * hub_settings_release. */
int hub_settings_load(struct hub_settings *settings, struct error *err);
void hub_settings_release(struct hub_settings *settings);

/* Replaces the token, should a server have put it into what we tell, by "[token]". */
void hub_settings_hide_token(const struct hub_settings *settings, struct error *err);

#endif
