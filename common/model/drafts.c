#include "drafts.h"

#include <string.h>

enum { MATCHED = 3, WAIT_MAX = 64 };

/* Where the text goes on behind the last place at which its last tokens stand, too; 0: there is none. */
static size_t find_repeated(const struct ids *text)
{
    const uint32_t *last = text->items + text->n_items - MATCHED;

    for (size_t at = text->n_items - 1; at >= MATCHED; at--)
        if (memcmp(text->items + at - MATCHED, last, MATCHED * sizeof *last) == 0)
            return at;
    return 0;
}

void drafts_guess(struct drafts *drafts, const struct ids *text, size_t n_most)
{
    size_t at;

    drafts->n_ids = 0;
    if (drafts->n_waits > 0) {
        drafts->n_waits--;
        return;
    }
    at = n_most && text->n_items > MATCHED ? find_repeated(text) : 0;
    if (!at)
        return;
    for (; drafts->n_ids < n_most && drafts->n_ids < DRAFTS_MAX; at++)
        drafts->ids[drafts->n_ids++] = at < text->n_items ? text->items[at]
                                                          : drafts->ids[at - text->n_items];
}

void drafts_learn(struct drafts *drafts, size_t n_right)
{
    if (drafts->n_ids == 0)
        return;
    drafts->n_missed = n_right ? 0 : drafts->n_missed + 1;
    drafts->n_waits = 1;
    for (size_t i = 0; i < drafts->n_missed && drafts->n_waits < WAIT_MAX; i++)
        drafts->n_waits *= 2;
    drafts->n_waits--;
}
