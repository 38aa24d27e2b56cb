#include "loss_run.h"

#include <math.h>

int loss_run_encode(struct loss_run *run, struct example_text text,
                    const struct example_text *pair, size_t max_length, struct error *err)
{
    struct encode_options options = {.max_length = max_length};

    if (tokenizer_encode(run->model->tokenizer, run->scratch, text.bytes, text.n,
                         pair ? pair->bytes : NULL, pair ? pair->n : 0, &options, &run->encoding,
                         err))
        return -1;
    run->n_texts += max_length > 0;
    run->n_cut += run->encoding.is_truncated;
    return 0;
}

int loss_run_check_ids(const struct loss_run *run, const uint32_t *ids, size_t n,
                       struct error *err)
{
    return tokenizer_check_ids(run->model->tokenizer, ids, n, run->model->model->spec.vocab_size,
                               run->model->name, err);
}

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
