#include "clock.h"

double clock_now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct timespec clock_span(double seconds)
{
    time_t whole = (time_t)seconds;

    return (struct timespec){whole, (long)((seconds - (double)whole) * 1e9)};
}

struct timespec clock_moment_in(double seconds)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    seconds += (double)now.tv_nsec * 1e-9;
    return (struct timespec){now.tv_sec + clock_span(seconds).tv_sec, clock_span(seconds).tv_nsec};
}
