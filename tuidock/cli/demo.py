"""`demo`: a few containers that show everything that tuidock can, made from this machine's own programs.

Running it again repairs the demo, `--clean` takes away what it made and nothing else: the label decides.
"""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import InUse, NameTaken, NotFound
from tuidock.engine.options.flags import Values, switch
from tuidock.engine.options.run import parse_run

IMAGE = "host/base"
LABEL = "tuidock.demo"
VOLUME = "demo-data"

_PAGE = """
mkdir -p /www
echo '<!doctype html><title>tuidock</title><h1>It works</h1><p>This page comes from demo-web.</p>' > /www/index.html
exec busybox httpd -f -v -p 80 -h /www
"""
_CHATTY = r"""
n=0
while :; do
  n=$((n + 1))
  case $((n % 9)) in
    0) printf '\033[31mERROR\033[0m request %d failed: upstream timed out after 3000 ms\n' $n >&2 ;;
    4) printf '\033[33mWARN\033[0m  cache is %d %% full\n' $((n % 100)) ;;
    7) printf 'DEBUG {"request": %d, "user": "ada", "ms": %d}\n' $n $((n * 7 % 250)) ;;
    *) printf '\033[32mINFO\033[0m  GET /items/%d 200 %d ms\n' $n $((n * 13 % 90)) ;;
  esac
  sleep 1
done
"""
_CRASHY = "echo 'crashy: starting'; sleep 3; echo 'crashy: cannot reach the database, giving up' >&2; exit 3"
_WRITER = "while :; do date >> /data/dates; sleep 2; done"
_READER = "while [ ! -e /data/dates ]; do sleep 1; done; exec tail -n 1 -f /data/dates"

CONTAINERS: dict[str, list[str]] = {
    "demo-web": ["-p", "80", IMAGE, "sh", "-c", _PAGE],
    "demo-chatty": [IMAGE, "sh", "-c", _CHATTY],
    "demo-crashy": ["--restart", "on-failure:5", IMAGE, "sh", "-c", _CRASHY],
    "demo-writer": ["-v", f"{VOLUME}:/data", IMAGE, "sh", "-c", _WRITER],
    "demo-reader": ["-v", f"{VOLUME}:/data:ro", IMAGE, "sh", "-c", _READER],
}


def run(context: Context, values: Values, _: list[str]) -> int:
    return _clean(context) if values.on("clean") else _make(context, quiet=values.on("quiet"))


def _make(context: Context, *, quiet: bool) -> int:
    engine = context.publisher
    try:
        engine.image(IMAGE)
    except NotFound:
        from tuidock.cli.progress import show

        if not quiet:
            output.note(f"making the image {IMAGE} from this machine's programs")
        show(engine.pull(IMAGE), quiet=quiet, descriptor=2)
    existing = {container.name: container for container in engine.containers()}
    for name in CONTAINERS:
        if name in existing and LABEL not in existing[name].labels:
            raise NameTaken(f"there is a container {name} that is not of the demo; rename it first")
    if VOLUME not in {volume.name for volume in engine.volumes()}:
        engine.create_volume(VOLUME, {LABEL: "1"})
    for name, options in CONTAINERS.items():
        found = existing.get(name)
        if found is None:
            engine.create(parse_run(["-d", "--name", name, "--label", f"{LABEL}=1", *options]).request)
        if found is None or found.status not in ("running", "restarting", "paused"):
            engine.start(name)
        if not quiet:
            output.line(name)
            output.flush()
    for binding in () if quiet else engine.ports("demo-web"):
        output.line(f"demo-web serves http://{binding.host_ip or '127.0.0.1'}:{binding.host_port}/")
    return 0


def _clean(context: Context) -> int:
    engine = context.publisher
    names = [container.name for container in engine.containers() if LABEL in container.labels]
    failed = 0
    for name, error in engine.remove_many(names, force=True, volumes=True):
        if error is None:
            output.line(name)
        elif not isinstance(error, NotFound):
            output.error(str(error))
            failed = 1
    for volume in engine.volumes():
        if LABEL in volume.labels:
            try:
                engine.remove_volume(volume.name)
            except InUse as error:
                output.error(str(error))
                failed = 1
            else:
                output.line(volume.name)
    return failed


DEMO = Command(
    "[OPTIONS]",
    "Make a few containers to look at",
    run,
    (
        switch("clean", "", "Remove the containers and the volume of the demo"),
        switch("quiet", "q", "Say nothing unless something is wrong"),
    ),
    most=0,
)
