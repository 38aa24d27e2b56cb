#include "unused.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

enum { NAMES_MAX = 16 };

void unused_add(struct unused *unused, const char *name, size_t line)
{
    for (size_t i = 0; i < unused->n_items; i++)
        if (strcmp(unused->items[i].name, name) == 0)
            return;
    if (unused->n_items == NAMES_MAX) {
        unused->has_more = true;
        return;
    }
    unused->items = memory_resize(unused->items, unused->n_items + 1, sizeof *unused->items);
    unused->items[unused->n_items++] = (struct unused_member){memory_copy(name), line};
}

void unused_note(const struct unused *unused, const char *file, struct notices *notices)
{
    struct buffer names = {0};

    for (size_t i = 0; i < unused->n_items; i++)
        buffer_format(&names, "%s\"" ERROR_NAME "\" (from line %zu)", i ? ", " : "",
                      unused->items[i].name, unused->items[i].line);
    if (names.size)
        notices_add(notices, "'%s': not used: %s%s", file, names.data,
                    unused->has_more ? ", and others" : "");
    buffer_release(&names);
}

void unused_release(struct unused *unused)
{
    for (size_t i = 0; i < unused->n_items; i++)
        free(unused->items[i].name);
    free(unused->items);
    *unused = (struct unused){0};
}
