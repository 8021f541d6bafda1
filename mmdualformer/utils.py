"""What MMEngine looks for in a package by its name: ``mmengine.hub.get_model`` calls :func:`register_all_modules`.

What we register is in the registries of mmaction, so that it is mmaction's scope that is to be set.
"""

from mmaction.utils import register_all_modules

__all__ = ['register_all_modules']
