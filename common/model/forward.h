/* forward.h - one stack of layers over a batch. */
#ifndef COCKTAIL_FORWARD_H
#define COCKTAIL_FORWARD_H

#include "model/model.h"

/* x [n_tokens, hidden_size] in place: embeddings in, the output of the last layer and its norm
 * out. Caches and memory as in struct batch. ERROR_RESOURCES; ERROR_SIGINT. */
int forward_run(struct model *model, const struct stack_spec *spec, const struct stack *stack,
                const struct batch *batch, float *x, struct error *err);

/* f(rows begin … end-1) on all threads, in pieces that depend on n_rows alone; on this thread when
 * the rows of `width` floats are too few to be worth it. */
typedef void forward_rows(void *context, size_t begin, size_t end);
void forward_each(struct threads *threads, size_t n_rows, size_t width, forward_rows *f,
                  void *context);

/* y = norm(x), n items. */
void forward_norm(const struct norm *norm, enum norm_kind kind, float eps, const float *x, size_t n,
                  float *y);

#endif
