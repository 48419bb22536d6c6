"""A terminal inside the app: a shell in a container, or the container's own process, beside the lists.

    parser     bytes of a program to calls, in pieces of any size; what it does not know it drops
    sequences  what each of those calls means
    emulator   the screen that those calls draw on: pyte's, with what vim, htop, less and mc need besides
    writing    how characters come to it
    grid       its rows, and those that have scrolled away
    cells      one cell, its colours, and how both become Rich's
    keys       what a person presses, pastes and points at, as the bytes that a program expects
    channels   where the bytes come from: the pseudo-terminal of an exec, or the attach socket of a container
    session    one of each together, at a pace that leaves the app its time
    view       the widget
    pointing   the mouse over it
    marking    what is marked in it, by keys or mouse, to be copied

Nothing that a program writes reaches the real terminal: it becomes cells, and cells hold printable characters only.
pyte is imported here and nowhere else, when the first terminal is opened.
"""
