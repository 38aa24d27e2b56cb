#include "yaml_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

int yaml_reader_fail(const struct yaml_reader *reader, size_t line, const char *fmt, ...)
{
    char text[sizeof reader->err->text];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_set(reader->err, ERROR_FORMAT, "%s:%zu: %s", reader->file, line, text);
}

int yaml_reader_wants(const struct yaml_reader *reader, const char *name,
                      const struct yaml_node *value, const char *what)
{
    return yaml_reader_fail(reader, value->line, "%s is %s, not %s", name, yaml_type_name(value),
                            what);
}

int yaml_reader_parse(const struct yaml_reader *reader, const char *text, size_t size,
                      struct yaml_documents *documents)
{
    struct error reason = {0};

    if (yaml_parse(text, size, reader->arena, documents, &reason) == 0)
        return 0;
    return error_set(reader->err, reason.code, "%s%s%s", reader->file,
                     reason.code == ERROR_FORMAT ? ":" : ": ", reason.text);
}

static int unknown_key(const struct yaml_reader *reader, const struct yaml_member *member,
                       const struct yaml_key *keys, size_t n_keys, const char *what)
{
    const char *elsewhere = reader->elsewhere ? reader->elsewhere(member->key) : NULL;
    struct nearest nearest = {.typed = member->key};

    if (elsewhere)
        return yaml_reader_fail(reader, member->line, "'%s' %s", member->key, elsewhere);
    for (size_t i = 0; i < n_keys; i++)
        nearest_consider(&nearest, keys[i].name);
    return yaml_reader_fail(reader, member->line, "'" ERROR_NAME "' is no key of %s%s%s%s",
                            member->key, what, nearest.word ? "; did you mean '" : "",
                            nearest.word ? nearest.word : "", nearest.word ? "'?" : "");
}

int yaml_reader_map(const struct yaml_reader *reader, const struct yaml_node *map,
                    const struct yaml_key *keys, size_t n_keys, const char *what, void *target)
{
    if (map->type != YAML_MAP)
        return yaml_reader_fail(reader, map->line, "%s is %s, not a map", what,
                                yaml_type_name(map));
    for (size_t i = 0; i < map->n_items; i++) {
        const struct yaml_member *member = &map->members[i];
        size_t k = 0;

        while (k < n_keys && strcmp(keys[k].name, member->key) != 0)
            k++;
        if (k == n_keys)
            return unknown_key(reader, member, keys, n_keys, what);
        if (member->is_repeated)
            notices_add(reader->notices, "%s:%zu: '" ERROR_NAME "' is said twice: this one counts",
                        reader->file, member->line, member->key);
        if (member->value->type != YAML_NULL && keys[k].read(reader, member, target))
            return -1;
    }
    return 0;
}

const struct yaml_node *yaml_reader_list(const struct yaml_reader *reader,
                                         const struct yaml_member *member)
{
    if (member->value->type == YAML_LIST)
        return member->value;
    yaml_reader_wants(reader, member->key, member->value, "a list");
    return NULL;
}

int yaml_reader_text(const struct yaml_reader *reader, const struct yaml_member *member,
                     const char **text)
{
    if (member->value->type != YAML_TEXT)
        return yaml_reader_wants(reader, member->key, member->value, "text");
    *text = member->value->text;
    return 0;
}
