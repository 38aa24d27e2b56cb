/* expert_names.h - what a tensor's name is among a model's routers and experts. A family has several
 * spellings, one for each way of storing them (families.h), and an adapter may be made for another way than
 * its base is stored in. */
#ifndef COCKTAIL_EXPERT_NAMES_H
#define COCKTAIL_EXPERT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_layout.h"

enum expert_part {
    EXPERT_PART_ROUTER,
    EXPERT_PART_ONE, /* a matrix of one expert */
    EXPERT_PART_ALL, /* a parameter of all experts of the layer; EXPERT_GATE: gate and up */
};

struct expert_name {
    enum expert_part part;
    size_t group;              /* of the layout's experts */
    const struct moe_names *row; /* the spelling */
    enum expert_matrix matrix; /* not of a router */
    size_t expert;             /* EXPERT_PART_ONE */
};

/* Whether `name`, of a tensor and with any prefix, is one of those in some spelling of the family. */
bool expert_name_find(const struct model_layout *layout, const char *name,
                      struct expert_name *found);
/* The tensor that the checkpoint has for it, in whatever spelling; NULL where it stores experts in another
 * way, or has none. */
const struct tensor *expert_name_tensor(const struct model_layout *layout,
                                        const struct expert_name *name);
/* The plain name of an expert's matrix in that spelling, without its ending. Replaces what `out` holds. */
void expert_name_write(const struct model_layout *layout, size_t group,
                       const struct moe_names *row, size_t expert, enum expert_matrix matrix,
                       struct buffer *out);
/* Of a parameter of all of them: likewise, in the spelling that `all` was found in. */
void expert_name_write_all(const struct model_layout *layout, const struct expert_name *all,
                           struct buffer *out);
/* The plain name, with its ending, of a router or a parameter of all experts as the class of transformers has
 * it: the family's last spelling that has one. */
void expert_name_write_class(const struct model_layout *layout, const struct expert_name *name,
                             struct buffer *out);
/* Whether the class has all experts of the group in such parameters. */
bool expert_name_class_fuses(const struct model_layout *layout, size_t group);

#endif
