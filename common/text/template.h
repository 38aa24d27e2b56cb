/* template.h - post-processing: which special tokens stand around a text or a pair of texts.
 *
 * All post-processors that add ids (Template, Bert, Roberta, bos/eos flags) become two lists of
 * parts, one for a single text, one for a pair. Rules: docs/tokenizers.md,
 * "Post-processors". */
#ifndef COCKTAIL_TEMPLATE_H
#define COCKTAIL_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

enum template_kind { TEMPLATE_FIRST, TEMPLATE_SECOND, TEMPLATE_SPECIAL };

struct template_part {
    enum template_kind kind;
    uint8_t type_id;
    uint32_t *ids; /* of a special part, owned */
    size_t n_ids;
};

struct template_list {
    struct template_part *parts;
    size_t n_parts;
};

struct template { /* zeroed: nothing is added, types 0 and 1 */
    struct template_list single, pair;
};

/* From the "post_processor" member (NULL or null: none). ERROR_FORMAT or ERROR_UNSUPPORTED names
 * the component. Released with template_release. */
int template_load(struct template *template, const cJSON *json, struct error *err);
void template_release(struct template *template);

/* [bos] A [eos] and [bos] A [eos] [bos] B [eos] (the second half of type 1). NULL leaves one out. */
void template_from_flags(struct template *template, const uint32_t *bos, const uint32_t *eos);

/* Adds what stands around a text and a pair, in bytes that are the same for two that do the same. */
void template_describe(const struct template *template, struct buffer *out);

/* How many ids it adds. */
size_t template_n_added(const struct template_list *list);

#endif
