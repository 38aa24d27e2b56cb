#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/ranks.h"
#include "base/utf8.h"
#include "report/size_text.h"

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

    if (common->quiet || notices->n_texts == 0 || ranks_number())
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
    char text[SIZE_TEXT_MAX];
    struct winsize window;

    buffer_format(line, "%s %3d%% [", label, (int)(part * 100));
    for (size_t i = 0; i < BAR; i++)
        buffer_add_char(line, i < n_filled ? '=' : i == n_filled ? '>' : ' ');
    buffer_format(line, "] %s", size_text(text, done));
    buffer_format(line, " of %s", size_text(text, total));
    if (elapsed_s >= 1) { /* before that both would jump about */
        buffer_format(line, ", %s/s, ", size_text(text, (size_t)rate));
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
    if (is_smart_terminal(stderr) && !common->quiet && !common->json && !is_set("CI") &&
        ranks_number() == 0)
        shown->progress.show = show;
}

void terminal_progress_end(struct terminal_progress *shown)
{
    if (shown->is_shown)
        fputs("\r\033[K", stderr);
    shown->is_shown = false;
}
