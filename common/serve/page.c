#include "page.h"

#include <stdint.h>

extern const char page_end[];

__asm__(".section .rodata\n"
        ".global page_text\n"
        ".global page_end\n"
        "page_text:\n"
        ".incbin \"common/serve/page.html\"\n"
        "page_end:\n"
        ".byte 0\n"
        ".previous\n");

size_t page_size(void)
{
    return (size_t)((uintptr_t)page_end - (uintptr_t)page_text);
}
