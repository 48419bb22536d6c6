/* Copying a log segment to where a person wants it, without its prefix: the path of `tuidock logs` for big logs. */
#ifndef TUIDOCK_LOGCOPY_H
#define TUIDOCK_LOGCOPY_H

#include <stdint.h>

/* Copies the complete CRI lines of a segment between *offset and end (-1: its end) to out (stdout lines) and err
 * (stderr lines; -1 drops a stream). With timestamps each line begins with its time. Moves *offset behind the last line
 * that was copied. Returns 0 or the negative errno of a read or write. */
int td_log_copy(int segment, int64_t *offset, int64_t end, int out, int err, int timestamps);

#endif
