/* card_terms.h - licence and languages of the result, by the cards (README.md) of its models.
 *
 * The result is made of all models: what the base's card says is said of it where the cards of all
 * others say the same. Where they differ, or only some say something, nobody but the user can tell. */
#ifndef COCKTAIL_CARD_TERMS_H
#define COCKTAIL_CARD_TERMS_H

#include <stddef.h>

#include "arch/model_folder.h"
#include "base/buffer.h"
#include "base/notices.h"

/* Adds lines of front matter: license, license_name, license_link, language, as far as all agree;
 * what is left out is in a notice with both sayings, and so is a card that cannot be read. */
void card_terms_add(struct buffer *out, const struct model_folder *models, size_t n_models,
                    struct notices *notices);

#endif
