/* merge_write.h - write what a merge makes: weights, the base's other files, config.json, the model card; in
 * place in one step, complete or not at all. */
#ifndef COCKTAIL_MERGE_WRITE_H
#define COCKTAIL_MERGE_WRITE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/threads.h"
#include "mix/merge.h"
#include "mix/mixer.h"

/* Adds the config.json of the result: the base's, byte for byte but for what the merge changes. The
 * base must have one. */
void merge_add_config(const struct merge *merge, struct buffer *text);

struct merge_result {
    struct mixer_stats stats;
    double flush_s;      /* until everything was on disk and in place */
    char **files;        /* the weights files, relative to the output; folder_names_free */
    size_t n_files;
};

struct merge_notes { /* for the model card; all borrowed */
    const double *losses; /* [n_models], NAN: has none; NULL: there are none */
    const char *command;  /* the command line, with nothing of this machine */
    const char *recipe;   /* YAML; NULL: there is none */
};

/* Whether the result fits on its disk; merge_write looks again. ERROR_IO. */
int merge_check_space(const struct merge *merge, struct error *err);
int merge_write(struct merge *merge, const struct merge_notes *notes, struct threads *threads,
                struct progress *progress, struct merge_result *result,
                struct error *err);

#endif
