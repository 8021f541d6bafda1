import os
import re
import signal
import subprocess
from contextlib import suppress

from mmaction.registry import HOOKS
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdualformer import signals
from mmdualformer.errors import describe

from .agreement import Agreement
from .checkpoint_hook import CheckpointHook, has_updated

SCONTROL_LIMIT = 20  # seconds


@HOOKS.register_module()
class InterruptionHook(Hook):
    """Ends a run on a signal, with a checkpoint from which ``--resume`` goes on.

    SIGTERM, SIGINT (Ctrl-C), SIGHUP and SIGUSR1 let the step end. All processes end at the same one, also where the
    signal came to one of them. A second signal ends a process at once. Where the config has no ``CheckpointHook`` of
    ours, nothing is written.

    Args:
        requeue (bool): In a job of Slurm, queue the job again with ``scontrol requeue`` on SIGUSR1, and on SIGTERM if
            another job is to take its place. The exit status is then 0. A job that is cancelled, or whose time is
            over, is not queued again. Defaults to True.
        resume_with (str): What goes on from the checkpoint, as the line about it says. Defaults to ``--resume``.
    """

    priority = 'LOWEST'  # what the others do in a step belongs to it

    def __init__(self, requeue: bool = True, resume_with: str = '--resume') -> None:
        self.requeue = requeue
        self.resume_with = resume_with

    def before_train(self, runner: Runner) -> None:
        """From now on there is something to save."""
        self._agreement = Agreement()
        self._checkpoints = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
        signals.defer()
        if not is_main_process():
            signals.explain(None)

    def after_train(self, runner: Runner) -> None:
        """There is nothing more to save."""
        if not signals.received():  # one that came too late for the last step changes nothing
            signals.defer(False)

    def after_failed_train(self, runner: Runner) -> None:
        """The process may go on without this run."""
        self.after_train(runner)

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Write a checkpoint and end, if a process was told to."""
        number = self._agreement.reached(signals.received())
        if not number or not has_updated(runner):
            return
        path = self._checkpoints.save_now(runner) if self._checkpoints else None
        status = [self._tell(number, path) if is_main_process() else 0]
        broadcast_object_list(status)  # and nobody ends before the main process is done
        signals.end(status[0])

    def before_val(self, runner: Runner) -> None:
        """Let a signal end the process at once, also where it waits for another, unless it has to save."""
        path = self._checkpoints.newest(runner) if self._checkpoints else None
        self._path, self._must_save = path, path is None and self._checkpoints is not None
        signals.explain(self._where(path) if is_main_process() else None)
        # the main process may have to save, or to queue its job again
        signals.defer(not is_main_process() or self._must_save or 'SLURM_JOB_ID' in os.environ)
        self._end(runner)

    def after_val_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Write what is not yet saved and end, if this process was told to."""
        self._end(runner)

    def after_val(self, runner: Runner) -> None:
        """Go back to training."""
        signals.defer()

    def _end(self, runner: Runner) -> None:
        """In validation the main process ends alone, as what it saves takes no other, and then the others do.

        What comes to one of the others only waits for the next step of training.
        """
        number = signals.received()
        if number and is_main_process():
            path = self._checkpoints.save_epoch(runner) if self._checkpoints and self._must_save else self._path
            signals.end(self._tell(number, path))
        elif signals.may_end():
            signals.end(128 + number)

    def _tell(self, number: int, path: str | None) -> int:
        """Queue the job again if that is to be, say what has happened, and give the exit status."""
        status, words = 128 + number, self._where(path)
        job = os.environ.get('SLURM_JOB_ID')
        if self.requeue and job and (number == signal.SIGUSR1 or (number == signal.SIGTERM and _is_preempted(job))):
            fault = _requeue(job)
            words += f'; job {job} is queued again' if fault is None else f'; job {job} is not queued again: {fault}'
            status = 0 if fault is None else status
        signals.explain(words)
        signals.say_first(number)
        return status

    def _where(self, path: str | None) -> str:
        if path is None:
            return '; nothing was saved'
        return f'; {path} holds all that was trained, and {self.resume_with} goes on from it'


def _is_preempted(job: str) -> bool:
    """Whether Slurm gives a job time to end before another takes its place.

    It queues again what runs when that time is over, and takes what ends before for failed.
    """
    with suppress(OSError, subprocess.TimeoutExpired):
        shown = _scontrol('show', 'job', job).stdout
        return 'JobState=RUNNING' in shown and re.search(r'\bPreemptTime=[0-9]', shown) is not None
    return False


def _requeue(job: str) -> str | None:
    """Have Slurm queue a job again, and give what is against it."""
    try:
        result = _scontrol('requeue', job)
    except (OSError, subprocess.TimeoutExpired) as error:
        return describe(error)
    return None if result.returncode == 0 else describe(RuntimeError(result.stderr or f'status {result.returncode}'))


def _scontrol(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(['scontrol', *arguments], capture_output=True, text=True, timeout=SCONTROL_LIMIT)
