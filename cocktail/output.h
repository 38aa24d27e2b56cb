/* output.h - standard output for commands that go on for long: they should not work for hours when
 * the disk is full or nobody reads any more. */
#ifndef COCKTAIL_OUTPUT_H
#define COCKTAIL_OUTPUT_H

#include <stddef.h>

#include "base/error.h"

/* Writes n bytes. ERROR_IO when they cannot be written, without a text when the reader has left:
 * main.c knows what that means. */
int output_write(const void *bytes, size_t n, struct error *err);
/* Hands on what is in the buffer of stdio; errors as above. */
int output_flush(struct error *err);

#endif
