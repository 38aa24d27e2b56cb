/* config_value.h - single settings of config.json, checked as they are read. */
#ifndef COCKTAIL_CONFIG_VALUE_H
#define COCKTAIL_CONFIG_VALUE_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/error.h"

/* A number of at least `min`, or `fallback` when it is absent or null. ERROR_FORMAT names it. */
int config_value_number(const cJSON *config, const char *name, double fallback, double min,
                        double *out, struct error *err);
/* A whole number from 1 to `max`, likewise. */
int config_value_count(const cJSON *config, const char *name, size_t fallback, size_t max,
                       size_t *out, struct error *err);
/* -1: the number cannot be. */
int config_value_bad(struct error *err, const char *name, double value);

#endif
