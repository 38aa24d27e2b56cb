/* generate.h - one token after the other, with the keys and values of those before kept. */
#ifndef COCKTAIL_GENERATE_H
#define COCKTAIL_GENERATE_H

#include <stddef.h>
#include <stdint.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "model/model.h"
#include "model/sampler.h"
#include "text/ids.h"
#include "text/tokenizer.h"

enum generate_stop {
    GENERATE_EOS,    /* the model ended the text */
    GENERATE_LENGTH, /* as many tokens as were asked for, or as the model can take */
    GENERATE_STOP,   /* whoever looks on had enough */
};

/* Called with every new id, one that ends the text included. 0: go on, 1: enough, -1: error. */
typedef int generate_look(void *context, uint32_t id, struct error *err);

struct generate_options {
    const char *name;         /* of the model, for messages */
    size_t max_tokens;        /* new ones, at least 1 */
    struct sampling sampling;
    const struct ids *eos;    /* borrowed; those that end the text */
    generate_look *look;
    void *context;
};

/* Continues the prompt (decoder), or answers it (encoder-decoder). ERROR_USAGE for a prompt without
 * tokens, or of more than the model can take; ERROR_INCOMPATIBLE when its logits are no numbers. */
int generate_run(struct model *model, const struct ids *prompt,
                 const struct generate_options *options, enum generate_stop *stop,
                 struct error *err);

/* Adds the ids that end a text: by generation_config.json, else config.json, else the tokenizer;
 * maybe none. ERROR_FORMAT for a malformed generation_config.json. */
int generate_find_eos(const struct model_folder *folder, const struct tokenizer *tokenizer,
                      struct ids *eos, struct error *err);

#endif
