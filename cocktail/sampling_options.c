#include "sampling_options.h"

#include <stdlib.h>

#include "base/memory.h"

/* "17=-2.5" */
static int read_bias(const char *text, size_t n_logits, struct logit_bias *bias, struct error *err)
{
    char *end = NULL;
    unsigned long long id = 0;
    double value = NAN;

    if (*text >= '0' && *text <= '9')
        id = strtoull(text, &end, 10);
    if (end && *end == '=' && end[1] && end[1] != ' ')
        value = strtod(end + 1, &end);
    if (!end || *end || !(value >= -100 && value <= 100))
        return error_set(err, ERROR_USAGE, "--logit-bias is ID=B, with B from -100 to 100, not '"
                         ERROR_NAME "'", text);
    if (id >= n_logits)
        return error_set(err, ERROR_USAGE, "--logit-bias '" ERROR_NAME "': the model has %zu "
                         "tokens", text, n_logits);
    *bias = (struct logit_bias){(uint32_t)id, (float)value};
    return 0;
}

int sampling_options_read(struct sampling_options *options, size_t n_logits, struct error *err)
{
    for (size_t i = 0; i < options->stops.n_items; i++)
        if (!*options->stops.items[i])
            return error_set(err, ERROR_USAGE, "--stop is empty");
    options->bias_items = memory_zalloc(options->biases.n_items, sizeof *options->bias_items);
    for (size_t i = 0; i < options->biases.n_items; i++)
        if (read_bias(options->biases.items[i], n_logits, &options->bias_items[i], err))
            return -1;
    return 0;
}

static void apply(double typed, double *value)
{
    if (!isnan(typed))
        *value = typed;
}

void sampling_options_apply(const struct sampling_options *options, struct sampling *sampling)
{
    apply(options->temperature, &sampling->temperature);
    apply(options->top_p, &sampling->top_p);
    apply(options->min_p, &sampling->min_p);
    apply(options->repetition_penalty, &sampling->repetition_penalty);
    apply(options->frequency_penalty, &sampling->frequency_penalty);
    apply(options->presence_penalty, &sampling->presence_penalty);
    if (options->top_k)
        sampling->top_k = options->top_k;
    if (options->seed)
        sampling->seed = options->seed;
    if (options->biases.n_items) {
        sampling->biases = options->bias_items;
        sampling->n_biases = options->biases.n_items;
    }
}

struct text_stops sampling_options_stops(const struct sampling_options *options)
{
    return (struct text_stops){options->stops.items, options->stops.n_items};
}

void sampling_options_release(struct sampling_options *options)
{
    free(options->bias_items);
    free(options->biases.items);
    free(options->stops.items);
    *options = (struct sampling_options)SAMPLING_OPTIONS_NONE;
}
