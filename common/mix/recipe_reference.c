#include "recipe_reference.h"

#include <string.h>

#include "base/buffer.h"

struct reader {
    const char *file;
    struct arena *arena;
    struct error *err;
};

static int fail(const struct reader *reader, const struct yaml_node *node, const char *text)
{
    return error_set(reader->err, ERROR_FORMAT, "%s:%zu: model '" ERROR_NAME "' %s", reader->file,
                     node->line, node->text ? node->text : "", text);
}

/* PATH[@REVISION] of `length` bytes. */
static int read_part(const struct reader *reader, const struct yaml_node *node, const char *text,
                     size_t length, const char **path, const char **revision)
{
    const char *at = memchr(text, '@', length);

    if (at && memchr(at + 1, '@', length - (size_t)(at + 1 - text)))
        return fail(reader, node, "has more than one '@' in a part");
    *path = arena_copy(reader->arena, text, at ? (size_t)(at - text) : length);
    if (at)
        *revision = arena_copy(reader->arena, at + 1, length - (size_t)(at + 1 - text));
    if (**path == '\0' || (*revision && **revision == '\0'))
        return fail(reader, node, "has an empty part");
    return 0;
}

static int read_text(const struct reader *reader, const struct yaml_node *node,
                     struct recipe_reference *reference)
{
    const char *text = node->text, *plus = strchr(text, '+');

    if (plus && strchr(plus + 1, '+'))
        return fail(reader, node, "has more than one '+'; one adapter can stand behind a model, and a path that "
                    "holds one is given as {model: {path: PATH}}");
    if (read_part(reader, node, text, plus ? (size_t)(plus - text) : strlen(text),
                  &reference->path, &reference->revision))
        return -1;
    return plus ? read_part(reader, node, plus + 1, strlen(plus + 1), &reference->lora,
                            &reference->lora_revision)
                : 0;
}

/* {path: TEXT, revision: TEXT}, or text. */
static int read_path(const struct reader *reader, const struct yaml_node *node, const char **path,
                     const char **revision)
{
    if (node->type == YAML_TEXT)
        return read_part(reader, node, node->text, strlen(node->text), path, revision);
    for (size_t i = 0; node->type == YAML_MAP && i < node->n_items; i++) {
        const struct yaml_member *member = &node->members[i];
        const char **to = strcmp(member->key, "path") == 0       ? path
                          : strcmp(member->key, "revision") == 0 ? revision
                                                                 : NULL;

        if (!to)
            return error_set(reader->err, ERROR_FORMAT, "%s:%zu: '" ERROR_NAME "' is neither path "
                             "nor revision of a model", reader->file, member->line, member->key);
        if (member->value->type == YAML_NULL)
            continue;
        if (member->value->type != YAML_TEXT)
            return error_set(reader->err, ERROR_FORMAT, "%s:%zu: '" ERROR_NAME "' of a model is %s, "
                             "not text", reader->file, member->value->line, member->key,
                             yaml_type_name(member->value));
        *to = member->value->text;
    }
    if (*path)
        return 0;
    return error_set(reader->err, ERROR_FORMAT, "%s:%zu: a model without a path", reader->file,
                     node->line);
}

static int read_map(const struct reader *reader, const struct yaml_node *node,
                    struct recipe_reference *reference)
{
    for (size_t i = 0; i < node->n_items; i++) {
        const struct yaml_member *member = &node->members[i];
        const struct yaml_node *value = member->value;
        int rc = 0;

        if (strcmp(member->key, "model") == 0)
            rc = read_path(reader, value, &reference->path, &reference->revision);
        else if (strcmp(member->key, "lora") == 0)
            rc = value->type == YAML_NULL ? 0
                                          : read_path(reader, value, &reference->lora,
                                                      &reference->lora_revision);
        else if (strcmp(member->key, "override_architecture") != 0)
            rc = error_set(reader->err, ERROR_FORMAT, "%s:%zu: '" ERROR_NAME "' is none of model, "
                           "lora and override_architecture", reader->file, member->line,
                           member->key);
        else if (value->type == YAML_TEXT && *value->text)
            reference->override_architecture = value->text;
        else if (value->type != YAML_NULL)
            rc = error_set(reader->err, ERROR_FORMAT, "%s:%zu: override_architecture is not the "
                           "name of a class", reader->file, member->line);
        if (rc)
            return -1;
    }
    if (reference->path)
        return 0;
    return error_set(reader->err, ERROR_FORMAT, "%s:%zu: a model without a path", reader->file,
                     node->line);
}

static void write_text(const struct reader *reader, struct recipe_reference *reference)
{
    struct buffer text = {0};

    buffer_add_text(&text, reference->path);
    if (reference->revision)
        buffer_format(&text, "@%s", reference->revision);
    if (reference->lora)
        buffer_format(&text, "+%s", reference->lora);
    if (reference->lora_revision)
        buffer_format(&text, "@%s", reference->lora_revision);
    if (reference->override_architecture)
        buffer_format(&text, " as %s", reference->override_architecture);
    reference->text = arena_copy(reader->arena, text.data, text.size);
    buffer_release(&text);
}

int recipe_reference_read(struct recipe_reference *reference, const struct yaml_node *node,
                          const char *file, struct arena *arena, struct error *err)
{
    struct reader reader = {file, arena, err};
    int rc;

    *reference = (struct recipe_reference){.line = node->line};
    if (node->type == YAML_TEXT)
        rc = read_text(&reader, node, reference);
    else if (node->type == YAML_MAP)
        rc = read_map(&reader, node, reference);
    else
        rc = error_set(err, ERROR_FORMAT, "%s:%zu: a model is %s, not its path or name", file,
                       node->line, yaml_type_name(node));
    if (rc == 0)
        write_text(&reader, reference);
    return rc;
}
