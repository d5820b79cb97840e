"""Pictures of fronts, runs and episodes: data first, then drawing; each function takes `ax` and returns it.

result.front.plot()
pk.plots.scatter({"NSGA-II": a, "NSGA-III": b})
pk.plots.convergence(results, indicator="hypervolume")
"""

from paretokit.plots._anytime import anytime
from paretokit.plots._attainment import attainment, attainment_difference
from paretokit.plots._comparison import ComparisonData, comparison, comparison_data
from paretokit.plots._convergence import Curve, convergence, convergence_data
from paretokit.plots._critical_difference import critical_difference
from paretokit.plots._explorer import explorer, explorer_data
from paretokit.plots._frames import FramesData, frames, frames_data
from paretokit.plots._heat_map import HeatMapData, heat_map, heat_map_data
from paretokit.plots._improvement import improvement
from paretokit.plots._intervals import intervals
from paretokit.plots._matrix import scatter_matrix
from paretokit.plots._parallel import ParallelData, parallel_coordinates, parallel_data
from paretokit.plots._plot import plot
from paretokit.plots._profile import performance_profile
from paretokit.plots._radar import RadarData, radar, radar_data
from paretokit.plots._scatter import scatter
from paretokit.plots._view import FrontView, view

__all__ = [
    "ComparisonData",
    "Curve",
    "FramesData",
    "FrontView",
    "HeatMapData",
    "ParallelData",
    "RadarData",
    "anytime",
    "attainment",
    "attainment_difference",
    "comparison",
    "comparison_data",
    "convergence",
    "convergence_data",
    "critical_difference",
    "explorer",
    "explorer_data",
    "frames",
    "frames_data",
    "heat_map",
    "heat_map_data",
    "improvement",
    "intervals",
    "parallel_coordinates",
    "parallel_data",
    "performance_profile",
    "plot",
    "radar",
    "radar_data",
    "scatter",
    "scatter_matrix",
    "view",
]
