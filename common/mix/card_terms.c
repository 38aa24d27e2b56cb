#include "card_terms.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "mix/front_matter.h"

/* Results of benchmarks make the front matter of some cards hundreds of kilobytes long. */
static const size_t card_bytes_max = 4 * 1000 * 1000;

/* What is compared together: a name and a link without the licence they belong to are none. */
static const struct subject {
    const char *name;
    enum front_key first, last;
} subjects[] = {
    {"licence", FRONT_LICENSE, FRONT_LICENSE_LINK},
    {"language", FRONT_LANGUAGE, FRONT_LANGUAGE},
};

/* ---- reading ---- */

static void read_card(struct front_matter *matter, const struct model_folder *model,
                      struct notices *notices)
{
    struct error err = {0};
    struct file *file = NULL;
    char *text = NULL;
    size_t size = 0;

    *matter = (struct front_matter){0};
    if (model->file || folder_look(model->folder, "README.md") == FOLDER_ABSENT)
        return;
    file = folder_open_file(model->folder, "README.md", &err);
    if (file) {
        size = file->size_bytes < card_bytes_max ? file->size_bytes : card_bytes_max;
        text = memory_alloc(size + 1);
        if (file_read(file, 0, text, size, &err) == 0)
            front_matter_read(matter, text, size);
    }
    if (err.code)
        notices_add(notices, "no licence and language are taken from the card of '%s': %s",
                    model->name, err.text);
    free(text);
    file_close(file);
}

/* ---- comparing ---- */

static bool holds(const struct front_value *value, const char *item)
{
    for (size_t i = 0; i < value->n_items; i++)
        if (strcmp(value->items[i], item) == 0)
            return true;
    return false;
}

static bool holds_all(const struct front_value *value, const struct front_value *other)
{
    for (size_t i = 0; i < other->n_items; i++)
        if (!holds(value, other->items[i]))
            return false;
    return true;
}

/* The order says nothing. */
static bool same_values(const struct front_value *a, const struct front_value *b)
{
    return !a->is_unclear && !b->is_unclear && holds_all(a, b) && holds_all(b, a);
}

static bool agree(const struct subject *subject, const struct front_matter *a,
                  const struct front_matter *b)
{
    for (int k = (int)subject->first; k <= (int)subject->last; k++)
        if (!same_values(&a->values[k], &b->values[k]))
            return false;
    return true;
}

/* ---- writing ---- */

/* "other (own-license, LICENSE.md)" */
static void describe(struct buffer *out, const struct subject *subject,
                     const struct front_matter *matter)
{
    size_t n = 0;

    for (int k = (int)subject->first; k <= (int)subject->last; k++) {
        const struct front_value *value = &matter->values[k];

        for (size_t i = 0; i < value->n_items; i++)
            buffer_format(out, "%s%s", n++ ? ", " : "", value->items[i]);
        if (value->is_unclear)
            buffer_format(out, "%ssomething under '%s' that is not read", n++ ? ", " : "",
                          front_key_name((enum front_key)k));
    }
    if (n == 0)
        buffer_add_text(out, "nothing");
}

static void note_difference(const struct subject *subject, const struct model_folder *models,
                            const struct front_matter *matters, size_t other,
                            struct notices *notices)
{
    struct buffer base = {0}, text = {0};

    describe(&base, subject, &matters[0]);
    describe(&text, subject, &matters[other]);
    if (other == 0)
        notices_add(notices, "the new card names no %s: that of '%s' says %.200s", subject->name,
                    models[0].name, base.data);
    else
        notices_add(notices, "the new card names no %s: that of '%s' says %.200s, that of '%s' "
                    "says %.200s", subject->name, models[0].name, base.data, models[other].name,
                    text.data);
    buffer_release(&base);
    buffer_release(&text);
}

static void add_value(struct buffer *out, enum front_key key, const struct front_value *value)
{
    bool is_list = key == FRONT_LANGUAGE || value->n_items > 1;

    if (value->n_items)
        buffer_format(out, "%s:%s", front_key_name(key), is_list ? "\n" : " ");
    for (size_t i = 0; i < value->n_items; i++) {
        buffer_add_text(out, is_list ? "- " : "");
        json_add_string(out, value->items[i]); /* a JSON string is a YAML string */
        buffer_add_char(out, '\n');
    }
}

static void add_subject(struct buffer *out, const struct subject *subject,
                        const struct model_folder *models, const struct front_matter *matters,
                        size_t n_models, struct notices *notices)
{
    for (size_t i = 0; i < n_models; i++) /* the first with itself: it may be unclear */
        if (!agree(subject, &matters[0], &matters[i])) {
            note_difference(subject, models, matters, i, notices);
            return;
        }
    for (int k = (int)subject->first; k <= (int)subject->last; k++)
        add_value(out, (enum front_key)k, &matters[0].values[k]);
}

void card_terms_add(struct buffer *out, const struct model_folder *models, size_t n_models,
                    struct notices *notices)
{
    struct front_matter *matters = memory_zalloc(n_models, sizeof *matters);

    for (size_t i = 0; i < n_models; i++)
        read_card(&matters[i], &models[i], notices);
    for (size_t s = 0; s < sizeof subjects / sizeof *subjects; s++)
        add_subject(out, &subjects[s], models, matters, n_models, notices);
    for (size_t i = 0; i < n_models; i++)
        front_matter_release(&matters[i]);
    free(matters);
}
