/* family_moe.h - what config.json says of experts alike in many families. */
#ifndef COCKTAIL_FAMILY_MOE_H
#define COCKTAIL_FAMILY_MOE_H

#include <cjson/cJSON.h>

#include "arch/model_spec.h"

/* How many experts there are and how many of them a token meets: in the spellings that models of
 * the family obey, else what its class has (0 where that has none). */
int family_moe_read_counts(struct model_spec *spec, const cJSON *config, struct error *err);
/* These, checked, and then the router and experts in every layer: as wide as the MLP of a dense
 * model, where no setting of the family's says otherwise. */
int family_moe_read(struct model_spec *spec, const cJSON *config, struct error *err);

#endif
