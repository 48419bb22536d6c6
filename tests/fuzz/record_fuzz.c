/* Fuzzes the parser of launch records. */
#include "shim.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char HEAD[] = "tuidock-record\0001";
    static int directory = -1;
    struct record record;
    struct failure failure;

    if (directory < 0) {
        char path[] = "/dev/shm/tuidock-fuzz-XXXXXX";
        directory = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (directory < 0)
            abort();
    }
    int file = openat(directory, "record", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, HEAD, sizeof HEAD) < 0 || write(file, data, size) < 0 || close(file) < 0)
        abort();
    if (record_read(&record, directory, &failure) == 0)
        record_free(&record);
    return 0;
}
