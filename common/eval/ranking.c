#include "ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void ranking_add(struct ranking *ranking, float score, size_t line, const char *text, size_t n)
{
    struct passage passage = {score, line, n, memory_zalloc(n + 1, 1)};

    memcpy(passage.text, text, n);
    if (ranking->n_passages == ranking->capacity) {
        ranking->capacity = ranking->capacity ? 2 * ranking->capacity : 64;
        ranking->passages = memory_resize(ranking->passages, ranking->capacity,
                                          sizeof *ranking->passages);
    }
    ranking->passages[ranking->n_passages++] = passage;
}

static int compare(const void *a, const void *b)
{
    const struct passage *x = a, *y = b;

    if (isnan(x->score) != isnan(y->score))
        return isnan(x->score) ? 1 : -1;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

void ranking_sort(struct ranking *ranking, size_t top)
{
    if (ranking->n_passages)
        qsort(ranking->passages, ranking->n_passages, sizeof *ranking->passages, compare);
    while (top && ranking->n_passages > top)
        free(ranking->passages[--ranking->n_passages].text);
}

void ranking_release(struct ranking *ranking)
{
    for (size_t i = 0; i < ranking->n_passages; i++)
        free(ranking->passages[i].text);
    free(ranking->passages);
    *ranking = (struct ranking){0};
}
