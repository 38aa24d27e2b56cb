/* yaml_reader.h - files of maps in YAML by tables of keys: what a table does not know is an error with the
 * nearest key, what is said twice a notice. Every message begins with FILE:LINE. */
#ifndef COCKTAIL_YAML_READER_H
#define COCKTAIL_YAML_READER_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/yaml.h"

struct yaml_reader {
    const char *file; /* for messages */
    struct arena *arena;
    struct notices *notices;
    struct error *err;
    void *root; /* what the file describes */
    /* What to say of a key that belongs into a file of another kind, NULL for others: behind the key's
     * name. */
    const char *(*elsewhere)(const char *key);
};

/* A key of a map that describes `target`. Values that are null are passed over. */
struct yaml_key {
    const char *name;
    int (*read)(const struct yaml_reader *reader, const struct yaml_member *member, void *target);
};

/* Reads the documents of a file's text, which must stay as long as they. */
int yaml_reader_parse(const struct yaml_reader *reader, const char *text, size_t size,
                      struct yaml_documents *documents);

/* `what` the map is: "a slice". */
int yaml_reader_map(const struct yaml_reader *reader, const struct yaml_node *map,
                    const struct yaml_key *keys, size_t n_keys, const char *what, void *target);
#define YAML_READ_MAP(reader, map, keys, what, target) \
    yaml_reader_map(reader, map, keys, sizeof(keys) / sizeof *(keys), what, target)

/* NULL with an error when the value is no list. */
const struct yaml_node *yaml_reader_list(const struct yaml_reader *reader,
                                         const struct yaml_member *member);
int yaml_reader_text(const struct yaml_reader *reader, const struct yaml_member *member,
                     const char **text);

/* -1, ERROR_FORMAT. The second: that the value `name` is something else than `what`. */
int yaml_reader_fail(const struct yaml_reader *reader, size_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int yaml_reader_wants(const struct yaml_reader *reader, const char *name,
                      const struct yaml_node *value, const char *what);

#endif
