/* page.h - the page that the server shows, page.html as it is. */
#ifndef COCKTAIL_PAGE_H
#define COCKTAIL_PAGE_H

#include <stddef.h>

extern const char page_text[];
size_t page_size(void);

#endif
