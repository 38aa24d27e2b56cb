/* torchbin_container.h - what torch.save wraps a pickle and its storages in, and what torchbin.c
 * does for each kind: it says what the pickle means, a container says where the bytes are. */
#ifndef COCKTAIL_TORCHBIN_CONTAINER_H
#define COCKTAIL_TORCHBIN_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "format/checkpoint_tensors.h"
#include "format/pickle.h"

struct torchbin_storage {
    const char *key; /* as in the persistent id; points into the pickle */
    size_t key_length;
    enum dtype dtype;
    size_t n_items, size_bytes; /* as the persistent id says */
    bool is_located;
    size_t offset; /* in the file, once it is located */
};

struct torchbin_source;

/* Who takes what the pickle holds, where that is not a plain state dict; the first member of what
 * it keeps. */
struct torchbin_taker {
    int (*take)(struct torchbin_taker *taker, const struct torchbin_source *source,
                const struct pickle_value *result, struct error *err);
};

enum { TORCHBIN_TENSORS_MAX = 1000 * 1000 }; /* in one file */

struct torchbin_source { /* one file, while it is read */
    struct checkpoint *checkpoint;
    size_t file_index;
    const struct file *file;
    const struct torchbin_container *container;
    const void *state; /* the container's */
    struct torchbin_taker *taker; /* NULL: a plain state dict */
    struct torchbin_storage *storages;
    size_t n_storages, storages_capacity;
    struct hash_map by_key; /* of storages */
};

struct torchbin_container {
    size_t n_id_fields; /* of a persistent id */
    bool has_views;     /* its last field is a range of the storage, or None */
    /* Whether the file, whose first bytes are given, is one of these. */
    bool (*matches)(const unsigned char *head, size_t n);
    /* Loads the pickles and adds the tensors. */
    int (*read)(struct torchbin_source *source, struct error *err);
    /* Finds the bytes of a storage that is not located yet. */
    int (*locate)(const struct torchbin_source *source, struct torchbin_storage *storage,
                  struct error *err);
};

extern const struct torchbin_container torchbin_zip, torchbin_stream;

/* As pickle_load, with the names that a checkpoint may use. Persistent ids become storages if
 * has_storages, and are refused if not. */
int torchbin_load_pickle(struct torchbin_source *source, struct pickle *pickle, bool has_storages,
                         const char *bytes, size_t size, size_t origin, struct error *err);
/* Adds the tensors that the result of a pickle holds to the checkpoint, or gives it to the taker. */
int torchbin_take(const struct torchbin_source *source, const struct pickle_value *result,
                  struct error *err);
/* For another try with the same file. */
void torchbin_forget_storages(struct torchbin_source *source);

/* For takers: reads the file, lets the taker have the result. ERROR_FORMAT or ERROR_UNSUPPORTED. */
int torchbin_read(struct checkpoint *checkpoint, size_t file, struct torchbin_taker *taker,
                  struct error *err);
bool torchbin_is_tensor(const struct pickle_value *value);
/* Whether a key can be part of a name: a text, and UTF-8. */
int torchbin_check_name(const struct pickle_value *name, struct error *err);
/* Adds a tensor under this name, which is UTF-8 and needs no NUL behind it. */
int torchbin_add_tensor(const struct torchbin_source *source, const char *name, size_t length,
                        const struct pickle_value *value, struct error *err);

/* Two arguments for %.*s: texts of a pickle have no NUL behind them. */
#define SHOWN(text, length) (int)((length) < 160 ? (length) : 160), (text)

#endif
