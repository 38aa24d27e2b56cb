/* clock.h - how long things take. */
#ifndef COCKTAIL_CLOCK_H
#define COCKTAIL_CLOCK_H

/* Seconds since some moment in the past; never goes back. */
double clock_now_s(void);

#endif
