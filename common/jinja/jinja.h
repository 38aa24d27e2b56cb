/* jinja.h - templates: compiled once, rendered often, by several threads if need be.
 *
 * The language is what transformers runs: docs/templates.md. */
#ifndef COCKTAIL_JINJA_H
#define COCKTAIL_JINJA_H

#include "base/buffer.h"
#include "base/error.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

struct jinja_template;

/* NULL on error: ERROR_FORMAT for what is not valid, ERROR_UNSUPPORTED for statements, filters and
 * tests that are not known; the error names the line. */
struct jinja_template *jinja_compile(const char *source, size_t size, struct error *err);
void jinja_template_free(struct jinja_template *template);

/* Adds what the template makes of the variables in `context`, which lie in the heap; on failure
 * nothing. Errors go to the heap's. */
int jinja_render(const struct jinja_template *template, struct jinja_heap *heap,
                 const struct jinja_dict *context, struct buffer *out);

#endif
