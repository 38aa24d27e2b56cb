/* test_judge.c - models judged in turn lose what each loses alone, and are put away. */
#include "eval/judge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "scratch.h"

static const struct losses_options by_default = {
    .batch_size = 2, .max_length = 2048, .temperature = 0.05,
};

struct court {
    struct threads *threads;
    struct judge_options options;
    struct examples examples;
    struct judge judge;
    struct model_folder base;
    struct notices notices;
    struct error err;
};

/* With examples of fixtures/examples/; 0, or -1 with court->err. */
static int open_court(struct court *court, enum model_type type, const char *examples,
                      const char *base, bool is_lm_cocktail, size_t n_negatives)
{
    const struct judge_examples from = {.path = examples, .n_negatives = n_negatives, .seed = 1};

    *court = (struct court){0};
    court->threads = threads_new(2, &court->err);
    court->options = (struct judge_options){.type = type, .threads = court->threads,
                                            .losses = by_default};
    court->options.losses.is_lm_cocktail = is_lm_cocktail;
    scratch_must(model_folder_open(&court->base, base, NULL, false, &court->err) == 0, "open", base);
    return judge_load_examples(&court->examples, &court->options, &from, &court->notices,
                               &court->err) ||
                   judge_init(&court->judge, &court->options, &court->examples, &court->base,
                              &court->err)
               ? -1
               : 0;
}

static void close_court(struct court *court)
{
    judge_release(&court->judge);
    examples_release(&court->examples);
    model_folder_release(&court->base);
    notices_release(&court->notices);
    threads_free(court->threads);
}

/* The loss of a model, judged in turn; and that nothing of it is left in memory. */
static double loss_of(struct court *court, const char *path)
{
    struct model_folder folder;
    struct progress progress = {0};
    struct losses losses;
    double loss;

    scratch_must(model_folder_open(&folder, path, NULL, false, &court->err) == 0, "open", path);
    CHECK(judge_run(&court->judge, &folder, NULL, &losses, &progress, &court->notices,
                    &court->err) == 0);
    CHECK(losses.n_items == court->examples.n_items && progress.total_bytes > 0);
    CHECK(progress.done_bytes == progress.total_bytes);
    CHECK(folder.n_opened > 0 && folder.opened[0].checkpoint->files[0].file->map == NULL);
    loss = losses.loss;
    losses_release(&losses);
    model_folder_release(&folder);
    return loss;
}

/* The same by itself. */
static double loss_alone(const struct court *court, const char *path, const char *pooling)
{
    struct model_folder folder;
    struct notices notices = {0};
    struct error err = {0};
    struct sentence_settings settings = {0};
    struct sentence_model *sentence = NULL;
    struct losses losses = {0};
    struct losses_model alone = {.name = path, .type = court->options.type, .settings = &settings};
    double loss;

    scratch_must(model_folder_open(&folder, path, NULL, false, &err) == 0, "open", path);
    CHECK(model_folder_settings(&folder, alone.type, &settings, &notices, &err) == 0);
    alone.model = model_load(&folder, alone.type, court->threads, &notices, &err);
    scratch_must(alone.model != NULL, "load", path);
    if (alone.type == MODEL_ENCODER)
        sentence = sentence_model_load(&folder, alone.model, pooling, &notices, &err);
    alone.sentence = sentence;
    alone.tokenizer = court->judge.tokenizer;
    CHECK(losses_compute(&losses, &alone, &court->examples, &by_default, &notices, &err) == 0);
    loss = losses.loss;
    losses_release(&losses);
    sentence_model_free(sentence);
    model_free(alone.model);
    sentence_settings_release(&settings);
    notices_release(&notices);
    model_folder_release(&folder);
    return loss;
}

static void each_loses_what_it_loses_alone(void)
{
    static const char *const decoders[] = {"fixtures/decoder-base", "fixtures/decoder-arithmetic"};
    static const char *const encoders[] = {"fixtures/encoder-base", "fixtures/encoder-parts"};
    struct court court;

    CHECK(open_court(&court, MODEL_DECODER, "fixtures/examples/arithmetic.jsonl", decoders[0],
                     false, 7) == 0);
    for (size_t i = 0; i < 2; i++)
        CHECK(loss_of(&court, decoders[i]) == loss_alone(&court, decoders[i], NULL));
    CHECK(loss_of(&court, decoders[1]) < loss_of(&court, decoders[0]));
    close_court(&court);

    CHECK(open_court(&court, MODEL_ENCODER, "fixtures/examples/retrieval-parts.jsonl",
                     encoders[0], false, 2) == 0);
    for (size_t i = 0; i < 2; i++)
        CHECK(loss_of(&court, encoders[i]) == loss_alone(&court, encoders[i], NULL));
    close_court(&court);
}

static void lm_cocktail_draws_as_many_negatives_as_it_is_told(void)
{
    struct court court;

    CHECK(open_court(&court, MODEL_ENCODER, "fixtures/examples/retrieval-parts.jsonl",
                     "fixtures/encoder-base", true, 1000) == -1);
    CHECK(court.err.code == ERROR_FORMAT && strstr(court.err.text, "1000 of them"));
    close_court(&court);
    CHECK(open_court(&court, MODEL_ENCODER, "fixtures/examples/retrieval-parts.jsonl",
                     "fixtures/encoder-base", true, 2) == 0);
    CHECK(loss_of(&court, "fixtures/encoder-parts") > 0);
    close_court(&court);
}

static void what_cannot_be_judged_holds_nothing(void)
{
    struct model_folder folder;
    struct losses losses;
    struct court court;

    CHECK(open_court(&court, MODEL_DECODER, "fixtures/examples/arithmetic.jsonl",
                     "fixtures/decoder-base", false, 7) == 0);
    scratch_must(model_folder_open(&folder, "fixtures/encoder-base", NULL, false, &court.err) == 0,
                 "open", "fixtures/encoder-base");
    CHECK(judge_run(&court.judge, &folder, NULL, &losses, NULL, &court.notices, &court.err) == -1);
    CHECK(court.err.code == ERROR_INCOMPATIBLE && !losses.items);
    losses_release(&losses);
    model_folder_release(&folder);
    close_court(&court);
}

/* ---- the disk ---- */

/* A file of fixtures/decoder-base once more, and only on the disk, where the file system has one. */
static void copy_cold(const char *folder, const char *name)
{
    char *from = memory_format("fixtures/decoder-base/%s", name);
    char *to = memory_format("%s/%s", folder, name);
    struct error err = {0};
    struct file *source = file_open(from, from, &err), *made;
    const void *bytes = source ? file_map(source, &err) : NULL;

    scratch_must(bytes != NULL, "read", from);
    scratch_write(to, bytes, source->size_bytes);
    file_close(source);
    made = file_open(scratch_path(to), to, &err);
    scratch_must(made && fsync(made->fd) == 0, "keep", to);
    posix_fadvise(made->fd, 0, 0, POSIX_FADV_DONTNEED);
    file_close(made);
    free(from);
    free(to);
}

/* The share of a file that is in memory. */
static double share_in_memory(const char *name)
{
    struct error err = {0};
    struct file *file = file_open(scratch_path(name), name, &err);
    const void *map = file ? file_map(file, &err) : NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = map ? (file->size_bytes + page - 1) / page : 0;
    unsigned char *there = memory_zalloc(n + 1, 1);
    size_t n_there = 0;

    scratch_must(map && mincore((void *)map, file->size_bytes, there) == 0, "look at", name);
    for (size_t i = 0; i < n; i++)
        n_there += there[i] & 1;
    free(there);
    file_close(file);
    return (double)n_there / (double)n;
}

static void the_disk_gives_the_next_model_meanwhile(void)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};
    struct model_folder next;
    struct losses losses = {0};
    struct court court;

    CHECK(open_court(&court, MODEL_DECODER, "fixtures/examples/arithmetic.jsonl",
                     "fixtures/decoder-base", false, 7) == 0);
    copy_cold("next", "config.json");
    copy_cold("next", "model.safetensors");
    if (share_in_memory("next/model.safetensors") > 0.5)
        printf("# files are always in memory here\n");
    scratch_must(model_folder_open(&next, scratch_path("next"), NULL, false, &court.err) == 0, "open",
                 "next");
    /* A model as small as this may be judged before the disk has been asked for anything. */
    for (size_t i = 0; i < 200 && share_in_memory("next/model.safetensors") < 1; i++) {
        losses_release(&losses);
        CHECK(judge_run(&court.judge, &court.base, &next, &losses, NULL, &court.notices,
                        &court.err) == 0);
        nanosleep(&moment, NULL);
    }
    CHECK(share_in_memory("next/model.safetensors") == 1);
    losses_release(&losses);
    model_folder_release(&next);
    close_court(&court);
}

TESTS(TEST(the_disk_gives_the_next_model_meanwhile), TEST(each_loses_what_it_loses_alone),
      TEST(lm_cocktail_draws_as_many_negatives_as_it_is_told),
      TEST(what_cannot_be_judged_holds_nothing))
