/* desk.h - threads that read requests: JSON, templates and tokenizers take too long for the thread
 * that serves all sockets. */
#ifndef COCKTAIL_DESK_H
#define COCKTAIL_DESK_H

#include <stddef.h>

#include "base/error.h"

struct desk;
struct exchange;

/* `work` is called once for each exchange that is handed in, in their order. */
struct desk *desk_new(size_t n_threads, void (*work)(struct exchange *exchange),
                      struct error *err);
void desk_hand_in(struct desk *desk, struct exchange *exchange);
/* When all that was handed in is done. */
void desk_free(struct desk *desk);

#endif
