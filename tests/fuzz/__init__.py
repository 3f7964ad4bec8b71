"""Fuzz targets for atheris, run by hand: `python -m tests.fuzz TARGET [CORPUS] [-max_total_time=60]`."""
