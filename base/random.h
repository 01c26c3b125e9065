/* Identifiers. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

/* 64 lower-case hexadecimal digits from getrandom(2) and a NUL. */
void random_id(char ret_id[65]);

#endif
