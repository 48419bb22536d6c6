"""--format: the part of Go's templates that scripts use."""

from __future__ import annotations

from typing import Any

import pytest

from tuidock.cli.inspect_types import typed
from tuidock.cli.template import TemplateError
from tuidock.cli.template_eval import Row, Template

DOCUMENT: dict[str, Any] = {
    "Id": "abc",
    "Config": {"Labels": {"a": "b", "x.y": "z"}, "Env": ["A=1", "B=2"], "Tty": False},
    "State": {"Status": "running", "Health": None, "Pid": 5},
    "NetworkSettings": {
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}], "90/tcp": None},
        "Networks": {"bridge": {"IPAddress": "172.17.0.2"}},
    },
}


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("plain", "plain"),
        ("{{.Id}}", "abc"),
        ("{{ .State.Status }}/{{.State.Pid}}", "running/5"),
        ("{{json .State}}", '{"Status":"running","Health":null,"Pid":5}'),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
        ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "32768"),
        (
            "{{range $p, $c := .NetworkSettings.Ports}}{{if $c}}{{$p}}={{(index $c 0).HostPort}}{{end}}{{end}}",
            "80/tcp=32768",
        ),
        ("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "172.17.0.2"),
        ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
        ('{{if eq .Id "x"}}1{{else if eq .Id "abc"}}2{{else}}3{{end}}', "2"),
        ('{{join .Config.Env ","}}', "A=1,B=2"),
        ("{{.Config.Labels.a}}{{.Config.Labels.b}}", "b<no value>"),
        ('{{index .Config.Labels "x.y"}}{{index .Config.Labels "nope"}}', "z"),
        ("{{.Config.Env}} {{.Config.Labels}} {{.State}}", "[A=1 B=2] map[a:b x.y:z] {running <nil> 5}"),
        ('{{printf "%-5s|%3d|%q|%%|%t" .Id .State.Pid .Id true}}', 'abc  |  5|"abc"|%|true'),
        ('{{with $x := .State}}{{$x.Status | upper | printf "%s!"}}{{end}}', "RUNNING!"),
        ("{{with .State.Health}}x{{else}}y{{end}}", "y"),
        ("a {{- .Id -}}  b", "aabcb"),
        ("{{/* nothing */}}{{- /* nor this */ -}}x", "x"),
        ('{{eq .State.Status "paused" "running"}} {{ne 1 2}} {{lt 1 2}} {{ge "b" "a"}}', "true true true true"),
        ("{{and .Id .State.Health}} {{or .State.Health .Id}} {{not .Config.Tty}}", "<nil> abc true"),
        ("{{len .Config.Env}}{{len .Id}}{{len .Config.Labels}}", "232"),
        ("{{title .State.Status}} {{lower `ABC`}} {{split `a,b` `,`}} {{slice .Id 1 2}}", "Running abc [a b] b"),
        ("{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$e}}{{end}}", "A=1, B=2"),
        ("{{range .Config.Env}}{{.}}{{break}}{{end}}", "A=1"),
        ("{{range $i, $e := .Config.Env}}{{if eq $i 0}}{{continue}}{{end}}{{$e}}{{end}}", "B=2"),
        ("{{range .State.Health}}x{{else}}empty{{end}}", "empty"),
        ("{{$n := 1}}{{range .Config.Env}}{{$n = .}}{{end}}{{$n}} {{$.Id}}", "B=2 abc"),
        ('{{truncate .Id 2}}|{{pad .Id 1 2}}|{{"q\\"uote\\u00e9"}}', 'ab| abc  |q"uoteé'),
        ("{{.Config.Tty}} {{1.5}} {{print 1 2 `x` 3}}", "false 1.5 1 2x3"),
        ("{{html `<b>`}} {{urlquery `a b&c`}}", "&lt;b&gt; a+b%26c"),
    ],
)
def test_renders(source: str, shown: str) -> None:
    assert Template(source).render(DOCUMENT) == shown


@pytest.mark.parametrize(
    "source",
    [
        "{{.Nope}}", "{{.State.Nope}}", "{{.Id.More}}", "{{.State.Health.Status}}", "{{", "{{.Id", "{{nope .}}", "{{end}}",
        "{{if .Id}}", "{{if .Id}}{{else}}{{else}}{{end}}", '{{"open}}', "{{(.Id}}", "{{.Id .Id}}", "{{$x}}", "{{}}",
        '{{index .Config.Env 9}}', "{{len 5}}", "{{lt 1 `a`}}", "{{break}}", '{{define "x"}}{{end}}', "{{range 1.5}}{{end}}",
        "{{join .Id}}", "{{.Id | }}", "{{'ab'}}",
    ],
)  # fmt: skip
def test_says_what_is_wrong(source: str) -> None:
    with pytest.raises(TemplateError):
        Template(source).render(DOCUMENT)


def test_a_deep_template_ends_in_an_error_and_not_in_a_crash() -> None:
    with pytest.raises(TemplateError):
        Template("{{if .Id}}" * 5000 + "{{end}}" * 5000).render(DOCUMENT)
    with pytest.raises(TemplateError):
        Template("{{" + "(" * 5000 + "1" + ")" * 5000 + "}}").render(DOCUMENT)


def test_rows_compute_what_is_shown_and_name_what_there_is() -> None:
    asked: list[str] = []

    def column(name: str) -> Any:
        return lambda value: asked.append(name) or f"{value}-{name}"

    row = Row("v", {"A": column("A"), "B": column("B"), "Label": lambda value: lambda key: f"{value}:{key}"})
    assert Template('{{.A}} {{.Label "k"}}').render(row) == "v-A v:k"
    assert asked == ["A"]
    assert Template("{{json .}}").render(row) == '{"A":"v-A","B":"v-B"}'
    with pytest.raises(TemplateError, match="there are A, B, Label"):
        Template("{{.C}}").render(row)


def test_times_of_a_health_check_print_as_go_s_and_are_numbers_in_json() -> None:
    ms, second = 1_000_000, 1_000_000_000
    check = {"Interval": 90 * second, "Timeout": 1500 * ms, "StartPeriod": 3600 * second, "StartInterval": 20 * ms}
    document = typed("container", {"Config": {"Healthcheck": check}})
    shown = Template(
        "{{with .Config.Healthcheck}}{{.Interval}} {{.Timeout}} {{.StartPeriod}} {{.StartInterval}}{{end}}"
    )
    assert shown.render(document) == "1m30s 1.5s 1h0m0s 20ms"
    assert Template("{{json .Config.Healthcheck.Interval}}").render(document) == "90000000000"
    document = typed("container", {"Config": {"Healthcheck": {"Test": ["CMD", "true"], "Retries": 3}}})
    assert Template("{{.Config.Healthcheck}}").render(document) == "{[CMD true] 0s 0s 0s 0s 3}"
    assert Template("{{json .Config.Healthcheck}}").render(document) == '{"Test":["CMD","true"],"Retries":3}'
