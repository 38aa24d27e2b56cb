/* interrupt.h - Ctrl-C and SIGTERM as an error, so that everything is put away on the way out. */
#ifndef COCKTAIL_INTERRUPT_H
#define COCKTAIL_INTERRUPT_H

#include "base/error.h"

/* From here on SIGINT and SIGTERM only leave a mark. */
void interrupt_install(void);
/* -1 with ERROR_SIGINT or ERROR_SIGTERM once a signal has come. Loops that may run for more than
 * a moment ask at least every few MB. */
int interrupt_check(struct error *err);

#endif
