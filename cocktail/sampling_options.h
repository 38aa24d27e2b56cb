/* sampling_options.h - how tokens are drawn: the rows of all commands that write text, and what
 * becomes of them. */
#ifndef COCKTAIL_SAMPLING_OPTIONS_H
#define COCKTAIL_SAMPLING_OPTIONS_H

#include <math.h>

#include "base/error.h"
#include "model/sampler.h"
#include "text/text_stream.h"

#include "option_rules.h"
#include "options.h"

struct sampling_options { /* begins as SAMPLING_OPTIONS_NONE */
    double temperature, top_p, min_p; /* NaN: not typed; likewise those below */
    double repetition_penalty, frequency_penalty, presence_penalty;
    size_t top_k, seed;
    struct option_texts biases, stops;
    struct logit_bias *bias_items; /* what `biases` say: owned */
};

#define SAMPLING_OPTIONS_NONE                                                                     \
    {.temperature = NAN, .top_p = NAN, .min_p = NAN, .repetition_penalty = NAN,                   \
     .frequency_penalty = NAN, .presence_penalty = NAN}

/* A struct sampling_options `sampling`; the defaults are told. */
#define OPTIONS_SAMPLING(type_name, default_temperature, default_top_p, default_seed)             \
    {0, "temperature", OPTION_NUMBER, offsetof(type_name, sampling.temperature), "T",             \
     "0: always the likeliest token; 1: drawn as the model expects them (" default_temperature    \
     ")"},                                                                                        \
    {0, "top-k", OPTION_COUNT, offsetof(type_name, sampling.top_k), "K",                          \
     "draw from the K likeliest only (all)"},                                                     \
    {0, "top-p", OPTION_NUMBER, offsetof(type_name, sampling.top_p), "P",                         \
     "draw from the likeliest that have the probability P together (" default_top_p ")"},         \
    {0, "min-p", OPTION_NUMBER, offsetof(type_name, sampling.min_p), "P",                         \
     "draw from those that are P times as likely as the likeliest (0)"},                          \
    {0, "repetition-penalty", OPTION_NUMBER, offsetof(type_name, sampling.repetition_penalty),    \
     "R", "make tokens of prompt and text less likely (1)"},                                      \
    {0, "frequency-penalty", OPTION_NUMBER, offsetof(type_name, sampling.frequency_penalty), "F", \
     "take F from the logit of a token each time it comes (0)"},                                  \
    {0, "presence-penalty", OPTION_NUMBER, offsetof(type_name, sampling.presence_penalty), "P",   \
     "take P from the logit of a token that has come (0)"},                                       \
    {0, "logit-bias", OPTION_TEXTS, offsetof(type_name, sampling.biases), "ID=B",                 \
     "add B to the logit of a token"},                                                            \
    {0, "seed", OPTION_COUNT, offsetof(type_name, sampling.seed), "S",                            \
     "another seed, another text (" default_seed ")"},                                            \
    {0, "stop", OPTION_TEXTS, offsetof(type_name, sampling.stops), "TEXT",                        \
     "stop before this text"}

#define RULES_SAMPLING                                                                            \
    {.type = RULE_RANGE, .options = "temperature", .least = 0, .most = DBL_MAX},                  \
    {.type = RULE_RANGE, .options = "top-p", .least = 0, .is_above = true, .most = 1},            \
    {.type = RULE_RANGE, .options = "min-p", .least = 0, .most = 1},                              \
    {.type = RULE_RANGE, .options = "repetition-penalty", .least = 0, .is_above = true,           \
     .most = DBL_MAX},                                                                            \
    {.type = RULE_RANGE, .options = "frequency-penalty", .least = -2, .most = 2},                 \
    {.type = RULE_RANGE, .options = "presence-penalty", .least = -2, .most = 2}

/* Reads what rules cannot. ERROR_USAGE for a bias that is none, an id that the model of n_logits
 * does not have, or an empty text to stop at. */
int sampling_options_read(struct sampling_options *options, size_t n_logits, struct error *err);
/* What was typed in place of what `sampling` says; borrows from the options. */
void sampling_options_apply(const struct sampling_options *options, struct sampling *sampling);
/* Borrows from the options. */
struct text_stops sampling_options_stops(const struct sampling_options *options);
void sampling_options_release(struct sampling_options *options);

#endif
