"""Solvers against each other: same problem, same budget, same measurement, many seeds; and how sure the verdict is.

table = bench.score_table(frame, "hypervolume")        # tidy frame -> seeds by solvers, a matrix a problem
bench.aggregate(table.relative())                      # interquartile means with bootstrap intervals
bench.pairwise_tests(table)                            # every pair on every problem, Holm over all of them
bench.write_report(experiment, "report")               # one HTML file, parquet, CSV, LaTeX
"""

from paretokit.bench._attainment import (
    AttainmentDifference,
    AttainmentSurface,
    attainment,
    attainment_difference,
    attainment_surfaces,
)
from paretokit.bench._cells import Cell
from paretokit.bench._compare import Comparison, ComparisonGrid, compare
from paretokit.bench._experiment import Experiment, load_experiment, resume_suite, run_suite
from paretokit.bench._latex import latex_table
from paretokit.bench._ranks import CriticalDifference, critical_difference
from paretokit.bench._report import write_report
from paretokit.bench._runner import Where
from paretokit.bench._statistics import aggregate, interquartile_mean, probability_of_improvement
from paretokit.bench._statistics_profiles import anytime, performance_profile
from paretokit.bench._statistics_scale import CommonScale, common_scale, common_scores
from paretokit.bench._statistics_table import FinishedRuns, ScoreTable, score_table
from paretokit.bench._statistics_tests import holm, pairwise_tests, tied_with_best
from paretokit.bench._suite import Suite, load_suite, parse_suite
from paretokit.bench._vorobev import Vorobev, vorobev

__all__ = [
    "AttainmentDifference",
    "AttainmentSurface",
    "Cell",
    "CommonScale",
    "Comparison",
    "ComparisonGrid",
    "CriticalDifference",
    "Experiment",
    "FinishedRuns",
    "ScoreTable",
    "Suite",
    "Vorobev",
    "Where",
    "aggregate",
    "anytime",
    "attainment",
    "attainment_difference",
    "attainment_surfaces",
    "common_scale",
    "common_scores",
    "compare",
    "critical_difference",
    "holm",
    "interquartile_mean",
    "latex_table",
    "load_experiment",
    "load_suite",
    "pairwise_tests",
    "parse_suite",
    "performance_profile",
    "probability_of_improvement",
    "resume_suite",
    "run_suite",
    "score_table",
    "tied_with_best",
    "vorobev",
    "write_report",
]
