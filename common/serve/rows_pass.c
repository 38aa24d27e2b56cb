#include "rows_pass.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/embed.h"

enum { PASS_TOKENS = 4096 };

struct place { /* where a row goes */
    struct job *job;
    size_t number;
};

struct pass {
    struct lane *lane;
    struct ids ids;
    struct buffer type_ids;
    size_t *ends;
    struct place *places;
    size_t n;
};

static void add(struct pass *pass, struct job *job, size_t number)
{
    const struct job_input *input = &job->inputs[number];

    for (size_t i = 0; i < input->ids.n_items; i++)
        ids_add(&pass->ids, input->ids.items[i]);
    if (input->type_ids.size)
        buffer_add(&pass->type_ids, input->type_ids.data, input->type_ids.size);
    pass->ends = memory_resize(pass->ends, pass->n + 1, sizeof *pass->ends);
    pass->places = memory_resize(pass->places, pass->n + 1, sizeof *pass->places);
    pass->ends[pass->n] = pass->ids.n_items;
    pass->places[pass->n++] = (struct place){job, number};
}

/* All of one pass have a prompt of the same length, which some models leave out. */
static void gather(struct pass *pass)
{
    struct lane *lane = pass->lane;
    struct job *first = lane_first(lane), *job, *next;

    for (job = first; job; job = next) {
        lane_begin_job(lane, job);
        if (job->n_input_prompt_tokens == first->n_input_prompt_tokens)
            while (job->n_begun < job->n_inputs &&
                   (pass->n == 0 || pass->ids.n_items +
                                            job->inputs[job->n_begun].ids.n_items <= PASS_TOKENS))
                add(pass, job, job->n_begun++);
        pthread_mutex_lock(lane->mutex);
        next = pass->ids.n_items < PASS_TOKENS ? job->next : NULL;
        pthread_mutex_unlock(lane->mutex);
    }
}

static size_t width_of(const struct served_model *model)
{
    return model->kind == SERVED_ENCODER ? sentence_model_size(model->sentence) : 1;
}

static int run(const struct pass *pass, float *rows, struct error *err)
{
    struct served_model *model = pass->lane->model;
    const struct batch batch = {.ids = pass->ids.items, .ends = pass->ends,
                                .n_sequences = pass->n,
                                .type_ids = pass->type_ids.size
                                                ? (const uint8_t *)pass->type_ids.data
                                                : NULL};

    if (model->kind == SERVED_ENCODER)
        return model_embed(model->model, model->sentence, &batch,
                           pass->places[0].job->n_input_prompt_tokens, rows, err);
    return model_rank(model->model, &batch, rows, err);
}

/* Whether the job has all its rows. */
static bool put(const struct place *place, const float *row, size_t width)
{
    struct job *job = place->job;

    pthread_mutex_lock(&job->mutex);
    if (!job->rows) {
        job->width = width;
        job->rows = memory_zalloc(job->n_inputs, width * sizeof *job->rows);
    }
    memcpy(job->rows + place->number * width, row, width * sizeof *row);
    job->n_ended++;
    pthread_mutex_unlock(&job->mutex);
    return job->n_ended == job->n_inputs;
}

static void spread(const struct pass *pass, const float *rows, size_t width,
                   const struct error *error)
{
    for (size_t i = 0; i < pass->n; i++) {
        struct job *job = pass->places[i].job;
        bool is_last = i + 1 == pass->n || pass->places[i + 1].job != job;

        if (error->code == ERROR_NONE && put(&pass->places[i], rows + i * width, width))
            lane_finish_job(pass->lane, job, NULL);
        else if (error->code && is_last)
            lane_finish_job(pass->lane, job, error);
    }
}

void rows_pass_run(struct lane *lane)
{
    struct pass pass = {.lane = lane};
    size_t width = width_of(lane->model);
    struct error error = {0};
    float *rows;

    gather(&pass);
    if (pass.n) {
        rows = memory_try(pass.n, width * sizeof *rows, "vectors", &error);
        if (rows)
            run(&pass, rows, &error);
        spread(&pass, rows, width, &error);
        lane_count_step(lane, pass.ids.n_items);
        free(rows);
    }
    ids_release(&pass.ids);
    buffer_release(&pass.type_ids);
    free(pass.ends);
    free(pass.places);
}
