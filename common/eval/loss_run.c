#include "loss_run.h"

#include <math.h>

#include "base/ranks.h"
#include "model/expert_group.h"

/* What is gathered at a time is held of so many things by each rank. */
enum { GATHERED_PER_RANK = 32 };

size_t loss_run_text_bytes(const struct example *example)
{
    size_t size_bytes =
        example->input.n + example->output.n + example->query.n + example->positive.n;

    for (size_t i = 0; i < example->n_negatives; i++)
        size_bytes += example->negatives[i].n;
    return size_bytes;
}

int loss_run_keep(struct loss_run *run, size_t example, struct example_loss loss,
                  struct error *err)
{
    const struct example *text = &run->examples->items[example];
    struct progress *progress = run->options->progress;

    if (!isfinite(loss.loss))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': the loss of %s:%zu is %s; are its weights "
                         "damaged?", run->model->name, run->examples->name, text->line,
                         isnan(loss.loss) ? "not a number" : "infinite");
    run->losses[example] = loss;
    if (progress) {
        progress->done_bytes += loss_run_text_bytes(text);
        if (progress->show)
            progress->show(progress);
    }
    return 0;
}

size_t loss_run_group_size(const struct losses_options *options)
{
    return options->batch_size ? options->batch_size : LM_COCKTAIL_BATCH;
}

size_t loss_run_window(const struct loss_run *run, size_t first, size_t n)
{
    size_t most = run->options->follower.gather ? GATHERED_PER_RANK * ranks_count() : n;

    return n - first < most ? n - first : most;
}

struct share loss_run_share(const size_t *sizes, size_t n)
{
    return share_of(sizes, n, ranks_number(), ranks_count());
}

int loss_run_meet(const struct loss_run *run, struct error *err)
{
    const struct pass_follower *follower = &run->options->follower;

    if (expert_group_finish(run->model->model->engine.experts, err))
        return loss_run_failed(run, err);
    return follower->gather ? follower->gather(follower->context, err) : 0;
}

bool loss_run_shares(const struct loss_run *run)
{
    const struct pass_follower *follower = &run->options->follower;

    return !follower->follow || follower->takes_shared;
}

int loss_run_passed(const struct loss_run *run, const struct pass *pass, struct error *err)
{
    const struct pass_follower *follower = &run->options->follower;

    return follower->follow ? follower->follow(follower->context, pass, err) : 0;
}

int loss_run_failed(const struct loss_run *run, struct error *err)
{
    if (err->code == ERROR_SIGINT || err->code == ERROR_SIGTERM)
        return -1;
    return error_context(err, "'%s'", run->model->name);
}
