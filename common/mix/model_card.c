#include "model_card.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "mix/combine_settings.h"
#include "mix/plan_settings.h"

/* One line of Markdown, with nothing in it that Markdown would act on within a table. */
static void add_cell(struct buffer *out, const char *text)
{
    struct buffer line = {0};

    utf8_add_printable(&line, text, strlen(text));
    for (size_t i = 0; i < line.size; i++) {
        if (strchr("|\\`*_<[", line.data[i]))
            buffer_add_char(out, '\\');
        buffer_add_char(out, line.data[i]);
    }
    buffer_release(&line);
}

static bool is_named_before(const struct model_card *card, size_t model)
{
    for (size_t i = 0; i < model; i++)
        if (card->ids[i] && strcmp(card->ids[i], card->ids[model]) == 0)
            return true;
    return false;
}

static void add_base_model(struct buffer *out, size_t *n, const char *id)
{
    buffer_add_text(out, (*n)++ ? "- " : "base_model:\n- ");
    json_add_string(out, id); /* a JSON string is a YAML string */
    buffer_add_char(out, '\n');
}

/* The Hub refuses a card that names anything else here. */
static void add_base_models(struct buffer *out, const struct model_card *card)
{
    size_t n = 0;

    for (size_t i = 0; i < card->plan->n_inputs; i++)
        if (card->ids[i] && !is_named_before(card, i))
            add_base_model(out, &n, card->ids[i]);
    if (card->donor_id && (!n || strcmp(card->donor_id, card->ids[0]) != 0))
        add_base_model(out, &n, card->donor_id);
    if (!card->is_conversion || card->donor)
        buffer_add_text(out, "base_model_relation: merge\n");
    else if (n) /* the nearest of the four that the Hub knows */
        buffer_add_text(out, "base_model_relation: quantized\n");
}

static void add_front_matter(struct buffer *out, const struct model_card *card)
{
    buffer_add_text(out, "---\n");
    add_base_models(out, card);
    buffer_format(out, "%slibrary_name: %s\ntags:\n%s- cocktail\n---\n\n# ", card->terms,
                  card->library, card->is_conversion ? "" : "- merge\n");
}

static bool is_average(const struct plan *plan)
{
    return plan->method == &combine_linear || plan->method == &combine_lm_cocktail;
}

static void add_kind(struct buffer *out, const struct plan *plan)
{
    if (is_average(plan))
        buffer_add_text(out, "\n\nA weighted average of the models below, made with `cocktail`.\n\n");
    else if (plan->method == &combine_moe)
        buffer_add_text(out, "\n\nA mixture of experts: the first model below, with the MLPs of the "
                        "others as its experts, made with `cocktail`.\n\n");
    else
        buffer_format(out, "\n\nA merge of the models below by the method `%s`, made with "
                      "`cocktail`.\n\n", plan->method->name);
}

/* The base of a method stands behind the table. */
static void add_table(struct buffer *out, const struct model_card *card)
{
    const struct plan *plan = card->plan;
    bool has_weights = combine_takes_weights(plan->method) && plan_has_weights(plan);

    buffer_format(out, "| model |%s%s\n| --- |%s%s\n", card->losses ? " loss |" : "",
                  has_weights ? " weight |" : "", card->losses ? " ---: |" : "",
                  has_weights ? " ---: |" : "");
    for (size_t i = card->plan->has_base; i < card->plan->n_inputs; i++) {
        buffer_add_text(out, "| ");
        add_cell(out, card->names[i]);
        if (card->losses && isnan(card->losses[i]))
            buffer_add_text(out, " | -");
        else if (card->losses)
            buffer_format(out, " | %.6f", card->losses[i]);
        if (has_weights && isnan(plan->inputs[i].weight))
            buffer_add_text(out, " | -");
        else if (has_weights)
            buffer_format(out, " | %#.10g", plan->inputs[i].weight);
        buffer_add_text(out, " |\n");
    }
}

static void add_base(struct buffer *out, const struct model_card *card)
{
    buffer_add_text(out, " Base: ");
    add_cell(out, card->names[0]);
    buffer_add_char(out, '.');
}

/* "0.5", or, where models can have different ones, "0.5, 0.7". */
static void add_values(struct buffer *out, const struct plan *plan,
                       const struct combine_parameter *parameter, size_t place)
{
    const struct plan_settings *settings = plan->settings;
    char value[32];

    if (parameter->scope == COMBINE_ALL) {
        buffer_add_text(out, combine_parameter_text(parameter, settings->all[place], value,
                                                    sizeof value));
        return;
    }
    for (size_t i = plan->has_base; i < plan->n_inputs; i++) {
        buffer_add_text(out, i > plan->has_base ? ", " : "");
        buffer_add_text(out, combine_parameter_text(
                                 parameter, settings->each[i * settings->n_each + place], value,
                                 sizeof value));
    }
}

static void add_parameters(struct buffer *out, const struct plan *plan)
{
    size_t n = 0;

    for (size_t i = 0; plan->settings && i < plan->method->n_parameters; i++) {
        const struct combine_parameter *parameter = &plan->method->parameters[i];
        size_t place;

        combine_parameter_find(plan->method, parameter->name, &place);
        if (parameter->scope == COMBINE_WEIGHT ||
            (parameter->scope == COMBINE_ALL && !plan->settings->all))
            continue;
        buffer_format(out, "%s%s ", n++ ? "; " : " Parameters: ", parameter->name);
        add_values(out, plan, parameter, place);
    }
    if (plan->settings && plan->method->is_random)
        buffer_format(out, "%sseed %" PRIu64, n++ ? "; " : " Parameters: ", plan->settings->seed);
    if (n)
        buffer_add_char(out, '.');
}

/* Fenced by more backticks than stand in it. */
static void add_recipe(struct buffer *out, const char *recipe)
{
    size_t n = strlen(recipe), longest = 2;

    for (const char *c = recipe; *c; c++) {
        size_t run = strspn(c, "`");

        longest = run > longest ? run : longest;
        c += run ? run - 1 : 0;
    }
    buffer_add_char(out, '\n');
    for (size_t i = 0; i <= longest; i++)
        buffer_add_char(out, '`');
    buffer_format(out, "yaml\n%s%s", recipe, n && recipe[n - 1] == '\n' ? "" : "\n");
    for (size_t i = 0; i <= longest; i++)
        buffer_add_char(out, '`');
    buffer_add_char(out, '\n');
}

void model_card_add(struct buffer *out, const struct model_card *card)
{
    add_front_matter(out, card);
    add_cell(out, card->title);
    if (card->donor) {
        buffer_add_text(out, "\n\nThe model of that name with the tokenizer of ");
        add_cell(out, card->donor);
        buffer_format(out, ", made with `cocktail`.\n\nStored as: %s. Config: its own.\n\n```sh\n%s\n```\n",
                      card->dtype, card->command);
        return;
    }
    if (card->is_conversion) {
        buffer_format(out, "\n\nThe model of that name, stored in another way with `cocktail convert`."
                      "\n\nStored as: %s. Config and tokenizer: its own.\n", card->dtype);
        return;
    }
    add_kind(out, card->plan);
    add_table(out, card);
    buffer_format(out, "\nMethod: %s.", card->plan->method->name);
    if (card->plan->has_base)
        add_base(out, card);
    add_parameters(out, card->plan);
    buffer_format(out, " Stored as: %s. Config and tokenizer: those of the %s.\n\n```sh\n%s\n```\n",
                  card->dtype, card->plan->has_base ? "base" : "first model", card->command);
    if (card->recipe)
        add_recipe(out, card->recipe);
}
