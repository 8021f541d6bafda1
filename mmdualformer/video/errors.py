from mmdualformer.errors import UserError


class VideoError(UserError):
    """A video that cannot be read.

    Attributes:
        reason (str): Why, without the name of the file.
    """

    def __init__(self, message: str, reason: str = '') -> None:
        super().__init__(message)
        self.reason = reason or message
