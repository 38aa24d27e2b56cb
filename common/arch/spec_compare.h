/* spec_compare.h - do two models compute alike, by what the loader makes of their configs.
 *
 * Compared is the meaning, field by field (spec_settings.h): defaults are filled in, and two
 * spellings of one value are no difference. The texts of the configs serve for names and values in
 * messages only. */
#ifndef COCKTAIL_SPEC_COMPARE_H
#define COCKTAIL_SPEC_COMPARE_H

#include "arch/config.h"
#include "arch/model_spec.h"
#include "base/error.h"
#include "base/notices.h"

struct spec_side { /* all borrowed */
    const char *name; /* of the model, for messages */
    const struct config *config;
    const struct model_spec *spec; /* of this config */
};

/* ERROR_INCOMPATIBLE for other sizes or another kind of norm, positions, activation, router and the
 * like; what else differs becomes a notice with both values, one for each key. */
int spec_compare(const struct spec_side *base, const struct spec_side *other,
                 struct notices *notices, struct error *err);

/* For configs that the loader knows nothing of (spec is not looked at): the same keys, where both
 * state them, as texts. */
void spec_compare_texts(const struct spec_side *base, const struct spec_side *other,
                        struct notices *notices);

#endif
