"""The multi-objective algorithms of pymoo: where they are, what they take, what they handle."""

from __future__ import annotations

from paretokit.solvers.evolutionary._foreign import Entry

_ROOT = "pymoo.algorithms.moo."
_VARIATION = ("crossover", "mutation", "sampling")
_GENETIC = (*_VARIATION, "eliminate_duplicates", "n_offsprings", "pop_size")
_DIRECTIONS = ("partitions", "ref_dirs")
_DIFFERENTIAL = ("CR", "F", "de_repair", "gamma", "pop_size", "sampling", "variant")
_DECOMPOSED = (*_DIRECTIONS, *_VARIATION, "decomposition", "n_neighbors", "prob_neighbor_mating")

ALGORITHMS: dict[str, Entry] = {
    "AGEMOEA": Entry(_ROOT + "age:AGEMOEA", _GENETIC),
    "AGEMOEA2": Entry(_ROOT + "age2:AGEMOEA2", _GENETIC),
    "CMOPSO": Entry(
        _ROOT + "cmopso:CMOPSO",
        ("elite_size", "initial_velocity", "max_velocity_rate", "mutation_rate", "pop_size", "sampling"),
        kinds=1,
    ),
    "CTAEA": Entry(_ROOT + "ctaea:CTAEA", (*_DIRECTIONS, *_VARIATION, "eliminate_duplicates")),
    "GDE3": Entry(_ROOT + "gde3:GDE3", _DIFFERENTIAL, kinds=1),
    "GDE32NN": Entry(_ROOT + "gde3:GDE32NN", _DIFFERENTIAL, kinds=1),
    "GDE3MNN": Entry(_ROOT + "gde3:GDE3MNN", _DIFFERENTIAL, kinds=1),
    "GDE3PCD": Entry(_ROOT + "gde3:GDE3PCD", _DIFFERENTIAL, kinds=1),
    "MOEAD": Entry(_ROOT + "moead:MOEAD", _DECOMPOSED, constraints=False),
    "MOPSO_CD": Entry(
        _ROOT + "mopso_cd:MOPSO_CD",
        ("archive_size", "c1", "c2", "max_velocity_rate", "pop_size", "sampling", "w"),
        constraints=False,
        kinds=1,
    ),
    "NSDE": Entry(_ROOT + "nsde:NSDE", _DIFFERENTIAL, kinds=1),
    "NSDER": Entry(_ROOT + "nsder:NSDER", (*_DIRECTIONS, *_DIFFERENTIAL), kinds=1),
    "NSGA2": Entry(_ROOT + "nsga2:NSGA2", _GENETIC),
    "NSGA3": Entry(_ROOT + "nsga3:NSGA3", (*_DIRECTIONS, *_GENETIC)),
    "OmniOptimizer": Entry(_ROOT + "omni:OmniOptimizer", (*_GENETIC, "delta", "obj_crowding", "var_crowding")),
    "ParallelMOEAD": Entry(_ROOT + "moead:ParallelMOEAD", (*_DECOMPOSED, "n_offsprings"), constraints=False),
    "RNSGA2": Entry(
        _ROOT + "rnsga2:RNSGA2",
        (*_GENETIC, "epsilon", "extreme_points_as_reference_points", "normalization", "ref_points", "weights"),
        required=("ref_points",),
    ),
    "RNSGA3": Entry(
        _ROOT + "rnsga3:RNSGA3",
        (*_VARIATION, "eliminate_duplicates", "mu", "n_offsprings", "pop_per_ref_point", "ref_points"),
        required=("ref_points", "pop_per_ref_point"),
    ),
    "RVEA": Entry(
        _ROOT + "rvea:RVEA", (*_DIRECTIONS, *_GENETIC, "adapt_freq", "alpha", "n_max_gen"), required=("n_max_gen",)
    ),
    "SMSEMOA": Entry(_ROOT + "sms:SMSEMOA", (*_GENETIC, "normalize")),
    "SPEA2": Entry(_ROOT + "spea2:SPEA2", _GENETIC),
    "UNSGA3": Entry(_ROOT + "unsga3:UNSGA3", (*_DIRECTIONS, *_GENETIC)),
}

EXCLUDED: dict[str, str] = {
    "DNSGA2": "it is for dynamic problems, whose objectives change while it runs",
    "KGB": "it is for dynamic problems, whose objectives change while it runs",
    "PINSGA2": "it is interactive: it asks a person to rank solutions while it runs",
}

OPERATORS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "crossover": {
        "DEX": ("pymoo.operators.crossover.dex:DEX", ("F", "CR", "variant", "dither", "jitter", "n_diffs", "prob")),
        "EXX": ("pymoo.operators.crossover.expx:ExponentialCrossover", ("prob", "prob_exp")),
        "PCX": ("pymoo.operators.crossover.pcx:PCX", ("eta", "zeta", "prob")),
        "SBX": ("pymoo.operators.crossover.sbx:SBX", ("eta", "prob", "prob_var", "prob_exch", "prob_bin")),
        "UX": ("pymoo.operators.crossover.ux:UX", ("prob",)),
    },
    "mutation": {
        "Gaussian": ("pymoo.operators.mutation.gauss:GaussianMutation", ("sigma", "prob", "prob_var")),
        "PM": ("pymoo.operators.mutation.pm:PM", ("eta", "prob", "prob_var", "at_least_once")),
    },
    "sampling": {
        "LHS": ("pymoo.operators.sampling.lhs:LHS", ("smooth", "iterations")),
        "Random": ("pymoo.operators.sampling.rnd:FloatRandomSampling", ()),
    },
    "decomposition": {
        "ASF": ("pymoo.decomposition.asf:ASF", ()),
        "PBI": ("pymoo.decomposition.pbi:PBI", ("theta",)),
        "Tchebicheff": ("pymoo.decomposition.tchebicheff:Tchebicheff", ()),
        "WeightedSum": ("pymoo.decomposition.weighted_sum:WeightedSum", ()),
    },
}
