/* gguf.h - what a GGUF file says of itself: typed values under names.
 *
 * Source: docs/formats.md, "GGUF". Of a split file the first part says it. All stands in the arena
 * of the checkpoint (checkpoint.h), which has it as `gguf`. */
#ifndef COCKTAIL_GGUF_H
#define COCKTAIL_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gguf_type { /* as they are numbered in the file */
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING,
    GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64,
    N_GGUF_TYPES,
};

struct gguf_text { /* may hold any bytes, with a NUL behind them */
    const char *bytes;
    size_t length;
};

struct gguf_value {
    const char *key;
    enum gguf_type type; /* of the value, or of the items of an array: never GGUF_ARRAY */
    bool is_array;
    size_t n_items;      /* 1 for a value that is no array */
    const void *items;   /* struct gguf_text[n_items], or numbers as they lie in the file,
                          * little-endian and aligned to nothing */
};

struct gguf {
    struct gguf_value *values; /* in the order of the file */
    size_t n_values;
};

/* Of an item in a file; of a text of its length; 0 for an array. */
size_t gguf_type_bytes(enum gguf_type type);

/* NULL: the file does not say it. */
const struct gguf_value *gguf_find(const struct gguf *gguf, const char *key);
/* An integer, a float, a boolean; or an array of such. */
bool gguf_is_number(const struct gguf_value *value);
/* Item i < n_items of such a value. */
double gguf_number(const struct gguf_value *value, size_t i);
/* Item i < n_items of a GGUF_STRING. */
struct gguf_text gguf_text(const struct gguf_value *value, size_t i);

#endif
