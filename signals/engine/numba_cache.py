"""Where numba keeps compiled functions: its own places, with a stamp that covers all that is compiled in.

The stamp is part of the file's name as well: an index of other sources may hold types that are no more, and reading it
would end in an error.
"""

from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

from signals.engine.compiled import stamp


class Chosen(UserProvidedCacheLocator):
    """The folder that NUMBA_CACHE_DIR names."""

    def get_source_stamp(self) -> str:
        return stamp(self._py_file)

    def get_disambiguator(self) -> str:
        return f"{self._lineno}-{stamp(self._py_file)[:12]}"


class BesideSources(InTreeCacheLocator):
    """`__pycache__`, where it can be written."""

    def get_source_stamp(self) -> str:
        return stamp(self._py_file)

    def get_disambiguator(self) -> str:
        return f"{self._lineno}-{stamp(self._py_file)[:12]}"


class OfUser(UserWideCacheLocator):
    """The user's cache folder."""

    def get_source_stamp(self) -> str:
        return stamp(self._py_file)

    def get_disambiguator(self) -> str:
        return f"{self._lineno}-{stamp(self._py_file)[:12]}"
