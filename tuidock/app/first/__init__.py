"""The first frame: rows on the screen before Textual is imported, which takes four times as long as reading them.

    terminal   takes the terminal early - other screen, no echo, keys kept - and gives it back whatever happens
    frame      the main screen as one string, from the view model and named colours
    styles     the named colours, as Textual rendered them in an earlier session, in a cache file
    driver     Textual's driver, which takes the terminal over without a flash

Nothing here decides how the screen looks: texts come from `panes`, `spans` and `format`, places from `layout`, which
the real screen uses, too, and colours from what the real screen had. A test holds both pictures against each other.
"""
