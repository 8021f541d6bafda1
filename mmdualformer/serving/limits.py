"""What a server takes, and what it says to what it does not take."""

from dataclasses import dataclass

MIB = 1 << 20
MOST_PIXELS = 8192 * 4320  # of a frame: what is called 8K
MEMORY = 4 << 30  # bytes that reading a video may take
LONG = 60.0  # seconds; a longer video gets a time line without being asked
READING_LIMIT = 60.0  # seconds for a video, and as many more as it is long
SILENCE_LIMIT = 60.0  # seconds that a decoder may take for one step
UPLOAD_PATIENCE = 10.0  # seconds that an upload may take longer than its size tells
UPLOAD_RATE = 64 << 10  # bytes a second, the least


@dataclass(frozen=True)
class Limits:
    """What a server takes.

    Attributes:
        max_size (int): Bytes of an upload.
        max_seconds (float): Length of a video.
        queue (int): Videos that may wait, or be on their way here, while one is recognized.
    """

    max_size: int = 64 * MIB
    max_seconds: float = 600.0
    queue: int = 16

    def time_limit(self, seconds: float) -> float:
        """Seconds in which a video of so many seconds must be recognized."""
        return READING_LIMIT + seconds

    @staticmethod
    def is_long(seconds: float) -> bool:
        """Whether a video gets a time line without being asked."""
        return seconds > LONG

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        return dict(
            max_size=self.max_size,
            max_seconds=self.max_seconds,
            max_pixels=MOST_PIXELS,
            queue=self.queue,
            long_seconds=LONG,
        )


class Refused(Exception):
    """A request that gets no recognition.

    Args:
        status (int): Of HTTP.
        reason (str): Why, in words for who sent it.
        retry_after (int, optional): Seconds after which it may be sent again. Defaults to None.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    def __reduce__(self) -> tuple:
        return Refused, (self.status, self.reason, self.retry_after)
