#include "job.h"

#include <stdlib.h>

#include "base/memory.h"

struct job *job_new(struct served_model *model)
{
    struct job *job = memory_zalloc(1, sizeof *job);

    pthread_mutex_init(&job->mutex, NULL);
    atomic_init(&job->n_owners, 1);
    job->model = model;
    job->n_choices = 1;
    return job;
}

static void free_texts(struct job *job)
{
    for (size_t i = 0; job->texts && i < job_n_texts(job); i++) {
        buffer_release(&job->texts[i].text);
        free(job->texts[i].logprobs);
    }
    free(job->texts);
}

void job_leave(struct job *job)
{
    if (!job || atomic_fetch_sub(&job->n_owners, 1) > 1)
        return;
    free_texts(job);
    for (size_t i = 0; i < job->n_prompts; i++)
        ids_release(&job->prompts[i]);
    free(job->prompts);
    for (size_t i = 0; i < job->n_inputs; i++) {
        ids_release(&job->inputs[i].ids);
        buffer_release(&job->inputs[i].type_ids);
    }
    free(job->inputs);
    for (size_t i = 0; i < job->n_stops; i++)
        free(job->stops[i]);
    free(job->stops);
    free(job->biases);
    ids_release(&job->eos);
    free(job->rows);
    pthread_mutex_destroy(&job->mutex);
    free(job);
}

void job_cancel(struct job *job)
{
    atomic_store(&job->is_cancelled, true);
}

size_t job_n_texts(const struct job *job)
{
    return job->n_prompts * job->n_choices;
}

size_t job_n_prompt_tokens(const struct job *job)
{
    size_t n = 0;

    for (size_t i = 0; i < job->n_prompts; i++)
        n += job->prompts[i].n_items;
    for (size_t i = 0; i < job->n_inputs; i++)
        n += job->inputs[i].ids.n_items;
    return n;
}

void job_prepare(struct job *job)
{
    job->texts = memory_zalloc(job_n_texts(job), sizeof *job->texts);
    job->settings.eos = &job->eos;
    job->settings.stops = (struct text_stops){(const char *const *)job->stops, job->n_stops};
    job->settings.sampling.biases = job->biases;
    job->settings.tokenizer = job->model->tokenizer;
    job->settings.name = job->model->id;
}

size_t job_n_untaken(const struct job *job)
{
    size_t n = 0, width = 1 + job->settings.n_top_logprobs;

    for (size_t i = 0; i < job_n_texts(job); i++)
        n += job->texts[i].text.size +
             job->texts[i].n_logprobs * width * sizeof *job->texts[i].logprobs;
    return n;
}
