/* fitter.h - an adapter on its way into a base: what its parts (whole_fit.h, expert_fit.h, complete_fit.h)
 * share. */
#ifndef COCKTAIL_FITTER_H
#define COCKTAIL_FITTER_H

#include <stdbool.h>
#include <stddef.h>

#include "adapter/expert_names.h"
#include "adapter/known_layout.h"
#include "adapter/lora_tensor.h"
#include "arch/checkpoint_names.h"
#include "arch/model_folder.h"
#include "base/error.h"

struct adapter { /* what stays with the model */
    struct model_addition addition;
    struct lora_folder lora;
    struct lora_store *store;
};

struct expert_pieces;

struct fitter {
    struct model_folder *model;
    struct adapter *adapter;
    struct checkpoint *weights;
    struct checkpoint_names names;
    struct tensor *tensors; /* [n_tensors], those of the weights, changed, and what is added */
    size_t n_tensors;
    bool *is_changed;       /* [n_tensors] */
    bool is_tied;
    struct known_layout known; /* of the base */
    struct expert_pieces **pieces; /* [tensors of the weights]; NULL: none, of all or of one */
    size_t *later;                 /* modules that change a piece [n_later] */
    size_t n_later;
    const struct moe_names *row;   /* in which the adapter spells single experts; NULL: it has none */
    /* Of parameters of all experts, where the base has each apart: gate_up_proj's, down_proj's. */
    struct {
        const struct moe_names *row; /* NULL: the adapter has none */
        size_t module;               /* one of them */
    } apart[2];
    struct error *err;
};

/* SIZE_MAX for NULL. */
size_t fitter_index(const struct fitter *fitter, const struct tensor *tensor);
/* The tensor of the base of that name, whatever prefix it carries; SIZE_MAX: none. */
size_t fitter_find_own(const struct fitter *fitter, const char *name);
/* What a tensor of that name is tied to, or NULL. */
const struct tensor *fitter_find_owner(const struct fitter *fitter, const char *name);
/* A head of that name that was tied and has become a tensor of its own; SIZE_MAX: none. */
size_t fitter_find_parted(const struct fitter *fitter, const char *name);
/* NULL where the model's family is not known. */
const struct model_layout *fitter_layout(struct fitter *fitter);

/* What a tensor of the base holds so far, where it stays; and that tensor. */
const struct tensor *fitter_values(struct fitter *fitter, size_t index);
const struct tensor *fitter_base(struct fitter *fitter, size_t index);
void fitter_keep(struct fitter *fitter, size_t index, const struct tensor *made);
int fitter_add(struct fitter *fitter, size_t index, const struct lora_change *change);
/* ERROR_UNSUPPORTED: no adapter can be added to it. */
int fitter_check_floats(const struct fitter *fitter, const struct tensor *base);
/* Which of W's sides are the module's inputs, and that both fit. */
int fitter_choose_way(struct fitter *fitter, const struct lora_module *module, size_t index,
                      bool *is_turned);

/* -1, ERROR_INCOMPATIBLE: `what` the model is, has or lacks, that the module goes with. */
int fitter_refuse_module(const struct fitter *fitter, const struct lora_module *module,
                         const char *what);
int fitter_refuse_shape(const struct fitter *fitter, const char *name, const struct tensor *base,
                        size_t n_out, size_t n_in);
int fitter_refuse_whole(const struct fitter *fitter, const struct lora_whole *whole,
                        const struct tensor *base);
/* Likewise, ERROR_FORMAT: `setting` names it. */
int fitter_refuse_incomplete(const struct fitter *fitter, const char *module, const char *setting);

#endif
