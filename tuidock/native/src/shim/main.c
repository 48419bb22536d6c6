/* tuidock-shim: one static program, one verb per process of a container's life. */
#include "shim.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const struct { const char *name; int (*run)(int, char **); } verbs[] = {
        {"start", start_main}, {"adopt", adopt_main}, {"exec", exec_main}, {"init", init_main},
        {"network", network_main}, {"keep", keep_main}, {"guard", guard_main},
    };
    /* as PID 1 of a container it is called `init -- COMMAND`, whatever the file behind its descriptor is named */
    if (argc > 2 && !strcmp(argv[0], "init") && !strcmp(argv[1], "--"))
        return init_main(argc, argv);
    for (size_t i = 0; argc > 1 && i < COUNT(verbs); i++)
        if (!strcmp(argv[1], verbs[i].name)) {
            int rc = 0;
            if (verbs[i].run != init_main && verbs[i].run != keep_main && verbs[i].run != guard_main)
                rc = self_protect(argv);                   /* does not return when it ran again */
            if (rc < 0) {
                fprintf(stderr, "tuidock-shim: cannot run from a read-only clone of itself: %s\n", strerror(-rc));
                return 125;
            }
            return verbs[i].run(argc, argv);
        }
    if (argc == 2 && !strcmp(argv[1], "version"))
        return puts("1") < 0;
    fputs("usage: tuidock-shim start|adopt|exec|init|network|keep|guard|version ...\n", stderr);
    return 125;
}
