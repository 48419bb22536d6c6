"""The same command lines by a real docker and by tuidock: exit codes, stdout (masked), whether stderr says anything.

docker is a peer, not a dependency: the tests start a dockerd of their own in namespaces of its own, and are skipped
where there is none or it does not start. What was learned is kept in test_docker_words.py, which needs no docker.

Where tuidock differs on purpose (against docker's client 28 with a daemon 20.10):

========================================  ==========================  ==============================================
command line                              docker                      tuidock, and why
========================================  ==========================  ==============================================
no verb                                   help                        opens the app; 1 without a terminal
-H, --host, --tls*                        another daemon              125: there is no daemon, and silence would lie
run --network nosuch                      a container is left behind  refused before anything is made
run -h "a b"                              taken                       refused: no host name
run --runtime NAME                        what is configured          only runc, accepted: nothing runs less isolated
run --device /dev/nosuch, --cidfile no/x  127, by its words           125: not the command is missing
run -v x:/data (one letter)               an odd anonymous volume     refused: names have two characters
--label-file with a line without =        the line is dropped         a label with an empty value, as -l gives
--storage-opt, --gpus                     as the machine allows       refused: they would be ignored
cap-add ALL, --privileged                 fails where root lacks      gives what there is
                                          a capability
exec of what cannot run                   126 and stdout (20.10)      126 or 127 and stderr, as later versions have it
exec -w relative                          refused                     127, the directory is not there
rm NAME NAME                              the second may fail         removed once, said twice
logs --tail x                             everything                  1: x is no number
logs of --since 0s                        lines of this second        nothing: it is exact
ps --format raw                           a list of fields            a template without fields
ps {{json .}}                             escapes < and >             plain characters, the same JSON
inspect of what is not there, --format    an empty line on stdout     nothing on stdout
inspect Driver, LogConfig.Type, LogPath   overlay2, json-file, file   overlay, file, a directory of segments
inspect CgroupnsMode on cgroup v1         host                        private
inspect Timeline, LogDropped              -                           how long each step of the start took, lost output
image inspect Config                      all keys (before API 1.50)  those that are set (as API 1.50); templates know all
images --digests of a loaded image        <none>                      the digest of its manifest
events                                    network, volume mount       what connects and mounts with a start is not told
events --filter of an unknown key         nothing                     1: it would hide a typing error
/etc/resolv.conf, fe00::                  search first, fe00::0       nameserver first, fe00:: (as docker 28)
IPv6 inside without an IPv6 network       switched off                link-local and ::1 stay
masked paths                              those of 20.10              those of docker 28, by the host's /dev/null
/proc/1/cmdline of --init                 /sbin/docker-init -- ...    init -- ...
-p LOW-HIGH:PORT                          the next free of the range  the first free of the range
-P                                        the kernel's local range    49000-49900, or `ports` of config.yaml
create -p 80:0                            taken                       refused
network create "a b"                      taken                       refused: names are those of containers
--ipc container:X                         shares /dev/shm too         shares System V and queues, its own /dev/shm
========================================  ==========================  ==============================================
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.conftest import argv, environment
from tuidock.engine import Engine

#: How long dockerd may take to answer (s).
PATIENCE = 20

#: `d` runs one command line: its stdout, then marks for stderr and for the exit code; `q` is silent.
PRELUDE = r"""
d() { $CLI "$@" 2>err; local code=$?; [ -s err ] && echo "[stderr]"; [ $code = 0 ] || echo "[$code]"; return $code; }
q() { $CLI "$@" >/dev/null 2>&1; }
"""
TEARDOWN = """
ids=$($CLI ps -aq); [ -z "$ids" ] || $CLI rm -fv $ids
names=$($CLI volume ls -q); [ -z "$names" ] || $CLI volume rm $names
$CLI network prune -f
"""

CASES = {
    "run": """
        d run --rm busybox sh -c 'echo o; echo e >&2; exit 7'
        d run --rm busybox sh -c 'kill -9 $$'; d run --rm busybox nope; d run --rm busybox /etc/passwd
        d run; d run --bad busybox; d run -m busybox; d run -p a busybox; d run --pull never nosuch
        echo in | d run -i --rm busybox cat; echo in | d run -it --rm busybox cat; d run -d -a stdout busybox
        d run -d --name nope busybox nope; d ps -a --format '{{.Names}} {{.State}}'; d inspect -f '{{.State.ExitCode}}' nope
        """,
    "inside": """
        d run --rm -e B=1 -e HOME=/x -w /new/dir -h web.example.com -u user --group-add 777 busybox sh -c 'env | sort
            pwd; hostname; id; cat /etc/hostname; ulimit -n >/dev/null; tr "\\0" " " < /proc/1/cmdline; ls /proc/self/fd
            grep -E "Cap|Seccomp:|NoNewPrivs" /proc/self/status'
        d run --rm --tmpfs /m:size=64k,mode=1777 --read-only --shm-size 1m --init busybox sh -c 'grep -E " /m | /dev/shm " \
            /proc/mounts; touch /x; cat /proc/sys/net/ipv4/ip_unprivileged_port_start'
        """,
    "users": """
        for user in 1000:50 user:staff :50 4242 nosuch 1000:nosuch 99999999999; do d run --rm -u $user busybox id; done
        """,
    "capabilities": """
        for o in '--cap-drop all' '--cap-add NET_ADMIN --cap-drop CHOWN' '--cap-add bogus' \
            '--security-opt no-new-privileges' '--security-opt bogus=1' '--security-opt seccomp=unconfined'; do
            d run --rm $o busybox grep -E 'Cap(Eff|Bnd|Amb)|NoNew|Seccomp:' /proc/self/status; done
        """,
    "limits": """
        d run --rm -m 64m --cpus 0.5 --pids-limit 10 --cpuset-cpus 0 -c 512 busybox sh -c 'cd /sys/fs/cgroup
            cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus cpu/cpu.shares; nproc'
        d run --rm -m 1m busybox; d run --rm --cpus x busybox; d run --rm -m 64m --memory-swap 32m busybox
        d run --rm --ulimit nofile=100:200 --oom-score-adj 500 busybox sh -c '
            ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'
        d run --rm --ulimit bogus=1 busybox; d run --rm --oom-score-adj 5000 busybox; d run --rm --sysctl bogus busybox
        """,
    "volumes": """
        mkdir h; echo x > h/f
        d run --rm -v $PWD/h:/m:ro busybox sh -c 'cat /m/f; touch /m/z'; d run --rm -v $PWD/new:/m busybox true; ls -d new
        d run --rm -v $PWD/h:m busybox; d run --rm -v $PWD/h:/m -v $PWD:/m busybox; d run --rm -v $PWD/h/f:/tmp busybox true
        d run --rm --mount type=bind,src=$PWD/nope,dst=/m busybox
        d run --rm --mount src=vv,dst=/m,readonly busybox touch /m/x
        q create --name src -v /data -v vv:/named:ro busybox
        d run --rm --volumes-from src busybox sh -c 'touch /data/a /named/x; ls /data'
        d run --rm --volumes-from src:ro busybox touch /data/b; d run --volumes-from src:bogus busybox
        d volume ls -q --filter name=v; d volume rm vv; q rm -v src; d volume ls -q
        d volume inspect -f '{{.Name}} {{.Labels}}' vv
        """,
    "volume options": """
        d volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=7,mode=1770 mem; d volume create -o kind=x bad
        d volume create -o type=ext4 bad; d volume create -o o=ro bad
        d volume inspect -f '{{json .Options}}' mem
        q run -d --name a -v mem:/m busybox sh -c 'echo x > /m/f; exec sleep 100'
        d run --rm -v mem:/m:ro busybox sh -c 'for i in 1 2 3 4 5 6 7 8 9; do [ -e /m/f ] && break; sleep 0.1; done
            cat /m/f; stat -c "%u %a" /m; touch /m/g'
        q rm -f a; d run --rm -v mem:/m busybox ls /m
        mkdir h; echo x > h/f; d volume create -o type=none -o o=bind -o device=$PWD/h place
        d run --rm -v place:/m busybox cat /m/f; d volume create -o type=none -o o=bind -o device=/nope/x gone
        q run --rm -v gone:/m busybox true || echo refused
        d run --rm --mount 'type=volume,dst=/m,volume-opt=type=tmpfs,volume-opt=device=tmpfs,"volume-opt=o=size=64k"' \
            busybox df -k /m
        d run --rm --tmpfs /m:bogus=1 busybox true; d run --rm --mount type=tmpfs,dst=/m,tmpfs-size=64k,tmpfs-mode=1700 \
            busybox stat -c %a /m
        """,
    "namespaces": """
        d run --rm --net host -p 80:80 busybox sh -c '[ $(hostname) = '$(hostname)' ] && echo same'
        d run --rm --uts host -h x busybox; d run --rm --ipc none busybox ls -d /dev/shm; d run --rm --pid bogus busybox
        q run -d --name donor -h given busybox sleep 100
        d run --rm --net container:donor busybox hostname; d run --rm --net container:donor -h x busybox
        d run --rm --pid container:donor busybox sh -c 'tr "\\0" " " < /proc/1/cmdline'
        d run --rm --ipc container:donor busybox
        d run --rm --net none busybox ls /sys/class/net; d run --rm --net bridge --ip 10.1.1.1 busybox
        """,
    "ports": """
        q run -d --name web -p 127.0.0.1:18780:80 -p 18781:81/udp busybox sleep 100
        d port web; d port web 80; d port web 81/udp; d port web 99; d ps --format '{{.Ports}}'
        d run --name late -p 127.0.0.1:18780:80 busybox true; d inspect -f '{{.State.Status}} {{.State.ExitCode}}' late
        d inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' web; d create -p 70000:80 busybox
        q stop -t 0 web; d port web; d ps -a --format '{{.Names}} [{{.Ports}}]'
        """,
    "create and start": """
        d create --name one busybox sh -c 'echo hi; exit 4'; d start -a one; d start one nosuch; d start -a one one
        d create --name -bad busybox; d create -p a busybox; d create --name one busybox; d wait one
        q create --rm --name gone busybox nope; d start gone; d ps -a --format '{{.Names}}'
        q create --name two -i busybox cat; echo in | d start -ai two
        """,
    "kill, pause, rename": """
        q run -d --name aa busybox sleep 100
        d kill -s BOGUS aa; d pause aa; d pause aa; d exec aa true; d start aa; d rm aa; d attach aa; d unpause aa
        d unpause aa
        d rename aa bb; d rename bb 'bad/name'; d rename nosuch xx; d kill bb; d kill bb; d wait bb; d stop bb; d stop nosuch
        d restart -t 0 bb; d ps --format '{{.Names}} {{.State}}'; d rm -f nosuch; d rm -f bb; d rm nosuch
        """,
    "restart policies": """
        d run -d --restart bogus busybox; d run --rm --restart always busybox; d run -d --restart always:3 busybox
        q run -d --name aa --restart on-failure:1 busybox sh -c 'exit 3'
        for i in $(seq 100); do [ "$($CLI inspect -f '{{.State.Status}}' aa)" = exited ] && break; sleep 0.1; done
        d inspect -f '{{.RestartCount}} {{.State.ExitCode}} {{.State.Status}}' aa
        """,
    "ps": """
        q run -d --name web -l team=a busybox sleep 100; q run --name done busybox sh -c 'exit 3'
        q create --name made -v vv:/x busybox long-command 'some words'
        d ps -a --no-trunc --format 'table {{.Names}}\\t{{.Command}}\\t{{.State}}\\t{{.Mounts}}'; d ps -aq --format x | wc -l
        for f in name=^web$ label=team=a status=created exited=3 exited=x volume=/x before=made since=web before=nosuch \
            publish=80 health=bogus is-task=x bogus=1 noequals; do d ps -a -f $f --format '{{.Names}}'; done
        d ps -l --format '{{.Names}} {{.Label "team"}}|{{upper .State}}|{{.Size}}|{{.Networks}}'; d ps -f exited=3 -q; d ps x
        """,
    "logs": """
        q run --name log busybox sh -c 'echo 1; sleep 0.1; echo e >&2; sleep 0.1; echo 2; printf end'
        d logs log; d logs --tail 1 log; d logs --tail 0 log; d logs -t log; d logs --since 1h -n 2 log; d logs --until 1h log
        d logs -f log 2>&1; d logs nosuch; d logs; d logs --since bogus log; d logs --details log
        q run --name mute --log-driver none busybox true; d logs mute
        """,
    "exec": """
        q run -d --name box -e IMG=1 -w /tmp busybox sleep 100
        d exec box sh -c 'echo o; echo e >&2; exit 5'; d exec -e X=1 -e IMG=2 -u user -w /etc box sh -c 'env | sort; id; pwd'
        echo in | d exec -i box cat; d exec -it box true; d exec; d exec nosuch true; d exec --bogus box true
        d exec -d box true
        d exec box sh -c 'kill -9 $$'; q stop -t 0 box; d exec box true
        """,
    "inspect": """
        q run -d --name aa -m 64m -e A=1 -l x=y -v vv:/v --restart on-failure:3 busybox sleep 100
        for f in '{{.State.Running}} {{.Path}} {{.Args}}' '{{json .Config.Env}}' '{{.ID}}' '{{.SizeRw}}' \
            '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.ShmSize}} {{.HostConfig.IpcMode}}' \
            '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}} {{.Mode}}{{end}}' \
            '{{json .HostConfig.RestartPolicy}} {{json .HostConfig.ReadonlyPaths}}' \
            '{{.Config.Labels}} {{index .Config.Labels "zz"}}|{{.Config.StopSignal}}' \
            '{{if .State.Health}}h{{else}}-{{end}}{{with .State}}{{.Status}}{{end}}' \
            '{{.HostConfig.Init}} {{.HostConfig.PidsLimit}} {{.HostConfig.Binds}} {{.HostConfig.CapAdd}}' \
            '{{printf "%.2s|%q" .Name .Name}} {{len .Config.Env}} {{gt .HostConfig.Memory 5}}' \
            '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}} {{.HostConfig.Ulimits}}' \
            '{{$x := .Name}}{{$x}}{{not .State.Running}}'; do
            d inspect -f "$f" aa; done
        d inspect nosuch; d inspect --type bogus aa; d image inspect nosuch; d inspect -f '{{.RepoTags}}' busybox
        """,
    "events": """
        sleep 1.1; since=$(date +%s)  # what is behind us happened in another second
        q run -d --name aa -l x=y busybox sleep 100; q pause aa; q unpause aa; q stop -t 0 aa; q rename aa bb; q rm bb
        q run --name cc -d busybox sleep 100; q top cc; q export -o x cc; q rename cc dd; q rm -f dd; q run --rm busybox true
        q volume create vv; q volume rm vv; q tag busybox t:1; q rmi t:1; until=$(($(date +%s) + 1))
        d events --since $since --until $until -f type=container --format '{{.Action}}'
        d events --since $since --until $until -f type=volume -f type=image --format '{{.Type}} {{.Action}}'
        d events --since $since --until $until -f event=kill \
            --format '{{.Actor.Attributes.signal}} {{.Actor.Attributes.name}}'
        d events --since bogus --until 0s; d events --since 0s --until 0s -f bad
        """,
    "cp out": """
        see() { (cd "$1" && find . | sort | xargs stat -c '%n %A %u:%g'); }
        q run -d --name box -u user -v vv:/data busybox sh -c 'mkdir -p /tmp/d/e; echo x > /tmp/d/e/y; ln -s d/e /tmp/l
            touch /tmp/f; ln /tmp/f /tmp/d/hard; chmod 640 /tmp/f; ln -s /etc/passwd /tmp/p; exec sleep 100'
        sleep 0.3; mkdir o; echo t > t
        for path in /tmp/d /tmp/d/. /tmp/l /tmp/l/ /tmp/f/ tmp/d/../p; do
            d cp box:$path o; see o; rm -rf o; mkdir o; done
        d cp -L box:/tmp/l o/new; d cp -L box:/tmp/p o; see o; d cp box:/nope o; d cp box:/tmp/d o/made/; see o
        for to in o/none/x o/none/ t; do d cp box:/tmp/f $to; d cp box:/tmp/d $to; done; cat t
        d cp box:/tmp/d - | tar tf - ; d cp box:/tmp/d/. - | tar tf -; d cp box:/tmp/l - | tar tvf - | cut -c1-10
        """,
    "cp in": """
        q run -d --name box -u user -v vv:/data busybox sh -c 'mkdir -p /tmp/d/e; echo x > /tmp/d/e/y; ln -s d/e /tmp/l
            touch /tmp/f; ln /tmp/f /tmp/d/hard; chmod 640 /tmp/f; ln -s /etc/passwd /tmp/p; exec sleep 100'
        mkdir -p s/sub; echo 1 > s/sub/one; chown -R 12:34 s; chmod 751 s/sub; ln -s sub s/way; echo t > t
        for to in /tmp/new /tmp/new /tmp/ /data /tmp/f /tmp/none/x /tmp/l; do d cp s box:$to; done
        d cp s/. box:/data; d cp s/way box:/tmp; d cp s/way/ box:/tmp/way2; d cp t box:/tmp/f; d cp t box:/tmp/p
        d cp t box:/tmp/file/; d cp -L s/way box:/tmp/followed; d cp -a t box:/tmp/mine; d cp nope box:/tmp; d cp t box:/tmp/d
        tar c s | d cp - box:/data/sub; tar cz s | d cp - box:/tmp; d cp - box:/tmp/f < t
        d exec -u 0 box sh -c 'find /tmp /data | sort | xargs stat -c "%n %A %u:%g"; cat /etc/passwd'
        d cp a b; d cp box:/a box:/b; d cp box:/a; d cp nosuch:/a b; d cp '' box:/b
        """,
    "cp and what is read-only": """
        mkdir o; echo t > t
        q create --name ro --read-only -v vv:/data -v $PWD/o:/o:ro busybox; d cp t ro:/tmp; d cp t ro:/data/t
        d cp t ro:/o/; d cp ro:/data/t o/t2; ls o
        """,
    "update": """
        q run -d --name box -m 64m busybox sleep 100; q create --name two busybox
        d update; d update box; d update -m 32m box; d update -m 500m box; d update -m 128m --memory-swap 256m box nosuch two
        d update --cpu-shares 512 --cpuset-cpus 0 --pids-limit 20 box two; d update --cpus 0.5 box
        d update --cpu-quota 5000 box
        d exec box sh -c 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes \
            cpu/cpu.shares pids/pids.max cpuset/cpuset.cpus cpu/cpu.cfs_quota_us'
        d update --restart always box; d update --restart bogus box; d update --memory 1m box; d update --pids-limit -1 two
        d update --cpuset-cpus 999 box; d update --bogus box; d update -m x box; d update --memory-reservation 32m two
        for name in box two; do d inspect -f '{{with .HostConfig}}{{.Memory}} {{.MemorySwap}} {{.CpuShares}} {{.CpusetCpus}}
            {{.NanoCpus}} {{.RestartPolicy.Name}} {{.MemoryReservation}}{{end}}' $name; done
        q run -d --rm --name gone busybox sleep 100; d update --restart always gone
        """,
    "health": """
        q run -d --name sick --health-cmd 'echo ill; exit 3' --health-interval 100ms --health-retries 2 busybox sleep 100
        q run -d --name well --health-cmd true --health-interval 100ms busybox sleep 100
        q run -d --name late --health-cmd 'sleep 9' --health-interval 100ms --health-timeout 200ms --health-retries 1 \
            busybox sleep 100
        sleep 2; d ps -f health=unhealthy --format '{{.Names}} {{.Status}}' | sort | sed 's/Up .* (/Up (/'
        for name in sick well late; do d inspect -f '{{.State.Health.Status}} {{len .State.Health.Log}}
            {{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}{{.Config.Healthcheck}}' $name; done
        d inspect -f '{{gt .State.Health.FailingStreak 1}}' sick; q kill well; d inspect -f '{{.State.Health.Status}}' well
        d run --rm --no-healthcheck --health-cmd true busybox true; d run --rm --health-retries -1 busybox true
        d run --rm --health-interval 1us busybox true; d run --rm --no-healthcheck busybox true
        """,
    "networks": """
        d network create; d network create n1; d network create n1; d network create bridge
        d network create --subnet 198.19.77.0/24 --ip-range 198.19.77.128/25 --gateway 198.19.77.254 --label a=b n2
        d network create --subnet 198.19.77.0/25 n3; d network create --subnet nonsense n3
        d network create -d nonsense n3
        d network create --gateway 198.19.78.1 n3; d network create --subnet 198.19.78.0/24 --gateway 198.19.79.1 n3
        d network create --subnet 198.19.78.0/24 --ip-range 198.19.79.0/24 n3; d network create --internal inner
        d network create --subnet 198.19.78.0/24 --subnet 198.19.78.0/25 n3
        d network create --driver macvlan -o parent=nope n3
        d network ls --format '{{.Name}} {{.Driver}} {{.Internal}} {{.Labels}}' -f type=custom | sort
        d network ls -q -f label=a --no-trunc; d network ls -f bogus=1
        d network ls -f dangling=true --format '{{.Name}}' | sort
        d network inspect -f '{{json .IPAM.Config}} {{.Internal}} {{.EnableIPv6}} {{.Labels}} {{len .Containers}}' n2
        d network inspect -f '{{.Internal}}' inner; d network inspect n2 nosuch -f '{{.Name}}'
        d network rm n1 nosuch; d network rm host; d network prune -f | sort; d network rm; d network prune -f
        """,
    "connecting": """
        q network create --subnet 198.19.77.0/24 n1; q network create n2
        d run -d --name aa --network n1 --ip 198.19.77.9 --network-alias al busybox sleep 100
        d run -d --name bb --network n1 busybox sleep 100; d network connect n2 bb
        d run --rm --network nosuch busybox true || echo refused
        d run --rm --network n1 --ip 198.19.77.9 busybox true || echo refused
        d run --rm --network n1 --ip 1.2.3.4 busybox true || echo refused
        d run --rm --network n2 --ip 1.2.3.4 busybox true || echo refused
        d run --rm --ip 1.2.3.4 busybox true || echo refused
        d run --rm --network-alias x busybox true || echo refused; d run --rm --network n1 --network bridge busybox true
        d run --rm --network n1 --network n1 busybox true
        d network connect n2 aa; d network connect n2 aa; d network connect nosuch aa; d network connect n1 nosuch
        d network connect; d network connect host aa; d network connect --ip 1.2.3.4 n2 bb
        d network disconnect n2 nosuch
        d inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPPrefixLen}} {{end}}' aa | sed 's/n2.*/n2/'
        d inspect -f '{{.NetworkSettings.Networks.n1.IPAddress}} {{.NetworkSettings.Networks.n1.IPPrefixLen}}' aa
        d exec aa ip -o -4 addr show dev eth0 | awk '{print $4}'; d exec aa ip -o link | wc -l
        d exec bb ip -o link | wc -l
        d exec aa cat /etc/resolv.conf | grep -E 'nameserver|ndots'; d network rm n1
        d network inspect -f '{{len .Containers}}' n2; d network disconnect n2 aa; d network disconnect n2 aa
        d exec aa ip -o link | wc -l; d network inspect -f '{{len .Containers}}' n2
        d ps --format '{{.Names}} {{len .Networks}}'; d ps -q -f network=n2 | wc -l; q stop -t 0 bb
        d network disconnect n2 bb
        d inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}' bb; q start bb
        d exec bb ip -o link | wc -l
        q rm -f aa bb; d network rm n1 n2
        """,
    "images": """
        d tag busybox x:1; d tag busybox y:1; d images --format '{{.Repository}}:{{.Tag}}' --filter 'reference=?:1' | sort
        d rmi x:1; d rmi nosuch; d rmi -f nosuch; q create --name uu busybox; d rmi busybox; d tag nosuch a; d tag busybox Bad
        d save -o s.tar y:1; d rmi y:1; d load -q -i s.tar; d load -i nofile; d save nosuch
        head -c 3000 s.tar | d load; d rmi y:1
        d history -q busybox; d images --filter bogus=1; d images a b; d images -q nosuch
        tar cf root.tar -C / etc/hostname; d import -c 'CMD ["x"]' -m note root.tar imp:1 | cut -c1-7
        d import -c 'RUN x' root.tar
        d image inspect -f '{{.Config.Cmd}} {{.Comment}} {{.Config.User}}|{{.Config.Volumes}}' imp:1; d rmi imp:1 | head -1
        """,
    "the rest": """
        d volume create --label a=b v1; d volume create a/b
        d volume ls -f label=a --format '{{.Name}} {{.Labels}}'; d volume rm v1 nosuch
        d network ls --format '{{.Name}} {{.Driver}} {{.Scope}}' | sort; d network inspect nosuch; d network rm bridge
        q run -d --name aa busybox sleep 100; d top aa | wc -l; d top aa -o pid,comm | head -1; d top nosuch
        d stats --no-stream --format '{{.Name}} {{.PIDs}}'; d stats --no-stream nosuch
        d run --rm --cidfile c busybox true; wc -c < c
        d run --cidfile c busybox; d run --rm --platform linux/s390x --pull never busybox; d --bogus; d bogus
        """,
}


class Peer(NamedTuple):
    cli: str
    environ: dict[str, str]


def mask(text: str) -> str:
    """Ids, times, addresses and temporary paths away."""
    for pattern, shown in (
        (r"sha256:[0-9a-f]{12,}", "<image>"),
        (r"\b[0-9a-f]{64}\b", "<id>"),
        (r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b", "<short id>"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000 UTC)?", "<time>"),
        (r"/[^ ,:]*/diff-[^/ ,:]+", "<directory>"),
    ):
        text = re.sub(pattern, shown, text)
    return text


def _answers(program: str, address: str) -> bool:
    done = subprocess.run([program, "-H", address, "version"], capture_output=True, check=False, timeout=PATIENCE)
    return done.returncode == 0


@pytest.fixture(scope="module")
def docker(archive: bytes) -> Iterator[Peer]:
    """A dockerd in mount, network and pid namespaces of its own, which vanish with the one process that we end."""
    programs = {name: shutil.which(name) for name in ("docker", "dockerd", "unshare", "ip")}
    if os.geteuid() != 0 or not all(programs.values()):
        pytest.skip(
            "a real docker to compare with needs root and " + ", ".join(n for n, p in programs.items() if not p)
        )
    directory = tempfile.mkdtemp(prefix="tuidock-diff-")
    address = f"unix://{directory}/socket"
    parent = f"tuidock-diff-{os.getpid()}"
    script = (
        "mount -t tmpfs tmpfs /run; ip link set lo up; ip link add peer0 type bridge; ip addr add 10.222.0.1/24 dev peer0; "
        f"ip link set peer0 up; exec dockerd --data-root {directory}/data --exec-root {directory}/exec -H {address} "
        f"--pidfile {directory}/pid --bridge peer0 --iptables=false --ip6tables=false --ip-masq=false "
        f"--cgroup-parent /{parent} >{directory}/log 2>&1"
    )
    daemon = subprocess.Popen(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
    )
    try:
        program = str(programs["docker"])
        deadline = time.monotonic() + PATIENCE
        while not _answers(program, address):
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.skip("dockerd does not start here")
            time.sleep(0.1)
        subprocess.run([program, "-H", address, "load", "-q"], input=archive, check=True, stdout=subprocess.DEVNULL)
        yield Peer(f"{program} -H {address}", dict(os.environ))
        ids = subprocess.run([program, "-H", address, "ps", "-aq"], capture_output=True, text=True, check=False).stdout
        subprocess.run([program, "-H", address, "rm", "-f", *ids.split()], capture_output=True, check=False)
    finally:
        daemon.kill()  # its child is the first process of the pid namespace and goes with it, and all others with that
        daemon.wait()
        _remove_cgroups(parent)
        shutil.rmtree(directory, ignore_errors=True)


def _remove_cgroups(name: str) -> None:
    """What dockerd leaves of its parent group; the processes in it go with their pid namespace a moment later."""
    deadline = time.monotonic() + 10
    left = [base for base, _, _ in os.walk("/sys/fs/cgroup", topdown=False) if f"/{name}" in base]
    while left and time.monotonic() < deadline:
        for path in list(left):
            try:
                os.rmdir(path)
            except FileNotFoundError:
                left.remove(path)
            except OSError:
                time.sleep(0.02)
            else:
                left.remove(path)


def answer(peer: Peer, script: str) -> str:
    with tempfile.TemporaryDirectory(prefix="diff-") as directory:
        environ = {**peer.environ, "CLI": peer.cli, "LC_ALL": "C.UTF-8"}

        def bash(text: str) -> str:
            done = subprocess.run(
                ["bash", "-c", text], env=environ, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=60, check=False,
            )  # fmt: skip
            return done.stdout.decode("utf-8", "replace")

        try:
            return mask(bash(PRELUDE + script))
        finally:
            bash(TEARDOWN)


@pytest.mark.parametrize("name", CASES)
def test_docker_says_the_same(docker: Peer, engine: Engine, name: str) -> None:
    ours = Peer(" ".join(argv(engine)), environment())
    with ThreadPoolExecutor(2) as pool:
        theirs, own = pool.map(lambda peer: answer(peer, CASES[name]), (docker, ours))
    assert own.splitlines() == theirs.splitlines()


def test_the_mask_hides_only_what_differs_by_chance(tmp_path: Path) -> None:
    assert mask("a 2026-11-24T08:00:00.5Z sha256:" + "0f" * 32) == "a <time> <image>"
    assert mask("0f" * 32 + " 123456789012 0a1b2c3d4e5f") == "<id> 123456789012 <short id>"
