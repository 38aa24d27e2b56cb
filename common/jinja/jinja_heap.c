#include "jinja_heap.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>


void jinja_heap_init(struct jinja_heap *heap, struct error *err)
{
    *heap = (struct jinja_heap){.err = err};
    if (getrandom(&heap->seed, sizeof heap->seed, GRND_NONBLOCK) != sizeof heap->seed)
        heap->seed = (uint64_t)(uintptr_t)heap; /* a bad seed costs steps, which are counted */
}

void jinja_heap_release(struct jinja_heap *heap)
{
    arena_release(&heap->arena);
}

void *jinja_alloc(struct jinja_heap *heap, size_t n, size_t size)
{
    size_t n_bytes;

    if (__builtin_mul_overflow(n, size, &n_bytes) || n_bytes > JINJA_MEMORY_MAX ||
        heap->n_bytes + n_bytes > JINJA_MEMORY_MAX) {
        jinja_fail(heap, "the template needs more than %d MB of memory",
                   JINJA_MEMORY_MAX / 1000 / 1000);
        return NULL;
    }
    heap->n_bytes += n_bytes + sizeof(void *);
    return arena_alloc(&heap->arena, n_bytes ? n_bytes : 1);
}

int jinja_spend(struct jinja_heap *heap, size_t n_steps)
{
    if (heap->n_steps > JINJA_STEPS_MAX || n_steps > JINJA_STEPS_MAX - heap->n_steps)
        return jinja_fail(heap, "the template does not end within %d steps", JINJA_STEPS_MAX);
    heap->n_steps += n_steps;
    return 0;
}

int jinja_enter(struct jinja_heap *heap)
{
    if (heap->depth >= JINJA_DEPTH_MAX)
        return jinja_fail(heap, "nested more than %d deep; does a macro call itself for ever?",
                          JINJA_DEPTH_MAX);
    heap->depth++;
    return 0;
}

static int fail(struct jinja_heap *heap, enum error_code code, const char *fmt, va_list arguments)
{
    char text[sizeof heap->err->text];

    vsnprintf(text, sizeof text, fmt, arguments);
    if (heap->line == 0)
        return error_set(heap->err, code, "%s", text);
    return error_set(heap->err, code, "chat template, line %zu: %s", heap->line, text);
}

#undef jinja_fail
int jinja_fail(struct jinja_heap *heap, const char *fmt, ...)
{
    va_list arguments;

    va_start(arguments, fmt);
    fail(heap, ERROR_FORMAT, fmt, arguments);
    va_end(arguments);
    return -1;
}

#undef jinja_unsupported
int jinja_unsupported(struct jinja_heap *heap, const char *fmt, ...)
{
    va_list arguments;

    va_start(arguments, fmt);
    fail(heap, ERROR_UNSUPPORTED, fmt, arguments);
    va_end(arguments);
    return -1;
}
