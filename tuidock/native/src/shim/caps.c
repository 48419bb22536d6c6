/* Capabilities: the bounding set is limited, inheritable and ambient stay empty always (CVE-2022-24769). */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

static int get(struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return (int)checked(syscall(SYS_capget, &header, data));
}

uint64_t caps_permitted(void)
{
    struct __user_cap_data_struct data[2] = {{0}};
    return get(data) < 0 ? 0 : data[0].permitted | (uint64_t)data[1].permitted << 32;
}

int caps_limit_bounding(uint64_t keep)
{
    for (int capability = 0; capability < 64; capability++) {
        int bounded = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (bounded < 0)
            break;                       /* EINVAL: beyond the last one that this kernel knows */
        if (bounded && !(keep >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
            return -errno;
    }
    return 0;
}

int caps_set(uint64_t effective, uint64_t permitted)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)effective, .permitted = (uint32_t)permitted, .inheritable = 0},
        {.effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32), .inheritable = 0},
    };
    int rc = (int)checked(syscall(SYS_capset, &header, data));

    if (rc == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        rc = -errno;
    return rc;
}
