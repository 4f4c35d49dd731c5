from signals.engine.compiled import watch_all_sources

watch_all_sources()
