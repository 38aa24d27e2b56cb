#include "recipe_setting.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mix/combine_settings.h"

/* ---- reading ---- */

struct reader {
    const char *file;
    struct arena *arena;
    struct error *err;
};

static int fail(const struct reader *reader, size_t line, const char *name, const char *text)
{
    return error_set(reader->err, ERROR_FORMAT, "%s:%zu: parameter '" ERROR_NAME "' %s",
                     reader->file, line, name, text);
}

static bool is_scalar(const struct yaml_node *node)
{
    return node->type != YAML_LIST && node->type != YAML_MAP && node->type != YAML_NULL;
}

static int read_value(const struct reader *reader, const char *name, const struct yaml_node *node,
                      struct recipe_condition *condition)
{
    const struct yaml_node **one;

    condition->line = node->line;
    condition->is_gradient = node->type == YAML_LIST;
    if (is_scalar(node)) {
        one = arena_alloc(reader->arena, sizeof *one);
        *one = node;
        condition->values = one;
        condition->n_values = 1;
        return 0;
    }
    if (node->type != YAML_LIST)
        return fail(reader, node->line, name, "wants a value, or a list of values");
    for (size_t i = 0; i < node->n_items; i++)
        if (!is_scalar(node->items[i]))
            return fail(reader, node->items[i]->line, name, "mixes values with something else in a "
                        "list");
    condition->values = node->items;
    condition->n_values = node->n_items;
    return 0;
}

/* {filter: TEXT, value: …} */
static int read_condition(const struct reader *reader, const char *name,
                          const struct yaml_node *node, struct recipe_condition *condition)
{
    const struct yaml_node *filter = yaml_find(node, "filter"), *value = yaml_find(node, "value");

    for (size_t i = 0; i < node->n_items; i++) {
        const char *key = node->members[i].key;

        if (strcmp(key, "filter") != 0 && strcmp(key, "value") != 0)
            return error_set(reader->err, ERROR_FORMAT, "%s:%zu: parameter '" ERROR_NAME "': '"
                             ERROR_NAME "' is neither filter nor value", reader->file,
                             node->members[i].line, name, key);
    }
    if (!value)
        return fail(reader, node->line, name, "has an entry without a value");
    if (filter && filter->type != YAML_NULL) {
        if (filter->type != YAML_TEXT)
            return fail(reader, filter->line, name, "has a filter that is no text");
        condition->filter = strcmp(filter->text, "*") == 0 ? NULL : filter->text;
    }
    return read_value(reader, name, value, condition);
}

static int read_setting(const struct reader *reader, const struct yaml_member *member,
                        struct recipe_setting *setting)
{
    const struct yaml_node *node = member->value;
    bool is_list = node->type == YAML_LIST && node->n_items && node->items[0]->type == YAML_MAP;
    size_t n = is_list ? node->n_items : 1;
    struct recipe_condition *conditions = arena_alloc(reader->arena, n * sizeof *conditions);

    *setting = (struct recipe_setting){member->key, member->line, conditions, n};
    if (node->type == YAML_MAP)
        return read_condition(reader, member->key, node, conditions);
    if (!is_list)
        return read_value(reader, member->key, node, conditions);
    for (size_t i = 0; i < n; i++) {
        if (node->items[i]->type != YAML_MAP)
            return fail(reader, node->items[i]->line, member->key, "mixes values with filters in a "
                        "list");
        if (read_condition(reader, member->key, node->items[i], &conditions[i]))
            return -1;
    }
    return 0;
}

int recipe_settings_read(struct recipe_settings *settings, const struct yaml_node *map,
                         const char *file, struct arena *arena, struct error *err)
{
    struct reader reader = {file, arena, err};
    struct recipe_setting *items;

    *settings = (struct recipe_settings){0};
    if (!map || map->type == YAML_NULL)
        return 0;
    if (map->type != YAML_MAP)
        return error_set(err, ERROR_FORMAT, "%s:%zu: parameters is %s, not a map of names and values",
                         file, map->line, yaml_type_name(map));
    items = arena_alloc(arena, map->n_items * sizeof *items);
    for (size_t i = 0; i < map->n_items; i++)
        if (read_setting(&reader, &map->members[i], &items[i]))
            return -1;
    *settings = (struct recipe_settings){items, map->n_items};
    return 0;
}

const struct recipe_setting *recipe_settings_find(const struct recipe_settings *settings,
                                                  const char *name)
{
    for (size_t i = 0; i < settings->n_items; i++)
        if (strcmp(settings->items[i].name, name) == 0)
            return &settings->items[i];
    return NULL;
}

/* ---- values ---- */

/* As Python's float(): blanks around it, underscores between digits, but no hexadecimal. */
static bool parse_text(const char *text, double *value)
{
    char plain[64], *end;
    size_t n = 0;

    while (isspace((unsigned char)*text))
        text++;
    if (!*text || strpbrk(text, "xXpP(") || *text == '_')
        return false;
    for (; *text && n < sizeof plain - 1; text++) {
        if (*text == '_' && isdigit((unsigned char)text[-1]) && isdigit((unsigned char)text[1]))
            continue;
        plain[n++] = *text;
    }
    while (n > 0 && isspace((unsigned char)plain[n - 1]))
        n--;
    plain[n] = '\0';
    *value = strtod(plain, &end);
    return *text == '\0' && end != plain && *end == '\0';
}

static bool parse_word(const char *text, double *value)
{
    static const char *const yes[] = {"yes", "on", "true", "t", "y", "1", NULL};
    static const char *const no[] = {"no", "off", "false", "f", "n", "0", NULL};

    for (size_t i = 0; yes[i]; i++) {
        *value = strcasecmp(text, yes[i]) == 0;
        if (*value != 0 || strcasecmp(text, no[i]) == 0)
            return true;
    }
    return false;
}

bool recipe_scalar(const struct yaml_node *node, enum combine_kind kind, double *value)
{
    bool is_text = node->type == YAML_TEXT;

    *value = node->number;
    if (!is_scalar(node))
        return false;
    if (kind == COMBINE_BOOLEAN)
        return is_text ? parse_word(node->text, value) : *value == 0 || *value == 1;
    if (is_text && !parse_text(node->text, value))
        return false;
    return kind == COMBINE_NUMBER || *value == trunc(*value);
}

static const char *kind_name(enum combine_kind kind)
{
    static const char *const names[] = {
        [COMBINE_NUMBER] = "number", [COMBINE_WHOLE] = "whole number",
        [COMBINE_BOOLEAN] = "boolean (true or false)",
    };

    return names[kind];
}

static int check_value(const struct combine_parameter *parameter, const struct yaml_node *node,
                       const char *file, struct error *err)
{
    struct error reason = {0};
    double value;

    if (!recipe_scalar(node, parameter->kind, &value) || isnan(value))
        return error_set(err, ERROR_FORMAT, "%s:%zu: parameter '%s': '" ERROR_NAME "' is no %s",
                         file, node->line, parameter->name, node->text,
                         kind_name(parameter->kind));
    if (combine_parameter_check(parameter, value, &reason))
        return error_set(err, ERROR_FORMAT, "%s:%zu: parameter %s", file, node->line, reason.text);
    return 0;
}

int recipe_setting_check(const struct recipe_setting *setting,
                         const struct combine_parameter *parameter, const char *file,
                         struct error *err)
{
    for (size_t i = 0; i < setting->n_conditions; i++)
        for (size_t k = 0; k < setting->conditions[i].n_values; k++)
            if (check_value(parameter, setting->conditions[i].values[k], file, err))
                return -1;
    return 0;
}

/* Interpolated between the values, in double; of booleans the one in front. */
static double gradient(const struct recipe_condition *condition, enum combine_kind kind, double t)
{
    size_t last = condition->n_values - 1, i, j;
    double place = t * (double)last, part, low = 0, high = 0;

    i = (size_t)place;
    j = i < last ? i + 1 : last;
    part = place - (double)i;
    recipe_scalar(condition->values[i], kind, &low);
    recipe_scalar(condition->values[j], kind, &high);
    return kind == COMBINE_BOOLEAN ? low : (1 - part) * low + part * high;
}

const struct recipe_condition *recipe_setting_value(const struct recipe_setting *setting,
                                                    enum combine_kind kind, const char *tensor,
                                                    double t, double *value)
{
    for (size_t i = 0; i < setting->n_conditions; i++) {
        const struct recipe_condition *condition = &setting->conditions[i];

        if (condition->filter && !strstr(tensor, condition->filter))
            continue;
        if (condition->n_values == 0)
            return NULL;
        *value = gradient(condition, kind, t);
        return condition;
    }
    return NULL;
}
