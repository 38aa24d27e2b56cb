/* gguf_keys.h - what the metadata of a GGUF file says of a model, and what config.json calls it.
 *
 * One table for both directions. Source: docs/models.md, "GGUF". */
#ifndef COCKTAIL_GGUF_KEYS_H
#define COCKTAIL_GGUF_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/gguf_names.h"

enum gguf_key_type { GGUF_COUNT /* u32 */, GGUF_REAL /* f32 */, GGUF_FLAG, GGUF_WORD };

enum gguf_key_role {
    GGUF_NEEDED,   /* `config` is the same setting */
    GGUF_OPTIONAL, /* likewise; absent it is `value`, or below 0 absent in config.json, too */
    GGUF_MUST_BE,  /* nobody obeys it: it must be absent, 0 or `value` */
    GGUF_BY_CODE,  /* gguf_config.c or gguf_rope.c makes something else of it */
    GGUF_IDLE,     /* says nothing of what the model computes */
};

struct gguf_key {
    const char *gguf;   /* behind the architecture and a dot */
    const char *config; /* or NULL */
    enum gguf_key_type type;
    unsigned set;       /* of architectures: gguf_names.h */
    enum gguf_key_role role;
    double value;
};

/* The keys of an architecture, one after another: `i` counts all rows; NULL at the end. */
const struct gguf_key *gguf_keys_next(const struct gguf_architecture *architecture, size_t *i);
/* NULL: not known. */
const struct gguf_key *gguf_keys_find(const struct gguf_architecture *architecture,
                                      const char *name);

#endif
