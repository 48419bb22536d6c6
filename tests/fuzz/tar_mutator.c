/* Mutates archives: header checksums are put right after a mutation, else hardly any input would get past the first block. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_SIZE = 512 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed)
{
    (void)seed;
    size = LLVMFuzzerMutate(data, size, limit);
    for (size_t at = 0; at + BLOCK_SIZE <= size; at += BLOCK_SIZE) {
        uint8_t *header = data + at;
        unsigned sum = 8 * ' ';
        char text[9];
        if (!header[0] || !(header[156] == 0 || strchr("01234567xgLKS", header[156])))
            continue;
        for (int i = 0; i < BLOCK_SIZE; i++)
            if (i < 148 || i >= 156)
                sum += header[i];
        snprintf(text, sizeof text, "%06o", sum & 0777777);
        memcpy(header + 148, text, 6);
        header[154] = 0;
        header[155] = ' ';
    }
    return size;
}
