/* svg.h - plots as SVG: one file that needs no other, without scripts, for light and dark.
 *
 * Colours are classes, which a style sheet in the file gives their colours for either scheme. */
#ifndef COCKTAIL_SVG_H
#define COCKTAIL_SVG_H

#include <stddef.h>

#include "base/buffer.h"

/* Classes of texts: "title", "head", "note" (a line of explanation), "tick" (numbers at an axis) and
 * "cell" (numbers on a colour). Of shapes: "track" (what a bar fills), "frame", "none", "first" and
 * "second", and those of levels: how far a ratio is from 1, in steps of a third of an octave, from a
 * quarter or less to four times or more. */
enum { SVG_LEVELS = 6 };     /* on each side */
int svg_level(double ratio); /* -SVG_LEVELS … SVG_LEVELS */
const char *svg_level_class(int level);

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };
/* Texts are escaped; what is not UTF-8, or no character of XML, becomes U+FFFD. */
void svg_text(struct buffer *out, double x, double y, const char *css_class,
              enum svg_anchor anchor, const char *text);
/* `tip` is shown when one points at it, and read aloud; NULL: none. */
void svg_rect(struct buffer *out, double x, double y, double width, double height,
              const char *css_class, const char *tip);
void svg_line(struct buffer *out, double x1, double y1, double x2, double y2);

/* The whole file around `body`. */
void svg_wrap(struct buffer *out, const struct buffer *body, double width, double height,
              const char *title, const char *description);

/* About as wide as a text of class "tick" is. */
double svg_tick_width(size_t n_characters);

#endif
