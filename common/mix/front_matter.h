/* front_matter.h - a few keys of the YAML at the head of a model card, read without YAML.
 *
 * A card may begin with lines between "---" and "---". Of these the keys below are read, where they
 * stand at the beginning of a line, with a value on that line (plain, 'quoted' or "quoted"), a list
 * on that line ([en, zh]), or a list of lines "- en" that follow. Whatever else YAML could say there
 * (texts of several lines, escapes, anchors, tags, mappings) and what is longer than any licence or
 * language makes the value unclear. A key given twice counts once, as it was given last. */
#ifndef COCKTAIL_FRONT_MATTER_H
#define COCKTAIL_FRONT_MATTER_H

#include <stdbool.h>
#include <stddef.h>

enum front_key {
    FRONT_LICENSE, FRONT_LICENSE_NAME, FRONT_LICENSE_LINK, FRONT_LANGUAGE,
    N_FRONT_KEYS,
};

struct front_value { /* not said: no items, and not unclear */
    char **items;
    size_t n_items;
    bool is_unclear; /* something is said that we do not read; no items */
};

struct front_matter {
    struct front_value values[N_FRONT_KEYS];
};

const char *front_key_name(enum front_key key); /* "license_link" */

/* All of the file, or its beginning. Released with front_matter_release. */
void front_matter_read(struct front_matter *matter, const char *text, size_t size);
void front_matter_release(struct front_matter *matter);

#endif
