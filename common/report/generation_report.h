/* generation_report.h - a text that a model has made, as `generate --json` shows it. */
#ifndef COCKTAIL_GENERATION_REPORT_H
#define COCKTAIL_GENERATION_REPORT_H

#include <stddef.h>

#include "base/json_writer.h"
#include "model/generation.h"

/* A whole object, of a generation that has ended well. `seconds`: from its first new token to the
 * last. */
void generation_report_add_json(struct json_writer *json, const struct generation *generation,
                                size_t n_prompt_tokens, double seconds);

#endif
