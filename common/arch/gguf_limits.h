/* gguf_limits.h - what a GGUF file cannot say of a model.
 *
 * llama.cpp computes some things in one way for all models of an architecture, and no key says
 * otherwise: it would run such a file, and give something else. Source: docs/models.md, "What GGUF
 * cannot say". */
#ifndef COCKTAIL_GGUF_LIMITS_H
#define COCKTAIL_GGUF_LIMITS_H

#include "arch/gguf_names.h"
#include "arch/model_spec.h"
#include "base/error.h"

/* ERROR_UNSUPPORTED names the first such thing. */
int gguf_limits_check(const struct gguf_architecture *architecture, const struct model_spec *spec,
                      struct error *err);

/* Whether layer `layer` slides where the file says nothing of which do. */
bool gguf_limits_slides(const struct gguf_architecture *architecture, size_t layer);

#endif
