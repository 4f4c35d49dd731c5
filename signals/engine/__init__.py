from signals.engine.compiled import use_cache_of_these_sources

use_cache_of_these_sources()
