/* line_editor.h - lines that somebody types: with libedit, where it is installed, editing and the
 * lines before; else what the terminal itself can do. */
#ifndef COCKTAIL_LINE_EDITOR_H
#define COCKTAIL_LINE_EDITOR_H

struct line_editor;

struct line_editor *line_editor_new(void);
void line_editor_free(struct line_editor *editor);

/* The next line, without its end, to be freed; NULL at the end of the input. A line that Ctrl-C
 * interrupts begins anew. */
char *line_editor_read(struct line_editor *editor, const char *prompt);

#endif
