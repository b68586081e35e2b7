"""Static files under names that carry their contents' hash, so that browsers may keep them for ever."""

from servestatic.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Also renames what ES modules import: without it a module would import its neighbour's last release."""

    support_js_module_import_aggregation = True
    #: A module's name changes with its neighbours' names: as many rounds as the longest chain of imports is long.
    max_post_process_passes = 15
