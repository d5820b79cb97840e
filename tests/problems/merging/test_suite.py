"""The eight-task suite: data, training, cache, ids. Tiny networks; the real ones where a test is slow."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - the usual name

import paretokit as pk
from paretokit.core import CheckpointError, Rng
from paretokit.problems import _glyphs as drawing
from paretokit.problems import merging
from paretokit.problems.merging import _suite_cache as cache
from paretokit.problems.merging import _suite_encoders as encoders
from paretokit.problems.merging import _suite_glyphs as glyphs
from paretokit.problems.merging._suite import _recipe
from paretokit.problems.merging._suite_views import Sight, skewed

TINY = {"width": 8, "depth": 1, "train": 40, "styled": 20, "validation": 12, "test": 30}
TINY |= {"pretraining_steps": 2, "finetuning_steps": 2}
SIZES = {"mlp": TINY, "vit": TINY, "cnn": {**TINY, "width": 2, "depth": 3}}


@pytest.fixture
def fresh(folder, tmp_path, monkeypatch):
    """Return a copy of the cache that a test may damage."""
    merging.suite_checkpoints("mlp", size=TINY)
    shutil.copytree(folder / "merging", tmp_path / "merging")
    monkeypatch.setenv("PARETOKIT_CACHE", str(tmp_path))
    return next((tmp_path / "merging").glob("mlp-0-*"))


def contents(place):
    return {path.name: path.read_bytes() for path in sorted(place.iterdir())}


@pytest.fixture(scope="module")
def sheets():
    return glyphs.Sheets(Rng.from_seed(0))


# Data.


def test_every_task_has_ten_characters_in_nine_faces_or_more_and_their_glyphs_differ():
    for name in glyphs.ALPHABETS:
        assert len(set(glyphs.characters(name))) == glyphs.CLASSES
        if name == "digits":
            continue
        drawn = drawing.templates(glyphs.characters(name))
        assert len(drawn) >= 9
        assert drawn.shape[1:] == (10, drawing.FINE, drawing.FINE)
        assert drawn.amin() >= 0
        assert drawn.amax() < 1 + 1e-6
        apart = torch.cdist(drawn.flatten(2).double(), drawn.flatten(2).double())
        assert apart[:, ~torch.eye(10, dtype=torch.bool)].min() > 3  # of a face's glyphs, in pixels of full ink
        alike = torch.cdist(drawn.flatten(2).transpose(0, 1).double(), drawn.flatten(2).transpose(0, 1).double())
        assert (alike.amax((1, 2)) > 3).all()  # and of a character's faces


def test_images_of_a_class_are_nearer_to_their_own_mean_than_to_that_of_another_class(sheets):
    for name in glyphs.ALPHABETS:
        images, labels = sheets.draw(name, 600, Rng.from_seed(1), split="train")
        x = drawing.levels(images).flatten(1)
        means = torch.stack([x[labels == c].mean(0) for c in range(10)])
        again, classes = sheets.draw(name, 150, Rng.from_seed(2), split="test")
        right = torch.cdist(drawing.levels(again).flatten(1), means).argmin(1) == classes
        assert right.float().mean() > 0.3, name  # chance is 0.1


def test_equal_keys_draw_equal_images_and_others_draw_others(sheets):
    a, b, c = (sheets.draw("greek", 20, Rng.from_seed(s)) for s in (0, 0, 1))
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1], b[1])
    assert not torch.equal(a[0], c[0])
    assert a[0].shape == (20, 1, 16, 16)
    assert a[0].dtype == torch.uint8


def test_no_handwritten_digit_is_in_two_splits():
    parts = glyphs._digits(Rng.from_seed(0))
    assert [len(parts[s][0]) for s in glyphs.SPLITS] == list(glyphs.N_DIGITS)
    seen = [{row.numpy().tobytes() for row in parts[s][0]} for s in glyphs.SPLITS]
    assert not seen[0] & seen[2]
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]


def test_a_style_turns_inverts_and_blurs_as_it_says():
    x, rng = torch.rand(3, 1, 16, 16, generator=Rng.from_seed(0).generator()), Rng.from_seed(1)
    assert torch.equal(glyphs.in_style(x, glyphs.Style(turns=2), rng), x.flip(-1, -2))
    assert torch.equal(glyphs.in_style(x, glyphs.Style(inverted=True), rng), 1 - x)
    plain = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), torch.full((1, 1, 3, 3), 1 / 9))
    torch.testing.assert_close(glyphs.in_style(x, glyphs.Style(blurred=True), rng), plain)
    noise = glyphs.in_style(x, glyphs.Style(noise=0.1), rng) - x
    assert abs(noise.std().item() - 0.1) < 0.01


def test_affine_maps_move_ink_by_no_more_than_they_say():
    square = torch.zeros(1, 48, 48)
    square[:, 23:25, 23:25] = 1
    moved = drawing.jittered(square.expand(500, -1, -1), Rng.from_seed(0))[:, 0]
    ink = moved.sum((1, 2))
    y = (moved.sum(2) * torch.arange(16)).sum(1) / ink - 7.5
    x = (moved.sum(1) * torch.arange(16)).sum(1) / ink - 7.5
    most = 0.12 * 16 * 1.18 * 1.3  # scaling, turning and shearing come on top
    assert max(x.abs().max(), y.abs().max()) < most + 0.1
    assert x.std() > 0.8
    assert abs(x.mean()) < 0.25


# What merges see.


def test_halves_are_disjoint_and_transductive_images_are_the_test_images():
    images = torch.arange(21.0).reshape(21, 1, 1, 1).expand(-1, 1, 16, 16)
    labels = torch.arange(21) % 10
    seen, (judged, classes) = Sight(protocol="split").split(images, labels, Rng.from_seed(0))
    a, b = seen[:, 0, 0, 0], judged[:, 0, 0, 0]
    assert len(a) == 10
    assert torch.equal(torch.cat([a, b]).sort().values, torch.arange(21.0))
    assert torch.equal(classes, b.long() % 10)
    seen, (judged, classes) = Sight().split(images, labels, Rng.from_seed(0))
    assert torch.equal(seen[:, 0, 0, 0].sort().values, torch.arange(21.0))
    assert torch.equal(judged, images)
    assert torch.equal(classes, labels)


@pytest.mark.parametrize(("share", "n"), [(0.001, 1), (0.01, 10), (0.1, 100), (1.0, 1000)])
def test_shares_keep_so_many_images_and_are_nested(share, n):
    images, labels = torch.arange(1000.0).reshape(-1, 1, 1, 1), torch.arange(1000) % 10
    seen, (judged, _) = Sight(unlabeled=share).split(images, labels, Rng.from_seed(0))
    every, _ = Sight().split(images, labels, Rng.from_seed(0))
    assert len(seen) == n
    assert len(judged) == 1000
    assert torch.equal(seen, every[:n])


def test_imbalance_thins_classes_geometrically():
    labels = torch.arange(1000) % 10
    counts = labels[skewed(labels, 3.0**9, Rng.from_seed(0))].bincount(minlength=10).sort(descending=True).values
    assert counts.tolist() == [100, 33, 11, 4, 1, 0, 0, 0, 0, 0]
    assert len(skewed(labels, 1.0, Rng.from_seed(0))) == 1000


def test_corruptions_follow_their_formulas():
    x = torch.rand(4, 1, 16, 16, generator=Rng.from_seed(0).generator())
    for kind in ("noise", "blur", "contrast"):
        assert torch.equal(merging.corrupted(x, kind, severity=0.0), x)
        half, whole = (merging.corrupted(x, kind, severity=s) for s in (0.5, 1.0))
        assert (half - x).abs().mean() < (whole - x).abs().mean()
    dim = merging.corrupted(x, "contrast")
    torch.testing.assert_close(dim.mean((2, 3)), x.mean((2, 3)))
    torch.testing.assert_close(dim.std((2, 3)), 0.35 * x.std((2, 3)))
    gray = torch.full((4, 1, 16, 16), 0.5)
    torch.testing.assert_close(merging.corrupted(gray, "blur"), gray)
    assert abs(merging.corrupted(gray, "noise").std() - 0.2) < 0.02


# Encoders.


@pytest.mark.parametrize("name", encoders.ENCODERS)
def test_encoders_answer_with_features_and_start_alike_for_equal_keys(name):
    def made(seed):
        return encoders.initialized(encoders.encoder_of(name, width=8, depth=3), Rng.from_seed(seed))

    a, b, c = made(0), made(0), made(1)
    x = torch.rand(5, 1, 16, 16, generator=Rng.from_seed(0).generator())
    assert a.eval()(x).shape == (5, encoders.features_of(name, 8))
    assert all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    assert not all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), c.state_dict().values(), strict=True))


def test_a_vit_sees_the_patches_that_unfold_cuts():
    vit = encoders.initialized(encoders.encoder_of("vit", width=8, depth=1), Rng.from_seed(0))
    x = torch.rand(2, 1, 16, 16, generator=Rng.from_seed(0).generator())
    seen = []
    vit.patches.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    vit(x)
    torch.testing.assert_close(seen[0], 2 * F.unfold(x, 4, stride=4).transpose(1, 2) - 1)


def test_a_head_gives_sixteen_times_the_cosine():
    head = encoders.initialized(encoders.CosineHead(6), Rng.from_seed(0))
    z = torch.rand(3, 6, generator=Rng.from_seed(1).generator())
    expected = 16 * F.cosine_similarity(z.unsqueeze(1), head.weight.unsqueeze(0), dim=-1)
    torch.testing.assert_close(head(3 * z), expected)


# Training and cache.


@pytest.mark.parametrize("encoder", SIZES)
def test_equal_seeds_train_equal_bytes(encoder, tmp_path, monkeypatch, folder):
    one = merging.suite_checkpoints(encoder, size=SIZES[encoder]).pretrained.parent
    monkeypatch.setenv("PARETOKIT_CACHE", str(tmp_path))
    two = merging.suite_checkpoints(encoder, size=SIZES[encoder]).pretrained.parent
    assert one != two
    assert contents(one) == contents(two)
    other = merging.suite_checkpoints(encoder, seed=1, size=SIZES[encoder]).pretrained
    assert other.read_bytes() != (one / "pretrained.safetensors").read_bytes()


def test_a_suite_in_the_cache_is_not_trained_again(fresh, untrainable):
    assert merging.suite("mlp", size=TINY).vectors.n_tasks == 8
    assert merging.suite_checkpoints("mlp", size=TINY).pretrained.parent == fresh
    with pytest.raises(AssertionError, match="trained again"):
        merging.suite("mlp", seed=1, size=TINY)


def test_fewer_tasks_are_the_first_of_the_same_networks(folder):
    every, two = merging.suite("mlp", size=TINY), merging.suite("mlp", tasks=2, size=TINY)
    named = merging.suite("mlp", tasks=["digits", "latin-upper"], size=TINY)
    assert torch.equal(two.vectors.deltas, every.vectors.deltas[:2])
    assert torch.equal(two.vectors.base, every.vectors.base)
    assert torch.equal(named.vectors.deltas, two.vectors.deltas)
    assert [t.name for t in every.tasks] == list(glyphs.ALPHABETS)
    assert every.held_out
    assert [o.label for o in two.objectives] == ["accuracy on digits", "accuracy on latin-upper"]


@pytest.mark.parametrize("harm", ["truncate", "flip", "remove", "index", "json"])
def test_a_damaged_cache_is_made_again(fresh, harm):
    before, file = contents(fresh), fresh / "pretrained.safetensors"
    if harm == "truncate":
        file.write_bytes(file.read_bytes()[:-9])
    elif harm == "flip":
        body = bytearray(file.read_bytes())
        body[-1] ^= 1
        file.write_bytes(bytes(body))
    elif harm == "remove":
        file.unlink()
    elif harm == "index":
        (fresh / "suite.json").write_text("{")
    else:
        (fresh / "suite.json").write_text(json.dumps({"fingerprint": 3}))
    merging.suite("mlp", tasks=2, size=TINY)
    assert contents(fresh) == before
    assert [path.name for path in fresh.parent.iterdir() if path.name.startswith(".")] == []


def test_every_option_and_version_has_a_place_of_its_own(folder, monkeypatch):
    base = _recipe("mlp", 0, TINY)
    places = {cache.folder_of(base)}
    changed = [_recipe("mlp", 1, TINY), _recipe("vit", 0, TINY)]
    changed += [_recipe("mlp", 0, {**TINY, name: 2 * value}) for name, value in TINY.items()]
    for name in ("pretraining_rate", "finetuning_rate", "pretraining_batch", "finetuning_batch"):
        changed.append(_recipe("mlp", 0, {**TINY, name: 7}))
    places |= {cache.folder_of(recipe) for recipe in changed}
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    places.add(cache.folder_of(base))
    assert len(places) == len(changed) + 2


def test_a_suite_at_anothers_place_is_not_taken_for_it(fresh):
    recipe = _recipe("mlp", 0, {**TINY, "finetuning_steps": 1})
    stale = cache.folder_of(recipe)
    shutil.copytree(fresh, stale)
    before = contents(stale)
    merging.suite("mlp", tasks=2, size={**TINY, "finetuning_steps": 1})
    after = contents(stale)
    assert after["digits.safetensors"] != before["digits.safetensors"]
    assert after["pretrained.safetensors"] == before["pretrained.safetensors"]


def test_without_a_cache_folder_the_suite_is_trained_and_files_are_refused(folder, tmp_path, monkeypatch):
    wanted = merging.suite("mlp", tasks=2, size=TINY).fingerprint()
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PARETOKIT_CACHE", str(tmp_path / "file"))
    assert merging.suite("mlp", tasks=2, size=TINY).fingerprint() == wanted
    with pytest.raises(CheckpointError, match="the suite cannot be written to"):
        merging.suite_checkpoints("mlp", size=TINY)


def test_files_and_tasks_make_the_same_problem(folder):
    files = merging.suite_checkpoints("mlp", tasks=3, size=TINY)
    mine = pk.problems.ModelMerging(
        pretrained=files.pretrained,
        finetuned=files.finetuned,
        architecture=files.architecture,
        tasks=merging.suite_tasks("mlp", tasks=3, size=TINY),
    )
    theirs = merging.suite("mlp", tasks=3, size=TINY)
    x = theirs.space.sample(2, Rng.from_seed(0))
    assert torch.equal(mine.evaluate(x).values, theirs.evaluate(x).values)
    assert torch.equal(mine.assess(x)[0], theirs.assess(x)[0])


# Ids.


@pytest.mark.parametrize("encoder", SIZES)
def test_ids_make_suites_and_recipes_rebuild_them(encoder, folder):
    name = f"merging-{encoder}-v1"
    made = pk.problems.make(name, tasks=2, protocol="split", unlabeled=0.5, size=SIZES[encoder])
    assert made.id == name
    assert made.batch_norm == ("estimate" if encoder == "cnn" else "merge")
    recipe = made.recipe()
    again = pk.problems.make(recipe["id"], **json.loads(json.dumps(recipe["options"])))
    assert again.fingerprint() == made.fingerprint()


def test_a_saved_front_finds_its_suite(folder, tmp_path):
    problem = pk.problems.make("merging-mlp-v1", tasks=2, size=TINY)
    result = pk.solve(problem, pk.solvers.merging.TIES(), seed=0, progress=False)
    result.front.save(tmp_path / "front")
    loaded = pk.Front.load(tmp_path / "front")
    assert loaded.problem.fingerprint() == result.front.problem.fingerprint()
    assert torch.equal(loaded.problem.evaluate(loaded.x).values, loaded.values)


def test_importing_and_listing_trains_nothing():
    code = "import sys, paretokit as pk; pk.problems.list(); pk.problems.merging"
    code += "; print([m for m in sys.modules if '_suite' in m or m.split('.')[0] in ('sklearn', 'matplotlib')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
