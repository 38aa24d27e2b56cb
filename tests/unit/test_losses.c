/* test_losses.c - losses are what their definitions say, computed the long way here, however the
 * examples are batched. What the originals give is compared by tests/cli/eval_*.sh. */
#include "eval/losses.h"

#include <math.h>

#include "base/memory.h"
#include "scratch.h"

/* The long way uses the same float logits and scores, in passes of another composition. */
static const double tolerance = 1e-6;

struct setting { /* a model and its examples */
    struct model_folder folder;
    struct threads *threads;
    struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    struct examples examples;
    struct losses_model model;
    struct sentence_model *sentence;
    struct notices notices;
    struct error err;
};

static void open_setting(struct setting *setting, const char *path, enum model_type type,
                         size_t n_threads, const char *examples)
{
    struct error err = {0};

    *setting = (struct setting){0};
    scratch_text("ex.jsonl", examples);
    setting->threads = threads_new(n_threads, &err);
    scratch_must(model_folder_open(&setting->folder, path, NULL, false, &err) == 0, "open", path);
    setting->tokenizer = tokenizer_load(setting->folder.folder, "", &err);
    scratch_must(setting->tokenizer != NULL, "load the tokenizer of", path);
    setting->scratch = tokenizer_scratch_new(setting->tokenizer);
    setting->model = (struct losses_model){
        .name = path,
        .type = type,
        .model = model_load(&setting->folder, type, setting->threads, &setting->notices, &err),
        .tokenizer = setting->tokenizer,
    };
    scratch_must(setting->model.model != NULL, "load", path);
    if (type == MODEL_ENCODER) {
        setting->sentence = sentence_model_load(&setting->folder, setting->model.model, "mean",
                                                &setting->notices, &err);
        scratch_must(setting->sentence != NULL, "load the modules of", path);
        setting->model.sentence = setting->sentence;
    }
    scratch_must(examples_load(&setting->examples, scratch_path("ex.jsonl"), losses_kind(type),
                               NULL, &err) == 0, "read the examples for", path);
    notices_release(&setting->notices);
    setting->notices = (struct notices){0};
}

static void close_setting(struct setting *setting)
{
    examples_release(&setting->examples);
    sentence_model_free(setting->sentence);
    model_free(setting->model.model);
    tokenizer_scratch_free(setting->scratch);
    tokenizer_free(setting->tokenizer);
    threads_free(setting->threads);
    model_folder_release(&setting->folder);
    notices_release(&setting->notices);
}

static int compute_with(struct setting *setting, struct losses *losses,
                        const struct losses_options *options)
{
    setting->err = (struct error){0};
    return losses_compute(losses, &setting->model, &setting->examples, options,
                          &setting->notices, &setting->err);
}

static int compute(struct setting *setting, struct losses *losses, size_t batch_size,
                   size_t max_length)
{
    return compute_with(setting, losses, &(struct losses_options){
        .batch_size = batch_size, .max_length = max_length, .temperature = 0.05});
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= tolerance * fmax(1, fabs(b));
}

static void check_same(const struct losses *a, const struct losses *b)
{
    CHECK(a->loss == b->loss && a->n_tokens == b->n_tokens && a->n_items == b->n_items);
    CHECK(a->accuracy == b->accuracy);
    for (size_t i = 0; i < a->n_items; i++) {
        CHECK(a->items[i].loss == b->items[i].loss);
        CHECK(a->items[i].n_tokens == b->items[i].n_tokens);
        CHECK(a->items[i].rank == b->items[i].rank);
    }
}

static struct encoding encode(struct setting *setting, const char *text, const char *pair)
{
    struct encode_options options = {0};
    struct encoding encoding = {0};

    CHECK(tokenizer_encode(setting->tokenizer, setting->scratch, text, strlen(text), pair,
                           pair ? strlen(pair) : 0, &options, &encoding, &setting->err) == 0);
    return encoding;
}

/* -log softmax(x)[target] */
static double cross_entropy(const double *x, size_t n, size_t target)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += exp(x[i] - x[target]);
    return log(sum);
}

/* What the model says about the token behind row `row`. Counts it when no other is likelier. */
static double judge_row(struct model *model, const float *hidden, size_t row, uint32_t target,
                        size_t *n_right)
{
    size_t n = model->spec.vocab_size;
    float *logits = memory_zalloc(n, sizeof *logits);
    double *wide = memory_zalloc(n, sizeof *wide), loss;
    bool is_right = true;

    model_logits(model, hidden + row * model->spec.hidden_size, 1, logits);
    for (size_t i = 0; i < n; i++) {
        wide[i] = (double)logits[i];
        is_right = is_right && logits[i] <= logits[target];
    }
    *n_right += is_right;
    loss = cross_entropy(wide, n, target);
    free(logits);
    free(wide);
    return loss;
}

static double row_loss(struct model *model, const float *hidden, size_t row, uint32_t target)
{
    size_t n_right = 0;

    return judge_row(model, hidden, row, target, &n_right);
}

static float *run(struct setting *setting, const struct batch *batch)
{
    size_t n = batch->ends[batch->n_sequences - 1];
    float *hidden = memory_zalloc(n * setting->model.model->spec.hidden_size, sizeof *hidden);

    CHECK(model_run(setting->model.model, batch, hidden, &setting->err) == 0);
    return hidden;
}

/* ---- decoders ---- */

static const char arithmetic[] =
    "{\"input\": \"What is 29 plus 7?\", \"output\": \"36\"}\n"
    "{\"input\": \"What is 8\", \"output\": \"plus 13? 21\"}\n"
    "{\"input\": \"\", \"output\": \"What is 5 plus 5? 10\"}\n";

static void a_decoder_is_judged_by_the_tokens_of_the_output(void)
{
    static const char *const inputs[] = {"What is 29 plus 7?", "What is 8", ""};
    static const char *const joint[] = {"What is 29 plus 7? 36", "What is 8 plus 13? 21",
                                        " What is 5 plus 5? 10"};
    struct setting setting;
    struct losses losses;
    double sum = 0;
    size_t n_tokens = 0, n_right = 0;

    open_setting(&setting, "fixtures/decoder-base", MODEL_DECODER, 2, arithmetic);
    CHECK(compute(&setting, &losses, 8, 2048) == 0);
    for (size_t i = 0; i < 3; i++) {
        struct encoding input = encode(&setting, inputs[i], NULL);
        struct encoding all = encode(&setting, joint[i], NULL);
        uint32_t ids[64] = {0};
        size_t n = all.n_ids + 1;
        struct batch batch = {.ids = ids, .ends = &n, .n_sequences = 1};
        double loss = 0;
        float *hidden;

        memcpy(ids, all.ids, all.n_ids * sizeof *ids);
        ids[all.n_ids] = 2; /* </s> */
        hidden = run(&setting, &batch);
        for (size_t t = input.n_ids; t < n; t++)
            loss += judge_row(setting.model.model, hidden, t - 1, ids[t], &n_right);
        CHECK(losses.items[i].n_tokens == n - input.n_ids);
        CHECK(is_near(losses.items[i].loss, loss / (double)(n - input.n_ids)));
        sum += loss;
        n_tokens += n - input.n_ids;
        free(hidden);
        encoding_release(&input);
        encoding_release(&all);
    }
    CHECK(losses.n_tokens == n_tokens && is_near(losses.loss, sum / (double)n_tokens));
    CHECK(n_right > 0 && n_right < n_tokens);
    CHECK(losses.accuracy == (double)n_right / (double)n_tokens);
    CHECK(isnan(losses.mrr));
    CHECK(setting.notices.n_texts == 0);
    losses_release(&losses);
    close_setting(&setting);
}

/* A tokenizer that adds no first token: of an empty input nothing is masked, but no token stands
 * before the first one that could tell it. */
static void the_first_token_of_all_is_not_judged(void)
{
    static const char examples[] = "{\"input\": \"\", \"output\": \"t5 t9 t3\"}\n"
                                   "{\"input\": \"t4\", \"output\": \"t7\"}\n"
                                   "{\"input\": \"\", \"output\": \"t2\"}\n";
    static const char *const joint[] = {" t5 t9 t3", "t4 t7", " t2"};
    static const size_t n_targets[] = {3, 2, 1}; /* with the end of text */
    struct setting setting;
    struct losses losses;

    open_setting(&setting, "fixtures/models/gpt2", MODEL_DECODER, 1, examples);
    CHECK(compute(&setting, &losses, 8, 2048) == 0);
    for (size_t i = 0; i < 3; i++) {
        struct encoding all = encode(&setting, joint[i], NULL);
        uint32_t ids[8] = {0};
        size_t n = all.n_ids + 1;
        struct batch batch = {.ids = ids, .ends = &n, .n_sequences = 1};
        double loss = 0;
        float *hidden;

        CHECK(all.n_ids == n_targets[i]);
        memcpy(ids, all.ids, all.n_ids * sizeof *ids);
        ids[all.n_ids] = 0; /* <|endoftext|> */
        hidden = run(&setting, &batch);
        for (size_t t = 1; t < n; t++)
            loss += row_loss(setting.model.model, hidden, t - 1, ids[t]);
        CHECK(losses.items[i].n_tokens == n_targets[i]);
        CHECK(is_near(losses.items[i].loss, loss / (double)n_targets[i]));
        free(hidden);
        encoding_release(&all);
    }
    losses_release(&losses);
    close_setting(&setting);
}

/* More tokens than one pass takes. */
static void batches_do_not_show(void)
{
    struct buffer text = {0};
    struct losses one, three, all;
    struct setting setting;

    for (size_t i = 0; i < 90; i++) {
        buffer_add_text(&text, "{\"input\": \"Past tense: ");
        for (size_t w = 0; w < 20 + i / 2; w++)
            buffer_format(&text, "the %zu ", w * i % 10);
        buffer_add_text(&text, "\", \"output\": \"the sailor\"}\n");
    }
    open_setting(&setting, "fixtures/decoder-base", MODEL_DECODER, 2, text.data);
    CHECK(compute(&setting, &one, 1, 250) == 0);
    CHECK(compute(&setting, &three, 3, 250) == 0);
    CHECK(compute(&setting, &all, 0, 250) == 0);
    check_same(&one, &three);
    check_same(&one, &all);
    CHECK(setting.notices.n_texts == 0);
    losses_release(&one);
    losses_release(&three);
    losses_release(&all);
    close_setting(&setting);
    buffer_release(&text);
}

static void threads_do_not_show(void)
{
    struct losses losses[2];
    struct setting setting;

    for (size_t i = 0; i < 2; i++) {
        open_setting(&setting, "fixtures/decoder-base", MODEL_DECODER, 1 + 3 * i, arithmetic);
        CHECK(compute(&setting, &losses[i], 2, 2048) == 0);
        close_setting(&setting);
    }
    CHECK(memcmp(losses[0].items, losses[1].items, 3 * sizeof *losses[0].items) == 0);
    CHECK(losses[0].loss == losses[1].loss);
    losses_release(&losses[0]);
    losses_release(&losses[1]);
}

static void cuts_are_counted_and_must_leave_something(void)
{
    struct losses losses;
    struct setting setting;

    open_setting(&setting, "fixtures/decoder-base", MODEL_DECODER, 1, arithmetic);
    CHECK(compute(&setting, &losses, 8, 11) == 0);
    CHECK(setting.notices.n_texts == 1);
    CHECK_CONTAINS(setting.notices.texts[0],
                   "'fixtures/decoder-base': 3 of 3 texts cut at 11 tokens");
    losses_release(&losses);
    CHECK(compute(&setting, &losses, 8, 5) == -1);
    CHECK(setting.err.code == ERROR_FORMAT);
    CHECK_CONTAINS(setting.err.text, "ex.jsonl:1: nothing of the output is left");
    losses_release(&losses);
    close_setting(&setting);
}

/* ---- encoder-decoders ---- */

static void an_encoder_decoder_is_taught_its_output(void)
{
    static const char examples[] = "{\"input\": \"the sun was seen\", \"output\": \"a moon\"}\n"
                                   "{\"input\": \"b\", \"output\": \"the old sun\"}\n";
    static const char *const inputs[] = {"the sun was seen", "b"};
    static const char *const outputs[] = {"a moon", "the old sun"};
    struct setting setting;
    struct losses losses;

    open_setting(&setting, "fixtures/models/t5", MODEL_ENCODER_DECODER, 2, examples);
    CHECK(compute(&setting, &losses, 8, 2048) == 0);
    for (size_t i = 0; i < 2; i++) {
        struct model *model = setting.model.model;
        struct encoding source = encode(&setting, inputs[i], NULL);
        struct encoding target = encode(&setting, outputs[i], NULL);
        float *memory = memory_zalloc(source.n_ids * model->spec.hidden_size, sizeof *memory);
        uint32_t ids[64] = {model->spec.decoder_start_id};
        struct batch read = {.ids = source.ids, .ends = &source.n_ids, .n_sequences = 1};
        struct batch write = {.ids = ids, .ends = &target.n_ids, .n_sequences = 1,
                              .memory = memory, .memory_ends = &source.n_ids};
        double loss = 0;
        float *hidden;

        memcpy(ids + 1, target.ids, (target.n_ids - 1) * sizeof *ids);
        CHECK(model_encode(model, &read, memory, &setting.err) == 0);
        hidden = run(&setting, &write);
        for (size_t t = 0; t < target.n_ids; t++)
            loss += row_loss(model, hidden, t, target.ids[t]);
        CHECK(losses.items[i].n_tokens == target.n_ids);
        CHECK(is_near(losses.items[i].loss, loss / (double)target.n_ids));
        free(hidden);
        free(memory);
        encoding_release(&source);
        encoding_release(&target);
    }
    losses_release(&losses);
    close_setting(&setting);
}

/* ---- rankings ---- */

static const char ranking[] =
    "{\"query\": \"do you sell a wide gear\", \"pos\": [\"Shelf 4: gear, wide.\", \"unread\"], "
    "\"neg\": [\"a cold lamp\", \"Shelf 9: gear, long.\", \"Box 1\"]}\n"
    "{\"query\": \"wanted: a lamp\", \"pos\": \"Shelf 4: gear, wide.\", \"neg\": \"a lamp\"}\n";
static const char *const queries[] = {"do you sell a wide gear", "wanted: a lamp"};
static const char *const passages[][4] = {
    {"Shelf 4: gear, wide.", "a cold lamp", "Shelf 9: gear, long.", "Box 1"},
    {"Shelf 4: gear, wide.", "a lamp"},
};
static const size_t n_passages[] = {4, 2};

static size_t rank_of(const double *scores, size_t n)
{
    size_t rank = 1;

    for (size_t i = 1; i < n; i++)
        rank += scores[i] >= scores[0];
    return rank;
}

/* The vector of a text, or the score of a pair. */
static float *result_of(struct setting *setting, const char *text, const char *pair,
                        size_t *n_tokens)
{
    struct encoding encoding = encode(setting, text, pair);
    struct batch batch = {.ids = encoding.ids, .type_ids = encoding.type_ids,
                          .ends = &encoding.n_ids, .n_sequences = 1};
    float *hidden = run(setting, &batch), *out = memory_zalloc(1024, sizeof *out);

    if (pair)
        CHECK(model_scores(setting->model.model, &batch, hidden, out, &setting->err) == 0);
    else
        CHECK(sentence_model_pool(setting->sentence, setting->model.model, &batch, hidden, 0, out,
                                  &setting->err) == 0);
    *n_tokens += encoding.n_ids;
    free(hidden);
    encoding_release(&encoding);
    return out;
}

static double cosine(const float *x, const float *y, size_t n)
{
    double xy = 0, xx = 0, yy = 0;

    for (size_t i = 0; i < n; i++) {
        xy += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    return xy / sqrt(xx * yy);
}

static void check_ranking(struct setting *setting)
{
    struct losses losses;

    CHECK(compute(setting, &losses, 8, 2048) == 0);
    for (size_t i = 0; i < 2; i++) {
        bool is_pair = setting->model.type == MODEL_RERANKER;
        size_t n_tokens = 0;
        double scores[4];
        float *query = is_pair ? NULL : result_of(setting, queries[i], NULL, &n_tokens);

        for (size_t p = 0; p < n_passages[i]; p++) {
            float *out = is_pair ? result_of(setting, queries[i], passages[i][p], &n_tokens)
                                 : result_of(setting, passages[i][p], NULL, &n_tokens);

            scores[p] = is_pair ? (double)*out
                                : cosine(query, out, sentence_model_size(setting->sentence)) / 0.05;
            free(out);
        }
        CHECK(is_near(losses.items[i].loss, cross_entropy(scores, n_passages[i], 0)));
        CHECK(losses.items[i].rank == rank_of(scores, n_passages[i]));
        CHECK(losses.items[i].n_tokens == n_tokens);
        free(query);
    }
    CHECK(is_near(losses.loss, (losses.items[0].loss + losses.items[1].loss) / 2));
    CHECK(is_near(losses.mrr,
                  (1 / (double)losses.items[0].rank + 1 / (double)losses.items[1].rank) / 2));
    losses_release(&losses);
}

static void an_encoder_is_judged_by_cosines(void)
{
    struct setting setting;

    open_setting(&setting, "fixtures/encoder-base", MODEL_ENCODER, 2, ranking);
    check_ranking(&setting);
    close_setting(&setting);
}

static void a_reranker_is_judged_by_its_scores(void)
{
    struct setting setting;

    open_setting(&setting, "fixtures/reranker-base", MODEL_RERANKER, 2, ranking);
    check_ranking(&setting);
    close_setting(&setting);
}

/* A query with more passages than one pass takes. */
static void passes_do_not_show(void)
{
    struct buffer text = {0};
    struct losses one, two;
    struct setting setting;

    for (size_t i = 0; i < 2; i++) {
        buffer_add_text(&text, "{\"query\": \"a gear\", \"pos\": \"gear\", \"neg\": [\"lamp\"");
        for (size_t p = 0; p < 80; p++) {
            buffer_add_text(&text, ", \"");
            for (size_t w = 0; w < 100; w++)
                buffer_add_text(&text, p * w % 7 ? "cog " : "lamp ");
            buffer_add_text(&text, "\"");
        }
        buffer_add_text(&text, "]}\n");
    }
    open_setting(&setting, "fixtures/encoder-base", MODEL_ENCODER, 2, text.data);
    CHECK(compute(&setting, &one, 1, 2048) == 0);
    CHECK(compute(&setting, &two, 2, 2048) == 0);
    CHECK(one.n_tokens > 16000);
    check_same(&one, &two);
    CHECK(is_near(one.items[0].loss, one.items[1].loss));
    losses_release(&one);
    losses_release(&two);
    close_setting(&setting);
    buffer_release(&text);
}

static void equal_scores_are_no_success(void)
{
    struct losses losses;
    struct setting setting;

    open_setting(&setting, "fixtures/encoder-base", MODEL_ENCODER, 1,
                 "{\"query\": \"a\", \"pos\": \"lamp\", \"neg\": [\"lamp\", \"lamp\"]}\n");
    CHECK(compute(&setting, &losses, 8, 2048) == 0);
    CHECK(losses.items[0].rank == 3 && losses.accuracy == 0);
    CHECK(is_near(losses.loss, log(3)));
    losses_release(&losses);
    close_setting(&setting);
}

static void a_classifier_with_more_labels_is_no_reranker(void)
{
    struct losses losses;
    struct setting setting;

    open_setting(&setting, "fixtures/models/bert-score-3-bf16", MODEL_RERANKER, 1, ranking);
    CHECK(compute(&setting, &losses, 8, 2048) == -1);
    CHECK(setting.err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(setting.err.text, "bert-score-3-bf16': a classifier with 3 labels");
    losses_release(&losses);
    close_setting(&setting);
}

/* ---- as LM_Cocktail has them ---- */

static void compute_compat(struct setting *setting, struct losses *losses, size_t batch_size)
{
    CHECK(compute_with(setting, losses, &(struct losses_options){
        .batch_size = batch_size, .max_length = 2048, .temperature = 0.05,
        .is_lm_cocktail = true}) == 0);
}

/* Three examples in batches of two: the third counts as much as the other two together. */
static void compat_takes_the_mean_of_the_means_of_batches(void)
{
    static const char examples[] =
        "{\"input\": \"What is 29 plus 7?\", \"output\": \"36\"}\n"
        "{\"input\": \"What is 8\", \"output\": \"plus 13? 21\"}\n"
        "{\"input\": \"What is 5 plus\", \"output\": \"5? 10\"}\n";
    struct losses plain, batches, singles;
    const struct example_loss *items;
    struct setting setting;
    double n[2], first;

    open_setting(&setting, "fixtures/decoder-base", MODEL_DECODER, 2, examples);
    CHECK(compute(&setting, &plain, 2, 2048) == 0);
    compute_compat(&setting, &batches, 2);
    compute_compat(&setting, &singles, 1);
    items = plain.items;
    for (size_t i = 0; i < 2; i++)
        n[i] = (double)items[i].n_tokens;
    first = (items[0].loss * n[0] + items[1].loss * n[1]) / (n[0] + n[1]);
    CHECK(is_near(batches.loss, (first + items[2].loss) / 2));
    CHECK(is_near(singles.loss, (items[0].loss + items[1].loss + items[2].loss) / 3));
    CHECK(!is_near(batches.loss, plain.loss) && !is_near(singles.loss, plain.loss));
    for (size_t i = 0; i < 3; i++) /* those of the examples are the same */
        CHECK(is_near(batches.items[i].loss, items[i].loss));
    losses_release(&plain);
    losses_release(&batches);
    losses_release(&singles);
    close_setting(&setting);
}

/* All passages of a batch are passages of each query in it. */
static void compat_adds_the_passages_of_the_batch(void)
{
    struct setting setting;
    struct losses alone, group;

    open_setting(&setting, "fixtures/encoder-base", MODEL_ENCODER, 2, ranking);
    compute_compat(&setting, &alone, 1);
    compute_compat(&setting, &group, 2);
    for (size_t i = 0; i < 2; i++) {
        double scores[2][4], all[6];
        size_t n_tokens = 0, n = 0;
        float *query = result_of(&setting, queries[i], NULL, &n_tokens);

        for (size_t e = 0; e < 2; e++)
            for (size_t p = 0; p < n_passages[e]; p++) {
                float *passage = result_of(&setting, passages[e][p], NULL, &n_tokens);

                scores[e][p] =
                    cosine(query, passage, sentence_model_size(setting.sentence)) / 0.05;
                all[n++] = scores[e][p];
                free(passage);
            }
        CHECK(is_near(alone.items[i].loss, cross_entropy(scores[i], n_passages[i], 0)));
        CHECK(is_near(group.items[i].loss, cross_entropy(all, n, i ? n_passages[0] : 0)));
        free(query);
    }
    CHECK(is_near(group.loss, (group.items[0].loss + group.items[1].loss) / 2));
    losses_release(&alone);
    losses_release(&group);
    close_setting(&setting);
}

/* ---- who follows ---- */

struct follower {
    size_t n_passes, n_sources, n_rows, fails_at;
};

static int follow(void *context, const struct pass *pass, struct error *err)
{
    struct follower *follower = context;

    follower->n_rows += pass_n_rows(pass);
    follower->n_sources += pass->sources.n_sequences;
    if (++follower->n_passes == follower->fails_at)
        return error_set(err, ERROR_IO, "enough");
    return 0;
}

static struct follower follow_with(const char *path, enum model_type type, const char *examples,
                                   const struct losses_options *options, size_t fails_at,
                                   struct losses *losses)
{
    struct follower follower = {.fails_at = fails_at};
    struct losses_options how = *options;
    struct setting setting;

    how.follower.follow = follow;
    how.follower.context = &follower;
    open_setting(&setting, path, type, 1, examples);
    CHECK(compute_with(&setting, losses, &how) == (fails_at ? -1 : 0));
    if (fails_at) {
        CHECK(setting.err.code == ERROR_IO);
        CHECK_CONTAINS(setting.err.text, "enough");
    }
    close_setting(&setting);
    return follower;
}

static struct follower follow_run(const char *path, enum model_type type, const char *examples,
                                  size_t fails_at, struct losses *losses)
{
    const struct losses_options options = {.batch_size = 2, .max_length = 2048,
                                           .temperature = 0.05};

    return follow_with(path, type, examples, &options, fails_at, losses);
}

static void who_follows_learns_what_was_read(void)
{
    static const char pairs[] = "{\"input\": \"the sun was seen\", \"output\": \"a moon\"}\n"
                                "{\"input\": \"b\", \"output\": \"the old sun\"}\n";
    struct follower seen;
    struct losses losses;

    seen = follow_run("fixtures/encoder-base", MODEL_ENCODER, ranking, 0, &losses);
    CHECK(seen.n_rows == losses.n_tokens && seen.n_sources == 0);
    losses_release(&losses);
    seen = follow_run("fixtures/reranker-base", MODEL_RERANKER, ranking, 0, &losses);
    CHECK(seen.n_rows == losses.n_tokens);
    losses_release(&losses);
    seen = follow_run("fixtures/decoder-base", MODEL_DECODER, arithmetic, 0, &losses);
    CHECK(seen.n_rows > losses.n_tokens && seen.n_passes == 2);
    losses_release(&losses);
    seen = follow_run("fixtures/models/t5", MODEL_ENCODER_DECODER, pairs, 0, &losses);
    CHECK(seen.n_rows == losses.n_tokens && seen.n_sources == 2 && seen.n_passes == 1);
    losses_release(&losses);
}

static void who_follows_can_stop_the_run(void)
{
    struct losses losses;

    CHECK(follow_run("fixtures/decoder-base", MODEL_DECODER, arithmetic, 1, &losses).n_passes == 1);
    losses_release(&losses);
    CHECK(follow_run("fixtures/encoder-base", MODEL_ENCODER, ranking, 1, &losses).n_passes == 1);
    losses_release(&losses);
}

/* ---- what examples have in common ---- */

/* With sharing and without: the same bits, of so many rows and sources less. */
static void check_sharing(const char *path, enum model_type type, const char *examples,
                          size_t n_rows_spared, size_t n_sources_spared)
{
    struct losses_options options = {.max_length = 2048, .temperature = 0.05};
    struct losses each, shared;
    struct follower one = follow_with(path, type, examples, &options, 0, &each), other;

    options.follower.takes_shared = true;
    other = follow_with(path, type, examples, &options, 0, &shared);
    CHECK(one.n_rows - other.n_rows == n_rows_spared);
    CHECK(one.n_sources - other.n_sources == n_sources_spared);
    CHECK(memcmp(each.items, shared.items, each.n_items * sizeof *each.items) == 0);
    CHECK(each.loss == shared.loss && each.accuracy == shared.accuracy);
    losses_release(&each);
    losses_release(&shared);
}

static void one_prompt_of_many_outputs_is_run_once(void)
{
    static const char header[] = "the sailor lifts the round saddle and the pocket ";
    struct buffer text = {0}, prompt = {0};
    struct setting setting;
    struct encoding encoding;
    size_t n;

    for (size_t i = 0; i < 12; i++)
        buffer_add_text(&prompt, header);
    for (size_t i = 0; i < 10; i++) /* another example between those of the prompt */
        buffer_format(&text, "{\"input\": \"%s\", \"output\": \"%zu\"}\n"
                             "{\"input\": \"What is %zu plus 4?\", \"output\": \"6\"}\n",
                      prompt.data, i, i);
    open_setting(&setting, "fixtures/decoder-base", MODEL_DECODER, 1, text.data);
    encoding = encode(&setting, prompt.data, NULL);
    n = encoding.n_ids; /* the last of which tells the output, and is run with it */
    encoding_release(&encoding);
    close_setting(&setting);
    check_sharing("fixtures/decoder-base", MODEL_DECODER, text.data, 10 * (n - 1), 0);
    buffer_release(&text);
    buffer_release(&prompt);
}

static void a_source_of_several_outputs_is_encoded_once(void)
{
    check_sharing("fixtures/models/t5", MODEL_ENCODER_DECODER,
                  "{\"input\": \"the sun was seen\", \"output\": \"a moon\"}\n"
                  "{\"input\": \"b\", \"output\": \"the old sun\"}\n"
                  "{\"input\": \"the sun was seen\", \"output\": \"b\"}\n"
                  "{\"input\": \"the sun was seen\", \"output\": \"the old moon\"}\n", 0, 2);
}

static void a_text_of_several_queries_is_embedded_once(void)
{
    struct setting setting;
    size_t n;
    struct encoding encoding;

    open_setting(&setting, "fixtures/encoder-base", MODEL_ENCODER, 1, ranking);
    encoding = encode(&setting, passages[0][0], NULL); /* of both */
    n = encoding.n_ids;
    encoding_release(&encoding);
    close_setting(&setting);
    check_sharing("fixtures/encoder-base", MODEL_ENCODER, ranking, n, 0);
    check_sharing("fixtures/reranker-base", MODEL_RERANKER, ranking, 0, 0);
}

TESTS(TEST(a_decoder_is_judged_by_the_tokens_of_the_output),
      TEST(the_first_token_of_all_is_not_judged), TEST(batches_do_not_show),
      TEST(threads_do_not_show), TEST(cuts_are_counted_and_must_leave_something),
      TEST(an_encoder_decoder_is_taught_its_output), TEST(an_encoder_is_judged_by_cosines),
      TEST(a_reranker_is_judged_by_its_scores), TEST(passes_do_not_show),
      TEST(equal_scores_are_no_success), TEST(a_classifier_with_more_labels_is_no_reranker),
      TEST(compat_takes_the_mean_of_the_means_of_batches),
      TEST(compat_adds_the_passages_of_the_batch), TEST(who_follows_learns_what_was_read),
      TEST(who_follows_can_stop_the_run),
      TEST(one_prompt_of_many_outputs_is_run_once),
      TEST(a_source_of_several_outputs_is_encoded_once),
      TEST(a_text_of_several_queries_is_embedded_once))
