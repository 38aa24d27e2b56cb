/* task_chance.h - keeps differences at random: all with one probability, or the larger ones of a row
 * with a larger one.
 *
 * By rank, the probability goes from density - epsilon for the smallest magnitude of a row to density
 * + epsilon for the largest, in equal steps; of equal ones the first has the highest rank; in a row
 * of one it is density. Numbers are coin.h's, by the place of the item. */
#ifndef COCKTAIL_TASK_CHANCE_H
#define COCKTAIL_TASK_CHANCE_H

#include "mix/task_vectors.h"

/* The third parameter of those whose chances go by ranks, at TASK_EPSILON. */
#define TASK_EPSILON_ROW                                                                          \
    {"epsilon", COMBINE_EACH, COMBINE_NUMBER, .standard = 0.15, .most = 1, .is_below = true,      \
     .meaning = "how much more likely than density the largest is kept, and less the smallest"}

enum { TASK_CHANCE_PASSES = 1 };

/* For DARE; with scratch_input_bytes = TASK_INPUT_BYTES + TASK_CHANCE_INPUT_BYTES. */
enum { TASK_CHANCE_INPUT_BYTES = 8 };
extern const struct combine_pass task_chance_even[TASK_CHANCE_PASSES];
void task_chance_combine(const struct combine_call *call, bool votes, void *out);

/* For DELLA, with TASK_EPSILON; rows, with scratch_item_bytes = TASK_RANK_ITEM_BYTES, scratch_bytes =
 * TASK_RANK_BYTES, scratch_input_bytes = TASK_INPUT_BYTES. */
enum { TASK_RANK_ITEM_BYTES = 33, TASK_RANK_BYTES = 65 * 64, TASK_RANK_INPUTS_MAX = 64 };
extern const struct combine_pass task_chance_by_rank[TASK_CHANCE_PASSES];
extern const struct combine_stages task_chance_stages;
void task_chance_combine_by_rank(const struct combine_call *call, bool votes, void *out);
int task_chance_check_ranks(const struct combine_call *call, struct error *err);

#endif
