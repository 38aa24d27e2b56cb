#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/utf8.h"

static const double refresh_s = 0.1;

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value;
}

static bool is_smart_terminal(FILE *stream)
{
    const char *kind = getenv("TERM");

    return isatty(fileno(stream)) && kind && strcmp(kind, "dumb") != 0;
}

bool terminal_has_colour(FILE *stream)
{
    return is_smart_terminal(stream) && !is_set("NO_COLOR");
}

void terminal_notices(const struct notices *notices, const struct common_options *common)
{
    struct buffer lines = {0};

    if (common->quiet || notices->n_texts == 0)
        return;
    for (size_t i = 0; i < notices->n_texts; i++) {
        buffer_add_text(&lines, "cocktail: note: ");
        utf8_add_printable(&lines, notices->texts[i], strlen(notices->texts[i]));
        buffer_add_char(&lines, '\n');
    }
    fwrite(lines.data, 1, lines.size, stderr);
    buffer_release(&lines);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* "2:05", "1:02:05"; what would take days is not worth a number. */
static void add_time(struct buffer *line, double seconds)
{
    unsigned left = seconds < 86400 ? (unsigned)seconds : 86400;

    if (left >= 86400)
        buffer_add_text(line, "over a day");
    else if (left >= 3600)
        buffer_format(line, "%u:%02u:%02u", left / 3600, left / 60 % 60, left % 60);
    else
        buffer_format(line, "%u:%02u", left / 60, left % 60);
}

/* "mixing  45% [=====>      ] 1.5 GB of 3.4 GB, 812 MB/s, 0:02 left", cut at the right edge. */
static void add_progress(struct buffer *line, const char *label, size_t done, size_t total,
                         double elapsed_s)
{
    enum { BAR = 24 };
    double part = done < total ? (double)done / (double)total : 1;
    double rate = elapsed_s > 0 ? (double)done / elapsed_s : 0;
    size_t n_filled = (size_t)(part * BAR);
    char text[TERMINAL_SIZE_MAX];
    struct winsize window;

    buffer_format(line, "%s %3d%% [", label, (int)(part * 100));
    for (size_t i = 0; i < BAR; i++)
        buffer_add_char(line, i < n_filled ? '=' : i == n_filled ? '>' : ' ');
    buffer_format(line, "] %s", terminal_size(text, done));
    buffer_format(line, " of %s", terminal_size(text, total));
    if (elapsed_s >= 1) { /* before that both would jump about */
        buffer_format(line, ", %s/s, ", terminal_size(text, (size_t)rate));
        if (rate > 0)
            add_time(line, (double)(total - (done < total ? done : total)) / rate);
        else
            buffer_add_text(line, "?");
        buffer_add_text(line, " left");
    }
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 &&
        line->size >= window.ws_col)
        buffer_splice(line, window.ws_col - 1u, line->size - window.ws_col + 1u, "");
}

static void show(struct progress *progress)
{
    struct terminal_progress *shown = (struct terminal_progress *)progress;
    double now = now_s();
    struct buffer line = {0}, out = {0};

    if (progress->total_bytes == 0 || now - shown->shown_s < refresh_s)
        return;
    shown->shown_s = now;
    shown->is_shown = true;
    add_progress(&line, shown->label, atomic_load(&progress->done_bytes), progress->total_bytes,
                 now - shown->start_s);
    buffer_format(&out, "\r%s\033[K", line.data);
    fwrite(out.data, 1, out.size, stderr);
    buffer_release(&line);
    buffer_release(&out);
}

void terminal_progress_start(struct terminal_progress *shown, const char *label,
                             const struct common_options *common)
{
    double now = now_s();

    *shown = (struct terminal_progress){.label = label, .start_s = now, .shown_s = now};
    if (is_smart_terminal(stderr) && !common->quiet && !common->json && !is_set("CI"))
        shown->progress.show = show;
}

void terminal_progress_end(struct terminal_progress *shown)
{
    if (shown->is_shown)
        fputs("\r\033[K", stderr);
    shown->is_shown = false;
}

const char *terminal_size(char text[TERMINAL_SIZE_MAX], size_t size_bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)size_bytes;
    size_t unit = 0;

    while (value >= 999.5) { /* what would be rounded to 1000 is 1.00 of the next */
        value /= 1000;
        unit++;
    }
    snprintf(text, TERMINAL_SIZE_MAX, "%.*f %s",
             unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, units[unit]);
    return text;
}

void table_add(struct table *table, const char *cell)
{
    struct buffer text = {0};

    utf8_add_printable(&text, cell, strlen(cell));
    buffer_add_text(&text, ""); /* an empty cell is a text too */
    if ((table->n_cells & (table->n_cells - 1)) == 0) /* full at each power of two */
        table->cells = memory_resize(table->cells, table->n_cells ? 2 * table->n_cells : 1,
                                     sizeof *table->cells);
    table->cells[table->n_cells++] = text.data;
}

/* Code points: good enough for names, where wide and combining characters are rare. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* One cell of a column that is `width` wide. */
static void add_cell(struct buffer *line, const char *cell, size_t width, char side)
{
    int padding = (int)(width - width_of(cell));

    if (side == 'r')
        buffer_format(line, "%*s%s", padding, "", cell);
    else
        buffer_format(line, "%s%*s", cell, padding, "");
}

void table_print(const struct table *table, FILE *out)
{
    size_t n_columns = strlen(table->columns);
    size_t *widths = memory_zalloc(n_columns, sizeof *widths);
    struct buffer line = {0};

    for (size_t i = 0; i < table->n_cells; i++) {
        size_t width = width_of(table->cells[i]);

        if (width > widths[i % n_columns])
            widths[i % n_columns] = width;
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t column = i % n_columns;

        add_cell(&line, table->cells[i], widths[column], table->columns[column]);
        if (column + 1 < n_columns) {
            buffer_add_text(&line, "  ");
            continue;
        }
        while (line.size && line.data[line.size - 1] == ' ')
            line.size--;
        fprintf(out, "%.*s\n", (int)line.size, line.data);
        buffer_clear(&line);
    }
    buffer_release(&line);
    free(widths);
}

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){.columns = table->columns};
}
