/* ranking.h - passages, best first. */
#ifndef COCKTAIL_RANKING_H
#define COCKTAIL_RANKING_H

#include <stddef.h>

struct passage {
    float score;
    size_t line, n; /* n bytes of text */
    char *text;     /* with a NUL behind it */
};

struct ranking { /* a zeroed struct has none */
    struct passage *passages; /* [n_passages] */
    size_t n_passages, capacity;
};

/* Adds one to the end; text[n] is copied. */
void ranking_add(struct ranking *ranking, float score, size_t line, const char *text, size_t n);
/* Sorts: best first, equal ones by their lines, and what is no number last. Then only the best `top`
 * stay; 0: all. */
void ranking_sort(struct ranking *ranking, size_t top);
void ranking_release(struct ranking *ranking);

#endif
