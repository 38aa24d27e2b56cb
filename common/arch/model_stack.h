/* model_stack.h - layers of models put one on the other: a model again, with a config.json that says
 * so. Nothing is copied: its tensors are those of the parts under other names. */
#ifndef COCKTAIL_MODEL_STACK_H
#define COCKTAIL_MODEL_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"

struct stack_part {
    struct model_folder *model; /* opened */
    size_t first, n_layers;     /* layers first … first + n_layers - 1 of it, which it has */
};

/* How many layers config.json says; 0 when it does not. `module`: "encoder" or "decoder", or longer
 * names that begin so, of a model that has both; NULL: of the only one, else of the encoder. */
size_t model_stack_count_layers(const struct model_folder *model, const char *module);

/* Whether config.json says of a module of that name how many layers it has. */
bool model_stack_is_counted(const char *module);

/* Whether a tensor that is called as one of a layer belongs to all of its stack, and has that name wherever
 * the layers go: a T5's positions. */
bool model_stack_is_shared(const struct model_folder *model, const char *name);

/* Whether the tensor's name begins with that of the module and a dot. */
bool model_stack_is_of(const char *module, const char *name);

/* Whether a tensor outside of the layers stands before the first one: an embedding. */
bool model_stack_is_before_layers(const char *name);

/* Makes `model` the stack of parts[n_parts]. It is opened, and another one than theirs, but of the
 * same architecture: its config.json and its other files stay, but for the number of layers and the
 * lists that have an entry for each layer. Embeddings come from the first part; norm, head and
 * pooler from the last. An encoder-decoder has two stacks: `module`, "encoder" or "decoder", says
 * which, and all tensors outside of it come from the first part; NULL for all others. The parts must
 * outlive it. ERROR_FORMAT for encoder-decoders without a module, and without a config.json;
 * ERROR_INCOMPATIBLE for parts of other shapes, and where a rule of config.json would make another
 * layer of one. */
int model_stack(struct model_folder *model, const struct stack_part *parts, size_t n_parts,
                const char *module, struct notices *notices, struct error *err);

/* Writes the number of layers of a module into a config.json. ERROR_UNSUPPORTED when it has none at
 * its top. `config`: the text that is there now. */
int model_stack_set_n_layers(const struct model_folder *model, struct buffer *config,
                             const char *module, size_t n_layers, struct error *err);

#endif
