#include "alphabet.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/unicode.h"

enum { N_BLOCKS = CODE_SET_END >> 8 };

struct toggle { /* from this code point on, membership in the set changes */
    uint32_t at, set;
};

static int compare_toggles(const void *a, const void *b)
{
    const struct toggle *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

/* Kinds are found one after the other; a kind is known by the sets that it is in. */
struct kinds {
    uint64_t *members; /* [256, n_words] */
    size_t n_words, n_kinds;
};

/* The letter of a kind: 1, 2, … without '\n', which is kept for the kind that is in set 0.
 * 0: no letter is left. */
static uint8_t letter_of(struct kinds *kinds, const uint64_t *members)
{
    size_t size = kinds->n_words * sizeof *members;
    size_t letter = '\n';

    if (!(members[0] & 1)) {
        for (letter = 1; letter <= kinds->n_kinds; letter++)
            if (letter != '\n' &&
                memcmp(kinds->members + letter * kinds->n_words, members, size) == 0)
                return (uint8_t)letter;
        if (letter == '\n')
            letter++;
        if (letter > 255)
            return 0;
        kinds->n_kinds = letter;
    }
    memcpy(kinds->members + letter * kinds->n_words, members, size);
    return (uint8_t)letter;
}

static size_t collect(const struct code_set *sets, size_t n_sets, struct toggle **toggles)
{
    size_t n = 0;

    for (size_t i = 0; i < n_sets; i++)
        n += sets[i].n_bounds;
    *toggles = memory_zalloc(n + 1, sizeof **toggles);
    n = 0;
    for (size_t i = 0; i < n_sets; i++)
        for (size_t k = 0; k < sets[i].n_bounds; k++)
            (*toggles)[n++] = (struct toggle){sets[i].bounds[k], (uint32_t)i};
    qsort(*toggles, n, sizeof **toggles, compare_toggles);
    return n;
}

/* Writes the letter of every code point to letters[CODE_SET_END]. */
static int divide(struct alphabet *alphabet, const struct code_set *sets, size_t n_sets,
                  uint8_t *letters)
{
    struct toggle *toggles;
    size_t n_toggles = collect(sets, n_sets, &toggles), i = 0;
    struct kinds kinds = {.n_words = n_sets / 64 + 1};
    uint64_t *members = memory_zalloc(kinds.n_words, sizeof *members);
    uint32_t at = 0;
    int rc = 0;

    kinds.members = memory_zalloc(256 * kinds.n_words, sizeof *members);
    while (at < CODE_SET_END && rc == 0) {
        uint32_t end;
        uint8_t letter;

        for (; i < n_toggles && toggles[i].at == at; i++)
            members[toggles[i].set / 64] ^= (uint64_t)1 << toggles[i].set % 64;
        end = i < n_toggles ? toggles[i].at : CODE_SET_END;
        letter = letter_of(&kinds, members);
        if (letter == 0)
            rc = -1;
        alphabet->samples[letter] = at;
        memset(letters + at, letter, end - at);
        at = end;
    }
    free(kinds.members);
    free(members);
    free(toggles);
    return rc;
}

/* Most blocks are of one letter, or equal to the block before. */
static void fold_blocks(struct alphabet *alphabet, const uint8_t *letters)
{
    size_t n_blocks = 0;
    int uniform[256];

    alphabet->stage_2 = memory_alloc(CODE_SET_END);
    memset(uniform, -1, sizeof uniform);
    for (size_t i = 0; i < N_BLOCKS; i++) {
        const uint8_t *block = letters + 256 * i;
        bool is_uniform = memcmp(block, block + 1, 255) == 0;

        if (is_uniform && uniform[block[0]] >= 0) {
            alphabet->stage_1[i] = (uint16_t)uniform[block[0]];
            continue;
        }
        if (is_uniform)
            uniform[block[0]] = (int)n_blocks;
        memcpy(alphabet->stage_2 + 256 * n_blocks, block, 256);
        alphabet->stage_1[i] = (uint16_t)n_blocks++;
    }
    alphabet->stage_2 = memory_resize(alphabet->stage_2, n_blocks, 256);
    memcpy(alphabet->of_ascii, letters, sizeof alphabet->of_ascii);
}

int alphabet_init(struct alphabet *alphabet, const struct code_set *sets, size_t n_sets)
{
    uint8_t *letters = memory_alloc(CODE_SET_END);
    int rc;

    for (size_t i = 0; i < 256; i++)
        alphabet->samples[i] = CODE_SET_END;
    rc = divide(alphabet, sets, n_sets, letters);
    if (rc == 0)
        fold_blocks(alphabet, letters);
    free(letters);
    return rc;
}

void alphabet_release(struct alphabet *alphabet)
{
    free(alphabet->stage_2);
    *alphabet = (struct alphabet){0};
}

size_t alphabet_map(const struct alphabet *alphabet, const char *text, size_t n, uint8_t *out)
{
    size_t n_out = 0;

    for (size_t at = 0; at < n;) {
        unsigned char byte = (unsigned char)text[at];
        uint32_t code_point;

        if (byte < 0x80) {
            out[n_out++] = alphabet->of_ascii[byte];
            at++;
            continue;
        }
        at += unicode_decode(text, at, &code_point);
        out[n_out++] = alphabet_letter(alphabet, code_point);
    }
    return n_out;
}
