/* tokenizer.h - text to token ids and back, exactly as the Hugging Face tokenizers library does.
 *
 * What decides: tokenizer.json and what stands beside it (docs/tokenizers.md, "Files beside it"), or
 * the files of tokenizer_fallback.h when there is none. A truncation or padding stored in the file
 * is not applied. */
#ifndef COCKTAIL_TOKENIZER_H
#define COCKTAIL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/folder.h"
#include "text/decoder.h"
#include "text/ids.h"
#include "text/token_table.h"

struct tokenizer;         /* read-only once loaded; threads share it */
struct tokenizer_scratch; /* one per thread */

/* Loads what lies in `directory` of the folder. ERROR_FORMAT when there is no tokenizer, or a
 * malformed one (the file and the component are named); ERROR_UNSUPPORTED for an unknown component. */
struct tokenizer *tokenizer_load(const struct folder *folder, const char *directory,
                                 struct error *err);
/* The same for whoever only asks which token has which id: it can be had of files that cannot be
 * run, or have faults elsewhere, and nothing but the look-ups may be asked of it. */
struct tokenizer *tokenizer_load_map(const struct folder *folder, const char *directory,
                                     struct error *err);
void tokenizer_free(struct tokenizer *tokenizer);
/* Whether one of the files lies there that a tokenizer is made of. */
bool tokenizer_is_there(const struct folder *folder, const char *directory);
/* Whether both directories have a tokenizer.json, and the same bytes in it and in all files that are read
 * with it: then both tokenizers are the same, or wrong in the same way. Errors: those of
 * folder_open_file. */
int tokenizer_has_same_files(const struct folder *a, const char *in_a, const struct folder *b,
                             const char *in_b, bool *same, struct error *err);

/* Texts are read in lower case from now on; special tokens in them stay what they are. */
int tokenizer_lower_case(struct tokenizer *tokenizer, struct error *err);

struct tokenizer_scratch *tokenizer_scratch_new(const struct tokenizer *tokenizer);
void tokenizer_scratch_free(struct tokenizer_scratch *scratch);

struct encoding { /* a zeroed struct is empty; reused from text to text */
    uint32_t *ids;           /* [n_ids] */
    uint8_t *type_ids;       /* [n_ids], 0 or 1 (or what the template says); all 0 when
                              * tokenizer_config.json says that the model is given none */
    uint8_t *is_special;     /* [n_ids], 1 for what the post-processor added */
    size_t n_ids, capacity;
    bool is_truncated;
};
void encoding_release(struct encoding *encoding);

struct encode_options {
    bool no_special;   /* add no special tokens */
    size_t max_length; /* 0: no limit; counts the special tokens. Pairs: longest first */
    bool has_marks;    /* special_marks.h: what stands between marks is text. ERROR_FORMAT where the
                        * model of the tokenizer makes the special token of it all the same */
};

/* Replaces what `out` holds. Ill-formed UTF-8 is read as U+FFFD per maximal subpart. `pair` NULL:
 * a single text. */
int tokenizer_encode(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                     const char *text, size_t n, const char *pair, size_t n_pair,
                     const struct encode_options *options, struct encoding *out,
                     struct error *err);

/* Adds the text of ids[n] to `out`; unknown ids are skipped. Fails, with nothing added, where
 * decoder_run does. */
int tokenizer_decode(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n,
                     bool skip_special, struct buffer *out, struct error *err);

/* Adds the bytes of a token that is a piece of a character and is true; else false, with nothing
 * added: it is what tokenizer_decode makes of it. */
bool tokenizer_add_piece(const struct tokenizer *tokenizer, uint32_t id, struct buffer *out);

/* Streaming: text as soon as it is certain. */
struct tokenizer_stream { /* zeroed to begin, but for: */
    const struct ids *kept; /* special tokens that are text, though others are skipped; or NULL */
    uint32_t *ids;
    size_t n_ids, capacity, n_read, n_prefix;
    struct token_list lists[2]; /* scratch, as the buffers */
    struct buffer before, now;
};
/* Adds to `out` what the new id makes certain, maybe nothing. */
int tokenizer_stream_add(const struct tokenizer *tokenizer, struct tokenizer_stream *stream,
                         uint32_t id, bool skip_special, struct buffer *out, struct error *err);
/* The same with what is left when no more ids come. */
int tokenizer_stream_end(const struct tokenizer *tokenizer, struct tokenizer_stream *stream,
                         bool skip_special, struct buffer *out, struct error *err);
void tokenizer_stream_release(struct tokenizer_stream *stream);

/* The token as the vocabulary spells it (borrowed), or NULL. */
const char *tokenizer_token(const struct tokenizer *tokenizer, uint32_t id, size_t *length);
/* ERROR_FORMAT that names the first token whose id the model `name`, with n_rows embeddings, does
 * not have. */
int tokenizer_check_ids(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n,
                        size_t n_rows, const char *name, struct error *err);
/* Id of a token of the vocabulary or an added one; false when there is none. */
bool tokenizer_find(const struct tokenizer *tokenizer, const char *token, uint32_t *id);
/* Named special tokens ("bos_token", "eos_token", "pad_token", …) of tokenizer_config.json or
 * special_tokens_map.json; false when there is none. */
bool tokenizer_special(const struct tokenizer *tokenizer, const char *name, uint32_t *id);
const char *tokenizer_type(const struct tokenizer *tokenizer); /* of its model: "BPE", … */
const char *tokenizer_file(const struct tokenizer *tokenizer); /* the name of what it was made of */
/* Of a map: its class is one that we do not know, which may number the tokens in another way. */
bool tokenizer_is_guess(const struct tokenizer *tokenizer);

/* What makes ids of a text beside the tokens' ids, in bytes that are the same for two tokenizers
 * that do the same, however their files say it. Not of a map. */
enum tokenizer_part {
    TOKENIZER_ADDED, /* the tokens that are found in a text before anything else */
    TOKENIZER_NORMALIZER,
    TOKENIZER_PRETOKENIZER,
    TOKENIZER_MODEL,    /* merges, scores, … */
    TOKENIZER_TEMPLATE, /* special tokens around a text */
};
enum { TOKENIZER_PARTS = TOKENIZER_TEMPLATE + 1 };
void tokenizer_describe(const struct tokenizer *tokenizer, enum tokenizer_part part,
                        struct buffer *out);
/* Moves all tokens out, the added ones included; the tokenizer can only be freed then. Released with
 * token_table_release, also when it fails. */
int tokenizer_take_tokens(struct tokenizer *tokenizer, struct token_table *tokens,
                          struct error *err);

#endif
