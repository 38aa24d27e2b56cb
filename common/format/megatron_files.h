/* megatron_files.h - the files of one Megatron-LM checkpoint: which there are, whose rank each is,
 * and what its processes were told.
 *
 * Each process that held a part of the model of its own has a folder, mp_rank_TT, with the number
 * of its pipeline stage behind it where there are several, and that of its experts likewise. What
 * stands in the file are tensors, and `args`: all settings of the run. Source: docs/formats.md,
 * "Megatron-LM". */
#ifndef COCKTAIL_MEGATRON_FILES_H
#define COCKTAIL_MEGATRON_FILES_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/folder.h"
#include "base/hash.h"
#include "format/checkpoint.h"

struct megatron_rank {
    size_t tensor, stage, expert; /* its number among tensor, pipeline and expert parallel ranks */
    size_t file;                  /* index in the checkpoint */
    const char *name;             /* of that file */
    cJSON *values;                /* its args, checkpoint_version and iteration */
    struct hash_map by_name;      /* its tensors: index in the checkpoint */
};

struct megatron_files {
    struct checkpoint *checkpoint; /* of all ranks; may be taken, then set to NULL */
    struct megatron_rank *ranks;   /* [n_tensor * n_stages * n_expert], the last counts fastest */
    size_t n_ranks;
    size_t n_tensor, n_stages, n_expert;
    size_t n_chunks;               /* of each stage: virtual pipeline */
    const cJSON *args;             /* of the first rank */
};

/* Whether the folder is one that Megatron-LM saves to, or one iteration in it. */
bool megatron_files_are_there(const struct folder *folder);

/* Finds the iteration that the folder's latest_checkpointed_iteration.txt names (its only one,
 * where there is no such file), opens the files of all ranks, and reads what they hold.
 * ERROR_FORMAT for ranks that are missing or too many, and settings out of range; ERROR_UNSUPPORTED
 * for other layouts of Megatron's. Released with megatron_files_release. */
int megatron_files_open(struct megatron_files *files, const struct folder *folder,
                        struct error *err);
void megatron_files_release(struct megatron_files *files);

/* Every rank must have been told the same under these names. ERROR_FORMAT. */
int megatron_files_agree(const struct megatron_files *files, const char *const *names,
                         size_t n_names, struct error *err);

/* The first two are below the counts. */
const struct megatron_rank *megatron_files_rank(const struct megatron_files *files, size_t tensor,
                                                size_t stage, size_t expert);
/* NULL: it has none of that name. */
const struct tensor *megatron_rank_find(const struct megatron_files *files,
                                        const struct megatron_rank *rank, const char *name);

/* A whole number from `least` to `most` among args; `fallback` when it is absent or None. */
int megatron_args_count(const cJSON *args, const char *name, size_t fallback, size_t least,
                        size_t most, size_t *out, struct error *err);

#endif
