/* completion.c - `cocktail completion bash|zsh|fish`: a script for the shell, made from the tables
 * of commands and options, so that it cannot lag behind them. */
#include <string.h>

#include "base/buffer.h"

#include "command.h"
#include "output.h"

static const struct option_row rows[] = {OPTIONS_HELP};

/* Adds `text` with a backslash before each character that is in `special`. */
static void add_escaped(struct buffer *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            buffer_add_char(out, '\\');
        buffer_add_char(out, *text);
    }
}

/* "a|b|c" as "a b c". */
static void add_words(struct buffer *out, const char *words)
{
    for (; *words; words++)
        buffer_add_char(out, *words == '|' ? ' ' : *words);
}

static void add_command_names(struct buffer *out, const char *separator)
{
    for (size_t i = 0; commands[i]; i++)
        buffer_format(out, "%s%s", i ? separator : "", commands[i]->name);
}

/* Operands are words, or else files. */
static bool takes_words(const struct command *command)
{
    return command == &command_help || command->operand_words;
}

static void add_operand_words(struct buffer *out, const struct command *command)
{
    if (command == &command_help)
        add_command_names(out, " ");
    else if (command->operand_words)
        add_words(out, command->operand_words);
}

/* bash: one `case` on the previous word for values, one list of words for the rest. `words` set
 * means: these, nothing else; compopt -o default means files. */

static void bash_values(struct buffer *out, const struct command *command)
{
    buffer_format(out, "    %s)\n        case $previous in\n", command->name);
    for (const struct option_row *row = command->rows; row->type != OPTION_END; row++) {
        if (row->type == OPTION_FLAG)
            continue;
        buffer_add_text(out, "        ");
        if (row->short_name)
            buffer_format(out, "-%c|", row->short_name);
        buffer_format(out, "--%s) ", row->long_name);
        if (row->type == OPTION_CHOICE) {
            buffer_add_text(out, "words='");
            add_words(out, row->argument);
            buffer_add_text(out, "'");
        } else {
            buffer_add_text(out, row->type == OPTION_PATH ? "kind=files" : "kind=none");
        }
        buffer_add_text(out, " ;;\n");
    }
    buffer_add_text(out, "        *)\n            kind=operands options='");
    for (const struct option_row *row = command->rows; row->type != OPTION_END; row++)
        buffer_format(out, "%s--%s", row == command->rows ? "" : " ", row->long_name);
    buffer_add_text(out, "' words='");
    add_operand_words(out, command);
    buffer_add_text(out, "' ;;\n        esac ;;\n");
}

static void add_bash(struct buffer *out)
{
    buffer_add_text(out, "# bash completion for cocktail; made by 'cocktail completion bash'\n"
                         "_cocktail()\n"
                         "{\n"
                         "    local current=$2 previous=$3 kind=words words= options=\n"
                         "    COMPREPLY=()\n"
                         "    # --name=value arrives as three words: bash splits at '='\n"
                         "    if [[ $current == = ]]; then\n"
                         "        current=\n"
                         "    elif [[ $previous == = && $COMP_CWORD -ge 2 ]]; then\n"
                         "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
                         "    fi\n"
                         "    if [[ $COMP_CWORD -eq 1 ]]; then\n"
                         "        COMPREPLY=($(compgen -W '");
    add_command_names(out, " ");
    buffer_add_text(out, " --help --version' -- \"$current\"))\n"
                         "        return\n"
                         "    fi\n"
                         "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; commands[i]; i++)
        bash_values(out, commands[i]);
    buffer_add_text(out, "    esac\n"
                         "    [[ $kind == operands && $current == -* ]] && words=$options\n"
                         "    if [[ -n $words ]]; then\n"
                         "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                         "    elif [[ $kind == files || $kind == operands ]]; then\n"
                         "        compopt -o default 2>/dev/null\n"
                         "    fi\n"
                         "}\n"
                         "complete -F _cocktail cocktail\n");
}

/* zsh: _arguments specifications; in them ':' and '[' ']' mean something, and "'" ends the word. */

static void add_zsh_text(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            buffer_add_text(out, "'\\'");
        if (strchr("[]:\\", *text))
            buffer_add_char(out, '\\');
        buffer_add_char(out, *text);
    }
}

static void zsh_option(struct buffer *out, const struct option_row *row)
{
    const char *mark = row->type == OPTION_FLAG ? "" : "="; /* --name=value or --name value */

    if (row->short_name)
        buffer_format(out, "            '(-%c --%s)'{-%c%s,--%s%s}'[", row->short_name,
                      row->long_name, row->short_name, *mark ? "+" : "", row->long_name, mark);
    else
        buffer_format(out, "            '--%s%s[", row->long_name, mark);
    add_zsh_text(out, row->help);
    buffer_add_char(out, ']');
    if (row->type != OPTION_FLAG) {
        buffer_add_char(out, ':');
        add_zsh_text(out, row->type == OPTION_CHOICE ? row->long_name : row->argument);
        buffer_add_char(out, ':');
        if (row->type == OPTION_CHOICE) {
            buffer_add_char(out, '(');
            add_words(out, row->argument);
            buffer_add_char(out, ')');
        } else if (row->type == OPTION_PATH) {
            buffer_add_text(out, "_files");
        } else {
            buffer_add_char(out, ' '); /* a value, but none that we could guess */
        }
    }
    buffer_add_text(out, "' \\\n");
}

static void zsh_command(struct buffer *out, const struct command *command)
{
    buffer_format(out, "    %s)\n        _arguments -s -S \\\n", command->name);
    for (const struct option_row *row = command->rows; row->type != OPTION_END; row++)
        zsh_option(out, row);
    if (takes_words(command)) {
        buffer_add_text(out, "            '*:operand:(");
        add_operand_words(out, command);
        buffer_add_text(out, ")' ;;\n");
    } else {
        buffer_add_text(out, "            '*:model:_files' ;;\n");
    }
}

static void add_zsh(struct buffer *out)
{
    buffer_add_text(out, "#compdef cocktail\n"
                         "# zsh completion for cocktail; made by 'cocktail completion zsh'\n"
                         "_cocktail()\n"
                         "{\n"
                         "    local -a commands\n"
                         "    if (( CURRENT == 2 )); then\n"
                         "        commands=(\n");
    for (size_t i = 0; commands[i]; i++) {
        buffer_format(out, "            '%s:", commands[i]->name);
        add_zsh_text(out, commands[i]->summary);
        buffer_add_text(out, "'\n");
    }
    buffer_add_text(out, "        )\n"
                         "        _describe command commands\n"
                         "        return\n"
                         "    fi\n"
                         "    shift words\n"
                         "    (( CURRENT-- ))\n"
                         "    case $words[1] in\n");
    for (size_t i = 0; commands[i]; i++)
        zsh_command(out, commands[i]);
    buffer_add_text(out, "    esac\n"
                         "}\n"
                         "# loaded from a file of $fpath, or by eval\n"
                         "if [[ ${funcstack[1]} == _cocktail ]]; then\n"
                         "    _cocktail \"$@\"\n"
                         "else\n"
                         "    compdef _cocktail cocktail\n"
                         "fi\n");
}

/* fish: one `complete` line per command and option. */

static void fish_command(struct buffer *out, const struct command *command)
{
    buffer_format(out, "complete -c cocktail -n __fish_use_subcommand -f -a %s -d '",
                  command->name);
    add_escaped(out, command->summary, "'\\");
    buffer_add_text(out, "'\n");
    for (const struct option_row *row = command->rows; row->type != OPTION_END; row++) {
        buffer_format(out, "complete -c cocktail -n '__fish_seen_subcommand_from %s' -l %s",
                      command->name, row->long_name);
        if (row->short_name)
            buffer_format(out, " -s %c", row->short_name);
        if (row->type == OPTION_PATH) {
            buffer_add_text(out, " -r -F");
        } else if (row->type == OPTION_CHOICE) {
            buffer_add_text(out, " -x -a '");
            add_words(out, row->argument);
            buffer_add_text(out, "'");
        } else if (row->type != OPTION_FLAG) {
            buffer_add_text(out, " -x");
        }
        buffer_add_text(out, " -d '");
        add_escaped(out, row->help, "'\\");
        buffer_add_text(out, "'\n");
    }
    if (takes_words(command)) {
        buffer_format(out, "complete -c cocktail -n '__fish_seen_subcommand_from %s' -f -a '",
                      command->name);
        add_operand_words(out, command);
        buffer_add_text(out, "'\n");
    }
}

static void add_fish(struct buffer *out)
{
    buffer_add_text(out, "# fish completion for cocktail; made by 'cocktail completion fish'\n"
                         "complete -c cocktail -n __fish_use_subcommand -l help -d 'show help'\n"
                         "complete -c cocktail -n __fish_use_subcommand -l version"
                         " -d 'print the version'\n");
    for (size_t i = 0; commands[i]; i++)
        fish_command(out, commands[i]);
}

static int completion(const struct common_options *options, struct error *err)
{
    static const struct {
        const char *shell;
        void (*add)(struct buffer *out);
    } shells[] = {{"bash", add_bash}, {"zsh", add_zsh}, {"fish", add_fish}};
    const char *shell = options->operands[0];

    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        struct buffer out = {0};
        int rc;

        if (strcmp(shells[i].shell, shell) != 0)
            continue;
        shells[i].add(&out);
        rc = output_write(out.data, out.size, err);
        buffer_release(&out);
        return rc;
    }
    return error_set(err, ERROR_USAGE, "no completion for '" ERROR_NAME "', only for %s", shell,
                     command_completion.operand_words);
}

static int run(int argc, char **argv, struct error *err)
{
    struct common_options options = {0};
    int rc = command_parse(&command_completion, argc, argv, &options, err);

    if (rc == 0)
        rc = completion(&options, err);
    options_release(&options);
    return rc;
}

const struct command command_completion = {
    .name = "completion",
    .summary = "print a completion script for a shell",
    .usage = "bash|zsh|fish",
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = "bash|zsh|fish",
    .rows = rows,
    .run = run,
};
