#include "texts_pass.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

/* Tokens of prompts in one step: so many that a pass is as fast per token as it gets, so few that
 * nobody waits long for the next token. */
enum { PROMPT_TOKENS = 512, LEAST_SHARED = 16, CHEAP_ROWS = 1 + DRAFTS_MAX };

/* ---- coming in ---- */

static size_t count_active(const struct lane *lane)
{
    size_t n = 0;

    for (const struct sequence *sequence = lane->sequences; sequence; sequence = sequence->next)
        n += sequence->paused_s == 0;
    return n;
}

static void fail_text(struct job *job, size_t number, const struct error *error)
{
    job->texts[number].state = GENERATION_FAILED;
    job->texts[number].error = *error;
}

static void begin_text(struct lane *lane, struct job *job)
{
    size_t number = job->n_begun++;
    struct generation_settings settings = job->settings;
    struct sequence *sequence = memory_zalloc(1, sizeof *sequence), **at = &lane->sequences;
    struct error error = {0};

    sequence->job = job;
    sequence->number = number;
    settings.sampling.number = number;
    if (generation_init(&sequence->generation, lane->model->model,
                        &job->prompts[number / job->n_choices], &settings, &error)) {
        sequence->generation.state = GENERATION_FAILED;
        sequence->generation.error = error;
    }
    while (*at)
        at = &(*at)->next;
    *at = sequence;
}

void texts_pass_admit(struct lane *lane, size_t n_parallel, double last_s)
{
    const struct model *model = lane->model->model;
    struct job *job;

    lane->shares_prefixes =
        !model->spec.is_encoder_decoder && !model_needs_whole_prompts(model);
    while (count_active(lane) < n_parallel && (job = lane_first(lane)) &&
           job->submitted_s <= last_s) {
        lane_begin_job(lane, job);
        if (job_n_texts(job) == 0) { /* the model is there: that was all */
            lane_finish_job(lane, job, NULL);
            continue;
        }
        begin_text(lane, job);
        if (job->n_begun == job_n_texts(job))
            lane_remove(lane, job);
    }
}

/* ---- beginnings that others have ---- */

static bool is_sibling(const struct sequence *a, const struct sequence *b)
{
    return a->job == b->job && a->number / a->job->n_choices == b->number / b->job->n_choices;
}

/* Of running texts the one that has most of its beginning in its cache; *length: how much. NULL
 * with *waits when one is about to have it all. */
static struct sequence *find_source(const struct lane *lane, const struct sequence *sequence,
                                    size_t *length, bool *waits)
{
    const struct generation *generation = &sequence->generation;
    struct sequence *found = NULL;

    *length = 0;
    *waits = false;
    for (struct sequence *other = lane->sequences; other; other = other->next) {
        const struct cache *cache = other->generation.cache;
        size_t n;

        if (other == sequence || !other->is_begun || !cache)
            continue;
        if (is_sibling(other, sequence) && cache->n_tokens < other->generation.n_given) {
            *waits = true;
            return NULL;
        }
        n = prefix_length(other->generation.ids.items, cache->n_tokens, generation->ids.items,
                          generation_most_cached(generation));
        if (n > *length) {
            *length = n;
            found = other;
        }
    }
    return found;
}

static struct cache *copy_beginning(struct cache *cache, size_t length)
{
    size_t n = cache->n_tokens;
    struct error error = {0};
    struct cache *copy;

    cache->n_tokens = length; /* no more than that is copied */
    copy = cache_fork(cache, &error);
    cache->n_tokens = n;
    return copy;
}

static void tell_cached(struct sequence *sequence)
{
    struct job *job = sequence->job;

    if (sequence->number)
        return;
    pthread_mutex_lock(&job->mutex);
    job->n_cached_tokens = sequence->generation.cache->n_tokens;
    pthread_mutex_unlock(&job->mutex);
}

/* Whether it can take part in the next step. Its last token is run in any case: it gives the
 * next. */
static bool begin(struct lane *lane, struct sequence *sequence)
{
    struct generation *generation = &sequence->generation;
    struct sequence *source;
    struct cache *cache;
    size_t length;
    bool waits;

    if (!lane->shares_prefixes) {
        sequence->is_begun = true;
        return true;
    }
    source = find_source(lane, sequence, &length, &waits);
    if (waits)
        return false;
    cache = prefix_store_take(&lane->store, generation->ids.items,
                              generation_most_cached(generation),
                              length < LEAST_SHARED ? LEAST_SHARED : length + 1);
    if (!cache && length >= LEAST_SHARED)
        cache = copy_beginning(source->generation.cache, length);
    if (cache) {
        cache_free(generation->cache);
        generation->cache = cache;
    }
    sequence->is_begun = true;
    tell_cached(sequence);
    return true;
}

/* ---- memory ---- */

/* The youngest that has something to lose, but for the oldest. */
static struct sequence *find_victim(const struct lane *lane)
{
    struct sequence *found = NULL;

    for (struct sequence *sequence = lane->sequences; sequence; sequence = sequence->next)
        if (sequence != lane->sequences && sequence->is_begun &&
            sequence->generation.cache && sequence->generation.cache->capacity)
            found = sequence;
    return found;
}

/* Encoder-decoders, and those whose prompts go through whole, lose nothing: their tokens depend on
 * where a step began. */
static bool make_room(struct lane *lane, size_t budget)
{
    struct sequence *victim;

    while (lane_cache_bytes(lane) > budget) {
        if (prefix_store_drop(&lane->store))
            continue;
        victim = lane->shares_prefixes ? find_victim(lane) : NULL;
        if (!victim)
            return false;
        cache_free(victim->generation.cache);
        victim->generation.cache = cache_new(&lane->model->spec.stack);
        victim->is_begun = false;
        pthread_mutex_lock(lane->mutex);
        lane->counts.n_preemptions++;
        pthread_mutex_unlock(lane->mutex);
    }
    return true;
}

/* ---- a step ---- */

/* Where few texts grow, and no prompt comes in, there is time to run guesses beside them. */
static void allow_drafts(struct generation *const *members, size_t n, bool has_prompts)
{
    for (size_t i = 0; i < n; i++)
        members[i]->settings.n_drafts = has_prompts || n > CHEAP_ROWS ? 0 : CHEAP_ROWS / n - 1;
}

/* members: room for all sequences. */
static size_t choose_members(struct lane *lane, struct generation **members, size_t budget)
{
    size_t n = 0, n_left = PROMPT_TOKENS;
    bool has_room = make_room(lane, budget);

    for (struct sequence *sequence = lane->sequences; sequence; sequence = sequence->next) {
        struct generation *generation = &sequence->generation;
        size_t n_new;

        if (generation->state != GENERATION_RUNS || sequence->paused_s > 0)
            continue;
        /* Where there is no room for more, those that have begun go on. */
        if (!sequence->is_begun &&
            ((n > 0 && (!has_room || n_left == 0)) || !begin(lane, sequence)))
            continue;
        n_new = generation->ids.n_items - generation->cache->n_tokens;
        if (n_new > 1 && n_left == 0)
            continue;
        if (n_new > 1) {
            generation->settings.chunk = n_new < n_left ? n_new : n_left;
            n_left -= generation->settings.chunk;
        }
        members[n++] = generation;
    }
    allow_drafts(members, n, n_left < PROMPT_TOKENS);
    return n;
}

static void take_logprobs(struct job_text *text, const struct sequence *sequence, size_t n_new)
{
    const struct generation *generation = &sequence->generation;
    size_t width = 1 + generation->settings.n_top_logprobs;
    size_t n_before = sequence->n_published, n;

    if (!generation->logprobs || n_new == n_before)
        return;
    /* Before the first new token those of the prompt. */
    n_before += n_before ? generation->settings.n_scored : 0;
    n = generation->settings.n_scored + n_new - n_before;
    text->logprobs = memory_resize(text->logprobs, text->n_logprobs + n,
                                   width * sizeof *text->logprobs);
    memcpy(text->logprobs + text->n_logprobs * width,
           generation->logprobs + n_before * width,
           n * width * sizeof *text->logprobs);
    text->n_logprobs += n;
}

/* From the token before to these. */
static void count_between(struct lane *lane, struct sequence *sequence, size_t n_new)
{
    double now_s = clock_now_s(), before_s = sequence->published_s;
    size_t n = n_new - sequence->n_published;

    sequence->published_s = now_s;
    if (before_s == 0)
        return;
    pthread_mutex_lock(lane->mutex);
    histogram_add(&lane->counts.between, histogram_seconds, (now_s - before_s) / (double)n);
    pthread_mutex_unlock(lane->mutex);
}

/* What is new goes to the job. Whether this was its last text. */
static bool publish(struct lane *lane, struct sequence *sequence)
{
    struct generation *generation = &sequence->generation;
    struct job *job = sequence->job;
    struct job_text *text = &job->texts[sequence->number];
    size_t n_new = generation->ids.n_items - generation->n_given;
    bool has_ended = generation->state != GENERATION_RUNS, is_done;

    pthread_mutex_lock(&job->mutex);
    if (generation->state == GENERATION_FAILED)
        fail_text(job, sequence->number, &generation->error);
    text->state = generation->state;
    text->n_tokens = n_new;
    if (generation->text.size)
        buffer_add(&text->text, generation->text.data, generation->text.size);
    buffer_clear(&generation->text);
    take_logprobs(text, sequence, n_new);
    if (n_new && job->first_s == 0)
        job->first_s = clock_now_s();
    job->n_ended += has_ended;
    is_done = job->n_ended == job_n_texts(job);
    if (job->wake && !is_done && (n_new > sequence->n_published || has_ended))
        job->wake(job->waker);
    pthread_mutex_unlock(&job->mutex);
    if (n_new > sequence->n_published)
        count_between(lane, sequence, n_new);
    sequence->n_published = n_new;
    return is_done;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void publish_all(struct lane *lane)
{
    struct sequence **at = &lane->sequences;

    while (*at) {
        struct sequence *sequence = *at;
        struct job *job = sequence->job;
        bool is_done = publish(lane, sequence);

        if (sequence->generation.state == GENERATION_RUNS) {
            at = &sequence->next;
            continue;
        }
        lane_drop_sequence(lane, at);
        if (is_done)
            lane_finish_job(lane, job, NULL);
    }
}

void texts_pass_run(struct lane *lane, size_t cache_bytes)
{
    size_t n_all = 0, n_tokens = 0, n;
    size_t *before; /* tokens in their caches */
    struct generation **members;
    struct error error = {0};

    for (struct sequence *sequence = lane->sequences; sequence; sequence = sequence->next)
        n_all++;
    members = memory_zalloc(n_all, sizeof *members);
    before = memory_zalloc(n_all, sizeof *before);
    n = choose_members(lane, members, cache_bytes);
    for (size_t i = 0; i < n; i++)
        before[i] = members[i]->cache->n_tokens;
    if (n && generation_step(lane->model->model, members, n, &error))
        for (size_t i = 0; i < n; i++) {
            members[i]->state = GENERATION_FAILED;
            members[i]->error = error;
        }
    for (size_t i = 0; i < n; i++)
        n_tokens += members[i]->cache->n_tokens - smaller(before[i], members[i]->cache->n_tokens);
    free(before);
    free(members);
    publish_all(lane);
    lane_count_step(lane, n_tokens);
}
