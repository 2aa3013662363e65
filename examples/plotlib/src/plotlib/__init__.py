"""Small charts, drawn with whatever matplotlib is there."""

from plotlib.charts import bars, lines

__all__ = ["bars", "lines"]
__version__ = "1.0.0"
