"""Files that survive a kill, locks between processes, cache files, digests, and venvgrid's folders."""
