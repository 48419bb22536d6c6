"""Widgets: what draws, and nothing else. They know no engine; they get values and post messages in the past tense.

    line_table  LineTable, Column, Row, Cell       lists of every size, one line a row
    log_view    LogView, LogSource                 logs of every size, straight from the segment files
    chart       Chart                              braille line chart of one or two series, with scale
    timeline    Timeline                           named steps with bars of eighths
    json_tree   JsonTree                           inspect output as a tree with search
    status      StatusLine, Meter                  small bits of one line

Everything that reaches a cell passes `tuidock.engine.clean.clean` inside the widget, so a caller may hand over raw
names, labels and log bytes.
"""
