/* model_facts.h - what a checkpoint is, by a look at all that lies in its folder. */
#ifndef COCKTAIL_MODEL_FACTS_H
#define COCKTAIL_MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_components.h"
#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "tensor/dtype.h"
#include "text/vocabulary.h"

/* Experts in attention are counted apart where config.json does so. */
enum expert_kind { EXPERTS, ATTENTION_EXPERTS, N_EXPERT_KINDS };

struct model_format {
    const char *name; /* as tensor_stored has it */
    size_t n_tensors;
};

struct model_facts {
    struct model_folder model;
    struct model_components weights;
    struct vocabulary vocabulary;
    const char *type;          /* NULL: cannot be told */
    size_t n_parameters, size_bytes;
    size_t n_in_experts[N_EXPERT_KINDS]; /* parameters */
    size_t n_by_dtype[N_DTYPES];      /* tensors that are stored so */
    struct model_format *formats;     /* [n_formats] of the others: quantised */
    size_t n_formats;
    bool is_tied;
    char *quantization;        /* NULL: it is not quantised */
    struct notices notices;
};

/* Looks at the model, which is open, and takes it over. Errors are those of model_components_open and
 * model_folder_vocabulary. model_facts_release in every case. */
int model_facts_find(struct model_facts *facts, struct model_folder *model, struct error *err);
void model_facts_release(struct model_facts *facts);

/* How many experts config.json speaks of, in a layer and for each token (NULL: is not asked for).
 * False: of none. */
bool model_facts_experts(const struct model_facts *facts, enum expert_kind kind,
                         size_t *n_experts, size_t *n_chosen);
/* Parameters that a token meets. False when that cannot be told: the numbers of config.json do not
 * fit what is stored. */
bool model_facts_active(const struct model_facts *facts, size_t *n_active);

#endif
