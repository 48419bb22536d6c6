"""Moving in: images, volumes, networks and definitions of containers of a docker or podman on this machine.

`source` speaks docker's API, which podman serves as well; `inventory` reads everything there is; `translating` makes a
request of ours from what the other one knows of a container; `planning` says what would be done; `taking` does it. The
other engine is only looked at: nothing there is stopped, changed or removed, so that one can always go back.
"""
