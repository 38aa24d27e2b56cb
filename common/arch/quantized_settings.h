/* quantized_settings.h - what the files of a model say of how it is quantised, read and checked. */
#ifndef COCKTAIL_QUANTIZED_SETTINGS_H
#define COCKTAIL_QUANTIZED_SETTINGS_H

#include "arch/config.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/folder.h"
#include "format/dequantise.h"

struct quantized_settings { /* a zeroed struct says nothing */
    struct quantisation quantisation;
    cJSON *json; /* of a file of their own; NULL: it is in config.json, which must stay */
    struct arena arena;
};

/* Looks at the config (may be zeroed) and at the files in `directory`. `where` is the folder, for messages.
 * ERROR_FORMAT that names file and setting for one that is malformed or out of range,
 * ERROR_UNSUPPORTED that names the method for one that is not read. quantized_settings_release in every
 * case. */
int quantized_settings_load(struct quantized_settings *settings, const struct config *config,
                            const struct folder *folder, const char *directory, const char *where,
                            struct error *err);
void quantized_settings_release(struct quantized_settings *settings);

#endif
