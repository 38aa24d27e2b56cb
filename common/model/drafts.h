/* drafts.h - guesses at how a text goes on: as it did behind its last tokens when these came before.
 *
 * A step with a few tokens waits for the weights as long as one with a single token. So guesses are
 * run together with the token before them: those that the model would have chosen need no step of
 * their own, the others are forgotten. */
#ifndef COCKTAIL_DRAFTS_H
#define COCKTAIL_DRAFTS_H

#include <stddef.h>
#include <stdint.h>

#include "text/ids.h"

enum { DRAFTS_MAX = 3 };

struct drafts { /* zeroed: none yet */
    uint32_t ids[DRAFTS_MAX];
    size_t n_ids;
    size_t n_missed; /* guesses one behind the other of which nothing was right */
    size_t n_waits;  /* steps without a guess: the more misses, the more of them */
};

/* At most n_most of them, DRAFTS_MAX at most, behind the text. */
void drafts_guess(struct drafts *drafts, const struct ids *text, size_t n_most);
/* How many of them were right. */
void drafts_learn(struct drafts *drafts, size_t n_right);

#endif
