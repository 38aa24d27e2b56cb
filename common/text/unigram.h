/* unigram.h - the pieces whose scores add up to most (Viterbi), as SentencePiece does. */
#ifndef COCKTAIL_UNIGRAM_H
#define COCKTAIL_UNIGRAM_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json_reader.h"
#include "text/subword.h"
#include "text/token_table.h"

struct unigram_pieces { /* a zeroed struct is empty */
    struct token_table tokens; /* the id is the place in the list */
    double *scores;            /* [tokens.n_entries] */
    size_t capacity;
};

/* The next piece. ERROR_FORMAT for a score that is not finite. */
int unigram_add_piece(struct unigram_pieces *pieces, const char *piece, size_t length,
                      double score, struct error *err);
/* [["piece", score], …], the reader standing before it. */
int unigram_read_pieces(struct unigram_pieces *pieces, struct json_reader *reader,
                        struct error *err);
void unigram_release_pieces(struct unigram_pieces *pieces);

struct unigram_settings {
    bool has_unk;
    size_t unk_id;
    bool byte_fallback;
};

/* Takes over *pieces, also when it fails. */
struct subword *unigram_new(struct unigram_pieces *pieces, const struct unigram_settings *settings,
                            struct error *err);

#endif
