/* quantized.h - models whose weights are stored in a few bits: what their files say of it, and the
 * weights made into those of the model that was quantised.
 *
 * Settings stand in config.json (quantization_config; MLX: quantization) or, where that says nothing, in
 * quantize_config.json (GPTQ), quant_config.json (AWQ), hf_quant_config.json (modelopt). Sources:
 * docs/formats.md, "Quantised checkpoints". */
#ifndef COCKTAIL_QUANTIZED_H
#define COCKTAIL_QUANTIZED_H

#include "arch/model_folder.h"

/* Makes the tensors of a checkpoint logical ones; one that is not quantised stays as it is. It is `file`, or the
 * weights in `directory`; settings are those of the model where it is the model's. ERROR_FORMAT when
 * tensors or settings are malformed or contradict each other, ERROR_UNSUPPORTED when they are not read:
 * then the tensors are as they are stored. */
int quantized_open(const struct model_folder *model, const char *directory, const char *file,
                   struct checkpoint *checkpoint, struct error *err);

/* -1 with the ERROR_UNSUPPORTED of what was opened so far: whoever reads values asks. */
int quantized_check(const struct model_folder *model, struct error *err);

/* How it is quantised, as its files call it, or as its tensors do; NULL when it is not. Freed by the
 * caller. */
char *quantized_method(const struct model_folder *model, const struct checkpoint *checkpoint);

/* What config.json calls the dtype that it was quantised from, f32, f16 or bf16; else bf16. */
enum dtype quantized_dtype(const struct config *config);

/* Files that say how it is quantised, NULL-terminated; and the text of a config.json without what says
 * it, for a model that no longer is. */
extern const char *const quantized_files[];
void quantized_edit_config(const struct config *config, struct buffer *text);

#endif
