#include "model_card.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

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

/* The Hub refuses a card that names anything else here. */
static void add_base_models(struct buffer *out, const struct model_card *card)
{
    size_t n = 0;

    for (size_t i = 0; i < card->plan->n_inputs; i++) {
        if (!card->ids[i] || is_named_before(card, i))
            continue;
        buffer_add_text(out, n++ ? "- " : "base_model:\n- ");
        json_add_string(out, card->ids[i]); /* a JSON string is a YAML string */
        buffer_add_char(out, '\n');
    }
    if (!card->is_conversion)
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

void model_card_add(struct buffer *out, const struct model_card *card)
{
    add_front_matter(out, card);
    add_cell(out, card->title);
    if (card->is_conversion) {
        buffer_format(out, "\n\nThe model of that name, stored in another way with `cocktail convert`."
                      "\n\nStored as: %s. Config and tokenizer: its own.\n", card->dtype);
        return;
    }
    buffer_add_text(out, "\n\nA weighted average of the models below, made with `cocktail`.\n\n"
                    "| model | ");
    buffer_add_text(out, card->losses ? "loss | weight |\n| --- | ---: | ---: |\n"
                                      : "weight |\n| --- | ---: |\n");
    for (size_t i = 0; i < card->plan->n_inputs; i++) {
        buffer_add_text(out, "| ");
        add_cell(out, card->names[i]);
        if (card->losses && isnan(card->losses[i]))
            buffer_add_text(out, " | -");
        else if (card->losses)
            buffer_format(out, " | %.6f", card->losses[i]);
        buffer_format(out, " | %#.10g |\n", card->plan->inputs[i].weight);
    }
    buffer_format(out, "\nMethod: %s. Stored as: %s. Config and tokenizer: those of the first "
                  "model.\n\n```sh\n%s\n```\n", card->plan->method->name, card->dtype, card->command);
}
