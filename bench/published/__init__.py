"""What others published of models, and whether measured rows agree with it.

The figures are the CSV files of ``results/published`` in the repository, a line each; the boards that they are of are
the YAML files of ``conf/board``. Runs neither write there nor take a figure for a row.
"""

from bench.published.boards import Board, BoardRun, read_boards
from bench.published.comparison import Comparison, Measured, compare, of_figures
from bench.published.figures import COLUMNS, Figure, figures_folder, read_figures
from bench.published.likeness import Expected
from bench.published.listing import listing_text, needs_no_gate, open_first
from bench.published.table import comparison_text, write_comparisons

__all__ = [
    "COLUMNS",
    "Board",
    "BoardRun",
    "Comparison",
    "Expected",
    "Figure",
    "Measured",
    "compare",
    "comparison_text",
    "figures_folder",
    "listing_text",
    "needs_no_gate",
    "of_figures",
    "open_first",
    "read_boards",
    "read_figures",
    "write_comparisons",
]
