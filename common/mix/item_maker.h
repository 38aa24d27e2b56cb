/* item_maker.h - make ranges of one item of a plan: read what goes into it, measure, combine.
 *
 * A method that measures, or wants whole rows, is called on grains: ranges whose places depend on
 * the tensor alone. So what it makes does not depend on how the work is cut, nor on threads. */
#ifndef COCKTAIL_ITEM_MAKER_H
#define COCKTAIL_ITEM_MAKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "mix/plan.h"

enum { ITEM_BYTES_MAX = 8 };

/* What a pass finds out. */
struct item_facts {
    size_t n_sums, n_counts;
    double *sums;
    size_t *counts;
    double *before; /* [n_grains][n_sums] in front of each grain, or its own; NULL: not kept */
    size_t kept_bytes;
    char *kept;     /* [n_grains][kept_bytes] */
};

struct item_maker {
    const struct plan_item *item;
    size_t grain_items; /* ranges begin at its multiples; 0: anywhere, for a call of any length */
    size_t n_grains;
    size_t n_passes;
    struct item_facts *facts;     /* [n_passes] */
    struct combine_input *inputs; /* [item_n_inputs] without values, for item_conclude */
};

/* Memory for a range of an item: item_room_bytes() of them, and item_n_inputs() inputs. What is read
 * there serves one of the calls below. */
struct item_room {
    char *bytes;
    struct combine_input *inputs; /* those that count, the base, and as many for the method */
    size_t n_inputs;
    char *out, *input_scratch, *scratch; /* in those bytes, for a result and for the method */
    void *state; /* item_state_bytes(), when units are staged */
};

size_t item_grain(const struct plan_item *item); /* grain_items */
/* What a pass of its method keeps. */
void item_pass_size(const struct plan_item *item, size_t pass, size_t *n_sums, size_t *n_counts);
/* Bytes of all that its passes keep. */
size_t item_facts_bytes(const struct plan_item *item);
size_t item_room_bytes(const struct plan_item *item, size_t n);
size_t item_n_inputs(const struct plan_item *item);

/* Long rows, and columns, are units that are made piece by piece, by one thread each: after
 * item_stage the pieces of a unit are read, and measured or combined, in their order. */
bool item_is_staged(const struct plan_item *item);
enum { ITEM_PIECE = COMBINE_GRAIN_ITEMS }; /* items of a piece, at most */
size_t item_state_bytes(const struct plan_item *item); /* 0 when units are not staged */
size_t item_n_units(const struct plan_item *item);
/* Where piece k lies; false behind the last. */
bool item_find_piece(const struct plan_item *item, size_t unit, size_t k, size_t *first, size_t *n);
/* The piece with an item. */
void item_locate(const struct plan_item *item, size_t place, size_t *unit, size_t *k);
/* For a pass, or for the result, pass n_passes: looks through the unit, which leaves room->state. */
int item_stage(const struct item_maker *maker, size_t pass, size_t unit, struct item_room *room,
               struct error *err);

/* The arena keeps what it needs, and the item must stay where it is. */
void item_maker_init(struct item_maker *maker, const struct plan_item *item, struct arena *arena);

/* Reads a range into the room: of a copied item its own bytes, to room->bytes. */
int item_read(const struct item_maker *maker, size_t first, size_t n, struct item_room *room,
              struct error *err);

/* Whether a pass is to be measured and concluded, those before it being concluded. False behind the
 * last. */
bool item_pass_is_needed(const struct item_maker *maker, size_t pass);

/* Of such a pass: for a range in the room, what each grain of it
 * adds to sums[n_grains of the range][n_sums] and to counts[n_counts]. */
void item_measure(const struct item_maker *maker, size_t pass, size_t first, size_t n,
                  struct item_room *room, double *sums, size_t *counts);
/* Adds the sums of the next grain, from the first to the last. */
void item_add_grain(struct item_maker *maker, size_t pass, size_t grain, const double *sums);
/* When all grains are added and all counts in maker->facts[pass].counts. */
void item_conclude(struct item_maker *maker, size_t pass);

/* All passes being concluded: the range in the room, combined to `out`, which may be
 * room->out. Not of a copied item. */
void item_combine(const struct item_maker *maker, size_t first, size_t n,
                  struct item_room *room, void *out);
#endif
