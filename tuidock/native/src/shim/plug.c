/* `network connect` and `disconnect` of a running container: one link into its network namespace, or out of it.
 *
 *     tuidock-shim network add|route|remove KEY=VALUE...      with the namespace as descriptor 3
 *
 * The keys are those of the launch record's interface. `route` moves the default routes to the interface's gateways. What
 * fails is said on stderr, and what was made is taken back.
 */
#include "shim.h"
#include "stay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { NAMESPACE_FD = 3, WORDS = 16 };

/* Every list has room for all words there can be. */
static int take_word(struct interface *interface, char *word)
{
    const struct { const char *name; char **text; struct list *list; } keys[] = {
        {"name", &interface->name, NULL}, {"bridge", &interface->bridge, NULL}, {"veth", &interface->veth, NULL},
        {"mac", &interface->mac, NULL}, {"driver", &interface->driver, NULL}, {"mode", &interface->mode, NULL},
        {"address", NULL, &interface->address}, {"gateway", NULL, &interface->gateway},
    };
    char *value = strchr(word, '=');
    if (!value)
        return -EINVAL;
    *value++ = 0;
    if (!strcmp(word, "mtu") || !strcmp(word, "isolated")) {
        unsigned long number = strtoul(value, NULL, 10);
        if (*word == 'm')
            interface->mtu = (unsigned)number;
        else
            interface->isolated = number != 0;
        return 0;
    }
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (strcmp(keys[i].name, word))
            continue;
        if (keys[i].text)
            *keys[i].text = value;
        else
            keys[i].list->item[keys[i].list->count++] = value;
        return 0;
    }
    return -EINVAL;
}

int network_main(int argc, char **argv)
{
    static char empty[1], *address[WORDS], *gateway[WORDS];
    static struct failure failure;
    struct interface interface = {.name = empty, .bridge = empty, .veth = empty, .mac = empty, .driver = empty,
                                  .mode = empty, .address = {address, 0}, .gateway = {gateway, 0}};
    struct record record = {.interface = &interface, .interfaces = 1};
    int rc = argc > 3 && argc - 3 <= WORDS ? 0 : -EINVAL;

    for (int i = 3; i < argc && rc == 0; i++)
        rc = take_word(&interface, argv[i]);
    if (rc < 0) {
        fprintf(stderr, "usage: tuidock-shim network add|route|remove KEY=VALUE...\n");
        return 125;
    }
    fcntl(NAMESPACE_FD, F_SETFD, FD_CLOEXEC);
    if (!strcmp(argv[2], "add")) {
        rc = net_attach(&record, 0, NAMESPACE_FD, NULL, &failure);
        if (rc < 0)
            net_detach(&record);
    } else if (!strcmp(argv[2], "route")) {
        rc = net_route(&interface, NAMESPACE_FD, &failure);
    } else if (!strcmp(argv[2], "remove")) {
        rc = net_remove(&interface, NAMESPACE_FD, &failure);
    } else {
        rc = fail(&failure, "network", -EINVAL, "there is no way to %s a link", argv[2]);
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", failure.text);
    return rc < 0;
}
