"""Build the package in place; slabcore's .pxd files are found where it is installed."""

from Cython.Build import cythonize
from setuptools import setup

setup(
    name="recent",
    packages=["recent"],
    ext_modules=cythonize("recent/*.pyx", language_level=3, quiet=True),
)
