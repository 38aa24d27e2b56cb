#include "rows.h"

enum { PIECE_FLOATS = 16384 };

struct job {
    rows_function *f;
    void *context;
    size_t n_rows, piece;
};

static int run_piece(void *context, size_t task, size_t worker, struct error *err)
{
    const struct job *job = context;
    size_t begin = task * job->piece;

    (void)worker;
    (void)err;
    job->f(job->context, begin,
           begin + job->piece < job->n_rows ? begin + job->piece : job->n_rows);
    return 0;
}

void rows_each(struct threads *threads, size_t n_rows, size_t width, rows_function *f,
               void *context)
{
    struct job job = {f, context, n_rows, PIECE_FLOATS / width + 1};
    struct error none = {0};

    if (n_rows <= job.piece)
        f(context, 0, n_rows);
    else
        threads_run(threads, (n_rows + job.piece - 1) / job.piece, run_piece, &job, &none);
}
