/* pretokenizer.h - the second stage: cut normalized text into words.
 * Rules: docs/tokenizers.md, "Pre-tokenizers"; for the well-known patterns: docs/tokenizers.md,
 * "Scanners". */
#ifndef COCKTAIL_PRETOKENIZER_H
#define COCKTAIL_PRETOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "text/pieces.h"

struct pretokenizer;

/* From the "pre_tokenizer" member (NULL or null: none). NULL with an error that names the component
 * and the member. Freed with pretokenizer_free. */
struct pretokenizer *pretokenizer_new(const cJSON *json, struct error *err);
void pretokenizer_free(struct pretokenizer *pretokenizer);

/* Every ByteLevel step's add_prefix_space := value (tokenizer_config.json of ByteLevel classes). */
void pretokenizer_set_prefix_space(struct pretokenizer *pretokenizer, bool add_prefix_space);

/* Adds what it does, in bytes that are the same for two that do the same steps, however their
 * files spell them. */
void pretokenizer_describe(const struct pretokenizer *pretokenizer, struct buffer *out);

/* Whether the last step is ByteLevel. Then the pieces that come out hold the raw bytes, NOT the
 * display characters: models are told to read their vocabulary so (subword_finish), which saves
 * mapping every byte. A ByteLevel that other steps follow (Falcon) does map, and this is false. */
bool pretokenizer_is_byte_level(const struct pretokenizer *pretokenizer);

/* A scanner: the end of the word that starts at text[at] (at < n), text[n] being all of a piece.
 * Not NULL when the pretokenizer is nothing but one of the well-known patterns (and ByteLevel
 * without prefix space behind it): then words can be taken one by one without a list. The slow way
 * gives the same. Ask again after pretokenizer_set_prefix_space. */
typedef size_t pretokenizer_scan(const char *text, size_t n, size_t at);
pretokenizer_scan *pretokenizer_scanner(const struct pretokenizer *pretokenizer);

/* Replaces the pieces by smaller ones; `spare` is used in between and may be swapped in. Fails only
 * when a regular expression gives up (ERROR_UNSUPPORTED). */
int pretokenizer_run(const struct pretokenizer *pretokenizer, struct pieces *pieces,
                     struct pieces *spare, struct error *err);

/* The set of display characters: byte -> code point and back (-1: not one of them). */
unsigned pretokenizer_byte_to_display(unsigned char byte);
int pretokenizer_display_to_byte(unsigned code_point);

#endif
