"""Logs as (segment, offset), never as a list of strings: the part of the log view that knows no widget.

records    one CRI line: TIME stream F|P TEXT
segments   a directory of numbered, append-only segments that never get renamed
reader     lines after and before a position, by pread
pattern    a regular expression as typed, said for RE2
query      what is looked for: smart case, and how to find it fast
runs       which records of a chunk are meant
scan       counts of lines or hits per block of 64 KiB, filled by a thread
merge      several sources, ordered by time
ansi       bytes of a line to clean text and its SGR colours
levels     how severe a line is
jsonline   JSON lines and logfmt: unfolded, or fields of them
keep       what a filter keeps; around: and so many neighbours of it
session    an open view on some logs: all of the above together
unseen     how many lines were passed over while one followed
grep       one search over the logs of many containers
moments    times as people type them
"""
