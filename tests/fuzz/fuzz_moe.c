/* fuzz_moe.c - any bytes as the file of a mixture of experts: refused with FILE:LINE and a reason, or
 * nothing that mergekit-moe would reject. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mix/moe_recipe.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_expert(const struct moe_recipe_expert *expert)
{
    MUST(expert->model.path && *expert->model.path && expert->line > 0);
    MUST(isfinite((float)expert->noise) && isfinite((float)expert->scale));
    for (size_t i = 0; i < expert->positive.n_items; i++)
        MUST(expert->positive.items[i]);
    for (size_t i = 0; i < expert->negative.n_items; i++)
        MUST(expert->negative.items[i]);
}

static void check_recipe(const struct moe_recipe *recipe)
{
    MUST(recipe->base.path && recipe->n_chosen >= 1 && recipe->n_experts >= recipe->n_chosen);
    for (size_t i = 0; i < recipe->n_experts; i++) {
        check_expert(&recipe->experts[i]);
        MUST(recipe->gate == MOE_GATE_RANDOM || recipe->experts[i].positive.n_items);
    }
    for (size_t i = 0; i < recipe->n_shared; i++)
        check_expert(&recipe->shared[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct moe_recipe recipe;
    struct notices notices = {0};
    struct error err = {0};
    char *end;

    if (moe_recipe_parse(&recipe, (const char *)bytes, size, "m.yml", size % 2, &notices, &err) == 0) {
        MUST(err.code == ERROR_NONE && recipe.size == size);
        MUST(memcmp(recipe.text, bytes, size) == 0);
        check_recipe(&recipe);
        moe_recipe_release(&recipe);
    } else {
        MUST(err.code == ERROR_FORMAT || err.code == ERROR_UNSUPPORTED);
        MUST(strncmp(err.text, "m.yml:", 6) == 0 && strtoul(err.text + 6, &end, 10) > 0);
        MUST(strncmp(end, ": ", 2) == 0 && end[2]);
    }
    notices_release(&notices);
    return 0;
}
