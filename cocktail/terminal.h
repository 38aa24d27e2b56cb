/* terminal.h - what is shown to people: notices and progress.
 *
 * Results go to stdout, everything here that has no FILE argument to stderr. */
#ifndef COCKTAIL_TERMINAL_H
#define COCKTAIL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/notices.h"
#include "base/progress.h"

#include "options.h"

/* "cocktail: note: TEXT" for each, unless --quiet. */
void terminal_notices(const struct notices *notices, const struct common_options *common);

/* A stream that shows colours: a terminal, TERM is not dumb, NO_COLOR not set. */
bool terminal_has_colour(FILE *stream);

/* A progress line for a job. `progress` goes to the job, which sets total_bytes; its `show` stays
 * NULL when nobody looks: stderr is no terminal, or --quiet, --json, TERM=dumb or CI is set. */
struct terminal_progress {
    struct progress progress; /* first: show() gets back to the rest from here */
    const char *label;        /* borrowed: "mixing" */
    double start_s, shown_s;
    bool is_shown;
};
void terminal_progress_start(struct terminal_progress *shown, const char *label,
                             const struct common_options *common);
void terminal_progress_end(struct terminal_progress *shown); /* clears the line; also on errors */

#endif
