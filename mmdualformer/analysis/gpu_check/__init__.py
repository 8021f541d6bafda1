"""What a GPU does with this package, found out in minutes: tests, a training, speed, memory and waiting."""

from .goals import Goal, judge
from .page import write_page
from .running import Job, Outcome, run_jobs
from .setting import PARTS, Part, Setting, run_part

__all__ = ['PARTS', 'Goal', 'Job', 'Outcome', 'Part', 'Setting', 'judge', 'run_jobs', 'run_part', 'write_page']
