#include "gguf_parts.h"

#include <string.h>

#include "base/memory.h"

enum { DIGITS = 5, TAIL = sizeof "-00001-of-00003.gguf" - 1 };

/* ---- names ---- */

static bool read_digits(const char *text, unsigned *number)
{
    *number = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = 10 * *number + (unsigned)(text[i] - '0');
    }
    return true;
}

bool gguf_parts_name(const char *path, unsigned *number, unsigned *n_parts)
{
    size_t n = strlen(path);
    const char *tail = path + n - TAIL;

    return n > TAIL && tail[0] == '-' && read_digits(tail + 1, number) &&
           strncmp(tail + 1 + DIGITS, "-of-", 4) == 0 && read_digits(tail + 5 + DIGITS, n_parts) &&
           strcmp(tail + 5 + 2 * DIGITS, ".gguf") == 0;
}

char *gguf_parts_path(const char *path, unsigned number)
{
    size_t n = strlen(path);

    return memory_format("%.*s-%05u%s", (int)(n - TAIL), path, number,
                         path + n - TAIL + 1 + DIGITS);
}

/* ---- what the parts say ---- */

/* A whole number from 0 on; `absent` where the file does not say it. */
static int find_count(const struct gguf *gguf, const char *key, size_t absent, size_t *count,
                      struct error *err)
{
    const struct gguf_value *value = gguf_find(gguf, key);
    double number;

    *count = absent;
    if (!value)
        return 0;
    number = gguf_is_number(value) && !value->is_array ? gguf_number(value, 0) : -1;
    if (!(number >= 0 && number <= INT32_MAX) || number != (double)(size_t)number)
        return error_set(err, ERROR_FORMAT, "metadata '%s': not a whole number from 0 on", key);
    *count = (size_t)number;
    return 0;
}

static int check_number(const struct gguf *gguf, size_t file, const struct checkpoint *checkpoint,
                        struct error *err)
{
    size_t n_parts, number;

    if (find_count(gguf, "split.count", 1, &n_parts, err) ||
        find_count(gguf, "split.no", 0, &number, err))
        return -1;
    if (n_parts == 0)
        n_parts = 1; /* what llama.cpp takes for a file that is not split */
    if (n_parts != checkpoint->n_files)
        return error_set(err, ERROR_FORMAT, "metadata 'split.count' is %zu, its name says %zu; "
                         "part 1 of 3 is called NAME-00001-of-00003.gguf", n_parts,
                         checkpoint->n_files);
    if (number != file)
        return error_set(err, ERROR_FORMAT, "metadata 'split.no' is %zu, its name says %zu, "
                         "counted from 0", number, file);
    return 0;
}

int gguf_parts_check(const struct gguf *gguf, size_t file, const struct checkpoint *checkpoint,
                     struct error *err)
{
    static const char key[] = "split.tensors.count";
    size_t n_tensors, n_first;

    if (check_number(gguf, file, checkpoint, err) || find_count(gguf, key, 0, &n_tensors, err))
        return -1;
    if (file == 0)
        return 0;
    if (find_count(checkpoint->gguf, key, 0, &n_first, err))
        return -1;
    if (n_first != n_tensors)
        return error_set(err, ERROR_FORMAT, "metadata '%s' is %zu, in the first part %zu", key,
                         n_tensors, n_first);
    return 0;
}

int gguf_parts_finish(const struct checkpoint *checkpoint, struct error *err)
{
    size_t n_tensors;

    if (find_count(checkpoint->gguf, "split.tensors.count", checkpoint->n_tensors, &n_tensors,
                   err))
        return -1;
    if (n_tensors != checkpoint->n_tensors)
        return error_set(err, ERROR_FORMAT, "metadata 'split.tensors.count' is %zu, there are %zu "
                         "tensors in all parts", n_tensors, checkpoint->n_tensors);
    return 0;
}
