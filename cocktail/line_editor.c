#include "line_editor.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/shared_library.h"

struct line_editor {
    char *(*readline)(const char *prompt); /* NULL: no libedit */
    int (*add_history)(const char *line);
    locale_t locale; /* libedit takes no character that this one does not have */
};

struct line_editor *line_editor_new(void)
{
    struct line_editor *editor = memory_zalloc(1, sizeof *editor);
    const struct shared_function functions[] = {
        {"readline", &editor->readline, false}, {"add_history", &editor->add_history, false}};
    const char *terminal = getenv("TERM");
    struct error error = {0};

    if (!terminal || !*terminal || strcmp(terminal, "dumb") == 0)
        return editor;
    if (shared_library_load("libedit.so.2", "libedit2", functions, 2, &error))
        *editor = (struct line_editor){0};
    else
        editor->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return editor;
}

void line_editor_free(struct line_editor *editor)
{
    if (editor && editor->locale)
        freelocale(editor->locale);
    free(editor);
}

static char *read_plain(const char *prompt)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;

    fputs(prompt, stdout);
    fflush(stdout);
    n = getline(&line, &capacity, stdin);
    if (n < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}

/* All else keeps the locale of the program. */
static char *read_edited(const struct line_editor *editor, const char *prompt)
{
    locale_t before = uselocale(editor->locale);
    char *line = editor->readline(prompt);
    int why = errno;

    if (line && *line)
        editor->add_history(line);
    uselocale(before);
    errno = why;
    return line;
}

char *line_editor_read(struct line_editor *editor, const char *prompt)
{
    for (;;) {
        char *line;

        errno = 0;
        line = editor->readline ? read_edited(editor, prompt) : read_plain(prompt);
        if (line || errno != EINTR)
            return line;
        clearerr(stdin);
        putchar('\n');
    }
}
