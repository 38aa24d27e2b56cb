/* texts_pass.h - a decoder's texts: who comes in, and one pass over those that are there. */
#ifndef COCKTAIL_TEXTS_PASS_H
#define COCKTAIL_TEXTS_PASS_H

#include <stddef.h>

#include "serve/lane.h"

/* Texts of the first in line, as long as fewer than n_parallel run; none of jobs that came after
 * `last_s`. */
void texts_pass_admit(struct lane *lane, size_t n_parallel, double last_s);
/* One step. `cache_bytes`: what caches of this lane may take. */
void texts_pass_run(struct lane *lane, size_t cache_bytes);

#endif
