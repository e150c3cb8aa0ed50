"""What slabcore.h calls; there is nothing here for Python."""

__pyx_capi__: dict[str, object]
