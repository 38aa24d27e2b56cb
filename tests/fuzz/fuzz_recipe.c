/* fuzz_recipe.c - any bytes as a recipe: refused with FILE:LINE and a reason, or documents whose
 * settings have a value for every tensor and every place of the layers. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mix/combine.h"
#include "mix/recipe.h"
#include "mix/recipe_scope.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_error(const struct error *err)
{
    char *end;

    MUST(err->code == ERROR_FORMAT);
    MUST(strncmp(err->text, "r.yml:", 6) == 0);
    MUST(strtoul(err->text + 6, &end, 10) > 0 && strncmp(end, ": ", 2) == 0 && end[2]);
}

/* What is checked has a value that the parameter takes, but where a list is empty or no filter fits. */
static void check_value(const struct recipe_scope *scope, const struct combine_parameter *row,
                        const struct recipe_source *source, const char *tensor, double t)
{
    struct recipe_value value;
    struct error err = {0};

    if (recipe_scope_value(scope, row, source, tensor, t, &value, &err)) {
        MUST(row->is_required);
        check_error(&err);
        return;
    }
    MUST(value.place && (value.line > 0 || !value.filter));
    MUST(value.line == 0 || isfinite(value.value));
    MUST(row->kind != COMBINE_BOOLEAN || value.value == 0 || value.value == 1);
}

static void check_values(const struct recipe_scope *scope)
{
    static const char *const tensors[] = {"lm_head.weight", "model.layers.11.mlp.up_proj.weight"};
    static const double places[] = {0, 1.0 / 3, 1};

    for (size_t i = 0; i < scope->method->n_parameters; i++) {
        const struct combine_parameter *row = &scope->method->parameters[i];
        size_t n_sources = row->scope == COMBINE_ALL ? 0 : scope->slice->n_sources;

        for (size_t k = 0; k < 6; k++)
            check_value(scope, row, NULL, tensors[k % 2], places[k / 2]);
        for (size_t k = 0; k < n_sources * 6; k++)
            check_value(scope, row, &scope->slice->sources[k / 6], tensors[k % 2],
                        places[k % 6 / 2]);
    }
}

static void check_recipe(const struct recipe *recipe)
{
    const struct combine_method *method = combine_method_find(recipe->method);

    MUST(recipe->line > 0 && recipe->n_modules > 0);
    for (size_t m = 0; method && m < recipe->n_modules; m++) {
        const struct recipe_module *module = &recipe->modules[m];

        MUST(module->n_slices > 0);
        for (size_t i = 0; i < module->n_slices; i++) {
            struct recipe_scope scope = {recipe, module, &module->slices[i], method};
            struct notices notices = {0};
            struct error err = {0};

            if (recipe_scope_check(&scope, &notices, &err) == 0)
                check_values(&scope);
            else
                check_error(&err);
            notices_release(&notices);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct recipes recipes;
    struct notices notices = {0};
    struct error err = {0};

    if (recipes_parse(&recipes, (const char *)bytes, size, "r.yml", &notices, &err) == 0) {
        MUST(err.code == ERROR_NONE && recipes.n_items > 0);
        MUST(recipes.size == size && memcmp(recipes.text, bytes, size) == 0);
        for (size_t i = 0; i < recipes.n_items; i++)
            check_recipe(&recipes.items[i]);
        recipes_release(&recipes);
    } else {
        check_error(&err);
    }
    notices_release(&notices);
    return 0;
}
