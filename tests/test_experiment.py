"""Experiments: first passages, censoring, refusals, divergence, stop and resume, and the ramp's known answer."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from simulations import Experiment, exact, experiment, families, run
from simulations.experiment import GUARD, State

NOISY = {"alpha": "1/6", "B": 4, "D_in": 2, "D_o": 2, "D_h": 2, "step": 0.3}
QUIET = {"alpha": "1/6", "step": 0.2}


def _family():
    return families.cosine(dim=2, tasks=4, sigma=0.2, sigma_tilde=0.2, sigma_H=0.2, seed=3)


def _curves(result):
    """||grad F|| by iteration and replicate."""
    return result.frame.pivot(index="iteration", columns="replicate", values="grad_norm").to_numpy()


def _first_below(curve, target):
    below = np.flatnonzero(curve <= target)
    return int(below[0]) if below.size else None


def test_first_passage_is_found_at_every_iteration():
    """T of every replicate and eps is the first recorded k with ||grad F(w_k)|| <= eps, for any record_every."""
    wanted = {"iterations": 200, "replicates": 5, "eps": (1.0, 0.3, 0.1, 0.05)}
    all_rows = run(Experiment(_family(), **NOISY, **wanted))
    curves = _curves(all_rows)
    assert curves.shape == (201, 5)
    for row in all_rows.first_passage.itertuples():
        first = _first_below(curves[:, row.replicate], row.eps)
        assert row.censored == (first is None) and (row.censored or first == row.T)
    passages = all_rows.first_passage["T"].dropna()
    assert passages.nunique() > 5 and (passages % 7 != 0).any()
    for record_every in (7, 1000):
        sparse = run(Experiment(_family(), **NOISY, **wanted, record_every=record_every))
        for name in ("first_passage", "mean", "mean_passage"):
            assert_frame_equal(getattr(sparse, name), getattr(all_rows, name), check_exact=True)
        kept = all_rows.frame["iteration"] % record_every == 0
        assert_frame_equal(sparse.frame, all_rows.frame[kept].reset_index(drop=True), check_exact=True)


def test_the_mean_passes_when_it_is_below_by_three_errors():
    """mean_passage is the first k with mean + GUARD standard errors <= eps, recomputed from the replicates."""
    wanted = {"iterations": 200, "replicates": 6, "eps": (0.6, 0.2, 0.05)}
    result = run(Experiment(_family(), **NOISY, **wanted))
    curves = pd.DataFrame(_curves(result))
    mean, error = curves.mean(axis=1), curves.std(axis=1, ddof=1) / math.sqrt(6)
    np.testing.assert_allclose(result.mean["grad_norm"], mean, rtol=1e-14)
    np.testing.assert_allclose(result.mean["standard_error"], error, rtol=1e-12, atol=1e-16)
    late = 0
    for row in result.mean_passage.itertuples():
        first = _first_below((mean + GUARD * error).to_numpy(), row.eps)
        assert row.censored == (first is None) and (row.censored or first == row.T)
        late += first != _first_below(mean.to_numpy(), row.eps)
    assert GUARD == 3 and late > 0


def test_a_start_below_eps_passes_at_once():
    """T = 0 where ||grad F(w_0)|| <= eps already, and equality counts as passing."""
    start = _curves(run(Experiment(_family(), **QUIET, iterations=1)))[0, 0]
    above = math.nextafter(start, 0)
    found = run(Experiment(_family(), **QUIET, iterations=50, eps=(start, above))).first_passage.set_index("eps")
    assert found.loc[start, "T"] == 0 and found.loc[above, "T"] > 0


def test_runs_that_do_not_get_there_are_kept_and_flagged():
    """Every replicate and eps has its row; a censored one has no T; the mean likewise."""
    result = run(Experiment(_family(), **NOISY, iterations=20, replicates=4, eps=(1e-9, 10.0)))
    table = result.first_passage
    assert len(table) == 8 and set(zip(table["replicate"], table["eps"], strict=True)) == {
        (r, eps) for r in range(4) for eps in (1e-9, 10.0)
    }
    assert (table["censored"] == (table["eps"] == 1e-9)).all()
    assert (table["T"].isna() == table["censored"]).all() and str(table["T"].dtype) == "Int64"
    assert result.mean_passage["censored"].tolist() == [False, True]
    assert len(result.frame) == 4 * 21


def test_one_noisy_replicate_cannot_vouch_for_its_mean():
    """The error of one noisy run is unknown, hence infinite, and its mean passes nothing; an exact run's is 0."""
    noisy, quiet = (run(Experiment(_family(), **how, iterations=50, eps=(1.0,))) for how in (NOISY, QUIET))
    assert np.isinf(noisy.mean["standard_error"]).all() and noisy.mean_passage["censored"].all()
    assert (quiet.mean["standard_error"] == 0).all() and not quiet.mean_passage["censored"].any()
    infinite = run(Experiment(_family(), **QUIET, D_in=math.inf, D_o=math.inf, iterations=50, eps=(1.0,)))
    assert_frame_equal(infinite.mean_passage, quiet.mean_passage)
    assert quiet.mean_passage["T"].tolist() == quiet.first_passage["T"].tolist()


@pytest.mark.parametrize("longest", [1, 3, 10, 65_536])
def test_until_passage_ends_at_the_last_passage_for_any_chunk(monkeypatch, longest):
    """Rows end where the last replicate and the guarded mean have passed; what was computed beyond is not shown."""
    wanted = {"iterations": 3000, "replicates": 4, "eps": (1.0, 0.4)}
    whole = run(Experiment(_family(), **NOISY, **wanted))
    monkeypatch.setattr(experiment, "_LONGEST_CHUNK", longest)
    short = run(Experiment(_family(), **NOISY, **wanted, until_passage=True))
    for name in ("first_passage", "mean_passage"):
        assert_frame_equal(getattr(short, name), getattr(whole, name), check_exact=True)
    last = max(whole.first_passage["T"].max(), whole.mean_passage["T"].max())
    assert 0 < last < 1000
    for name in ("frame", "mean"):
        table = getattr(whole, name)
        kept = table[table["iteration"] <= last].reset_index(drop=True)
        assert_frame_equal(getattr(short, name).reset_index(drop=True), kept, check_exact=True)


def test_until_passage_stops_computing_early(monkeypatch):
    """The engine is not asked for chunks beyond the last passage, and never for more than `iterations`."""
    monkeypatch.setattr(experiment, "_LONGEST_CHUNK", 5)
    seen = []
    result = run(
        Experiment(_family(), **QUIET, iterations=10**6, eps=(0.5,), until_passage=True),
        progress=lambda done, total: seen.append((done, total)),
    )
    last = result.first_passage["T"].max()
    assert seen[-1] == (5 * (last // 5 + 1), 10**6)
    hopeless = Experiment(_family(), **NOISY, iterations=12, eps=(1e-9,), until_passage=True)
    assert run(hopeless).frame["iteration"].max() == 12


def test_without_eps_only_recorded_rows_are_found():
    """record_every = 4 without targets gives rows 0, 4, 8, ..., the last iterate included when its turn comes."""
    noisy = Experiment(_family(), **NOISY, iterations=12, replicates=2, record_every=4)
    result = run(noisy)
    assert result.frame["iteration"].tolist() == [0, 4, 8, 12] * 2
    assert result.mean["iteration"].tolist() == [0, 4, 8, 12]
    assert result.frame["grad_norm"].notna().all() and result.frame["objective"].notna().all()
    assert result.frame["step"].isna().tolist() == [False, False, False, True] * 2
    assert result.first_passage.empty and result.mean_passage.empty


def test_the_last_row_is_the_point_after_all_iterations():
    """`iterations` steps are taken: rows 0, ..., iterations, the last one without a step."""
    family = _family()
    frame = run(Experiment(family, **QUIET, iterations=3)).frame
    w = family.start
    for k in range(4):
        gradient = exact.meta_gradient(family, w, 1 / 6)
        assert math.isclose(frame["grad_norm"][k], float(np.linalg.norm(gradient)), rel_tol=1e-13)
        w = w - 0.2 * gradient
    assert len(frame) == 4


def test_the_resisting_ramp_takes_the_iterations_the_theory_predicts():
    """L = rho = Delta = 1, alpha = 1/6, eps = 0.01, s = 1.02 eps, exact step: T = 461,164; bound (14) over T: 34.75."""
    eps, alpha = 0.01, 1 / 6
    ramp = families.resisting_ramp(eps=eps, slope_factor=1.02, L=1.0, rho=1.0, Delta=1.0)
    asked = Experiment(
        ramp, "1/6", step="exact", iterations=600_000, eps=(eps,), until_passage=True, record_every=600_000
    )
    T = int(run(asked).first_passage["T"][0])
    assert abs(T / 461_164 - 1) < 0.005
    assert round(1600 * (1 + alpha * eps) / eps**2 / T, 2) == 34.75


TABLES = ("first_passage", "mean_passage", "replicates")


@pytest.mark.parametrize("method", ["maml", "imaml"])
@pytest.mark.parametrize("stops", [(1, 2, 3), (17,), (40, 41), (60, 100)])
def test_a_run_goes_on_from_its_saved_state_bit_for_bit(tmp_path, method, stops):
    """Stopped before any iteration, written to a file, read and resumed: same tables, same rows, same final point."""
    asked = Experiment(_family(), **NOISY, method=method, iterations=60, replicates=3, eps=(2.0, 0.3), record_every=7)
    whole, state, parts = run(asked), None, []
    for stop in (*stops, None):
        parts.append(run(asked, state=state, stop=stop))
        parts[-1].state.save(tmp_path / "state")
        state = State.load(tmp_path / "state")
        assert state.iteration == min(stop or 61, 61)
    assert parts[0].replicates["stop_reason"].eq("stopped" if stops[0] < 61 else "iterations").all()
    for name in TABLES:
        assert_frame_equal(getattr(parts[-1], name), getattr(whole, name), check_exact=True)
    for name, order in (("frame", ["replicate", "iteration"]), ("mean", "iteration")):
        joined = pd.concat([getattr(part, name) for part in parts]).sort_values(order, ignore_index=True)
        assert_frame_equal(joined, getattr(whole, name), check_exact=True, check_dtype=False)
    np.testing.assert_array_equal(parts[-1].state.points, whole.state.points)
    assert (tmp_path / "state").stat().st_size < 5000


def test_a_state_serves_its_own_experiment_alone(tmp_path):
    """Any change of what a run depends on is refused; threads and the engine are not among it."""
    asked = Experiment(_family(), **NOISY, iterations=9)
    state = run(asked, stop=3).state
    changes = [{"seed": 1}, {"alpha": "1/7"}, {"B": 5}, {"method": "fo_maml"}, {"step": 0.31}, {"iterations": 10}]
    changes += [{"family": _family().started_at(np.zeros(2))}, {"record_every": 2}, {"eps": (0.5,)}, {"D_h": 3}]
    for change in changes:
        with pytest.raises(ValueError, match="the state belongs to another experiment"):
            run(dataclasses.replace(asked, **change), state=state)
    (tmp_path / "other").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="other holds no state of a run"):
        State.load(tmp_path / "other")


def test_divergence_is_a_result():
    """A step that is far too long ends in stop_reason "diverged", censored T and infinite rows; nothing is NaN but the
    steps that were not taken."""
    result = run(Experiment(_family(), **{**NOISY, "step": 1e200}, iterations=30, replicates=3, eps=(1e-3,)))
    replicates = result.replicates
    assert (replicates["stop_reason"] == "diverged").all() and replicates["iteration"].between(1, 29).all()
    assert result.first_passage["censored"].all() and result.mean_passage["censored"].all()
    late = result.frame["iteration"] >= replicates["iteration"].max()
    assert np.isposinf(result.frame.loc[late, ["grad_norm", "objective"]]).all(axis=None)
    assert result.frame[["grad_norm", "objective"]].notna().all(axis=None)
    assert np.isposinf(result.mean["grad_norm"].iloc[-1]) and np.isposinf(replicates["mean_square"]).all()


@pytest.mark.parametrize("until_passage", [False, True])
@pytest.mark.parametrize("longest", [1, 4, 65_536])
def test_one_lost_replicate_spoils_the_mean_and_no_other(monkeypatch, longest, until_passage):
    """The others are what they would have been, and the mean over all is infinite from then on."""
    wanted = {"iterations": 120, "replicates": 4, "eps": (1.0, 0.4), "until_passage": until_passage}
    asked = Experiment(_family(), **NOISY, **wanted)
    monkeypatch.setattr(experiment, "_LONGEST_CHUNK", longest)
    sound, state = run(asked), run(asked, stop=5).state
    points = state.points.copy()
    points[2] = math.nan
    lost = run(asked, state=dataclasses.replace(state, points=points))
    others = lost.first_passage["replicate"] != 2
    assert_frame_equal(lost.first_passage[others], sound.first_passage[others], check_exact=True)
    assert lost.first_passage.loc[~others, "T"].isna().all()
    reasons = lost.replicates.set_index("replicate")["stop_reason"].to_dict()
    assert reasons.pop(2) == "diverged" and set(reasons.values()) == {"passed" if until_passage else "iterations"}
    assert lost.replicates["iteration"][2] == 5
    assert np.isposinf(lost.mean.loc[lost.mean["iteration"] >= 5, ["grad_norm", "standard_error"]]).all(axis=None)
    assert lost.mean["iteration"].min() == 5 and lost.mean_passage["censored"].all()
    last = sound.first_passage.loc[others, "T"].max() if until_passage else 120
    assert lost.frame["iteration"].max() == last


def test_replicates_are_summed_up():
    """The least ||grad F|| and the mean of its squares, from all rows."""
    result = run(Experiment(_family(), **NOISY, iterations=50, replicates=3, eps=(1e-9,)))
    curves = _curves(result)
    np.testing.assert_array_equal(result.replicates["smallest"], curves.min(axis=0))
    np.testing.assert_allclose(result.replicates["mean_square"], (curves**2).mean(axis=0), rtol=1e-14)
    assert result.replicates["iteration"].tolist() == [50] * 3


REFUSALS = {
    "method": ({"method": "sgd"}, "method must be one of fo_maml, .*, got 'sgd'"),
    "engine": ({"engine": "gpu"}, "engine must be one of cpu, numpy, cupy"),
    "alpha negative": ({"alpha": "-1/6"}, "alpha must be finite and not negative, got -1/6"),
    "alpha infinite": ({"alpha": math.inf}, "alpha must be finite"),
    "alpha text": ({"alpha": "one"}, "alpha must be a number"),
    "iterations": ({"iterations": 0}, "iterations must be a whole number of at least 1"),
    "iterations beyond the noise": ({"iterations": 2**32 + 1}, "iterations must be at most 2"),
    "replicates": ({"replicates": 1.5}, "replicates must be a whole number"),
    "replicates beyond the noise": ({"replicates": 2**32 + 1}, "replicates must be at most 2"),
    "record_every": ({"record_every": 0}, "record_every must be a whole number"),
    "B": ({"B": 0}, "B must be a whole number of at least 1"),
    "B_step": ({"B_step": 2.0}, "B_step must be a whole number"),
    "D_in": ({"D_in": 0}, "D_in must be at least 1, or None for an exact oracle"),
    "D_in text": ({"D_in": "5"}, "D_in must be at least 1, or None for an exact oracle, got '5'"),
    "D_o": ({"D_o": math.nan}, "D_o must be at least 1"),
    "D_h": ({"D_h": -3}, "D_h must be at least 1"),
    "D_step": ({"D_step": 0.5, "B_step": 1}, "D_step must be at least 1"),
    "D_step alone": ({"D_step": 2}, "D_step needs a B_step"),
    "eps": ({"eps": (0.1, 0.0)}, "eps must be positive, got 0"),
    "eps NaN": ({"eps": (math.nan,)}, "eps must be positive"),
    "until_passage": ({"until_passage": True}, "until_passage needs at least one eps"),
    "seed": ({"seed": -1}, r"seed must be a whole number of \[0, 2\*\*64\), got -1"),
    "seed fraction": ({"seed": 0.5}, "seed must be a whole number"),
    "seed large": ({"seed": 2**64}, "seed must be a whole number"),
    "step name": ({"step": "fast"}, "step must be one of published, exact, sharp, a number or a function"),
    "step zero": ({"step": 0.0}, "step must be positive, got 0"),
    "step NaN": ({"step": math.nan}, "step must be positive"),
    "step infinite": ({"step": np.float32(np.inf)}, "step must be positive"),
    "step bool": ({"step": True}, "step must be one of published, exact, sharp, a number or a function, got True"),
}


@pytest.mark.parametrize(("fields", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_one_clear_sentence(fields, message):
    """A field out of its range is named before anything runs."""
    with pytest.raises(ValueError, match=message) as refusal:
        Experiment(**{"family": _family(), "alpha": "1/6", **fields})
    assert "\n" not in str(refusal.value) and ". " not in str(refusal.value)


def test_a_step_function_must_give_positive_numbers():
    """A planned step that is not positive is named with its iteration instead of spoiling the run in silence."""
    with pytest.raises(ValueError, match=r"step must be positive, got -1\.0 at iteration 2"):
        run(Experiment(_family(), **{**QUIET, "step": lambda k: 1.0 if k < 2 else -1.0}, iterations=5))


def test_experiments_do_not_change():
    """An Experiment is frozen, so a Result says truly what was run."""
    asked = Experiment(_family(), **QUIET)
    with pytest.raises(AttributeError):
        asked.alpha = 0.5


@pytest.mark.parametrize("threads", [0, -1, 1.5])
def test_threads_must_be_a_positive_number(threads):
    with pytest.raises(ValueError, match="threads must be"):
        run(Experiment(families.cosine(dim=2, tasks=2), "1/6", iterations=1), threads=threads)
