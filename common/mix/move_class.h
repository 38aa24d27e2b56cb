/* move_class.h - the class by which transformers reads a tokenizer, where another model's config.json
 * stands beside it. Rules: docs/tokenizers.md, "Tokens of another vocabulary". */
#ifndef COCKTAIL_MOVE_CLASS_H
#define COCKTAIL_MOVE_CLASS_H

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"

/* After the tokenizer's files have moved: says the class that the donor's own config.json implies in the
 * tokenizer_config.json of `made`, where that does not say it. A notice when transformers is going to
 * use another one all the same. */
int move_tokenizer_class(struct model_folder *made, const struct model_folder *donor,
                         struct notices *notices, struct error *err);

#endif
