/* extract_job.h - an extraction on its way: what the files extract*.c share. */
#ifndef COCKTAIL_EXTRACT_JOB_H
#define COCKTAIL_EXTRACT_JOB_H

#include "adapter/expert_names.h"
#include "adapter/extract.h"
#include "adapter/known_layout.h"
#include "base/hash.h"
#include "math/gemm.h"

enum fate {
    FATE_LEFT_OUT,
    FATE_DECOMPOSED,
    FATE_STORED,
    FATE_ELSEWHERE, /* with the experts */
};

struct extract_part { /* a tensor of the fine-tuned model, and its module */
    const struct tensor *tuned, *base; /* base NULL: a head that only the fine-tuned model has */
    const char *plain, *module;
    const char *leaf;      /* "weight" */
    bool is_embedding, is_head;
    bool is_parameter;     /* for PEFT: of target_parameters, not target_modules */
};

struct job {
    struct extraction *extraction;
    const struct extract_options *options;
    const struct model_folder *models[2]; /* fine-tuned, base */
    struct checkpoint_names tuned, base;
    /* Of models that have experts; NULL: neither has, or the family is not known. */
    const struct model_layout *layout, *base_layout;
    struct known_layout known[2];
    struct name_style style;
    struct threads *threads;
    struct gemm *gemm;
    struct progress *progress;
    struct notices *notices;
    const char *tuned_name;
    bool is_conv1d, is_tied;
    bool heads_stay;                 /* heads are stored as one module */
    bool has_parameters;             /* the class has experts as parameters */
    enum fate *fates;                /* of each tensor of the fine-tuned model */
    struct hash_map targets, saved;  /* modules of the adapter */
    struct hash_map around;          /* modules that are stored with all that is in them */
    struct hash_map tied;            /* tensors that are stored once more under these names */
};

/* ---- extract_part.c ---- */

/* Of tensors[index] of the fine-tuned model. */
void extract_name_part(const struct job *job, size_t index, struct extract_part *part);
/* Whether it is to be decomposed: 1, 0, or -1. */
int extract_is_target(const struct job *job, const struct extract_part *part, struct error *err);
/* That the base has it, and a difference can be taken. */
int extract_check_part(const struct extract_part *part, struct error *err);
/* A name as the class has it, cut at its last dot; in the arena of the adapter. */
void extract_name(const struct job *job, const char *name, const char **module, const char **leaf);
/* The same of a plain name, with the prefix that `like`, a tensor of the fine-tuned model, has. */
void extract_name_like(const struct job *job, const struct tensor *like, const char *plain,
                       const char **module, const char **leaf);
/* Whether --modules, --include and --exclude choose it: 1, 0, or -1. */
int extract_is_chosen(const struct job *job, const char *module, struct error *err);

/* Whether the module, or one around it, is among them. */
bool extract_is_within(const struct hash_map *modules, const char *module);

/* ---- extract_room.c ---- */

/* ERROR_IO when the disk of the output has no room for it. What is wrong with a tensor is said when it is
 * taken. */
int extract_check_room(const struct job *job, struct error *err);

/* ---- extract_complete.c ---- */

/* Adds what else PEFT looks for, once all that differs is there: the rest of modules that are stored, tied
 * tensors, classifiers' heads. Counts what is left out. */
int extract_complete(struct job *job, struct error *err);

/* ---- extract.c ---- */

/* out[i] = tuned[first + i] - base[first + i]. */
int extract_subtract(const struct job *job, const struct tensor *tuned, const struct tensor *base,
                     size_t first, size_t n, float *out, struct error *err);
void extract_show(const struct job *job, size_t n_bytes);

/* Each returns the one added; names are kept in the arena of the adapter. */
struct adapter_tensor *extract_add_tensor(struct job *job, const char *module, const char *ending);
void extract_add_matrix(struct job *job, const char *module, const char *ending,
                        const float *values, size_t n_rows, size_t n_cols);
/* `parameter` NULL: of target_modules. */
void extract_add_target(struct job *job, const char *module, const char *parameter, size_t rank);
void extract_add_saved(struct job *job, const char *module);
bool extract_has_target(const struct job *job, const char *module);
/* What a part is called among the modules that are stored. */
const char *extract_saved_module(struct job *job, const struct extract_part *part);
/* ERROR_UNSUPPORTED: it is of no module. */
int extract_store_whole(struct job *job, const struct extract_part *part, struct error *err);

/* ---- extract_experts.c ---- */

/* Whether extract_experts takes that tensor of the fine-tuned model. */
bool extract_is_of_experts(const struct job *job, size_t index);
/* Takes what belongs to the experts of models whose class has them as parameters of all experts of a layer, and
 * says so in the fates. ERROR_UNSUPPORTED for experts of a family that is not known. */
int extract_experts(struct job *job, struct error *err);

#endif
