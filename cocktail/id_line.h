/* id_line.h - a line of token ids, as `tokenize` prints them. */
#ifndef COCKTAIL_ID_LINE_H
#define COCKTAIL_ID_LINE_H

#include <stddef.h>

#include "base/error.h"
#include "text/ids.h"

/* Replaces what `ids` holds by the ids of the line, which stand between blanks. */
int id_line_read(const char *line, size_t n, struct ids *ids, struct error *err);

#endif
