/* text_form.h - the ways to ask for texts. */
#ifndef COCKTAIL_TEXT_FORM_H
#define COCKTAIL_TEXT_FORM_H

enum text_form { TEXT_CHAT, TEXT_COMPLETIONS, TEXT_OLLAMA_CHAT, TEXT_OLLAMA_GENERATE };

#endif
