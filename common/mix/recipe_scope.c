#include "recipe_scope.h"

#include <assert.h>
#include <string.h>

#include "arch/model_modules.h"
#include "mix/combine_settings.h"

enum { PLACES = 4 };

struct place {
    const char *name;
    const struct recipe_settings *settings;
};

/* In the order in which they are asked. */
static size_t list_places(const struct recipe_scope *scope, const struct recipe_source *source,
                          struct place *places)
{
    size_t n = 0;

    if (source)
        places[n++] = (struct place){"model", &source->settings};
    places[n++] = (struct place){"slice", &scope->slice->settings};
    places[n++] = (struct place){"module", &scope->module->settings};
    places[n++] = (struct place){"recipe", &scope->recipe->settings};
    return n;
}

/* ---- checking ---- */

static int unknown(const struct recipe_scope *scope, const struct recipe_setting *setting,
                   struct error *err)
{
    const char *nearest = combine_parameter_nearest(scope->method, setting->name);

    return recipe_fail(scope->recipe, setting->line, err, "no method has a parameter '" ERROR_NAME
                       "'%s%s%s", setting->name, nearest ? "; did you mean '" : "",
                       nearest ? nearest : "", nearest ? "'?" : "");
}

/* `source`: whose entry it is in; NULL: it stands further up. */
static int check_setting(const struct recipe_scope *scope, const struct recipe_source *source,
                         bool is_base, const struct recipe_setting *setting,
                         struct notices *notices, struct error *err)
{
    const struct combine_parameter *row = combine_parameter_find(scope->method, setting->name,
                                                                 NULL);
    const char *why = NULL;

    if (!row && !combine_parameter_is_known(setting->name))
        return unknown(scope, setting, err);
    if (row && recipe_setting_check(setting, row, scope->recipe->file, err))
        return -1;
    if (!row)
        why = "is no parameter of this method";
    else if (source && is_base)
        why = "is said of the base, which is no input";
    else if (source && row->scope == COMBINE_ALL)
        why = "holds for the whole, and not for one model";
    if (why && strcmp(setting->name, "int8_mask") != 0)
        notices_add(notices, "%s:%zu: '" ERROR_NAME "' %s (%s): it has no effect",
                    scope->recipe->file, setting->line, setting->name, why, scope->method->name);
    return 0;
}

static int check_settings(const struct recipe_scope *scope, const struct recipe_source *source,
                          const struct recipe_settings *settings, struct notices *notices,
                          struct error *err)
{
    const struct recipe_reference *base = scope->slice->base.path ? &scope->slice->base
                                                                  : &scope->recipe->base;
    bool is_base = source && base->path && scope->method->base != COMBINE_BASE_INPUT &&
                   strcmp(base->text, source->model.text) == 0;

    assert(settings);
    for (size_t i = 0; i < settings->n_items; i++)
        if (check_setting(scope, source, is_base, &settings->items[i], notices, err))
            return -1;
    return 0;
}

int recipe_scope_check(const struct recipe_scope *scope, struct notices *notices,
                       struct error *err)
{
    const struct recipe_slice *slice = scope->slice;
    bool is_first = slice == scope->module->slices;
    bool is_first_module = scope->module == scope->recipe->modules;

    for (size_t i = 0; i < slice->n_sources; i++)
        if (check_settings(scope, &slice->sources[i], &slice->sources[i].settings, notices, err))
            return -1;
    if (check_settings(scope, NULL, &slice->settings, notices, err))
        return -1;
    if (!is_first) /* the rest was looked at with the first slice */
        return 0;
    return check_settings(scope, NULL, &scope->module->settings, notices, err) ||
                   (is_first_module &&
                    check_settings(scope, NULL, &scope->recipe->settings, notices, err))
               ? -1
               : 0;
}

/* ---- values ---- */

bool recipe_scope_has(const struct recipe_scope *scope, const char *tensor)
{
    const struct recipe *recipe = scope->recipe;

    return recipe->n_modules == 1 ||
           model_modules_find(recipe->module_names, recipe->n_modules, tensor) ==
               (size_t)(scope->module - recipe->modules);
}

int recipe_scope_value(const struct recipe_scope *scope, const struct combine_parameter *row,
                       const struct recipe_source *source, const char *tensor, double t,
                       struct recipe_value *value, struct error *err)
{
    struct place places[PLACES];
    size_t n_places = list_places(scope, row->scope == COMBINE_ALL ? NULL : source, places);

    for (size_t i = 0; i < n_places; i++) {
        const struct recipe_setting *setting = recipe_settings_find(places[i].settings, row->name);
        const struct recipe_condition *condition =
            setting ? recipe_setting_value(setting, row->kind, tensor, t, &value->value) : NULL;

        if (!condition)
            continue;
        value->place = places[i].name;
        value->line = condition->line;
        value->filter = condition->filter;
        return 0;
    }
    *value = (struct recipe_value){.value = row->standard, .place = "default"};
    if (!row->is_required)
        return 0;
    return recipe_fail(scope->recipe, source ? source->line : scope->slice->line, err, "parameter '%s'"
                       " of %s has no value for '" ERROR_NAME "'%s%s%s", row->name,
                       scope->method->name, tensor, source ? " of '" : "",
                       source ? source->model.text : "", source ? "'" : "");
}
