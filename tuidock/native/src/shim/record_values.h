/* How values of the launch record are read (record_values.c); all return 0 or -EINVAL. */
#ifndef TUIDOCK_RECORD_VALUES_H
#define TUIDOCK_RECORD_VALUES_H

#include "shim.h"

int parse_unsigned(const char *text, int base, uint64_t maximum, uint64_t *number);
int parse_signed(const char *text, int64_t minimum, int64_t maximum, int64_t *number);
int parse_device(char *text, struct device *device);        /* TYPE MAJOR MINOR MODE UID GID PATH; path points into text */
int parse_limit(const char *text, struct limit *limit);     /* NAME SOFT HARD user|default */
int one_of(const char *value, const char *no, const char *yes, bool *result);

#endif
