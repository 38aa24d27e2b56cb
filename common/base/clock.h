/* clock.h - how long things take. */
#ifndef COCKTAIL_CLOCK_H
#define COCKTAIL_CLOCK_H

#include <time.h>

/* Seconds since some moment in the past; never goes back. */
double clock_now_s(void);

/* So long, and the moment that comes so long from now, for those who wait (CLOCK_REALTIME). */
struct timespec clock_span(double seconds);
struct timespec clock_moment_in(double seconds);

#endif
