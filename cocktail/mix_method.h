/* mix_method.h - what `mix` is asked for: which method, which models with which weights, a base, and
 * the method's parameters. */
#ifndef COCKTAIL_MIX_METHOD_H
#define COCKTAIL_MIX_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "mix/plan_settings.h"

#include "options.h"

struct mix_method_options {
    const char *method, *base, *weights;
    const char *compat; /* a method by another option */
    struct option_texts params, weights_of;
    size_t seed; /* 0: not given */
    bool normalize;
};

/* For a struct that has them as `method`. */
#define OPTIONS_MIX_METHOD(type_name)                                                             \
    {'w', "weights", OPTION_TEXT, offsetof(type_name, method.weights), "W,...",                   \
     "one weight per model; of a linear mix they sum to 1"},                                      \
    {0, "normalize", OPTION_FLAG, offsetof(type_name, method.normalize), NULL,                    \
     "divide the weights by their sum, whatever it is"},                                          \
    {0, "method", OPTION_TEXT, offsetof(type_name, method.method), "M",                         \
     "how to merge, one of those below (linear)"},                                          \
    {0, "base", OPTION_PATH, offsetof(type_name, method.base), "MODEL",                         \
     "the model that a method compares the others with"},                                         \
    {0, "param", OPTION_TEXTS, offsetof(type_name, method.params), "NAME=VALUE",                \
     "a parameter of the method, one value or one per model; again for others"},                  \
    {0, "weights-of", OPTION_TEXTS, offsetof(type_name, method.weights_of), "PART=W,...",         \
     "other weights for tensors with PART in their names; the first that fits counts"},           \
    {0, "seed", OPTION_COUNT, offsetof(type_name, method.seed), "N",                              \
     "of a method that draws: another seed, another result (1)"}

/* All arrays are owned. */
struct mix_method {
    const struct combine_method *method;
    const char **names; /* [n_names] the base, if there is one, then the others; borrowed texts */
    size_t n_names;
    bool has_base;
    double *weights;    /* [n_names] */
    struct plan_settings settings;
    bool takes_any_sum; /* a linear mix whose weights are used as they are */
    bool has_settings;  /* else it is the plain mix of `mix --weights` */
    double *all, *each;
    struct part_weights *parts;
};

/* Checked: what is wrong with it is told before a model is opened. ERROR_USAGE.
 * mix_method_release in every case. */
int mix_method_read(struct mix_method *read, const struct mix_method_options *options,
                    const char *const *operands, size_t n_operands, struct error *err);
void mix_method_release(struct mix_method *read);

/* The methods with their parameters, for --help. */
void mix_method_print_help(FILE *out);

#endif
