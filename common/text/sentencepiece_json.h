/* sentencepiece_json.h - what sentencepiece does around its pieces, as members of a tokenizer.json. */
#ifndef COCKTAIL_SENTENCEPIECE_JSON_H
#define COCKTAIL_SENTENCEPIECE_JSON_H

#include <stdbool.h>

#include "base/json_writer.h"

#define SENTENCEPIECE_SPACE "\xe2\x96\x81" /* U+2581, what it has for a space */

/* {"type":"Replace"}; `kind` of the pattern: "String" or "Regex". */
void sentencepiece_add_replace(struct json_writer *json, const char *key, const char *kind,
                               const char *pattern, const char *content);
/* {"type":"Metaspace"} */
void sentencepiece_add_metaspace(struct json_writer *json, const char *key,
                                 const char *prepend_scheme, bool split);
/* The member normalizer: a space is U+2581, and one stands in front where it `prepends`. */
void sentencepiece_add_normalizer(struct json_writer *json, bool prepends);
/* The member decoder: the other way round. */
void sentencepiece_add_decoder(struct json_writer *json, bool strips);

#endif
