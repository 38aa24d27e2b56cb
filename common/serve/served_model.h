/* served_model.h - a model that requests can name: what is known of it before its weights are
 * there, and the weights while they are. */
#ifndef COCKTAIL_SERVED_MODEL_H
#define COCKTAIL_SERVED_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/threads.h"
#include "jinja/chat_template.h"
#include "model/model.h"
#include "model/sampler.h"
#include "model/sentence.h"
#include "text/ids.h"
#include "text/special_marks.h"
#include "text/tokenizer.h"

enum served_kind { SERVED_DECODER, SERVED_ENCODER, SERVED_RERANKER };

struct served_model {
    char *id;                 /* as /v1/models lists it */
    char **aliases;           /* [n_aliases], further ids */
    size_t n_aliases;
    enum served_kind kind;    /* encoder-decoders count as decoders */
    enum model_type type;
    struct model_folder folder;
    struct model_spec spec;   /* read without the weights */
    struct sentence_settings settings;
    struct tokenizer *tokenizer;
    struct ids eos;
    struct sampling sampling; /* the defaults of a request */
    struct chat_template *chat;  /* NULL: it has none that can be used, and */
    struct error chat_error;     /* … this is why */
    bool keeps_strings;       /* the template wants the arguments of tool calls as they come */
    bool flattens_parts;      /* … and content as one string, not as parts */
    struct ids kept;          /* special tokens that conversations are read by: model_marks.h */
    bool is_harmony;          /* … and its messages are harmony.h's */
    struct special_marks *marks; /* special tokens in what users say are text; NULL: they are not */
    size_t size_bytes;        /* of its weights */
    long long created;        /* Unix time at which it was opened */
    /* Of the scheduler's thread alone, but for who has to wait for it: */
    struct model *model;      /* NULL: not loaded */
    struct sentence_model *sentence; /* of an encoder that is loaded */
    double used_s;            /* when it was last needed */
};

/* Opens what lies at `path`, which `name` is the user's word for, and checks headers, config and
 * tokenizer; template as --template takes it, or NULL. Errors as of loading a model; released with
 * served_model_release, also after an error. */
int served_model_open(struct served_model *served, const char *path, const char *name,
                      const char *type, const char *template, bool follow_symlinks,
                      struct notices *notices, struct error *err);
void served_model_release(struct served_model *served);
/* Special tokens in conversations and prompts are text from now on. */
void served_model_take_literally(struct served_model *served);
/* As how.has_marks goes with it: what is done to each text of a conversation. */
void served_model_prepare_texts(const struct served_model *served,
                                struct chat_conversation *conversation);

/* The weights, and away with them. */
int served_model_load(struct served_model *served, struct threads *threads,
                      struct notices *notices, struct error *err);
void served_model_unload(struct served_model *served);

bool served_model_is_named(const struct served_model *served, const char *name);
const char *served_kind_name(enum served_kind kind);

#endif
