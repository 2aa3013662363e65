"""Charts written straight to PNG files. Runs on Python 2.7 and 3."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402


def lines(path, series, title=""):
    """Draw one line for each (label, [(x, y), ...]) of `series` into the PNG file `path`."""
    figure, axes = plt.subplots(figsize=(4, 3), dpi=80)
    try:
        for label, points in series:
            axes.plot([x for x, _ in points], [y for _, y in points], label=label)
        if title:
            axes.set_title(title)
        axes.legend(loc="best")
        figure.savefig(path, format="png")
    finally:
        plt.close(figure)


def bars(path, values, colour="#3465a4"):
    """Draw one bar for each (label, value) of `values` into the PNG file `path`."""
    figure, axes = plt.subplots(figsize=(4, 3), dpi=80)
    try:
        axes.bar(range(len(values)), [value for _, value in values], color=colour)
        axes.set_xticks(range(len(values)))
        axes.set_xticklabels([label for label, _ in values])
        figure.savefig(path, format="png")
    finally:
        plt.close(figure)
