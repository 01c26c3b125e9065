/* Times as the product shows them: see clock.h.
 *
 * A time is nanoseconds since 1970 in 64 signed bits, 1677 to 2262; what a text
 * says beyond that is refused, but for Docker's zero time, which is 0 here.
 */
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

#define ZERO_TIME_S INT64_C(-62135596800) /* seconds from 1970 back to year 1 */
static const char zero_time[] = "0001-01-01T00:00:00Z";

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_now_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_render(int64_t time_ns, char ret_text[CLOCK_TEXT_SIZE])
{
	time_t second = time_ns / NS_PER_S;
	int64_t ns = time_ns % NS_PER_S;
	struct tm tm;

	if (time_ns == 0) {
		memcpy(ret_text, zero_time, sizeof(zero_time));
		return;
	}
	if (ns < 0) {
		ns += NS_PER_S;
		second--;
	}
	gmtime_r(&second, &tm);
	/* The remainders tell the compiler that all fits. */
	snprintf(ret_text, CLOCK_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100, (unsigned)ns % 1000000000u);
}

/* Read exactly count digits and, unless behind is NULL, one of its characters. */
static bool read_field(const char **text, int count, const char *behind, int min, int max, int *ret)
{
	int value = 0;

	for (; count > 0; count--, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		value = value * 10 + (**text - '0');
	}
	if (value < min || value > max)
		return false;
	if (behind) {
		if (**text == '\0' || !strchr(behind, **text))
			return false;
		(*text)++;
	}
	*ret = value;
	return true;
}

static int get_month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool read_fraction(const char **text, int64_t *ret_ns)
{
	int64_t unit = NS_PER_S / 10;
	int64_t ns = 0;

	if (**text == '.') {
		(*text)++;
		if (**text < '0' || **text > '9')
			return false;
		for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10) {
			if (unit == 0)
				return false;
			ns += unit * (**text - '0');
		}
	}
	*ret_ns = ns;
	return true;
}

/* "Z" or "+hh:mm" to the end of the text. */
static bool read_offset(const char *text, int *ret_seconds)
{
	int sign = *text == '-' ? -1 : 1;
	int hours, minutes;

	if (*text == 'Z' || *text == 'z') {
		*ret_seconds = 0;
		return text[1] == '\0';
	}
	if (*text != '+' && *text != '-')
		return false;
	text++;
	if (!read_field(&text, 2, ":", 0, 23, &hours) ||
	    !read_field(&text, 2, NULL, 0, 59, &minutes) || *text)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

int clock_parse(const char *text, int64_t *ret_ns)
{
	struct tm tm = { .tm_sec = 0 };
	int year, month, offset;
	int64_t ns, time_s, time_ns;

	/* A leap second is the one after it: the kernel has no 60 either. */
	if (!read_field(&text, 4, "-", 0, 9999, &year) ||
	    !read_field(&text, 2, "-", 1, 12, &month) ||
	    !read_field(&text, 2, "Tt ", 1, get_month_days(year, month), &tm.tm_mday) ||
	    !read_field(&text, 2, ":", 0, 23, &tm.tm_hour) ||
	    !read_field(&text, 2, ":", 0, 59, &tm.tm_min) ||
	    !read_field(&text, 2, NULL, 0, 60, &tm.tm_sec) || !read_fraction(&text, &ns) ||
	    !read_offset(text, &offset))
		return -EINVAL;

	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	time_s = timegm(&tm) - offset;
	if (time_s == ZERO_TIME_S && ns == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (__builtin_mul_overflow(time_s, NS_PER_S, &time_ns) ||
	    __builtin_add_overflow(time_ns, ns, &time_ns))
		return -EINVAL;
	*ret_ns = time_ns;
	return 0;
}

void clock_render_duration(int64_t duration_ns, char ret_text[32])
{
	int64_t seconds = duration_ns / NS_PER_S;
	int64_t minutes = seconds / 60;
	int64_t hours = (seconds + 1800) / 3600; /* to the nearest, as Docker does */

	/* Source: the columns of docker ps; the words change where a smaller
	 * unit would have three digits or more. */
	if (seconds < 1)
		snprintf(ret_text, 32, "Less than a second");
	else if (seconds == 1)
		snprintf(ret_text, 32, "1 second");
	else if (seconds < 60)
		snprintf(ret_text, 32, "%d seconds", (int)seconds);
	else if (minutes == 1)
		snprintf(ret_text, 32, "About a minute");
	else if (minutes < 60)
		snprintf(ret_text, 32, "%d minutes", (int)minutes);
	else if (hours == 1)
		snprintf(ret_text, 32, "About an hour");
	else if (hours < 48)
		snprintf(ret_text, 32, "%d hours", (int)hours);
	else if (hours < 24 * 7 * 2)
		snprintf(ret_text, 32, "%d days", (int)(hours / 24));
	else if (hours < 24 * 30 * 2)
		snprintf(ret_text, 32, "%d weeks", (int)(hours / 24 / 7));
	else if (hours < 24 * 365 * 2)
		snprintf(ret_text, 32, "%d months", (int)(hours / 24 / 30));
	else
		snprintf(ret_text, 32, "%d years", (int)(seconds / 3600 / 24 / 365));
}
