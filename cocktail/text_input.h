/* text_input.h - the texts that a command works on: whole files, lines, or JSON Lines. */
#ifndef COCKTAIL_TEXT_INPUT_H
#define COCKTAIL_TEXT_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#include "options.h"

enum text_form { TEXT_WHOLE, TEXT_LINES, TEXT_JSONL };

struct text_form_options { /* as the rows OPTIONS_TEXT_FORM fill it */
    bool lines, whole, jsonl;
};
/* `otherwise` when nothing is said. */
enum text_form text_form_choose(const struct text_form_options *options, enum text_form otherwise);

struct text_item { /* valid until the next one */
    const char *text, *pair; /* pair NULL: a single text */
    size_t n, n_pair;
    const char *file;
    size_t line;             /* 0 for a whole file */
};

struct text_input;

/* Over files[n_files]; none: standard input. Closed with text_input_close. */
struct text_input *text_input_open(const char *const *files, size_t n_files, enum text_form form);
void text_input_close(struct text_input *input);

/* 1: the next text; 0: no more; -1: an error, which says FILE:LINE. A JSON line is a string or
 * {"text": …, "pair": …}; blank lines are skipped there, while a blank line of plain text is an
 * empty text. */
int text_input_next(struct text_input *input, struct text_item *item, struct error *err);

/* Says which members of the objects of each file that has been read to its end were not used. */
void text_input_tell(struct text_input *input, const struct common_options *common);

/* Puts FILE:LINE, or FILE for a whole file, in front of the error. Returns -1. */
int text_item_context(const struct text_item *item, struct error *err);

#endif
