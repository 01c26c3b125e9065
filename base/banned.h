/* Functions that nothing here may call: naming one fails to compile. Included
 * before the first line of every file by the build.
 *
 * The headers that declare them come first, so only our own text is caught.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(func, instead) banned_##func##_use_##instead

/* glibc may have some of them as macros. */
#undef strcpy
#undef stpcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef gets
#undef atoi
#undef atol
#undef atoll
#undef atof
#undef sscanf
#undef fscanf
#undef scanf
#undef localtime
#undef gmtime
#undef ctime
#undef asctime
#undef strerror

/* No length, or one that is easy to get wrong. */
#define strcpy(...) BANNED(strcpy, strbuf)
#define stpcpy(...) BANNED(stpcpy, strbuf)
#define strcat(...) BANNED(strcat, strbuf)
#define strncpy(...) BANNED(strncpy, strbuf)
#define strncat(...) BANNED(strncat, strbuf)
#define sprintf(...) BANNED(sprintf, strbuf_appendf_or_snprintf)
#define vsprintf(...) BANNED(vsprintf, strbuf_appendf_or_vsnprintf)
#define gets(...) BANNED(gets, getline)
/* Hidden state. */
#define strtok(...) BANNED(strtok, strsep_or_strtok_r)
#define localtime(...) BANNED(localtime, clock)
#define gmtime(...) BANNED(gmtime, gmtime_r)
#define ctime(...) BANNED(ctime, clock)
#define asctime(...) BANNED(asctime, clock)
#define strerror(...) BANNED(strerror, error_set_sys)
/* Accept half a number, wrap around. */
#define atoi(...) BANNED(atoi, num)
#define atol(...) BANNED(atol, num)
#define atoll(...) BANNED(atoll, num)
#define atof(...) BANNED(atof, num)
#define sscanf(...) BANNED(sscanf, num)
#define fscanf(...) BANNED(fscanf, num)
#define scanf(...) BANNED(scanf, num)

#endif
