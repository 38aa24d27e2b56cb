/* task_vectors.h - task arithmetic and its kin: differences from the base, thinned out, voted on,
 * summed, and added to the base.
 *
 * For every input: d = x - base, in float; some of its items are dropped (how, is what the methods
 * differ in); with rescale, the rest is multiplied by the sum of all magnitudes over the sum of
 * those that are left, unless one is below 1e-7. Then w d. Where the method votes, the sign of an
 * item is that of the sum of all w d (+ for 0), and only what has that sign counts. The sum is, with
 * normalize, divided by the sum of the weights (that took part in the item, where there is a vote,
 * unless it is 0; of all, where there is none, unless it is below 1e-8); multiplied by lambda; added.
 * Density 1 drops nothing, density 0 everything.
 *
 * Without drops and votes all this is one weighted sum of models and base, and computed so, in
 * double: it is then the same for all methods. */
#ifndef COCKTAIL_TASK_VECTORS_H
#define COCKTAIL_TASK_VECTORS_H

#include "mix/combine_method.h"

enum task_drops {
    TASK_DROPS_NONE,
    TASK_DROPS_SMALL,     /* keeps max(1, density N) of the largest magnitudes of the tensor */
    TASK_DROPS_OUTLIERS,  /* keeps density N, when the gamma N largest are gone; if fewer are left
                           * than that, fewer of the largest go */
    TASK_DROPS_RANDOM,    /* keeps each with the probability density */
    TASK_DROPS_BY_RANK,   /* likewise, density - epsilon for the smallest of a row to density +
                           * epsilon for the largest, in equal steps; density in a row of one */
};

struct task_rules {
    enum task_drops drops;
    bool votes;
};

/* Places of settings. */
enum { TASK_DENSITY, TASK_GAMMA, TASK_EPSILON = TASK_GAMMA };
enum { TASK_NORMALIZE, TASK_RESCALE, TASK_LAMBDA, TASK_INT8_MASK };

#define TASK_WEIGHT                                                                               \
    {"weight", COMBINE_WEIGHT, COMBINE_NUMBER, .is_required = true,                               \
     .meaning = "factor of the model's difference from the base"}
#define TASK_DENSITY_ROW                                                                          \
    {"density", COMBINE_EACH, COMBINE_NUMBER, .standard = 1, .most = 1,                           \
     .meaning = "which part of the difference is kept"}
#define TASK_WHOLE(normalize_standard, rescale_standard)                                          \
    {"normalize", COMBINE_ALL, COMBINE_BOOLEAN, .standard = normalize_standard,                   \
     .meaning = "divide by the sum of the weights"},                                              \
    {"rescale", COMBINE_ALL, COMBINE_BOOLEAN, .standard = rescale_standard,                       \
     .meaning = "make what is kept as large as what was there"},                                  \
    {"lambda", COMBINE_ALL, COMBINE_NUMBER, .standard = 1,                                        \
     .meaning = "factor of the sum of the differences"},                                          \
    {"int8_mask", COMBINE_ALL, COMBINE_BOOLEAN, .meaning = "accepted, changes nothing"}

/* What the methods are made of: what each says is about TASK_DROPS_… of its rules. */
void task_combine(const struct task_rules *rules, const struct combine_call *call, void *out);

#endif
