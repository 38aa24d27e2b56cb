/* text_stream.h - the text of ids as they come: as soon as it is certain, in whole characters, and
 * no further than to a text that ends it. */
#ifndef COCKTAIL_TEXT_STREAM_H
#define COCKTAIL_TEXT_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "text/tokenizer.h"

struct text_stops { /* borrowed; texts that end the stream, none of them empty */
    const char *const *items;
    size_t n_items;
};

struct text_stream {
    const struct tokenizer *tokenizer; /* borrowed */
    struct text_stops stops;
    struct tokenizer_stream ids;
    struct buffer held; /* what could be the beginning of a stop */
};

/* kept: special tokens that are text, or NULL; borrowed, as all else. */
void text_stream_init(struct text_stream *stream, const struct tokenizer *tokenizer,
                      const struct text_stops *stops, const struct ids *kept);
void text_stream_release(struct text_stream *stream);

/* Adds to `out` what the id makes certain, maybe nothing; of special tokens that are not kept nothing.
 * 1 when a stop has come: `out` ends before it, and the stream is done. Else 0, or -1. */
int text_stream_add(struct text_stream *stream, uint32_t id, struct buffer *out,
                    struct error *err);
/* The same with what is left when no more ids come: what was held back, and of a character that is
 * not whole what the tokenizer makes of its beginning. */
int text_stream_end(struct text_stream *stream, struct buffer *out, struct error *err);

#endif
