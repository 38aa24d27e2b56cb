#include "nearest.h"

#include <stdbool.h>
#include <string.h>

enum { WORD_MAX = 31 }; /* longer words are not compared: nobody mistypes those */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to change, add, remove or swap with their neighbour (optimal string alignment). */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t rows[WORD_MAX + 1][WORD_MAX + 1];

    for (size_t i = 0; i <= n_a; i++) {
        for (size_t j = 0; j <= n_b; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            rows[i][j] = smaller(smaller(rows[i - 1][j], rows[i][j - 1]) + 1,
                                 rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[i][j] = smaller(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    }
    return rows[n_a][n_b];
}

/* "params" of "parameters": begins alike, and has all its letters in their order. */
static bool is_short_for(const char *typed, const char *word)
{
    if (strlen(typed) < 4 || strncmp(typed, word, 2) != 0)
        return false;
    for (; *word && *typed; word++)
        typed += *typed == *word;
    return *typed == '\0';
}

void nearest_consider(struct nearest *nearest, const char *word)
{
    size_t n_typed = strlen(nearest->typed), n_word = strlen(word), distance;
    /* Among short words everything is near everything. */
    size_t limit = n_typed < 4 ? 1 : n_typed < 7 ? 2 : 3;

    if (n_typed == 0 || n_typed > WORD_MAX || n_word > WORD_MAX)
        return;
    if (n_typed >= 2 && n_word > n_typed && strncmp(word, nearest->typed, n_typed) == 0)
        distance = 1;
    else
        distance = edit_distance(nearest->typed, n_typed, word, n_word);
    if (distance > limit && is_short_for(nearest->typed, word))
        distance = limit;
    if (distance <= limit && (!nearest->word || distance < nearest->distance)) {
        nearest->word = word;
        nearest->distance = distance;
    }
}
