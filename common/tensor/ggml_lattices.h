/* ggml_lattices.h - the points that the IQ formats of ggml choose from.
 *
 * A point is 16 bits: eight values of 2 bits, or (IQ3) four of 3, the first lowest. What a value
 * stands for, ggml_blocks_body.h says. Source: ggml-common.h of ggml. */
#ifndef COCKTAIL_GGML_LATTICES_H
#define COCKTAIL_GGML_LATTICES_H

#include <stdint.h>

extern const uint16_t lattice_iq2_xxs[256], lattice_iq2_xs[512], lattice_iq2_s[1024];
extern const uint16_t lattice_iq3_xxs[256], lattice_iq3_s[512];
extern const uint16_t lattice_iq1_s[2048]; /* also of IQ1_M */

#endif
