/* architecture.h - from the class name in config.json to what kind of model it is.
 *
 * Two tables: families (what a model can be, whether its head is tied by default), and the ending
 * of the class name (what part of it this checkpoint is). A family that is not listed is judged by
 * the ending alone: mixing needs no more. */
#ifndef COCKTAIL_ARCHITECTURE_H
#define COCKTAIL_ARCHITECTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/config.h"
#include "base/buffer.h"
#include "base/error.h"

struct family;

enum model_type {
    MODEL_DECODER,
    MODEL_ENCODER,
    MODEL_RERANKER,
    MODEL_ENCODER_DECODER,
    N_MODEL_TYPES,
};

const char *model_type_name(enum model_type type); /* "decoder", … as --type takes it */
/* 0 and *type, or -1. */
int model_type_find(const char *name, enum model_type *type);

/* The type that config.json implies, or, when `wanted` (a name of --type, may be NULL) is given,
 * that one, if the checkpoint can be it. `where` names the model in messages. ERROR_FORMAT when
 * config.json says neither architecture nor model_type and nothing is wanted; ERROR_UNSUPPORTED
 * when it cannot be told; ERROR_INCOMPATIBLE when it cannot be what is wanted. */
int architecture_type(const struct config *config, const char *wanted, const char *where,
                      enum model_type *type, struct error *err);

/* Whether the head of this checkpoint is tied when config.json does not say: 1, 0, or -1 when
 * the family is unknown. */
int architecture_tied_by_default(const struct config *config);
/* Whether it is a mixture of experts, by its config; then how many there are, and how many of them
 * a token meets (0: config.json does not say). The pointers may be NULL. */
bool architecture_has_experts(const struct config *config, size_t *n_experts, size_t *n_chosen);
/* The same of experts in attention that config.json counts apart: MoLM. */
bool architecture_has_attention_experts(const struct config *config, size_t *n_experts,
                                        size_t *n_chosen);

/* How it writes the names of its tensors. */
struct name_style {
    const char *body; /* in front of all but heads: "model.", or ""; NULL: not known */
    const char *layers; /* between that and the names of layers (DistilBERT); NULL: nothing */
    bool is_bare;     /* a class without a head (BertModel): there is nothing in front */
};
struct name_style architecture_name_style(const struct config *config);

/* The length of what some architecture has in front of its names, if `name` begins so; else 0. */
size_t architecture_body_length(const char *name);

/* How models of this architecture are run (families.h), or NULL when we cannot. */
const struct family *architecture_family(const struct config *config);
void architecture_list_families(struct buffer *out); /* "BERT, RoBERTa, …" */
/* Whether it is built to continue texts: what stands last has seen the whole text. */
bool architecture_is_decoder(const struct config *config);

#endif
