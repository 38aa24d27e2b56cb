#include "adapter_path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* 0: neither side is a path, 1: what stands before the "+", 2: both. */
static int count_paths(const char *text, const char *plus)
{
    char *base = memory_format("%.*s", (int)(plus - text), text);
    int n = access(base, F_OK) != 0 ? 0 : access(plus + 1, F_OK) == 0 ? 2 : 1;

    free(base);
    return n;
}

bool adapter_path_split(const char *text, char **base, char **adapter)
{
    const char *best = NULL;
    int most = -1;

    if (access(text, F_OK) == 0)
        return false;
    for (const char *plus = strchr(text, '+'); plus; plus = strchr(plus + 1, '+')) {
        int n = plus == text || !plus[1] ? -1 : count_paths(text, plus);

        if (n > most) {
            most = n;
            best = plus;
        }
    }
    if (!best)
        return false;
    *base = memory_format("%.*s", (int)(best - text), text);
    *adapter = memory_copy(best + 1);
    return true;
}
