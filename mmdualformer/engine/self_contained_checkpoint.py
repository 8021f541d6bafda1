from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdualformer.checkpoints.recognizer import KEY, describe_recognizer


@HOOKS.register_module()
class SelfContainedCheckpointHook(Hook):
    """Writes the model and its test pipeline into each checkpoint, so that ``load_recognizer`` needs no config.

    The class names are in the checkpoint already, with the data set's metainfo.
    """

    def before_train(self, runner: Runner) -> None:
        """Describe the recognizer, if the config lets it; a run does without rather than end."""
        self.description: dict | None = None
        try:
            self.description = describe_recognizer(runner.cfg)
        except TypeError as error:
            runner.logger.warning(f'checkpoints will need their config to be used: {error}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the description to ``checkpoint['meta']``."""
        if self.description is not None:
            checkpoint['meta'][KEY] = self.description
