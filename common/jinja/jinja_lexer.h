/* jinja_lexer.h - the source of a template as tokens, white space already treated.
 *
 * With trim_blocks and lstrip_blocks, as transformers sets them: docs/templates.md, "White space". */
#ifndef COCKTAIL_JINJA_LEXER_H
#define COCKTAIL_JINJA_LEXER_H

#include "jinja/jinja_heap.h"
#include "jinja/jinja_types.h"

enum jinja_token_kind {
    TOKEN_END, TOKEN_DATA, TOKEN_VARIABLE_BEGIN, TOKEN_VARIABLE_END, TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END, TOKEN_NAME, TOKEN_STRING, TOKEN_NUMBER,
    TOKEN_ADD, TOKEN_SUB, TOKEN_MUL, TOKEN_DIV, TOKEN_FLOORDIV, TOKEN_MOD, TOKEN_POW, TOKEN_TILDE,
    TOKEN_EQ, TOKEN_NE, TOKEN_LT, TOKEN_LE, TOKEN_GT, TOKEN_GE, TOKEN_ASSIGN, TOKEN_DOT,
    TOKEN_COLON, TOKEN_PIPE, TOKEN_COMMA, TOKEN_SEMICOLON, TOKEN_LPAREN, TOKEN_RPAREN,
    TOKEN_LBRACKET, TOKEN_RBRACKET, TOKEN_LBRACE, TOKEN_RBRACE,
};

struct jinja_token {
    enum jinja_token_kind kind;
    size_t line;
    bool is_integer;          /* of a TOKEN_NUMBER: may follow a dot */
    struct jinja_value value; /* text of data, names, strings; numbers */
};

struct jinja_tokens {
    struct jinja_token *items; /* [n_items], the last is TOKEN_END; in the heap */
    size_t n_items;
};

/* `source` is valid UTF-8, at most JINJA_SOURCE_MAX bytes. */
int jinja_lex(struct jinja_heap *heap, const char *source, size_t size,
              struct jinja_tokens *tokens);

/* "'%}'", "a name", …, for messages. */
const char *jinja_token_name(enum jinja_token_kind kind);

#endif
