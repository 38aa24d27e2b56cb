#include "id_line.h"

int id_line_read(const char *line, size_t n, struct ids *ids, struct error *err)
{
    ids_clear(ids);
    for (size_t at = 0; at < n;) {
        size_t start;
        uint32_t id = 0;

        if (line[at] == ' ' || line[at] == '\t') {
            at++;
            continue;
        }
        for (start = at; at < n && line[at] >= '0' && line[at] <= '9'; at++)
            if (__builtin_mul_overflow(id, 10u, &id) ||
                __builtin_add_overflow(id, (uint32_t)(line[at] - '0'), &id))
                return error_set(err, ERROR_FORMAT, "an id above 2^32-1");
        if (at == start || (at < n && line[at] != ' ' && line[at] != '\t'))
            return error_set(err, ERROR_FORMAT, "at byte %zu: not a list of ids", at);
        ids_add(ids, id);
    }
    return 0;
}
