/* name_pattern.h - regular expressions of adapter_config.json, for names of modules.
 *
 * They are Python's, and come from strangers: PCRE2 runs them, and all that one configuration has
 * share an amount of work (docs/adapters.md, "Patterns"). One of letters, digits, "_" and dots is
 * compared without PCRE2: configurations may name thousands of modules so. */
#ifndef COCKTAIL_NAME_PATTERN_H
#define COCKTAIL_NAME_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct name_pattern;

/* A comparison of two names is the unit; a step of PCRE2 counts as NAME_PATTERN_STEP of them. */
enum { NAME_PATTERN_STEP = 64, NAME_PATTERN_WORK = 20 * 1000 * 1000 * NAME_PATTERN_STEP };

/* Of the whole name, or, when it `is_end`, also of what stands behind a dot. NULL with ERROR_FORMAT;
 * freed with name_pattern_free. */
struct name_pattern *name_pattern_new(const char *text, bool is_end, struct error *err);
void name_pattern_free(struct name_pattern *pattern);
/* 1, 0, or -1 with ERROR_FORMAT when *work, from which its own is taken, is used up. Not for several
 * threads at once. */
int name_pattern_match(const struct name_pattern *pattern, const char *name, size_t length,
                       size_t *work, struct error *err);
/* Takes `n` units from what is left: -1 with ERROR_FORMAT when they are not there. */
int name_pattern_spend(size_t *work, size_t n, struct error *err);

#endif
