"""How good is a front? Batched over leading axes, ragged by mask, NumPy in and NumPy out, tensor in and tensor out.

    from paretokit import indicators

    indicators.hypervolume(values, reference_point=[1.1, 1.1, 1.1])   # [*batch, n, m] -> [*batch]
    indicators.igd_plus(values, true_front)
    indicators.r2(values, indicators.simplex_lattice(3, 13), utopian_point=[0, 0, 0])
    indicators.epsilon_additive(values, other, maximize=[True, False, True])

Every indicator reads values in the user's own senses (`maximize`), takes rows that are not finite for failed
candidates, which do not count, and gives an empty front the worst value. Indicators of tensors carry gradients where
the mathematics has them.
"""

from paretokit.core import (
    crowding_distance,
    dominates,
    epsilon_non_dominated,
    non_dominated,
    pareto_rank,
    total_violation,
)
from paretokit.indicators._coverage import cardinality, coverage
from paretokit.indicators._distances import averaged_hausdorff, gd, gd_plus, igd, igd_plus
from paretokit.indicators._distributions import histogram, l1_distance
from paretokit.indicators._entropy import pc_entropy
from paretokit.indicators._epsilon import epsilon_additive, epsilon_multiplicative
from paretokit.indicators._hypervolume import hypervolume
from paretokit.indicators._hypervolume_approx import hypervolume_approx
from paretokit.indicators._hypervolume_contributions import hypervolume_contributions, hypervolume_improvement
from paretokit.indicators._pairwise_distances import levenshtein, tanimoto, tokens_of
from paretokit.indicators._r2 import R2Convention, r2, r2_conventions
from paretokit.indicators._r2_exact import r2_exact
from paretokit.indicators._reference import ideal_point, infer_reference_point, nadir_point
from paretokit.indicators._sample_metrics import (
    SampleConvention,
    sample_conventions,
    sample_metrics,
    share_on_front,
    unit_cube_faces,
)
from paretokit.indicators._scores import better, larger_is_better, score, score_many, score_names, scores
from paretokit.indicators._spacing import spacing, spread
from paretokit.indicators._sparsity import sparsity
from paretokit.indicators._top_k import top_k_diversity, top_k_reward
from paretokit.indicators._utility import expected_utility, maximum_utility_loss
from paretokit.indicators._weights import (
    cmorl_weights,
    dirichlet_weights,
    lattice_size,
    riesz_energy_points,
    simplex_lattice,
    two_layer_lattice,
)

__all__ = [
    "R2Convention",
    "SampleConvention",
    "averaged_hausdorff",
    "better",
    "cardinality",
    "cmorl_weights",
    "coverage",
    "crowding_distance",
    "dirichlet_weights",
    "dominates",
    "epsilon_additive",
    "epsilon_multiplicative",
    "epsilon_non_dominated",
    "expected_utility",
    "gd",
    "gd_plus",
    "histogram",
    "hypervolume",
    "hypervolume_approx",
    "hypervolume_contributions",
    "hypervolume_improvement",
    "ideal_point",
    "igd",
    "igd_plus",
    "infer_reference_point",
    "l1_distance",
    "larger_is_better",
    "lattice_size",
    "levenshtein",
    "maximum_utility_loss",
    "nadir_point",
    "non_dominated",
    "pareto_rank",
    "pc_entropy",
    "r2",
    "r2_conventions",
    "r2_exact",
    "riesz_energy_points",
    "sample_conventions",
    "sample_metrics",
    "score",
    "score_many",
    "score_names",
    "scores",
    "share_on_front",
    "simplex_lattice",
    "spacing",
    "sparsity",
    "spread",
    "tanimoto",
    "tokens_of",
    "top_k_diversity",
    "top_k_reward",
    "total_violation",
    "two_layer_lattice",
    "unit_cube_faces",
]
