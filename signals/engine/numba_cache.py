"""Where numba keeps compiled functions: its own places, with a stamp that covers all that is compiled in."""

from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

from signals.engine.compiled import stamp


class Chosen(UserProvidedCacheLocator):
    """The folder that NUMBA_CACHE_DIR names."""

    def get_source_stamp(self) -> str:
        return stamp(self._py_file)


class BesideSources(InTreeCacheLocator):
    """`__pycache__`, where it can be written."""

    def get_source_stamp(self) -> str:
        return stamp(self._py_file)


class OfUser(UserWideCacheLocator):
    """The user's cache folder."""

    def get_source_stamp(self) -> str:
        return stamp(self._py_file)
