/* quantized.h - models whose stored numbers mean nothing by themselves: packed integers, and small
 * floats that need the scales beside them.
 *
 * Their values cannot be read yet, so that whoever reads values asks here first. Plain FP8 without
 * scales is a dtype like any other. */
#ifndef COCKTAIL_QUANTIZED_H
#define COCKTAIL_QUANTIZED_H

#include "arch/model_folder.h"

/* Each returns 0, or -1 with ERROR_UNSUPPORTED that names the file or tensor that shows it. */

/* By quantization_config. `where` is the folder that config.json lies in. */
int quantized_check_config(const struct config *config, const char *where, struct error *err);
/* By config.json or hf_quant_config.json (ERROR_FORMAT when that is malformed). */
int quantized_check_folder(const struct model_folder *model, struct error *err);
/* By scales beside numbers of 8 bits or fewer, or beside whole numbers. */
int quantized_check_scales(const struct checkpoint *checkpoint, const char *name,
                           struct error *err);
/* By scales, or names that only packed weights have. */
int quantized_check_tensors(const struct checkpoint *checkpoint, const char *name,
                            struct error *err);
/* By all of these. */
int quantized_check(const struct model_folder *model, const struct checkpoint *checkpoint,
                    struct error *err);

/* How it is quantised, as its files call it, or "F8_E4M3 with scales", "packed"; NULL when it is
 * not. Freed by the caller. */
char *quantized_method(const struct model_folder *model, const struct checkpoint *checkpoint);

#endif
