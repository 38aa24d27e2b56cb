/* known_layout.h - what the tensors of a model are, where its family is known. */
#ifndef COCKTAIL_KNOWN_LAYOUT_H
#define COCKTAIL_KNOWN_LAYOUT_H

#include <stdbool.h>

#include "arch/model_folder.h"
#include "arch/model_layout.h"

struct known_layout { /* zeroed: nothing is known yet */
    bool was_sought, is_there;
    struct model_spec spec;
    struct model_layout layout;
};

/* Made when it is first asked for; `names` are those of the model's weights, and must stay. NULL when the model
 * has no config.json, or one that is not understood. */
const struct model_layout *known_layout_find(struct known_layout *known,
                                             const struct model_folder *model,
                                             const struct checkpoint_names *names);
void known_layout_release(struct known_layout *known);

#endif
