/* inspect.c - what a checkpoint is. */
#include <stdlib.h>

#include "adapter/adapted_model.h"
#include "arch/model_facts.h"
#include "base/json_writer.h"
#include "report/model_report.h"

#include "command.h"
#include "model_argument.h"
#include "option_blocks.h"
#include "terminal.h"

struct inspect_options {
    struct common_options common;
    bool tensors, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "tensors", OPTION_FLAG, offsetof(struct inspect_options, tensors), NULL,
     "list the tensors"},
    OPTION_FOLLOW_SYMLINKS(struct inspect_options, follow_symlinks, "directory"),
    OPTIONS_COMMON,
};

static void print(const struct inspect_options *options, const struct model_facts *facts)
{
    const char *name = options->common.operands[0];
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    if (!options->common.json) {
        model_report_print(facts, name, options->tensors, stdout);
        return;
    }
    model_report_add_json(&json, facts, name, options->tensors);
    puts(out.data);
    buffer_release(&out);
}

static int inspect(const struct inspect_options *options, struct error *err)
{
    const char *name = options->common.operands[0];
    char *path = model_argument_find(name, HUB_NEED_MODEL, &options->common, err);
    struct notices notices = {0};
    struct model_facts facts = {0};
    struct model_folder model;
    int rc = -1;

    if (path && adapted_model_open(&model, path, name, options->follow_symlinks, &notices,
                                   err) == 0)
        rc = model_facts_find(&facts, &model, err);
    if (rc == 0) {
        terminal_notices(&notices, &options->common);
        terminal_notices(&facts.notices, &options->common);
        print(options, &facts);
    }
    model_facts_release(&facts);
    notices_release(&notices);
    free(path);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct inspect_options options = {0};
    int rc = command_parse(&command_inspect, argc, argv, &options, err);

    if (rc == 0)
        rc = inspect(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_inspect = {
    .name = "inspect",
    .summary = "show what a checkpoint is",
    .usage = "MODEL",
    .min_operands = 1,
    .max_operands = 1,
    .rows = rows,
    .run = run,
};
