/* Points in time as people and the mount write them, in nanoseconds since 1970. */
#include "cfs.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND 1000000000LL
#define SECONDS_MAX (INT64_MAX / SECOND)

/* Digits behind a point, at most nine; *at moves behind them. */
static int64_t parse_fraction(const char **at)
{
	int64_t ns = 0, unit = SECOND / 10;

	if (**at != '.')
		return 0;
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
		ns += (**at - '0') * unit;
	return ns;
}

/* A number of digits; -1 when there are none, or too many. */
static int64_t parse_digits(const char **at)
{
	int64_t number = 0;
	const char *start = *at;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		if (number > SECONDS_MAX / 10 - 10)
			return -1;
		number = number * 10 + (**at - '0');
	}
	return *at > start ? number : -1;
}

/* "1h30m", "10s", "1.5s", "250ms". Source: Go's time.ParseDuration, without its signs. */
static bool parse_duration(const char *at, int64_t *ret)
{
	int64_t total = 0;

	if (!*at)
		return false;
	while (*at) {
		int64_t unit;
		int64_t whole = parse_digits(&at);
		int64_t part = parse_fraction(&at);

		if (strncmp(at, "ms", 2) == 0)
			unit = SECOND / 1000;
		else
			unit = *at == 'h' ? 3600 * SECOND : *at == 'm' ? 60 * SECOND : SECOND;
		if (whole < 0 || whole > (SECONDS_MAX / 2) / (unit / SECOND + 1) ||
		    !(*at == 'h' || *at == 'm' || *at == 's'))
			return false;
		at += unit == SECOND / 1000 ? 2 : 1;
		total += whole * unit + part / 1000 * (unit / 1000000);
		if (total > INT64_MAX / 4)
			return false;
	}
	*ret = total;
	return true;
}

/* "Z", "+02:00", or nothing, which means here. */
static bool apply_zone(const char *at, struct tm *tm, int64_t *ret_seconds)
{
	int hours, minutes;

	tm->tm_isdst = -1;
	if (!*at) {
		*ret_seconds = mktime(tm);
		return true;
	}
	*ret_seconds = timegm(tm);
	if (strcmp(at, "Z") == 0)
		return true;
	if (strlen(at) != 6 || (at[0] != '+' && at[0] != '-') || at[3] != ':')
		return false;
	for (int i = 1; i < 6; i++)
		if (i != 3 && (at[i] < '0' || at[i] > '9'))
			return false;
	hours = (at[1] - '0') * 10 + at[2] - '0';
	minutes = (at[4] - '0') * 10 + at[5] - '0';
	*ret_seconds += (at[0] == '+' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

/* RFC 3339, cut short after the day, the minutes or the seconds. */
static bool parse_date(const char *text, int64_t *ret)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	int64_t seconds;

	for (size_t i = 0; i < 3; i++) {
		struct tm tm = { .tm_year = 0 };
		const char *at = strptime(text, formats[i], &tm);
		if (!at)
			continue;
		int64_t ns = i == 0 ? parse_fraction(&at) : 0;
		if (!apply_zone(at, &tm, &seconds))
			return false;
		*ret = seconds * SECOND + ns;
		return true;
	}
	return false;
}

int64_t time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

int time_parse(const char *text, int64_t *ret)
{
	const char *at = text;
	int64_t seconds, duration;

	if (strchr(text, '-'))
		return parse_date(text, ret) ? 0 : -1;
	if (parse_duration(text, &duration)) {
		*ret = time_now() - duration;
		return 0;
	}
	seconds = parse_digits(&at);
	int64_t ns = parse_fraction(&at);
	if (seconds < 0 || *at)
		return -1;
	*ret = seconds * SECOND + ns;
	return 0;
}
