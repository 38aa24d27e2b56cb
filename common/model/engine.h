/* engine.h - what the parts of a model compute with. */
#ifndef COCKTAIL_ENGINE_H
#define COCKTAIL_ENGINE_H

#include "base/error.h"
#include "base/threads.h"
#include "math/gemm.h"
#include "model/workspace.h"

struct expert_group;

struct engine { /* of one model: used by one thread at a time, which uses the pool */
    struct gemm *gemm;
    struct threads *threads; /* borrowed */
    struct workspace workspace;
    struct expert_group *experts; /* that has the experts, a part of them here; NULL: all are here */
};

/* Errors as of gemm_new. Released with engine_release. */
int engine_init(struct engine *engine, struct threads *threads, struct error *err);
void engine_release(struct engine *engine);

#endif
