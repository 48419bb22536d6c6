/* The device rules of cgroup v2: a small BPF program, since v2 has no devices files.
 *
 * The rules mean what the same lines written to devices.allow and devices.deny mean on v1: a later one wins. So the
 * program tests them from the last to the first; an allow rule matches when it covers all that is asked for, a deny rule
 * when it covers any of it.
 */
#include "shim.h"
#include "kernel.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#define MAXIMUM_INSTRUCTIONS 4096

struct program { struct bpf_insn instruction[MAXIMUM_INSTRUCTIONS]; size_t count; };

static int emit(struct program *program, uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t immediate)
{
    if (program->count == MAXIMUM_INSTRUCTIONS)
        return -E2BIG;
    program->instruction[program->count++] = (struct bpf_insn){
        .code = code, .dst_reg = to & 15, .src_reg = from & 15, .off = offset, .imm = immediate};
    return 0;
}

enum { TYPE = BPF_REG_2, ACCESS = BPF_REG_3, MAJOR = BPF_REG_4, MINOR = BPF_REG_5, SCRATCH = BPF_REG_1 };

static int emit_rule(struct program *program, const char *text)
{
    char verb[8], kind, major[12], minor[12], access[8];
    int jump[8], jumps = 0;
    int mask = 0;
    bool allow;

    if (sscanf(text, "%7s %c %11s %11s %7s", verb, &kind, major, minor, access) < 2 || !strchr("abc", kind))
        return -EINVAL;
    allow = !strcmp(verb, "allow");
    if (!allow && strcmp(verb, "deny"))
        return -EINVAL;
    if (kind == 'a') {                    /* `a` is everything, as on v1, whatever stands behind it */
        emit(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
        return emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    }
    if (sscanf(text, "%*s %*c %11s %11s %7s", major, minor, access) != 3)
        return -EINVAL;
    for (const char *c = access; *c; c++)
        mask |= *c == 'r' ? BPF_DEVCG_ACC_READ : *c == 'w' ? BPF_DEVCG_ACC_WRITE : *c == 'm' ? BPF_DEVCG_ACC_MKNOD : 0;
    jump[jumps++] = (int)program->count;
    emit(program, BPF_JMP | BPF_JNE | BPF_K, TYPE, 0, 0, kind == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    if (strcmp(major, "*")) {
        jump[jumps++] = (int)program->count;
        emit(program, BPF_JMP | BPF_JNE | BPF_K, MAJOR, 0, 0, atoi(major));
    }
    if (strcmp(minor, "*")) {
        jump[jumps++] = (int)program->count;
        emit(program, BPF_JMP | BPF_JNE | BPF_K, MINOR, 0, 0, atoi(minor));
    }
    emit(program, BPF_ALU64 | BPF_MOV | BPF_X, SCRATCH, ACCESS, 0, 0);
    emit(program, BPF_ALU64 | BPF_AND | BPF_K, SCRATCH, 0, 0,
         allow ? ~mask & (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD) : mask);
    jump[jumps++] = (int)program->count;
    emit(program, (uint8_t)(BPF_JMP | (allow ? BPF_JNE : BPF_JEQ) | BPF_K), SCRATCH, 0, 0, 0);
    emit(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
    if (emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0) < 0)
        return -E2BIG;
    while (jumps-- > 0)
        program->instruction[jump[jumps]].off = (int16_t)(program->count - (size_t)jump[jumps] - 1);
    return 0;
}

static int bpf(int command, union bpf_attr *attributes)
{
    return (int)checked(syscall(SYS_bpf, command, attributes, sizeof *attributes));
}

int device_program_attach(const struct record *record, int cgroup_fd, struct failure *failure)
{
    static const char LICENSE[] = "GPL";
    cleanup_free struct program *program = NULL;
    cleanup_close int loaded = -1;
    union bpf_attr attributes;
    bool covered = false;
    int rc;

    if (!record->device_rule.count)
        return 0;
    program = calloc(1, sizeof *program);
    if (!program)
        return fail(failure, "cgroup", -ENOMEM, "no memory for the device program");
    /* struct bpf_cgroup_dev_ctx: access_type = access << 16 | type, major, minor */
    emit(program, BPF_LDX | BPF_MEM | BPF_W, TYPE, BPF_REG_1, 0, 0);
    emit(program, BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
    emit(program, BPF_LDX | BPF_MEM | BPF_W, ACCESS, BPF_REG_1, 0, 0);
    emit(program, BPF_ALU | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
    emit(program, BPF_LDX | BPF_MEM | BPF_W, MAJOR, BPF_REG_1, 4, 0);
    emit(program, BPF_LDX | BPF_MEM | BPF_W, MINOR, BPF_REG_1, 8, 0);
    for (size_t i = record->device_rule.count; i-- > 0;) {
        const char *rule = record->device_rule.item[i];
        char verb[8], kind;
        rc = emit_rule(program, rule);
        if (rc < 0)
            return fail(failure, "cgroup", rc, "device rule %s: %s", rule, strerror(-rc));
        covered = sscanf(rule, "%7s %c", verb, &kind) == 2 && kind == 'a';
        if (covered)
            break;                       /* the verifier refuses what comes behind: it could not be reached */
    }
    if (!covered) {
        emit(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
        rc = emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
        if (rc < 0)
            return fail(failure, "cgroup", rc, "there are too many device rules");
    }
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = (uint64_t)(uintptr_t)program->instruction;
    attributes.insn_cnt = (uint32_t)program->count;
    attributes.license = (uint64_t)(uintptr_t)LICENSE;
    loaded = bpf(BPF_PROG_LOAD, &attributes);
    if (loaded < 0)
        return fail(failure, "cgroup", loaded, "load the device program: %s", strerror(-loaded));
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup_fd;
    attributes.attach_bpf_fd = (uint32_t)loaded;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    rc = bpf(BPF_PROG_ATTACH, &attributes);
    return rc < 0 ? fail(failure, "cgroup", rc, "attach the device program: %s", strerror(-rc)) : 0;
}
