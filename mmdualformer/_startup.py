"""Lets MMEngine resolve ``'mmdualformer::...'`` in a process that has not imported mmdualformer.

mmengine <= 0.10.7 resolves ``_base_`` before ``custom_imports``, and only for the packages on a list of its own, to
which a plugin cannot add itself. So ``mmdualformer.pth``, installed beside the package, runs this file when Python
starts. It imports nothing: it waits for MMEngine's config modules, and when a config of ours is asked for it imports
mmdualformer, whose :mod:`mmdualformer.compat` does the resolving. The same for what OpenMIM is to download.
"""

import sys
from importlib.machinery import PathFinder

# module -> (class in it, or None, function that is given 'package::config' or 'package')
_RESOLVERS = {
    'mmengine.config.config': ('Config', '_get_cfg_path'),
    'mmengine.hub.hub': (None, '_get_package_and_cfg_path'),
    'mim.commands.search': (None, 'get_model_info'),
}


class _ResolverFinder:
    """Finds these modules as Python would, and wraps their resolver once they are loaded."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name in _RESOLVERS else None
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_wrap(module):
                load(module)
                cls, function = _RESOLVERS[name]
                _import_us_first(getattr(module, cls) if cls else module, function)

            spec.loader.exec_module = load_and_wrap  # type: ignore[method-assign]
        return spec


def _import_us_first(owner, name):
    original = getattr(owner, name)

    def resolve(asked, *args, **kwargs):
        if asked.partition('::')[0] == 'mmdualformer':
            import mmdualformer  # mends the resolver

            if hasattr(mmdualformer, '__all__'):  # the doctor's is not run, to show what is not mended
                mmdualformer.compat.apply()  # where mmdualformer was imported before it
            mended = getattr(owner, name)
            if mended is not resolve:
                return mended(asked, *args, **kwargs)
        return original(asked, *args, **kwargs)

    resolve.__wrapped__ = original  # type: ignore[attr-defined]
    setattr(owner, name, staticmethod(resolve) if isinstance(owner, type) else resolve)


sys.meta_path.insert(0, _ResolverFinder)
