#include "engine.h"

int engine_init(struct engine *engine, struct threads *threads, struct error *err)
{
    *engine = (struct engine){.gemm = gemm_new(threads, err), .threads = threads};
    return engine->gemm ? 0 : -1;
}

void engine_release(struct engine *engine)
{
    gemm_free(engine->gemm);
    workspace_release(&engine->workspace);
    *engine = (struct engine){0};
}
