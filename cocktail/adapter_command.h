/* adapter_command.h - the two halves of `cocktail adapter`: options, and what they share. */
#ifndef COCKTAIL_ADAPTER_COMMAND_H
#define COCKTAIL_ADAPTER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "adapter/adapter_writer.h"
#include "base/json_writer.h"

#include "options.h"

struct adapter_options {
    struct common_options common;
    const char *output;
    size_t rank;
    bool dry_run, force, follow_symlinks;
    /* of extract */
    const char *modules, *include, *exclude;
    double energy;
    bool embeddings;
    /* of mix */
    const char *weights, *method, *majority_sign_method;
    double density; /* NAN: was not given */
    size_t seed;
};

/* Each with the models as operands. */
int adapter_extract_run(const struct adapter_options *options, struct error *err);
int adapter_mix_run(const struct adapter_options *options, struct error *err);

/* The output may be written, and takes none of the inputs along that lie in it: ERROR_EXISTS. */
int adapter_check_output(const struct adapter_options *options, char *const *inputs, size_t n,
                         struct error *err);
/* "decoder" and the like, or NULL. */
const char *adapter_model_type(const char *task_type);
/* The last line, and the members that end the object. */
void adapter_print_written(const struct adapter_options *options,
                           const struct adapter_written *written, double seconds);
void adapter_add_written(const struct adapter_options *options,
                         const struct adapter_written *written, double seconds,
                         struct json_writer *json);

#endif
