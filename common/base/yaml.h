/* yaml.h - small YAML documents from strangers: libyaml behind a strict door.
 *
 * What PyYAML's safe loader reads (YAML 1.1): plain scalars become null, booleans, integers and
 * floats by its rules (so 1e-4, which lacks the dot, is text), anchors and "<<" work, of two equal
 * keys the later one counts. Aliases share their node, and what they would grow to is bounded. */
#ifndef COCKTAIL_YAML_H
#define COCKTAIL_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

enum yaml_type { YAML_NULL, YAML_BOOL, YAML_INTEGER, YAML_FLOAT, YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_member;

struct yaml_node { /* read-only for its users; all in the arena */
    enum yaml_type type;
    size_t line;        /* from 1 */
    const char *text;   /* of a scalar, as it is written, without a NUL inside */
    double number;      /* of YAML_BOOL (0 or 1), YAML_INTEGER, YAML_FLOAT */
    const struct yaml_node **items;     /* [n_items] of a list */
    const struct yaml_member *members;  /* [n_items] of a map, keys being scalars, no two alike */
    size_t n_items;
    size_t n_nodes;     /* in it, aliases counted as what they stand for, and itself */
};

struct yaml_member {
    const char *key;
    size_t line;        /* of the key */
    const struct yaml_node *value;
    bool is_repeated;   /* the key stood there before, with another value */
};

struct yaml_documents {
    const struct yaml_node **items; /* [n_items] roots; an empty document is YAML_NULL */
    size_t n_items;
};

/* Reads `size` bytes of UTF-8 or UTF-16 (with a BOM). ERROR_FORMAT with "LINE: …" for what is not
 * YAML, for tags that are not of YAML's core, for keys that are lists or maps, and beyond the limits:
 * 64 levels, 100,000 nodes. ERROR_RESOURCES without memory. */
int yaml_parse(const char *text, size_t size, struct arena *arena, struct yaml_documents *out,
               struct error *err);

/* The member's value, or NULL. */
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);
/* "a list", "text", …: for messages. */
const char *yaml_type_name(const struct yaml_node *node);

#endif
