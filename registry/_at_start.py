"""Lets timm be imported before the registry: imports the registry when torchvision is first looked for.

An installation has this file as ``_pfmbench_torchvision.py``, and beside it a ``.pth`` file by which Python runs it at
its start. It therefore imports nothing until then. See `registry._torchvision`.
"""

import sys


class _RegistryFirst:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname != "torchvision":
            return None
        sys.meta_path.remove(cls)
        import importlib.util
        from contextlib import suppress

        with suppress(ImportError):  # of an installation that is half removed
            import registry  # noqa: F401 - puts a finder of its own first

        return importlib.util.find_spec(fullname)


sys.meta_path.insert(0, _RegistryFirst)
