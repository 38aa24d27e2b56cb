/* join.h - models whose tokenizers differ, as they would be if all had the same one.
 *
 * The tokenizer of the result is that of one model, and for a union the tokens of the others behind its
 * own. In each model the matrices with a row for each token get the rows of these tokens, in their order:
 * from then on the models are merged as any others are. Rows move as they are read (tensor_rows.h).
 * Rules: docs/models.md, "Tokenizers that differ". */
#ifndef COCKTAIL_JOIN_H
#define COCKTAIL_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "text/token_table.h"
#include "text/vocabulary.h"

enum join_source { JOIN_UNION, JOIN_BASE, JOIN_OTHER };

enum join_row {
    JOIN_ROW_USUAL, /* as of a token that no rule names */
    JOIN_ROW_MODEL, /* the model's own */
    JOIN_ROW_TOKEN, /* the model's, of another token */
    JOIN_ROW_ZERO,
};

struct join_rule { /* where models that lack a token get its row from */
    const char *token;
    enum join_row kind;
    size_t model;      /* its number */
    const char *other; /* the other token; NULL: */
    size_t other_id;
    bool is_forced;    /* models that have the token get it, too */
};

struct join_options {
    enum join_source source;
    struct model_folder *tokenizer; /* of JOIN_OTHER; may be one of the models */
    const struct join_rule *rules;  /* [n_rules]; their tokens are added where they are missing */
    size_t n_rules;
    size_t multiple;    /* the number of rows is a multiple of it; 0: of 1 */
    bool keeps_padding; /* the first model's rows that no token has stay, as far as new tokens leave them */
    bool promotes;      /* rows of several dtypes come in one that holds them all; else each model's own */
};

struct join_model {
    const char *name;
    struct vocabulary vocabulary;
    bool is_assumed;    /* it has no tokenizer: that of the first model counts */
    size_t n_rows;      /* of its embedding */
    uint32_t *rows;     /* [n_ids of the join] its row of the token; TOKEN_NONE: it has none */
    bool is_renumbered; /* a token of it has another number in the result */
};

struct join {
    struct join_options options;
    struct join_model *models; /* [n_models], the first is the base */
    size_t n_models;
    struct vocabulary other;   /* of JOIN_OTHER, when it is none of the models */
    const struct vocabulary *source;
    const struct model_folder *from; /* whose tokenizer files the result gets */
    struct token_table tokens; /* of the result: text -> id */
    bool *has_token;           /* [n_ids] */
    size_t n_ids, n_tokens, n_rows;
    struct added_token *added; /* [n_added] behind those of the source; texts are borrowed */
    size_t n_added, n_new;     /* n_new of them have new ids */
    size_t *rules;             /* [n_ids] number of the rule + 1; 0: none */
};

#define JOIN_NO_BASE SIZE_MAX

/* models[n_models] must stay, as must the options' rules; the weights are opened. Notices tell what
 * changes. ERROR_FORMAT where there is no tokenizer, or a rule asks for a token or row that is not there;
 * ERROR_UNSUPPORTED for a tokenizer that cannot take more tokens. Released with join_release in every case. */
int join_open(struct join *join, struct model_folder *const *models, size_t n_models,
              const struct join_options *options, struct notices *notices, struct error *err);
void join_release(struct join *join);

/* What the rules say of the token with that id; NULL: nothing. */
const struct join_rule *join_rule_of(const struct join *join, size_t id);
/* Number of the model of that name; SIZE_MAX: there is none. */
size_t join_find(const struct join *join, const char *name);

/* Gives models[n], which are merged with one another and are numbers which[n] of the join, their rows,
 * and config.json the numbers that follow. models[base] is what a token that several of them have
 * comes from where one lacks it; JOIN_NO_BASE: it is their mean. The join may go afterwards. Notices tell
 * of the config.json of the first, which is the one that is kept.
 * ERROR_INCOMPATIBLE for matrices that do not fit together. */
int join_move(const struct join *join, struct model_folder *models, const size_t *which, size_t n,
              size_t base, struct notices *notices, struct error *err);
/* The second half of it alone, for a model that has the rows already: the size of the vocabulary, and the
 * ids of tokens that config.json and generation_config.json name. */
int join_set_config(const struct join *join, struct model_folder *model, size_t which,
                    struct notices *notices, struct error *err);
/* Gives the folder of `donor`, in memory, the files of the tokenizer of the result. */
int join_add_files(const struct join *join, struct model_folder *donor, struct notices *notices,
                   struct error *err);

#endif
