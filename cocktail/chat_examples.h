/* chat_examples.h - the inputs of examples as what a user says: the prompts that a chat template makes
 * of them. */
#ifndef COCKTAIL_CHAT_EXAMPLES_H
#define COCKTAIL_CHAT_EXAMPLES_H

#include "base/error.h"
#include "eval/examples.h"

#include "loaded_model.h"

/* Puts each input of examples for a decoder or an encoder-decoder into a conversation of one message,
 * and the prompt for its answer in the input's place. `template` as --template takes it, or NULL;
 * is_literal: special tokens in the input have the marks of special_marks.h around them.
 * ERROR_INCOMPATIBLE for another kind of model, and for one without a template; ERROR_FORMAT, with
 * FILE:LINE, for an input that the template refuses. */
int chat_examples_apply(struct examples *examples, const struct loaded_model *loaded,
                        const char *template, bool is_literal, struct error *err);

#endif
