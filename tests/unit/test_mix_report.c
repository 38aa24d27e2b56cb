#include "report/mix_report.h"

#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "test.h"

static struct plan_input inputs[] = {{"a", 0.75}, {"b", 0.25}};
static struct merge_component component = {
    .plan = {.method = &combine_lm_cocktail, .inputs = inputs, .n_inputs = 2}};
static char *kept[] = {"tokenizer.json"};
static const struct merge merge = {
    .options = {.output = "out"}, .components = &component, .n_components = 1, .n_models = 2,
    .has_type = true, .type = MODEL_DECODER, .n_tensors = 3, .n_parameters = 12,
    .weights_bytes = 24, .disk_bytes = 1000024, .base_files = {.kept = kept, .n_kept = 1},
};
static const double losses[] = {NAN, 1.5};
static char *files[] = {"model.safetensors"};
static const struct merge_result result = {
    .stats = {.read_s = 1, .combine_s = 2, .write_s = 3}, .flush_s = 4, .files = files,
    .n_files = 1};

static char *printed(const struct mix_report *report, bool verbose)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    mix_report_print(report, verbose, out);
    fclose(out);
    return text;
}

static void tells_what_was_written(void)
{
    const struct mix_report report = {.merge = &merge, .result = &result, .seconds = 0.5};
    char *text = printed(&report, false);

    CHECK(strcmp(text, "model      weight\n"
                       "a      0.75000000\n"
                       "b      0.25000000\n"
                       "\n"
                       "wrote 'out': 3 tensors, 12 parameters, 24 bytes in 0.50 s\n") == 0);
    free(text);
    text = printed(&report, true);
    CHECK_CONTAINS(text, "\ntime, all threads together: read 1.00 s, combine 2.00 s, write 3.00 s; "
                         "flush 4.00 s\n");
    free(text);
}

static void tells_what_would_be_written(void)
{
    const struct mix_report report = {
        .merge = &merge, .losses = losses, .is_dry_run = true, .memory_bytes = 2000000};
    char *text = printed(&report, true);

    CHECK(strcmp(text, "model      loss      weight\n"
                       "a             -  0.75000000\n"
                       "b      1.500000  0.25000000\n"
                       "\n"
                       "would write 'out': 3 tensors, 12 parameters, 24 bytes\n"
                       "disk: 1.00 MB\n"
                       "memory for buffers: 2.00 MB\n"
                       "copies: tokenizer.json\n") == 0);
    free(text);
}

static void add_member(const void *context, struct json_writer *json)
{
    json_writer_string(json, "more", context);
}

static void is_json_for_programs(void)
{
    struct mix_report report = {.merge = &merge, .result = &result, .seconds = 0.5};
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    mix_report_add_json(&json, &report);
    CHECK(strcmp(out.data,
                 "{\"output\":\"out\",\"type\":\"decoder\",\"method\":\"lm-cocktail\",\"models\":["
                 "{\"path\":\"a\",\"weight\":0.75},{\"path\":\"b\",\"weight\":0.25}],"
                 "\"tensors\":3,\"parameters\":12,\"bytes\":24,\"files\":[\"model.safetensors\"],"
                 "\"seconds\":0.5}") == 0);
    buffer_clear(&out);
    report = (struct mix_report){.merge = &merge, .losses = losses, .is_dry_run = true,
                                 .memory_bytes = 7, .add_members = add_member, .context = "x"};
    json = (struct json_writer){.out = &out};
    mix_report_add_json(&json, &report);
    CHECK_CONTAINS(out.data, "{\"path\":\"a\",\"weight\":0.75,\"loss\":null},"
                             "{\"path\":\"b\",\"weight\":0.25,\"loss\":1.5}],");
    CHECK_CONTAINS(out.data, "\"files\":[],\"seconds\":0,\"more\":\"x\",\"dry_run\":true,"
                             "\"disk_bytes\":1000024,\"memory_bytes\":7}");
    buffer_release(&out);
}

TESTS(TEST(tells_what_was_written), TEST(tells_what_would_be_written), TEST(is_json_for_programs))
