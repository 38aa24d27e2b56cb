/* torchbin_nested.h - files of torch.save in which the tensors stand in dictionaries of
 * dictionaries, with values beside them that are wanted, too: Megatron's.
 *
 * A plain state dict is read by torchbin_reader; this is for those who know that a file is more. */
#ifndef COCKTAIL_TORCHBIN_NESTED_H
#define COCKTAIL_TORCHBIN_NESTED_H

#include <cjson/cJSON.h>

#include "base/error.h"
#include "format/checkpoint.h"

/* Adds the tensors of checkpoint->files[file] that stand, however deep, in the dictionaries whose
 * top-level key is `root`, or `root` and a number; each is called by the keys on the way to it,
 * with dots between. A checkpoint that has_ranks may have one name in several files, and in one:
 * the caller checks.
 *
 * *values becomes an object of what stands under the top-level keys `wanted` (NULL-terminated), as
 * far as it is there: numbers, texts, true, false and null, lists and dictionaries of them (an
 * argparse.Namespace is a dictionary), and for anything else the name of its class. Freed by the
 * caller. ERROR_FORMAT, or ERROR_UNSUPPORTED; errors do not name the file. */
int torchbin_read_nested(struct checkpoint *checkpoint, size_t file, const char *root,
                         const char *const *wanted, cJSON **values, struct error *err);

#endif
