/* spec_compare.c - two struct model_spec as users see them.
 *
 * Every field is turned into a text, and equal texts are equal fields. Where they differ, the keys
 * of the row are looked up in both configs: the first that is stated differently explains it, with
 * the values that are stated, or that its absence means. One key may change several fields and is
 * told once. */
#include "spec_compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/families.h"
#include "arch/spec_settings.h"
#include "base/buffer.h"
#include "base/memory.h"

/* Lists longer than this are shown from the first item that differs. */
enum { SHOWN_MAX = 100 };

struct difference {
    char *name;
    struct buffer values[2];
};

struct comparison {
    const struct spec_side *sides[2];
    struct difference difference; /* one after the other, in the same memory */
    char **told;
    size_t n_told;
};

/* ---- values of fields, as text ---- */

/* The shortest that reads back as the same number. */
static void add_number(struct buffer *out, double value, bool is_float)
{
    char text[64];

    if (value == floor(value) && fabs(value) < 1e15) {
        buffer_format(out, "%.0f", value);
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    buffer_add_text(out, text);
}

static void add_number_or_none(struct buffer *out, double value, bool is_float)
{
    if (value == 0)
        buffer_add_text(out, "none");
    else
        add_number(out, value, is_float);
}

static bool is_set(const uint8_t *layers, size_t n_layers, size_t i)
{
    return layers && i < n_layers && layers[i];
}

static bool any_layer(const uint8_t *layers, size_t n_layers)
{
    for (size_t i = 0; i < n_layers; i++)
        if (is_set(layers, n_layers, i))
            return true;
    return false;
}

/* "layers 0-4, 6" */
static void add_layers(struct buffer *out, const uint8_t *layers, size_t n_layers)
{
    const char *comma = "";

    buffer_add_text(out, any_layer(layers, n_layers) ? "layers " : "no layer");
    for (size_t i = 0; i < n_layers; i++) {
        size_t first = i;

        if (!is_set(layers, n_layers, i))
            continue;
        while (is_set(layers, n_layers, i + 1))
            i++;
        buffer_format(out, first == i ? "%s%zu" : "%s%zu-%zu", comma, first, i);
        comma = ", ";
    }
}

static bool slides(const struct stack_spec *stack)
{
    return stack->window && any_layer(stack->slides, stack->n_layers);
}

static void add_factors(struct buffer *out, const double *factors, size_t n)
{
    buffer_add_text(out, "[");
    for (size_t i = 0; factors && i < n; i++) {
        buffer_add_text(out, i ? "," : "");
        add_number(out, factors[i], false);
    }
    buffer_add_text(out, "]");
}

static void add_rope_kind(struct buffer *out, const struct rope_spec *rope)
{
    static const char *const names[] = {
        [ROPE_DEFAULT] = "default", [ROPE_LINEAR] = "linear", [ROPE_DYNAMIC] = "dynamic",
        [ROPE_LLAMA3] = "llama3",   [ROPE_YARN] = "yarn",     [ROPE_LONGROPE] = "longrope",
    };

    buffer_format(out, "\"%s\"", names[rope->kind]);
    if (rope->kind != ROPE_DEFAULT) {
        buffer_add_text(out, " with factor ");
        add_number(out, rope->factor, false);
    }
}

static size_t n_query_heads(const struct stack_spec *stack)
{
    size_t n_chosen = stack->attention_moe.n_chosen;

    return n_chosen ? stack->n_heads / n_chosen : stack->n_heads;
}

/* The field of `row` in the struct at `home`, which is of the kind that the row's place says. */
static void add_field(struct buffer *out, const struct setting *row, const char *home)
{
    const void *field = home + row->offset;
    const struct stack_spec *stack = (const void *)home;
    const struct rope_spec *rope = (const void *)home;

    switch (row->kind) {
    case SETTING_SIZE:
        buffer_format(out, "%zu", *(const size_t *)field);
        break;
    case SETTING_SIZE_OR_NONE:
        add_number_or_none(out, (double)*(const size_t *)field, false);
        break;
    case SETTING_FLOAT:
        add_number(out, (double)*(const float *)field, true);
        break;
    case SETTING_FLOAT_OR_NONE:
        add_number_or_none(out, (double)*(const float *)field, true);
        break;
    case SETTING_DOUBLE:
        add_number(out, *(const double *)field, false);
        break;
    case SETTING_DOUBLE_OR_NONE:
        add_number_or_none(out, *(const double *)field, false);
        break;
    case SETTING_BOOL:
        buffer_add_text(out, *(const bool *)field ? "true" : "false");
        break;
    case SETTING_CHOICE:
        buffer_add_text(out, row->names[*(const unsigned *)field]);
        break;
    case SETTING_ID:
        if (*(const int64_t *)field < 0)
            buffer_add_text(out, "none");
        else
            buffer_format(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case SETTING_TOKEN:
        buffer_format(out, "%lu", (unsigned long)*(const uint32_t *)field);
        break;
    case SETTING_HEADS:
        buffer_format(out, "%zu", n_query_heads(stack));
        break;
    case SETTING_WINDOW:
        add_number_or_none(out, slides(stack) ? (double)stack->window : 0, false);
        break;
    case SETTING_SLIDING:
        add_layers(out, stack->slides, stack->n_layers);
        break;
    case SETTING_LAYERS:
        add_layers(out, *(const uint8_t *const *)field, stack->n_layers);
        break;
    case SETTING_ROPE_KIND:
        add_rope_kind(out, rope);
        break;
    case SETTING_ROPE_FACTORS:
        add_factors(out, *(const double *const *)field, rope->n_dims / 2);
        break;
    case SETTING_FAMILY:
        buffer_add_text(out, (*(const struct family *const *)field)->name);
        break;
    }
}

/* ---- what the configs state ---- */

/* The part that the loader reads. */
static const cJSON *model_part(const struct config *config)
{
    const cJSON *text = json_find(config->json, "text_config");

    return cJSON_IsObject(text) ? text : config->json;
}

/* Where rotary embeddings are described, and the path that leads there; NULL: nowhere. */
static const cJSON *find_rope(const struct config *config, bool is_sliding, const char **path)
{
    const cJSON *part = model_part(config), *parameters = json_find(part, "rope_parameters");
    const cJSON *nested = json_find(parameters, is_sliding ? "sliding_attention"
                                                           : "full_attention");

    if (cJSON_IsObject(nested)) {
        *path = is_sliding ? "rope_parameters.sliding_attention."
                           : "rope_parameters.full_attention.";
        return nested;
    }
    *path = parameters ? "rope_parameters." : "rope_scaling.";
    return parameters ? parameters : json_find(part, "rope_scaling");
}

static const char *rope_member(const char *key)
{
    return strncmp(key, "rope.", 5) == 0 ? key + 5 : NULL;
}

/* The value of a key; NULL: absent, or null. */
static const cJSON *find_stated(const struct config *config, const char *key, bool is_sliding)
{
    const cJSON *value;
    const char *path;

    if (rope_member(key))
        return json_find(find_rope(config, is_sliding, &path), rope_member(key));
    value = json_find(model_part(config), key);
    if (!value && strcmp(key, "tie_word_embeddings") == 0)
        value = json_find(config->json, key);
    return value || !config->is_consolidated ? value
                                             : json_find(json_find(config->json, "moe"), key);
}

static bool is_stated_alike(const cJSON *a, const cJSON *b)
{
    return a && b ? cJSON_Compare(a, b, true) != 0 : a == b;
}

static void add_json(struct buffer *out, const cJSON *value)
{
    char *text;

    if (cJSON_IsNumber(value)) {
        add_number(out, value->valuedouble, false);
        return;
    }
    text = cJSON_PrintUnformatted(value);
    if (!text)
        memory_exhausted();
    buffer_add_text(out, text);
    free(text);
}

/* The key as the config that states it writes it. */
static char *spell(const struct comparison *comparison, const char *key, bool is_sliding)
{
    const struct config *config = comparison->sides[0]->config;
    const char *path;

    if (!rope_member(key))
        return memory_copy(key);
    if (!find_stated(config, key, is_sliding))
        config = comparison->sides[1]->config;
    find_rope(config, is_sliding, &path);
    return memory_format("%s%s", path, rope_member(key));
}

/* ---- a difference ---- */

static bool has_same_values(const struct difference *difference)
{
    return strcmp(difference->values[0].data, difference->values[1].data) == 0;
}

static void set_fields(struct difference *difference, const struct setting *row,
                       const char *const homes[2])
{
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&difference->values[i]);
        add_field(&difference->values[i], row, homes[i]);
    }
}

/* What the configs state of `key`, or what its absence means. False when that is the same. */
static bool set_stated(struct difference *difference, const struct comparison *comparison,
                       const struct setting *row, const struct setting_key *key, bool is_sliding,
                       const char *const homes[2])
{
    const cJSON *stated[2];

    for (size_t i = 0; i < 2; i++)
        stated[i] = find_stated(comparison->sides[i]->config, key->name, is_sliding);
    if (is_stated_alike(stated[0], stated[1]))
        return false;
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&difference->values[i]);
        /* Kinds of rotary embeddings say more than their name. */
        if (stated[i] && row->kind != SETTING_ROPE_KIND)
            add_json(&difference->values[i], stated[i]);
        else if (key->absent)
            buffer_add_text(&difference->values[i], key->absent);
        else
            add_field(&difference->values[i], row, homes[i]);
    }
    return !has_same_values(difference);
}

static bool is_stated(const struct comparison *comparison, const char *key, bool is_sliding)
{
    return find_stated(comparison->sides[0]->config, key, is_sliding) ||
           find_stated(comparison->sides[1]->config, key, is_sliding);
}

/* Names a difference that no key explains: the defaults of two families, say. */
static char *name_unstated(const struct comparison *comparison, const struct setting *row,
                           bool is_sliding)
{
    const char *name = row->keys[0].name;

    if (row->plain)
        return memory_copy(row->plain);
    for (size_t i = SETTING_KEYS_MAX; i-- > 0;)
        if (row->keys[i].name && is_stated(comparison, row->keys[i].name, is_sliding))
            name = row->keys[i].name;
    return spell(comparison, name, is_sliding);
}

static void explain(struct difference *difference, const struct comparison *comparison,
                    const struct setting *row, bool is_sliding, const char *const homes[2])
{
    free(difference->name);
    difference->name = NULL;
    for (size_t i = 0; i < SETTING_KEYS_MAX && row->keys[i].name; i++)
        if (set_stated(difference, comparison, row, &row->keys[i], is_sliding, homes)) {
            difference->name = spell(comparison, row->keys[i].name, is_sliding);
            return;
        }
    set_fields(difference, row, homes);
    difference->name = name_unstated(comparison, row, is_sliding);
}

/* Of two long lists what is alike at their beginning, up to an item. */
static size_t skipped(const struct difference *difference)
{
    const char *a = difference->values[0].data, *b = difference->values[1].data;
    size_t skip = 0;

    if (difference->values[0].size <= SHOWN_MAX && difference->values[1].size <= SHOWN_MAX)
        return 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == ',')
            skip = i + 1;
    return skip;
}

/* "rope_theta is 10000 in 'a' and 500000 in 'b'"; to be freed. */
static char *describe(const struct comparison *comparison)
{
    const struct difference *difference = &comparison->difference;
    size_t skip = skipped(difference);
    struct buffer text = {0};

    for (size_t i = 0; i < 2; i++) {
        const char *value = difference->values[i].data + skip;

        buffer_format(&text, "%s %s%.*s%s in '%s'", i ? " and" : "", skip ? "..." : "", SHOWN_MAX,
                      value, strlen(value) > SHOWN_MAX ? "..." : "", comparison->sides[i]->name);
    }
    return text.data;
}

/* True the first time. */
static bool tell(struct comparison *comparison, const char *name)
{
    for (size_t i = 0; i < comparison->n_told; i++)
        if (strcmp(comparison->told[i], name) == 0)
            return false;
    comparison->told = memory_resize(comparison->told, comparison->n_told + 1,
                                     sizeof *comparison->told);
    comparison->told[comparison->n_told++] = memory_copy(name);
    return true;
}

static void release(struct comparison *comparison)
{
    free(comparison->difference.name);
    for (size_t i = 0; i < 2; i++)
        buffer_release(&comparison->difference.values[i]);
    for (size_t i = 0; i < comparison->n_told; i++)
        free(comparison->told[i]);
    free(comparison->told);
}

/* ---- rows ---- */

/* Whether the field plays a part in both models. */
static bool counts(const struct comparison *comparison, const struct setting *row,
                   enum setting_place place, const char *const homes[2])
{
    const struct rope_spec *ropes[] = {(const void *)homes[0], (const void *)homes[1]};
    const struct stack_spec *stacks[] = {(const void *)homes[0], (const void *)homes[1]};

    if (place == IN_SLIDING_ROPE && !slides(&comparison->sides[0]->spec->stack) &&
        !slides(&comparison->sides[1]->spec->stack))
        return false;
    if (row->kind == SETTING_ROPE_KIND) /* the factor has a row of its own */
        return ropes[0]->kind != ropes[1]->kind;
    if (row->rope_kinds)
        return ropes[0]->kind == ropes[1]->kind && row->rope_kinds >> ropes[0]->kind & 1;
    return row->kind != SETTING_SLIDING || (slides(stacks[0]) && slides(stacks[1]));
}

static int compare_field(struct comparison *comparison, const struct setting *row,
                         const struct setting_home *place, struct notices *notices,
                         struct error *err)
{
    const char *const homes[] = {(const char *)comparison->sides[0]->spec + place->offset,
                                 (const char *)comparison->sides[1]->spec + place->offset};
    struct difference *difference = &comparison->difference;
    char *text = NULL;
    int rc = 0;

    if (!(row->places & place->place) || !counts(comparison, row, place->place, homes))
        return 0;
    set_fields(difference, row, homes);
    if (has_same_values(difference))
        return 0;
    explain(difference, comparison, row, place->place == IN_SLIDING_ROPE, homes);
    text = describe(comparison);
    if (row->same)
        rc = error_set(err, ERROR_INCOMPATIBLE, "%s is%s; only models with the same %s can be "
                       "mixed", difference->name, text, row->same);
    else if (tell(comparison, difference->name))
        notices_add(notices, "%s is%s: the first is kept", difference->name, text);
    free(text);
    return rc;
}

int spec_compare(const struct spec_side *base, const struct spec_side *other,
                 struct notices *notices, struct error *err)
{
    struct comparison comparison = {.sides = {base, other}};
    int rc = 0;

    for (size_t r = 0; rc == 0 && r < n_settings; r++)
        for (size_t i = 0; rc == 0 && i < n_setting_homes; i++)
            rc = compare_field(&comparison, &settings[r], &setting_homes[i], notices, err);
    release(&comparison);
    return rc;
}

/* ---- texts ---- */

static void compare_key(struct comparison *comparison, const char *key, struct notices *notices)
{
    const cJSON *stated[2];
    struct buffer *values = comparison->difference.values;
    char *text;

    for (size_t i = 0; i < 2; i++)
        stated[i] = find_stated(comparison->sides[i]->config, key, false);
    if (!stated[0] || !stated[1] || is_stated_alike(stated[0], stated[1]) ||
        !tell(comparison, key))
        return;
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&values[i]);
        add_json(&values[i], stated[i]);
    }
    text = describe(comparison);
    notices_add(notices, "%s is%s: the first is kept", key, text);
    free(text);
}

void spec_compare_texts(const struct spec_side *base, const struct spec_side *other,
                        struct notices *notices)
{
    /* Besides those of the rows: whole objects, and what the loader takes one value of only. */
    static const char *const more[] = {"model_type",   "rope_scaling", "rope_parameters",
                                       "scoring_func", "topk_method",  "position_embedding_type",
                                       "mlp_gated"};
    struct comparison comparison = {.sides = {base, other}};

    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        compare_key(&comparison, more[i], notices);
    for (size_t r = 0; r < n_settings; r++)
        for (size_t i = 0; i < SETTING_KEYS_MAX && settings[r].keys[i].name; i++)
            if (settings[r].kind != SETTING_FAMILY && !rope_member(settings[r].keys[i].name))
                compare_key(&comparison, settings[r].keys[i].name, notices);
    release(&comparison);
}
