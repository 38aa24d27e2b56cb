/* full_disk.c - makes every file system look full.
 *
 * Preloaded into the program (LD_PRELOAD) by scripts of tests/cli/. FREE_BYTES says how much is
 * left; without it nothing is. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/statvfs.h>

int statvfs(const char *path, struct statvfs *info)
{
    const char *left = getenv("FREE_BYTES");
    int (*next)(const char *, struct statvfs *);
    int rc;

    *(void **)&next = dlsym(RTLD_NEXT, "statvfs");
    rc = next ? next(path, info) : -1;
    info->f_frsize = info->f_bsize = 1;
    info->f_bavail = info->f_bfree = left ? strtoul(left, NULL, 10) : 0;
    return rc;
}
