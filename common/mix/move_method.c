#include "move_method.h"

#include <string.h>

const struct move_method *const move_methods[] = {&move_omp,  &move_interpolation, &move_subword,
                                                  &move_mean, &move_zero,          NULL};

const struct move_method *move_method_find(const char *name)
{
    for (size_t i = 0; move_methods[i]; i++)
        if (strcmp(move_methods[i]->name, name) == 0)
            return move_methods[i];
    return NULL;
}
