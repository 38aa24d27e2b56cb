/* vector_plain.c - vector_body.h in plain C: the reference. */
#include "math/vector_body.h"
