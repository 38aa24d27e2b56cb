/* jinja_eval.h - what an expression is worth. */
#ifndef COCKTAIL_JINJA_EVAL_H
#define COCKTAIL_JINJA_EVAL_H

#include "base/buffer.h"
#include "jinja/jinja_arguments.h"
#include "jinja/jinja_heap.h"
#include "jinja/jinja_loop.h"
#include "jinja/jinja_macro.h"

struct jinja_run { /* one rendering */
    struct jinja_heap *heap;
    const struct jinja_dict *context; /* what the template was given */
    struct jinja_frame *root;
    struct buffer *out;               /* what is printed goes here; another one inside of macros */
    size_t n_printed;
    size_t n_blocks;                  /* `block`s that are being run */
    struct jinja_value piped;         /* of NODE_PIPED */
    /* What runs statements, for expressions that call such: a macro, a recursive loop. */
    int (*call_macro)(struct jinja_run *run, const struct jinja_macro *macro,
                      const struct jinja_arguments *arguments, struct jinja_value *out);
    int (*call_loop)(struct jinja_run *run, const struct jinja_loop *loop,
                     struct jinja_value over, struct jinja_value *out);
};

int jinja_eval(struct jinja_run *run, struct jinja_frame *frame, const struct jinja_node *node,
               struct jinja_value *out);
/* A NODE_CALL, with one more named argument unless it is NULL. */
int jinja_eval_call(struct jinja_run *run, struct jinja_frame *frame,
                    const struct jinja_node *node, const struct jinja_named *more,
                    struct jinja_value *out);
/* A variable of what the template was given, or a function; JINJA_MISSING: neither. */
int jinja_resolve(struct jinja_run *run, const struct jinja_string *name,
                  struct jinja_value *out);

#endif
