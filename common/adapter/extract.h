/* extract.h - what a fine-tuned model has learned, as an adapter for its base: each matrix's difference by
 * its best approximation of low rank, everything else that differs stored whole. */
#ifndef COCKTAIL_EXTRACT_H
#define COCKTAIL_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "adapter/adapter_writer.h"
#include "arch/model_folder.h"
#include "base/progress.h"
#include "base/threads.h"
#include "math/svd.h"
#include "text/regex.h"

struct extract_options {
    struct svd_size size;
    bool embeddings;               /* decompose these and the output head, too */
    /* Which matrices are decomposed, NULL: all. Names of modules, or their ends behind a dot, split at
     * commas; what must and what must not be found in their names. */
    const char *modules;
    const struct regex *include, *exclude;
    const char *output;            /* where the adapter is going to be written, or NULL */
};

struct extracted_module { /* a row of the table */
    const char *name;
    size_t rank;
    double kept_energy, relative_error;
};

struct extraction {
    struct adapter_output adapter; /* to be written */
    struct extracted_module *modules;
    size_t n_modules;              /* those decomposed */
    struct svd *factors;           /* [n_modules], what the adapter's tensors borrow */
    size_t n_equal;                /* tensors that do not differ, and are not stored */
};

/* The models stay open as long as the extraction: what is stored whole is read when it is written.
 * ERROR_INCOMPATIBLE when one has a tensor that the other has not, or in another shape, but for rows of
 * embeddings and heads (stored whole, with a notice); ERROR_IO when the disk of the output has no room for
 * it, as far as that is known before anything is decomposed; ERROR_FORMAT for values that are not finite;
 * ERROR_UNSUPPORTED for experts of a family that is not known, and where a
 * parameter belongs to no module that could be stored. Released with extraction_release in every case. */
int extraction_make(struct extraction *extraction, struct model_folder *tuned,
                    struct model_folder *base, const struct extract_options *options,
                    struct threads *threads, struct progress *progress, struct notices *notices,
                    struct error *err);
void extraction_release(struct extraction *extraction);

#endif
