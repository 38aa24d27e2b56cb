#include "router_drawings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "svg.h"

enum {
    MARGIN = 24,
    WIDTH = 1320,      /* panels go below one another rather than beyond it */
    GAP = 28,          /* between panels */
    AXIS = 26,         /* for the numbers of layers */
    PANEL_HEAD = 40,   /* for the name of a panel, and the numbers of experts */
    BAR_WIDTH = 104,
    VALUE_WIDTH = 36,  /* for the number behind a bar */
};

struct canvas {
    struct buffer body;
    double x, y;        /* where the next panel goes */
    double band_height; /* of the panels at y */
    double right;       /* of all that is drawn */
};

struct place { /* of a panel */
    double x, y;
    bool is_first; /* in its row */
};

static void format(char *text, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void format(char *text, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, size, fmt, args);
    va_end(args);
}

/* ---- where things go ---- */

static void start_section(struct canvas *canvas)
{
    canvas->y += canvas->band_height;
    canvas->x = MARGIN;
    canvas->band_height = 0;
}

static struct place take_place(struct canvas *canvas, double width, double height)
{
    struct place place;

    if (canvas->x > MARGIN && canvas->x + width > WIDTH - MARGIN)
        start_section(canvas);
    place = (struct place){canvas->x, canvas->y, canvas->x <= MARGIN};
    canvas->x += width + GAP;
    canvas->band_height = fmax(canvas->band_height, height + GAP);
    canvas->right = fmax(canvas->right, place.x + width);
    return place;
}

static double within(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

static double row_height(const struct router_group *group)
{
    return within(floor(560 / (double)group->n_routers), 13, 24);
}

/* Every how many numbers of up to n - 1 there is room for one, `step` pixels apart. */
static size_t tick_step(size_t n, double step)
{
    static const size_t steps[] = {1, 2, 5, 10, 20, 50, 100, 200, 500};
    double width = svg_tick_width(n > 1000 ? 4 : n > 100 ? 3 : n > 10 ? 2 : 1) + 6;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if ((double)steps[i] * step >= width)
            return steps[i];
    return n;
}

/* Numbers 0 … n - 1 above columns, and beside rows when `y_step` is not 0. */
static void draw_ticks(struct canvas *canvas, double x, double y, size_t n, double x_step,
                       double y_step)
{
    size_t every = tick_step(n, x_step);
    char number[32];

    for (size_t i = 0; i < n; i += every) {
        format(number, sizeof number, "%zu", i);
        svg_text(&canvas->body, x + ((double)i + .5) * x_step, y - 5, "tick", SVG_MIDDLE, number);
        if (y_step > 0)
            svg_text(&canvas->body, x - 5, y + ((double)i + .5) * y_step + 3.5, "tick", SVG_END,
                     number);
    }
}

static void draw_layers(struct canvas *canvas, double x, double y,
                        const struct router_group *group)
{
    double height = row_height(group);
    char number[32];

    for (size_t i = 0; i < group->n_routers; i++) {
        format(number, sizeof number, "%zu", group->routers[i]->layer);
        svg_text(&canvas->body, x - 5, y + ((double)i + .5) * height + 3.5, "tick", SVG_END,
                 number);
    }
}

/* ---- heads ---- */

/* The end of a long name says more than its beginning. */
static void add_name(struct buffer *out, const char *name)
{
    enum { NAME_MAX_BYTES = 60 };
    size_t n = strlen(name), skip = n > NAME_MAX_BYTES ? n - NAME_MAX_BYTES : 0;

    while (skip && skip < n && ((unsigned char)name[skip] & 0xc0) == 0x80)
        skip++;
    buffer_add_text(out, skip ? "…" : "");
    buffer_add_text(out, name + skip);
}

static void add_names(struct buffer *out, const struct router_models *models)
{
    if (models->n > 1)
        buffer_add_text(out, "A: ");
    add_name(out, models->watches[0]->name);
    if (models->n > 1) {
        buffer_add_text(out, " · B: ");
        add_name(out, models->watches[1]->name);
    }
}

static void draw_head(struct canvas *canvas, const struct router_models *models, const char *title,
                      const char *note)
{
    struct buffer names = {0};

    add_names(&names, models);
    svg_text(&canvas->body, MARGIN, 40, "title", SVG_START, title);
    svg_text(&canvas->body, MARGIN, 62, "note", SVG_START, names.data);
    svg_text(&canvas->body, MARGIN, 80, "note", SVG_START, note);
    canvas->right = fmax(canvas->right, MARGIN + svg_tick_width(names.size + 10));
    canvas->right = fmax(canvas->right, MARGIN + svg_tick_width(strlen(note)));
    canvas->y = 96;
    buffer_release(&names);
}

/* What the colours mean; `middle` is what the one between them stands for. One more class may have
 * a meaning. */
static void draw_legend(struct canvas *canvas, const char *middle, const char *css_class,
                        const char *meaning)
{
    static const struct {
        int level;
        const char *text;
    } labels[] = {{-SVG_LEVELS, "≤ ¼"}, {-3, "½"}, {3, "2×"}, {SVG_LEVELS, "≥ 4×"}};
    const double size = 26;
    double x = MARGIN, y = canvas->y;

    for (int level = -SVG_LEVELS; level <= SVG_LEVELS; level++)
        svg_rect(&canvas->body, x + (level + SVG_LEVELS) * size, y, size - 1, 12,
                 svg_level_class(level), NULL);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        svg_text(&canvas->body, x + (labels[i].level + SVG_LEVELS + .5) * size, y + 25, "tick",
                 SVG_MIDDLE, labels[i].text);
    svg_text(&canvas->body, x + (SVG_LEVELS + .5) * size, y + 25, "tick", SVG_MIDDLE, middle);
    if (css_class) {
        x += (2 * SVG_LEVELS + 2) * size;
        svg_rect(&canvas->body, x, y, size - 1, 12, css_class, NULL);
        svg_text(&canvas->body, x + size + 4, y + 10, "tick", SVG_START, meaning);
    }
    canvas->y += 48;
}

static void draw_section(struct canvas *canvas, const struct router_group *group)
{
    const struct router_tally *tally = &group->routers[0]->tally;
    char text[256];

    start_section(canvas);
    format(text, sizeof text, "%s %s: %zu of %zu experts, %zu tokens",
           router_stack_name(group->is_encoder), router_part_name(group->is_attention),
           tally->n_chosen, tally->n_experts, tally->n_tokens);
    svg_text(&canvas->body, MARGIN, canvas->y + 14, "head", SVG_START, text);
    canvas->y += 30;
}

static void finish(struct canvas *canvas, struct buffer *out, const struct router_models *models,
                   const char *title, const char *note)
{
    struct buffer about = {0};

    add_names(&about, models);
    buffer_add_text(&about, ". ");
    buffer_add_text(&about, note);
    start_section(canvas);
    svg_wrap(out, &canvas->body, canvas->right + MARGIN, canvas->y, title, about.data);
    buffer_release(&about);
    buffer_release(&canvas->body);
}

/* ---- loads ---- */

struct heat { /* rows of layers, columns of experts */
    const char *title;
    const struct router_group *group, *before; /* before NULL: against the even share */
};

static void draw_cell(struct canvas *canvas, const struct heat *heat, size_t row, size_t expert,
                      double x, double y, double width, double height)
{
    const struct watched_router *router = heat->group->routers[row];
    double load = router_load(&router->tally, expert);
    double old = heat->before ? router_load(&heat->before->routers[row]->tally, expert)
                              : 1 / (double)router->tally.n_experts;
    const char *css_class = heat->before || load > 0 ? svg_level_class(svg_level(load / old))
                                                     : "none";
    double gap = width >= 6 ? 1 : 0, shown;
    char text[128];

    if (load == old)
        css_class = svg_level_class(0);
    if (heat->before)
        format(text, sizeof text, "layer %zu, expert %zu: %.2f %% → %.2f %% of the choices",
               router->layer, expert, 100 * old, 100 * load);
    else
        format(text, sizeof text, "layer %zu, expert %zu: %.2f %% of the choices, %.2f × even",
               router->layer, expert, 100 * load, load / old);
    svg_rect(&canvas->body, x, y, width - gap, height - gap, css_class, text);
    if (width < 36)
        return;
    shown = 100 * (heat->before ? load - old : load);
    shown = fabs(shown) < .05 ? 0 : shown; /* no -0.0 */
    format(text, sizeof text, heat->before && shown != 0 ? "%+.1f" : "%.1f", shown);
    if (strcmp(css_class, "none") != 0)
        svg_text(&canvas->body, x + width / 2, y + height / 2 + 3, "cell", SVG_MIDDLE, text);
}

static void draw_heat(struct canvas *canvas, const struct heat *heat)
{
    size_t n_rows = heat->group->n_routers, n = heat->group->routers[0]->tally.n_experts;
    double width = within(floor(680 / (double)n), 6, 40), height = row_height(heat->group);
    struct place place = take_place(canvas, AXIS + width * (double)n,
                                    PANEL_HEAD + height * (double)n_rows);
    double x = place.x + AXIS, y = place.y + PANEL_HEAD;

    svg_text(&canvas->body, x, place.y + 14, "head", SVG_START, heat->title);
    draw_ticks(canvas, x, y, n, width, 0);
    draw_layers(canvas, x, y, heat->group);
    for (size_t row = 0; row < n_rows; row++)
        for (size_t e = 0; e < n; e++)
            draw_cell(canvas, heat, row, e, x + width * (double)e, y + height * (double)row, width,
                      height);
}

/* ---- bars ---- */

enum scale { TO_ONE, TO_EXPERTS, TO_LARGEST };

struct bars { /* one a layer; of two models, two */
    const char *title;
    size_t offset; /* of a member of struct router_stats */
    enum scale scale;
};

static double value_of(const struct bars *bars, const struct watched_router *router)
{
    return *(const double *)((const char *)&router->stats + bars->offset);
}

static double find_largest(const struct bars *bars, const struct router_group *const *groups,
                           size_t n_groups)
{
    double largest = 0;

    if (bars->scale == TO_ONE)
        return 1;
    if (bars->scale == TO_EXPERTS)
        return (double)groups[0]->routers[0]->tally.n_experts;
    for (size_t g = 0; g < n_groups; g++)
        for (size_t i = 0; i < groups[g]->n_routers; i++)
            largest = fmax(largest, value_of(bars, groups[g]->routers[i]));
    return largest > 0 ? largest : 1;
}

/* A bar in each row, from `top` on, and its number. */
static void draw_bar(struct canvas *canvas, const struct bars *bars,
                     const struct watched_router *router, double largest, const char *css_class,
                     double x, double top, double height)
{
    double value = value_of(bars, router);
    char text[128];

    if (!isfinite(value))
        return;
    format(text, sizeof text, "layer %zu: %s %.4g", router->layer, bars->title, value);
    svg_rect(&canvas->body, x, top, fmax(within(value / largest, 0, 1) * BAR_WIDTH, .5), height,
             css_class, text);
}

static void draw_value(struct canvas *canvas, double x, double y, double value)
{
    char text[32];

    format(text, sizeof text, "%.*f", value < .0995 ? 3 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0,
           value);
    svg_text(&canvas->body, x, y, "tick", SVG_START, isfinite(value) ? text : "–");
}

/* From 0 to the largest. */
static void draw_scale(struct canvas *canvas, double x, double y, double largest)
{
    char text[32];

    format(text, sizeof text, "%.2g", largest);
    if (largest >= 10)
        format(text, sizeof text, "%.0f", largest);
    svg_text(&canvas->body, x, y, "tick", SVG_START, "0");
    svg_text(&canvas->body, x + BAR_WIDTH, y, "tick", SVG_END, text);
}

static void draw_bars(struct canvas *canvas, const struct bars *bars,
                      const struct router_group *const *groups, size_t n_groups)
{
    static const char *const classes[] = {"first", "second"};
    size_t n_rows = groups[0]->n_routers, last = n_groups - 1;
    double height = row_height(groups[0]), thickness = (height - 3) / (double)n_groups;
    double largest = find_largest(bars, groups, n_groups);
    struct place place = take_place(canvas, AXIS + BAR_WIDTH + VALUE_WIDTH,
                                    PANEL_HEAD + height * (double)n_rows);
    double x = place.x + (place.is_first ? AXIS : 0), y = place.y + PANEL_HEAD;

    svg_text(&canvas->body, x, place.y + 14, "head", SVG_START, bars->title);
    if (place.is_first)
        draw_layers(canvas, x, y, groups[0]);
    else
        canvas->x -= AXIS;
    draw_scale(canvas, x, y - 5, largest);
    for (size_t row = 0; row < n_rows; row++) {
        double top = y + height * (double)row;

        svg_rect(&canvas->body, x, top + 1, BAR_WIDTH, height - 3, "track", NULL);
        for (size_t g = 0; g < n_groups; g++)
            draw_bar(canvas, bars, groups[g]->routers[row], largest, classes[g], x,
                     top + 1 + thickness * (double)g, thickness);
        draw_value(canvas, x + BAR_WIDTH + 5, top + height / 2 + 3,
                   value_of(bars, groups[last]->routers[row]));
    }
    if (bars->scale == TO_EXPERTS)
        svg_line(&canvas->body, x + BAR_WIDTH, y - 1, x + BAR_WIDTH, y + height * (double)n_rows);
}

/* Which bars are whose. */
static void draw_key(struct canvas *canvas, const struct router_models *models)
{
    static const char *const keys[][2] = {{"first", "A"}, {"second", "B (the number is its)"}};
    double x = MARGIN + 500;

    for (size_t i = 0; models->n > 1 && i < 2; i++) {
        svg_rect(&canvas->body, x, canvas->y - 48, 25, 12, keys[i][0], NULL);
        svg_text(&canvas->body, x + 30, canvas->y - 38, "tick", SVG_START, keys[i][1]);
        x += 60;
    }
}

/* ---- co-activation ---- */

/* With fewer joint choices to be expected, a number says little. */
static const double few_pairs = 5; /* as the legend says */

/* Joint choices that the loads of two experts alone would give. */
static double expected_pairs(const struct router_tally *tally, size_t i, size_t j)
{
    double n = (double)tally->n_experts, k = (double)tally->n_chosen;
    double n_i = (double)tally->together[i * tally->n_experts + i];
    double n_j = (double)tally->together[j * tally->n_experts + j];

    return n_i * n_j / (double)tally->n_tokens * (k - 1) * n / (k * (n - 1));
}

struct matrix { /* experts by experts, of one layer; of two models, the second below the diagonal */
    const struct router_tally *above, *below;
    size_t layer;
    double x, y, cell;
};

static bool find_pair_level(const struct matrix *matrix, size_t row, size_t column, int *level)
{
    const struct router_tally *tally = column > row ? matrix->above : matrix->below;
    double expected = expected_pairs(tally, row, column);

    if (row == column || expected < few_pairs)
        return false;
    *level = svg_level((double)tally->together[row * tally->n_experts + column] / expected);
    return true;
}

static void draw_pair(struct canvas *canvas, const struct matrix *matrix, size_t row,
                      size_t column, int level)
{
    const struct router_tally *tally = column > row ? matrix->above : matrix->below;
    size_t n = tally->together[row * tally->n_experts + column];
    double gap = matrix->cell >= 6 ? 1 : 0;
    char text[128];

    format(text, sizeof text, "layer %zu, experts %zu and %zu: %zu times together, %.2f × chance",
           matrix->layer, row, column, n, (double)n / expected_pairs(tally, row, column));
    svg_rect(&canvas->body, matrix->x + matrix->cell * (double)column,
             matrix->y + matrix->cell * (double)row, matrix->cell - gap, matrix->cell - gap,
             svg_level_class(level), text);
}

/* Of many experts: one path for all cells of a colour, which is a twentieth of the bytes. */
static void draw_level(struct canvas *canvas, const struct matrix *matrix, int wanted)
{
    size_t n = matrix->above->n_experts;
    bool is_begun = false;
    int level;

    for (size_t i = 0; i < n * n; i++) {
        if (!find_pair_level(matrix, i / n, i % n, &level) || level != wanted)
            continue;
        if (!is_begun)
            buffer_format(&canvas->body, "<path class=\"%s\" transform=\"translate(%.5g %.5g) "
                          "scale(%.5g)\" d=\"", svg_level_class(level), matrix->x, matrix->y,
                          matrix->cell);
        is_begun = true;
        buffer_format(&canvas->body, "M%zu %zuh1v1h-1z", i % n, i / n);
    }
    if (is_begun)
        buffer_add_text(&canvas->body, "\"/>\n");
}

/* "3+7 ×2.1": the pair that is chosen together most beyond chance. */
static void draw_best_pair(struct canvas *canvas, const struct router_tally *tally,
                           const char *whose, double x, double y)
{
    size_t n = tally->n_experts, best = 0;
    double most = 0;
    char text[128];

    for (size_t i = 0; i < n * n; i++) {
        double expected = expected_pairs(tally, i / n, i % n);

        if (i % n <= i / n || expected < few_pairs || (double)tally->together[i] / expected <= most)
            continue;
        most = (double)tally->together[i] / expected;
        best = i;
    }
    format(text, sizeof text, "%smost: %zu + %zu, %.2f × chance", whose, best / n, best % n, most);
    if (most == 0)
        format(text, sizeof text, "%stoo few tokens", whose);
    svg_text(&canvas->body, x, y, "tick", SVG_START, text);
}

static void draw_matrix(struct canvas *canvas, const struct watched_router *a,
                        const struct watched_router *b)
{
    enum { MANY = 16 };
    size_t n = a->tally.n_experts;
    double cell = within(176 / (double)n, 2, 22), size = cell * (double)n;
    double foot = b ? 34 : 20;
    struct place place = take_place(canvas, AXIS + fmax(size, 150), PANEL_HEAD + size + foot);
    struct matrix matrix = {&a->tally, b ? &b->tally : &a->tally, a->layer, place.x + AXIS,
                            place.y + PANEL_HEAD, cell};
    char text[64];
    int level;

    format(text, sizeof text, "layer %zu", a->layer);
    svg_text(&canvas->body, matrix.x, place.y + 14, "head", SVG_START, text);
    draw_ticks(canvas, matrix.x, matrix.y, n, cell, cell);
    svg_rect(&canvas->body, matrix.x, matrix.y, size, size, "frame", NULL);
    for (size_t i = 0; n <= MANY && i < n * n; i++)
        if (find_pair_level(&matrix, i / n, i % n, &level))
            draw_pair(canvas, &matrix, i / n, i % n, level);
    for (level = -SVG_LEVELS; n > MANY && level <= SVG_LEVELS; level++)
        draw_level(canvas, &matrix, level);
    svg_line(&canvas->body, matrix.x, matrix.y, matrix.x + size, matrix.y + size);
    draw_best_pair(canvas, &a->tally, b ? "A " : "", matrix.x, matrix.y + size + 14);
    if (b)
        draw_best_pair(canvas, &b->tally, "B ", matrix.x, matrix.y + size + 28);
}

/* ---- files ---- */

#define AT(member) offsetof(struct router_stats, member)
static const struct bars load_bars[] = {
    {"effective experts", AT(effective_experts), TO_EXPERTS},
    {"token entropy", AT(token_entropy), TO_ONE},
    {"margin", AT(margin), TO_LARGEST},
};
static const struct bars agreement_bars[] = {
    {"Jaccard of choices", AT(jaccard), TO_ONE},
    {"same first expert", AT(same_first), TO_ONE},
    {"KL, nats", AT(divergence), TO_LARGEST},
};

void router_draw_load(struct buffer *out, const struct router_models *models)
{
    static const char title[] = "Load of experts";
    static const char note[] = "Rows are layers, columns experts: per cent of the choices, "
                               "coloured by how far that is from an even share.";
    static const char *const titles[] = {"load, A", "load, B"};
    struct canvas canvas = {0};

    draw_head(&canvas, models, title, note);
    draw_legend(&canvas, "even", "none", "never chosen");
    draw_key(&canvas, models);
    for (size_t g = 0; g < models->watches[0]->n_groups; g++) {
        const struct router_group *groups[2] = {0};

        draw_section(&canvas, &models->watches[0]->groups[g]);
        for (size_t m = 0; m < models->n; m++) {
            groups[m] = &models->watches[m]->groups[g];
            draw_heat(&canvas, &(struct heat){models->n > 1 ? titles[m] : "load", groups[m], NULL});
        }
        for (size_t i = 0; i < sizeof load_bars / sizeof *load_bars; i++)
            draw_bars(&canvas, &load_bars[i], groups, models->n);
    }
    finish(&canvas, out, models, title, note);
}

void router_draw_coactivation(struct buffer *out, const struct router_models *models)
{
    static const char title[] = "Experts chosen together";
    const char *note = models->n > 1
        ? "Rows and columns are experts (A above the diagonal, B below): how often a token chose "
          "both, against what their loads alone would give."
        : "Rows and columns are experts: how often a token chose both, against what their loads "
          "alone would give.";
    struct canvas canvas = {0};

    draw_head(&canvas, models, title, note);
    draw_legend(&canvas, "chance", "frame", "fewer than 5 expected");
    for (size_t g = 0; g < models->watches[0]->n_groups; g++) {
        const struct router_group *group = &models->watches[0]->groups[g];

        if (group->routers[0]->tally.n_chosen < 2)
            continue;
        draw_section(&canvas, group);
        for (size_t i = 0; i < group->n_routers; i++)
            draw_matrix(&canvas, group->routers[i],
                        models->n > 1 ? models->watches[1]->groups[g].routers[i] : NULL);
    }
    finish(&canvas, out, models, title, note);
}

void router_draw_agreement(struct buffer *out, const struct router_models *models)
{
    static const char title[] = "Agreement of routers";
    static const char note[] = "Rows are layers. Load: what B adds to A's, in per cent of all "
                               "choices, coloured by the ratio of the two.";
    struct canvas canvas = {0};

    draw_head(&canvas, models, title, note);
    draw_legend(&canvas, "as in A", NULL, NULL);
    for (size_t g = 0; g < models->watches[0]->n_groups; g++) {
        const struct router_group *a = &models->watches[0]->groups[g];
        const struct router_group *b = &models->watches[1]->groups[g];

        draw_section(&canvas, b);
        draw_heat(&canvas, &(struct heat){"change of load", b, a});
        for (size_t i = 0; i < sizeof agreement_bars / sizeof *agreement_bars; i++)
            draw_bars(&canvas, &agreement_bars[i], &b, 1);
    }
    finish(&canvas, out, models, title, note);
}
