#include "expert_names.h"

#include <stdlib.h>
#include <string.h>

#include "arch/families.h"

/* ---- the family's spellings ---- */

static const struct moe_names *rows_of(const struct model_layout *layout, size_t group,
                                       size_t *n_rows)
{
    const struct family_names *names = layout->spec->family->names;
    bool is_encoder = layout->experts[group].stack->names == names->encoder_layers;

    *n_rows = is_encoder ? names->n_encoder_moe : names->n_moe;
    return is_encoder ? names->encoder_moe : names->moe;
}

static struct place place_of(const struct model_layout *layout, size_t group, size_t expert)
{
    const struct layout_experts *experts = &layout->experts[group];

    return (struct place){experts->stack->names->prefix, experts->layer, expert};
}

static const char *matrix_name(const struct moe_names *row, enum expert_matrix matrix)
{
    return matrix == EXPERT_GATE ? row->gate : matrix == EXPERT_UP ? row->up : row->down;
}

/* Behind the last one that `name` begins like; '@' is any number. */
static bool is_spelt(const char *name, const char *spelling, const char *ending, size_t *expert)
{
    size_t n = spelling ? strcspn(spelling, "@") : 0, digits;

    if (!spelling || strncmp(name, spelling, n) != 0)
        return false;
    name += n;
    spelling += n;
    if (*spelling == '@') {
        digits = strspn(name, "0123456789");
        if (digits == 0 || digits > 6)
            return false;
        *expert = strtoull(name, NULL, 10);
        name += digits;
        spelling++;
    }
    n = strlen(spelling);
    return strncmp(name, spelling, n) == 0 && strcmp(name + n, ending) == 0;
}

/* `rest` is what stands behind the layer's prefix. */
static bool find_in_row(const char *rest, const struct moe_names *row, struct expert_name *found)
{
    const struct {
        const char *spelling, *ending;
        enum expert_part part;
        enum expert_matrix matrix;
    } all[] = {
        {row->router, ".weight", EXPERT_PART_ROUTER, EXPERT_GATE},
        {row->gate, ".weight", EXPERT_PART_ONE, EXPERT_GATE},
        {row->up, ".weight", EXPERT_PART_ONE, EXPERT_UP},
        {row->down, ".weight", EXPERT_PART_ONE, EXPERT_DOWN},
        {row->fused_gate_up, "", EXPERT_PART_ALL, EXPERT_GATE},
        {row->fused_down, "", EXPERT_PART_ALL, EXPERT_DOWN},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (is_spelt(rest, all[i].spelling, all[i].ending, &found->expert)) {
            found->row = row;
            found->part = all[i].part;
            found->matrix = all[i].matrix;
            return true;
        }
    return false;
}

static bool find_in_group(const struct model_layout *layout, size_t group, const char *plain,
                          struct expert_name *found)
{
    size_t n_rows, n;
    const struct moe_names *rows = rows_of(layout, group, &n_rows);
    struct buffer start = {0};
    bool is_found = false;

    layout_name(&start, place_of(layout, group, 0), "", "");
    n = start.size;
    if (strncmp(plain, start.data ? start.data : "", n) == 0)
        for (size_t i = 0; i < n_rows && !is_found; i++)
            is_found = find_in_row(plain + n, &rows[i], found);
    buffer_release(&start);
    found->group = group;
    return is_found;
}

bool expert_name_find(const struct model_layout *layout, const char *name,
                      struct expert_name *found)
{
    struct name_layer layer;
    struct buffer plain = {0};
    bool is_found = false;

    if (!tensor_names_find_layer(name, &layer))
        return false;
    tensor_names_plain(name, &plain);
    for (size_t i = 0; i < layout->n_experts && !is_found; i++)
        if (layout->experts[i].layer == layer.number)
            is_found = find_in_group(layout, i, plain.data, found);
    buffer_release(&plain);
    return is_found;
}

/* ---- tensors ---- */

static const struct tensor *find(const struct model_layout *layout, struct place place,
                                 const char *spelling, const char *ending)
{
    struct buffer name = {0};
    const struct tensor *tensor;

    if (!spelling)
        return NULL;
    layout_name(&name, place, spelling, ending);
    tensor = checkpoint_names_find_plain(layout->names, name.data);
    buffer_release(&name);
    return tensor;
}

const struct tensor *expert_name_tensor(const struct model_layout *layout,
                                        const struct expert_name *name)
{
    struct place place = place_of(layout, name->group, name->expert);
    const struct layout_experts *experts = &layout->experts[name->group];
    size_t n_rows;
    const struct moe_names *rows = rows_of(layout, name->group, &n_rows), *row = experts->names;
    const struct tensor *tensor = NULL;

    switch (name->part) {
    case EXPERT_PART_ROUTER:
        for (size_t i = 0; i < n_rows && !tensor; i++)
            tensor = find(layout, place, rows[i].router, ".weight");
        return tensor;
    case EXPERT_PART_ONE:
        return experts->way == EXPERTS_APART
                   ? find(layout, place, matrix_name(row, name->matrix), ".weight")
                   : NULL;
    case EXPERT_PART_ALL:
        return experts->way == EXPERTS_FUSED
                   ? find(layout, place,
                          name->matrix == EXPERT_DOWN ? row->fused_down : row->fused_gate_up, "")
                   : NULL;
    }
    return NULL;
}

void expert_name_write(const struct model_layout *layout, size_t group,
                       const struct moe_names *row, size_t expert, enum expert_matrix matrix,
                       struct buffer *out)
{
    layout_name(out, place_of(layout, group, expert), matrix_name(row, matrix), "");
}

void expert_name_write_all(const struct model_layout *layout, const struct expert_name *all,
                           struct buffer *out)
{
    layout_name(out, place_of(layout, all->group, 0),
                all->matrix == EXPERT_DOWN ? all->row->fused_down : all->row->fused_gate_up, "");
}

static const char *class_name(const struct moe_names *row, const struct expert_name *name)
{
    return name->part == EXPERT_PART_ROUTER ? row->router
           : name->matrix == EXPERT_DOWN    ? row->fused_down
                                            : row->fused_gate_up;
}

/* The family's last spelling of it; NULL: it has none. */
static const char *find_class_name(const struct model_layout *layout,
                                   const struct expert_name *name)
{
    size_t n_rows;
    const struct moe_names *rows = rows_of(layout, name->group, &n_rows);

    for (size_t i = n_rows; i > 0; i--)
        if (class_name(&rows[i - 1], name))
            return class_name(&rows[i - 1], name);
    return NULL;
}

void expert_name_write_class(const struct model_layout *layout, const struct expert_name *name,
                             struct buffer *out)
{
    const char *text = find_class_name(layout, name);

    layout_name(out, place_of(layout, name->group, 0), text ? text : "",
                name->part == EXPERT_PART_ROUTER ? ".weight" : "");
}

bool expert_name_class_fuses(const struct model_layout *layout, size_t group)
{
    struct expert_name all = {EXPERT_PART_ALL, group, NULL, EXPERT_GATE, 0};

    return find_class_name(layout, &all) != NULL;
}
