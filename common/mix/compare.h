/* compare.h - how two models differ, tensor by tensor. */
#ifndef COCKTAIL_COMPARE_H
#define COCKTAIL_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_components.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/threads.h"

/* What two arrays a and b of the same shape have in common, in double. */
struct difference {
    bool is_identical;     /* same dtype, shape and bytes */
    double max_abs;        /* of a - b; NaN when one holds NaN, or the shapes differ */
    double sum_diff, sum_a, sum_b, sum_ab; /* sums of (a-b)^2, a^2, b^2, a*b */
};
double difference_relative_l2(const struct difference *difference); /* |a-b| / |a| */
double difference_cosine(const struct difference *difference);

struct comparison_row {
    char *name; /* of a, as model_component_tensor_name has it */
    const struct tensor *a, *b;
    struct difference difference;
};

struct comparison {
    struct comparison_row *rows; /* tensors that both have, in the order of a */
    size_t n_rows;
    char **only_a, **only_b;     /* names */
    size_t n_only_a, n_only_b;
    struct difference total;     /* of rows with one shape; identical: nothing differs */
};

/* Pairs the components by path, in them the tensors by name (known prefixes aside), and compares
 * their values. Complex numbers count as two. Released with comparison_release; borrows from the
 * checkpoints. */
int comparison_make(struct comparison *comparison, const struct model_components *a,
                    const struct model_components *b, struct threads *threads,
                    struct progress *progress, struct error *err);
void comparison_release(struct comparison *comparison);

/* Adds one difference to another. */
void difference_add(struct difference *sum, const struct difference *difference);

#endif
