/* test_scheduler.c - jobs of many clients: in any company, with little memory and behind others that go,
 * each gets what it would get alone. */
#include "serve/scheduler.h"

#include <time.h>

#include "base/memory.h"
#include "test.h"

enum { N_MODELS = 2, N_TOKENS = 24, PROMPT_MAX = 64 };

static struct served_model models[N_MODELS];
static struct threads *threads;

static void load(void)
{
    static const char *const names[N_MODELS] = {"fixtures/decoder-base", "fixtures/decoder-tense"};
    struct notices notices = {0};
    struct error err = {0};

    if (threads)
        return;
    threads = threads_new(2, &err);
    for (size_t i = 0; i < N_MODELS; i++)
        if (served_model_open(&models[i], names[i], names[i], NULL, NULL, false, &notices, &err))
            printf("# %s\n", err.text);
    notices_release(&notices);
    CHECK(err.code == ERROR_NONE);
}

static struct scheduler *start(size_t n_parallel, size_t max_queue, size_t cache_bytes,
                               size_t memory_bytes)
{
    const struct scheduler_settings settings = {n_parallel, max_queue, cache_bytes, memory_bytes};
    struct notices notices = {0};
    struct error err = {0};
    struct scheduler *scheduler;

    load();
    scheduler = scheduler_new(models, N_MODELS, threads, &settings, &notices, &err);
    CHECK(scheduler != NULL);
    notices_release(&notices);
    return scheduler;
}

static void stop(struct scheduler *scheduler)
{
    scheduler_end(scheduler, false);
    scheduler_free(scheduler);
    for (size_t i = 0; i < N_MODELS; i++)
        served_model_unload(&models[i]);
}

/* ---- jobs ---- */

static struct job *make_job(size_t model, uint32_t first, size_t n_prompt, size_t n_tokens)
{
    struct job *job = job_new(&models[model]);

    job->prompts = memory_zalloc(1, sizeof *job->prompts);
    job->n_prompts = 1;
    for (uint32_t i = 0; i < n_prompt; i++)
        ids_add(&job->prompts[0], 20 + (first * 37 + i * 11) % 400);
    job->settings.max_tokens = n_tokens;
    job->settings.sampling = (struct sampling){.temperature = 1, .top_p = 1, .seed = first};
    job_prepare(job);
    return job;
}

static bool submit(struct scheduler *scheduler, struct job *job, int *status)
{
    struct refusal refusal = {0};
    int rc = scheduler_submit(scheduler, job, &refusal);

    *status = refusal.status;
    return rc == 0;
}

static bool is_done(struct job *job)
{
    bool answer;

    pthread_mutex_lock(&job->mutex);
    answer = job->is_done;
    pthread_mutex_unlock(&job->mutex);
    return answer;
}

static void wait_for(struct job *job)
{
    const struct timespec pause = {.tv_nsec = 1000 * 1000};

    for (size_t i = 0; i < 120 * 1000 && !is_done(job); i++)
        nanosleep(&pause, NULL);
    CHECK(is_done(job));
}

static char *text_of(struct job *job)
{
    wait_for(job);
    CHECK(job->error.code == ERROR_NONE);
    return memory_copy(job->texts[0].text.data ? job->texts[0].text.data : "");
}

/* What this job says alone. */
static char *text_alone(size_t model, uint32_t first, size_t n_prompt, size_t n_tokens)
{
    struct scheduler *scheduler = start(1, 0, 1 << 30, 0);
    struct job *job = make_job(model, first, n_prompt, n_tokens);
    char *text;
    int status;

    CHECK(submit(scheduler, job, &status));
    text = text_of(job);
    job_leave(job);
    stop(scheduler);
    return text;
}

/* Six jobs of both models at once, of which some begin alike. */
static void check_together(struct scheduler *scheduler)
{
    static const struct {
        size_t model, n_prompt;
        uint32_t first;
    } asked[] = {{0, 40, 1}, {0, 60, 1}, {1, 40, 1}, {0, 8, 2}, {0, 50, 3}, {1, 30, 4}};
    enum { N = sizeof asked / sizeof *asked };
    struct job *jobs[N];
    int status;

    for (size_t i = 0; i < N; i++) {
        jobs[i] = make_job(asked[i].model, asked[i].first, asked[i].n_prompt, N_TOKENS);
        CHECK(submit(scheduler, jobs[i], &status));
    }
    for (size_t i = 0; i < N; i++)
        wait_for(jobs[i]);
    stop(scheduler);
    for (size_t i = 0; i < N; i++) {
        char *text = text_of(jobs[i]);
        char *alone = text_alone(asked[i].model, asked[i].first, asked[i].n_prompt, N_TOKENS);

        CHECK(*alone && strcmp(text, alone) == 0);
        CHECK(jobs[i]->texts[0].n_tokens == N_TOKENS);
        free(alone);
        free(text);
        job_leave(jobs[i]);
    }
}

static void company_does_not_matter(void)
{
    check_together(start(8, 16, 1 << 30, 0));
    check_together(start(1, 16, 1 << 30, 0));
}

static void little_memory_for_caches_does_not_matter(void)
{
    struct scheduler *scheduler = start(8, 16, 1 << 16, 0);
    struct job *jobs[3];
    struct lane_counts counts;
    int status;

    for (uint32_t i = 0; i < 3; i++) {
        jobs[i] = make_job(0, 5 + i, PROMPT_MAX, 2 * N_TOKENS);
        CHECK(submit(scheduler, jobs[i], &status));
    }
    for (size_t i = 0; i < 3; i++)
        wait_for(jobs[i]);
    scheduler_count(scheduler, 0, &counts);
    CHECK(counts.n_preemptions > 0);
    CHECK(counts.n_running == 0 && counts.n_waiting == 0);
    CHECK(counts.n_new_tokens == 3 * 2 * N_TOKENS);
    stop(scheduler);
    for (uint32_t i = 0; i < 3; i++) {
        char *text = text_of(jobs[i]), *alone = text_alone(0, 5 + i, PROMPT_MAX, 2 * N_TOKENS);

        CHECK(strcmp(text, alone) == 0);
        free(alone);
        free(text);
        job_leave(jobs[i]);
    }
}

static void models_come_and_go(void)
{
    struct scheduler *scheduler;
    struct lane_counts counts[N_MODELS];

    load();
    scheduler = start(8, 16, 1 << 30, models[0].size_bytes + 1);
    for (size_t i = 0; i < N_MODELS; i++) {
        scheduler_count(scheduler, i, &counts[i]);
        CHECK(!counts[i].is_loaded);
    }
    for (size_t i = 0; i < 2 * N_MODELS; i++) {
        struct job *job = make_job(i % N_MODELS, 1, 8, 2);
        int status;

        CHECK(submit(scheduler, job, &status));
        wait_for(job);
        CHECK(job->error.code == ERROR_NONE && job->texts[0].n_tokens == 2);
        for (size_t k = 0; k < N_MODELS; k++) {
            scheduler_count(scheduler, k, &counts[k]);
            CHECK(counts[k].is_loaded == (k == i % N_MODELS));
        }
        job_leave(job);
    }
    stop(scheduler);
}

static void beginnings_are_shared(void)
{
    struct scheduler *scheduler = start(8, 16, 1 << 30, 0);
    struct job *jobs[2];
    int status;

    for (size_t i = 0; i < 2; i++) {
        jobs[i] = make_job(0, 1, PROMPT_MAX, N_TOKENS);
        CHECK(submit(scheduler, jobs[i], &status));
        wait_for(jobs[i]);
    }
    CHECK(jobs[0]->n_cached_tokens == 0);
    CHECK(jobs[1]->n_cached_tokens == PROMPT_MAX - 1);
    CHECK(strcmp(jobs[0]->texts[0].text.data, jobs[1]->texts[0].text.data) == 0);
    for (size_t i = 0; i < 2; i++)
        job_leave(jobs[i]);
    stop(scheduler);
}

/* So long that it does not end by itself. */
static struct job *make_endless(void)
{
    models[0].model->spec.max_tokens = 0; /* no limit; nobody runs it yet */
    return make_job(0, 9, 8, 1 << 20);
}

static void more_than_the_line_holds_is_refused(void)
{
    struct scheduler *scheduler = start(1, 1, 1 << 30, 0);
    struct job *jobs[3];
    int status;

    for (size_t i = 0; i < 3; i++)
        jobs[i] = make_endless();
    for (size_t i = 0; i < 3; i++) {
        CHECK(submit(scheduler, jobs[i], &status) == (i < 2));
    }
    CHECK(status == 429);
    for (size_t i = 0; i < 3; i++)
        job_cancel(jobs[i]);
    scheduler_nudge(scheduler);
    for (size_t i = 0; i < 2; i++) {
        wait_for(jobs[i]);
        job_leave(jobs[i]);
    }
    job_leave(jobs[2]);
    stop(scheduler);
}

static void who_goes_makes_room(void)
{
    struct scheduler *scheduler = start(1, 4, 1 << 30, 0);
    struct job *first = make_endless(), *second = make_job(0, 2, 8, 3);
    int status;

    CHECK(submit(scheduler, first, &status) && submit(scheduler, second, &status));
    CHECK(!is_done(second));
    job_cancel(first);
    scheduler_nudge(scheduler);
    wait_for(second);
    CHECK(second->error.code == ERROR_NONE && is_done(first) && first->error.code == ERROR_IO);
    job_leave(first);
    job_leave(second);
    CHECK(scheduler_is_idle(scheduler));
    stop(scheduler);
}

static void the_end_is_told(void)
{
    struct scheduler *scheduler = start(1, 4, 1 << 30, 0);
    struct job *job = make_endless(), *late = make_job(0, 1, 8, 1);
    int status;

    CHECK(submit(scheduler, job, &status));
    scheduler_end(scheduler, true);
    CHECK(!submit(scheduler, late, &status) && status == 503);
    scheduler_free(scheduler);
    CHECK(is_done(job) && job->error.code == ERROR_RESOURCES);
    job_leave(job);
    job_leave(late);
}

static void what_runs_is_finished_at_the_end(void)
{
    struct scheduler *scheduler = start(2, 4, 1 << 30, 0);
    struct job *job = make_job(0, 1, 8, N_TOKENS);
    int status;

    CHECK(submit(scheduler, job, &status));
    scheduler_end(scheduler, false);
    wait_for(job);
    CHECK(job->error.code == ERROR_NONE && job->texts[0].n_tokens == N_TOKENS);
    job_leave(job);
    stop(scheduler);
}

static void everything_is_freed(void)
{
    for (size_t i = 0; i < N_MODELS; i++)
        served_model_release(&models[i]);
    threads_free(threads);
}

TESTS(TEST(company_does_not_matter), TEST(little_memory_for_caches_does_not_matter),
      TEST(models_come_and_go), TEST(beginnings_are_shared),
      TEST(more_than_the_line_holds_is_refused), TEST(who_goes_makes_room), TEST(the_end_is_told),
      TEST(what_runs_is_finished_at_the_end), TEST(everything_is_freed))
