"""What can go wrong, as one shallow tree:

EngineError                     one sentence: what was tried, on what, why it failed, what to do
  x InvalidArgument             the request itself makes no sense (CLI exit 125)
  x NotFound                    no such container, image, volume, network, file
      x WrongPlatform           the image is for another platform
  x AmbiguousId                 a prefix that fits several ids
  x Conflict                    the name or port is taken, the object is in use, the state does not allow it
      x NameTaken x PortTaken x InUse x WrongState
  x BadContent                  an archive, manifest or layer that is damaged or hostile
  x StartFailed                 the shim could not start the container; exit_code is 125, 126 or 127
  x RegistryRefused             a registry said no, or lied; status is HTTP's, 0 when there was no answer
      x AuthFailed              it wants (other) credentials
  x BuildFailed                 a step failed; exit_code is its command's, line that of the Dockerfile
  x Unsupported                 this machine or this version cannot do it
  x SystemFailure               the kernel or the disk refused: what was tried and errno

Low errors (OSError, sqlite3.Error) are turned into these where the engine's door is, not further down.
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose; str() is the one sentence to show.

    excerpt: what str() ends with beyond that sentence, from a line break on: the line of a file that the error is about
    and a marker below it. All other line breaks come from outside and are shown as such.
    """

    exit_code = 1
    excerpt = ""


class InvalidArgument(EngineError):
    """The request makes no sense."""

    exit_code = 125


class NotFound(EngineError):
    """Nothing has that name or id."""

    def __init__(self, kind: str, reference: str) -> None:
        super().__init__(f"No such {kind}: {reference}")
        self.kind, self.reference = kind, reference


class WrongPlatform(NotFound):
    """The image is there, but for another platform than was asked for."""

    def __init__(self, reference: str, wanted: object, actual: object) -> None:
        super().__init__("image", reference)
        self.args = (
            f"image {reference} was found but does not match the specified platform: wanted {wanted}, actual: {actual}",
        )


class AmbiguousId(EngineError):
    """The prefix fits several ids."""


class Conflict(EngineError):
    """The object is in a state or use that does not allow this."""


class NameTaken(Conflict):
    """Another object has that name."""

    exit_code = 125


class PortTaken(Conflict):
    """The host port belongs to somebody else, who is named."""

    exit_code = 125


class InUse(Conflict):
    """Others still need it; they are named."""


class WrongState(Conflict):
    """Not possible while the container is in this state."""


class BadContent(EngineError):
    """An archive, manifest or layer is damaged or tries something it must not."""


class StartFailed(EngineError):
    """The container could not be started. exit_code: 125 engine, 126 cannot execute, 127 not found."""

    def __init__(self, message: str, exit_code: int = 125, step: str = "", errno: int = 0) -> None:
        super().__init__(message)
        self.exit_code, self.step, self.errno = exit_code, step, errno


class RegistryRefused(EngineError):
    """A registry refused, could not be reached, or gave what cannot be right. status: HTTP's, 0 = no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class AuthFailed(RegistryRefused):
    """The registry wants credentials, or others: `tuidock login SERVER`."""


class BuildFailed(EngineError):
    """A step of a build failed. step and line are 0 when no step had begun; keep: the cache key of the last good state,
    from which `Engine.keep_step` makes an image to look into."""

    def __init__(self, message: str, *, exit_code: int = 1, step: int = 0, line: int = 0, keep: str = "") -> None:
        super().__init__(message)
        self.exit_code, self.step, self.line, self.keep = exit_code, step, line, keep


class Unsupported(EngineError):
    """This machine or this version cannot do it."""

    exit_code = 125


class SystemFailure(EngineError):
    """The kernel or the disk refused."""

    exit_code = 125
