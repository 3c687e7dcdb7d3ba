"""The one failure that a person who starts Kari can mend."""


class StartError(Exception):
    """Something outside the code keeps Kari from starting or a child from running.

    `message` says what is wrong, `way_out` what to do about it: one line each. `detail` is the end
    of the log of the child that failed, empty if there is none. The command line prints
    `str(error)`, which is the two lines, and no traceback.
    """

    def __init__(self, message: str, way_out: str, detail: str = "") -> None:
        super().__init__(message, way_out, detail)
        self.message = message
        self.way_out = way_out
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message}\n{self.way_out}"
