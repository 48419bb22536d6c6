"""--format of listings: `json`, a Go template for each row, or `table TEMPLATE` with headers above."""

from __future__ import annotations

import sys

from tuidock.cli import output
from tuidock.cli.template_eval import Row, Template
from tuidock.cli.template_functions import header_functions, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


def lines(
    source: str,
    values: Sequence[Any],
    columns: Mapping[str, Callable[[Any], Any]],
    headers: Mapping[str, str],
    *,
    quiet: bool = False,
) -> list[str]:
    """Every value through the format, as lines ready to be shown."""
    if source == "json":
        source = "{{json .}}"
    is_table = source.startswith("table ") or source == "table"
    source = source[5:].strip() if is_table else source
    source = source.replace("\\t", "\t").replace("\\n", "\n")
    template = Template(source)
    texts = [template.render(Row(value, columns)) for value in values]
    if not is_table:
        return [output.shown(text) for text in texts]
    if not quiet:
        head: dict[str, Any] = {**headers, "Label": _label_header}
        texts.insert(0, Template(source, header_functions()).render(Row(head, {k: _take(k) for k in head})))
    return output.table_lines([line.split("\t") for text in texts for line in text.split("\n")])


def write(
    source: str,
    values: Sequence[Any],
    columns: Mapping[str, Callable[[Any], Any]],
    headers: Mapping[str, str],
    *,
    quiet: bool = False,
) -> None:
    """Writes every value through the format."""
    sys.stdout.write("".join([line + "\n" for line in lines(source, values, columns, headers, quiet=quiet)]))


def _take(key: str) -> Callable[[Any], Any]:
    return lambda head: head[key]


def _label_header(name: str) -> str:
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")


def write_value(source: str, value: Any) -> None:
    """One value, as `info` and `version` show it."""
    text = to_json(value) if source == "json" else Template(source).render(value)
    sys.stdout.write(output.shown(text) + "\n")
