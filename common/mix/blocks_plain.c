/* blocks_plain.c - blocks_body.h in plain C. */
#include "mix/blocks_body.h"
