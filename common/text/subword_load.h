/* subword_load.h - the "model" object of tokenizer.json. */
#ifndef COCKTAIL_SUBWORD_LOAD_H
#define COCKTAIL_SUBWORD_LOAD_H

#include "base/error.h"
#include "base/json_reader.h"
#include "text/subword.h"

/* Reads it (the reader stands before it; the file may be 31 MB, so no tree is made). An absent type
 * is guessed as old files need. NULL with ERROR_FORMAT or ERROR_UNSUPPORTED (unknown type,
 * dropout > 0). Freed with subword_free. */
struct subword *subword_load(struct json_reader *reader, struct error *err);

/* The same as a map (subword_new_map): what cannot be run does not matter. */
struct subword *subword_load_map(struct json_reader *reader, struct error *err);

#endif
