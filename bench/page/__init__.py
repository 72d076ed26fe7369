"""The leaderboard as one HTML file that needs nothing beside it: table, comparisons, plots and provenance."""

from bench.page.document import leaderboard_page

__all__ = ["leaderboard_page"]
