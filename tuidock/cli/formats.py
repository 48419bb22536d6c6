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


def write(
    source: str,
    values: Sequence[Any],
    columns: Mapping[str, Callable[[Any], Any]],
    headers: Mapping[str, str],
    *,
    quiet: bool = False,
) -> None:
    """Writes every value through the format."""
    if source == "json":
        source = "{{json .}}"
    is_table = source.startswith("table ") or source == "table"
    source = source[5:].strip() if is_table else source
    source = source.replace("\\t", "\t").replace("\\n", "\n")
    template = Template(source)
    texts = [template.render(Row(value, columns)) for value in values]
    if not is_table:
        sys.stdout.write("".join([output.shown(text) + "\n" for text in texts]))
        return
    if not quiet:
        head: dict[str, Any] = {**headers, "Label": _label_header}
        texts.insert(0, Template(source, header_functions()).render(Row(head, {k: _take(k) for k in head})))
    output.table([line.split("\t") for text in texts for line in text.split("\n")])


def _take(key: str) -> Callable[[Any], Any]:
    return lambda head: head[key]


def _label_header(name: str) -> str:
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")


def write_value(source: str, value: Any) -> None:
    """One value, as `info` and `version` show it."""
    text = to_json(value) if source == "json" else Template(source).render(value)
    sys.stdout.write(output.shown(text) + "\n")
