/* recipe_reference.h - what a recipe calls a model: PATH[@REVISION][+LORA[@REVISION]], or a map. */
#ifndef COCKTAIL_RECIPE_REFERENCE_H
#define COCKTAIL_RECIPE_REFERENCE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/yaml.h"

struct recipe_reference {
    const char *text; /* as it is written; of a map, as it would be: equal for equal models */
    const char *path, *revision, *lora, *lora_revision; /* all but the path may be NULL */
    const char *override_architecture;
    bool is_adapter; /* the path is that of another reference's lora */
    size_t line;
};

/* Reads text, or {model: {path, revision}, lora: {path, revision}, override_architecture}. All is in
 * the arena, or borrowed from the node. ERROR_FORMAT with "FILE:LINE: …". */
int recipe_reference_read(struct recipe_reference *reference, const struct yaml_node *node,
                          const char *file, struct arena *arena, struct error *err);

#endif
