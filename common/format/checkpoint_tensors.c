#include "checkpoint_tensors.h"

#include <string.h>

const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name)
{
    const size_t *index = hash_map_find(&checkpoint->by_name, name, strlen(name));

    return index ? &checkpoint->tensors[*index] : NULL;
}
