/* error.h - what went wrong, in one sentence, and the exit status it stands for.
 *
 * A function that can fail takes `struct error *err` last and returns 0 or -1 (or a pointer
 * or NULL). The first error stays, because it is nearest the cause; callers may put in front
 * what they were doing. */
#ifndef COCKTAIL_ERROR_H
#define COCKTAIL_ERROR_H

enum error_code { /* = exit status, frozen: scripts rely on it */
    ERROR_NONE = 0,
    ERROR_INTERNAL = 1,
    ERROR_USAGE = 2,
    ERROR_FORMAT = 3,       /* malformed input file */
    ERROR_RESOURCES = 4,    /* memory or descriptors */
    ERROR_IO = 5,           /* disk */
    ERROR_NETWORK = 6,
    ERROR_VERIFY = 7,
    ERROR_INCOMPATIBLE = 8, /* models do not fit together */
    ERROR_EXISTS = 9,       /* target exists or is locked */
    ERROR_UNSUPPORTED = 10, /* valid, but not supported */
    ERROR_SIGINT = 130,
    ERROR_SIGTERM = 143,
};

struct error {
    enum error_code code;
    char text[1024];
};

/* All three return -1, so that failing is one line. A message is one line, lower case, without
 * a full stop. Bytes from outside may stand in it as they are: whoever prints it escapes them. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with ": " and the text of errno added; the code follows from errno:
 * memory or descriptors -> ERROR_RESOURCES, anything else -> ERROR_IO. */
int error_errno(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "FMT: " in front of the text that is there. */
int error_context(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Compilers and analyzers should know about the -1 too, or they warn about paths that cannot be
 * taken. */
static inline int error_failed(int rc)
{
    (void)rc;
    return -1;
}
#define error_set(...) error_failed(error_set(__VA_ARGS__))
#define error_errno(...) error_failed(error_errno(__VA_ARGS__))
#define error_context(...) error_failed(error_context(__VA_ARGS__))

/* Names from files are shown up to this many bytes in a message. */
#define ERROR_NAME "%.160s"

#endif
