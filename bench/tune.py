"""Search settings of a preset with Optuna: many short runs, on any number of machines.

    python bench/tune.py --trials 20                             the study is runs/tune.log, a journal file
    python bench/tune.py --study /shared/tune.log                the same command on each machine joins the study
    python bench/tune.py --study postgresql://user@host/tune     the study is in a database
    python bench/tune.py --trials 0 --results bench/results/tune write tune.json and tune.png

A trial trains a run for --steps steps. The trial pauses --pauses times to measure the Frechet distance of its samples
from the test images, as evaluate.py does. A trial is pruned if its distance is worse than the median of the other
trials at the same pause. The result of a trial is its last distance, divided by the distance of real images, which is
the floor. If a trial was interrupted by Ctrl-C or a kill, the next process that needs a trial resumes it from its last
pause. The script needs the extra `tune`.
"""

import argparse
import datetime
import json
import os
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tinygan import backend, data, files  # noqa: E402
from tinygan.app.runs import Run  # noqa: E402
from tinygan.app.settings import Settings  # noqa: E402
from tinygan.gan.presets import PRESETS  # noqa: E402
from tinygan.metrics import Evaluator  # noqa: E402

STALE = 3600  # seconds without a report, after which a trial of another machine counts as interrupted


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="runs/tune.log", help="journal file, or the URL of a database")
    parser.add_argument("--preset", choices=PRESETS, default="cgan", help="preset whose settings are searched (cgan)")
    parser.add_argument("--trials", type=int, default=20, help="stop when the study has this many finished trials (20)")
    parser.add_argument("--steps", type=int, default=2000, help="steps of a trial (2000)")
    parser.add_argument("--pauses", type=int, default=4, help="measurements of a trial (4)")
    parser.add_argument("--samples", type=int, default=5000, help="samples for a measurement (5000)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    parser.add_argument("--threads", type=int, help="CPU threads (all cores)")
    parser.add_argument("--results", type=Path, help="write the trials to this name with .json, and a plot with .png")
    return parser.parse_args()


def open_study(args):
    """Create the study, or join it. The name of a study contains the options that all its trials have in common."""
    import optuna
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy.exc import ArgumentError, DBAPIError

    storage = args.study
    if "://" not in storage:
        Path(storage).parent.mkdir(parents=True, exist_ok=True)
        storage = optuna.storages.JournalStorage(JournalFileBackend(storage))
    name = f"{args.preset}, {args.steps} steps, {args.pauses} pauses, {args.samples} samples"
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
    for pause in (1, 2, 0):
        try:
            return optuna.create_study(storage=storage, study_name=name, pruner=pruner, load_if_exists=True)
        except (ImportError, ArgumentError) as error:
            sys.exit(f"tune.py: {error} (PostgreSQL needs: pip install 'psycopg[binary]')")
        except DBAPIError as error:  # two processes that begin together both create the tables, and one fails
            if not pause:
                sys.exit(f"tune.py: {error.orig}")
            time.sleep(pause)


def choose(trial, preset):
    """Return the preset with the settings of a trial. This function contains the ranges of the search."""
    return preset._replace(
        lr=trial.suggest_float("lr", 1e-4, 5e-3, log=True),
        betas=(trial.suggest_float("beta1", 0.0, 0.9), preset.betas[1]),
        latent_size=trial.suggest_int("latent", 8, 128, log=True),
        ema=trial.suggest_float("ema", 500, 5e4, log=True),
        real_label=trial.suggest_float("real_label", 0.7, 1.0) if preset.loss == "bce" else preset.real_label,
    )


def run_trial(trial, args, dataset, evaluator, floor):
    """Train until the last pause and return the distance, in multiples of the floor. Raises TrialPruned."""
    import optuna

    folder = Path(trial.user_attrs.get("folder", f"runs/tune/{int(time.time())}-{os.getpid()}-{trial.number}"))
    owner = dict(folder=str(folder), host=socket.gethostname(), pid=os.getpid())
    for key, value in owner.items():
        trial.set_user_attr(key, value)
    preset = choose(trial, PRESETS[args.preset])._replace(steps=args.steps)
    settings = Settings(args.preset, preset, dataset.images.shape[1:], dataset.classes, device=backend.device)
    training, batches = settings.training(), settings.batches(dataset)
    if (folder / "config.json").exists():
        run = Run.open(folder)
        run.load(training=training, batches=batches)
    else:
        run = Run.create(settings, folder, training=training, batches=batches)
    for pause in range(1, args.pauses + 1):
        end, step = args.steps * pause // args.pauses, int(training.steps[0])
        if step > end:  # a resumed trial has passed this pause
            continue
        trial.set_user_attr("time", time.time())
        for i in range(step, end):
            if i % batches.steps_per_epoch == 0:
                batches.start_epoch(i // batches.steps_per_epoch)
            training.step(batches)
        run.save(training=training, batches=batches)
        images, _ = evaluator.draw(training)
        distance = evaluator.distance(images) / floor if training.is_finite() else float("inf")
        trial.report(distance, end)
        if trial.should_prune():
            raise optuna.TrialPruned
    return distance


def requeue_interrupted(study):
    """Put trials whose process has died back into the queue, with their settings and folder."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if is_dead(trial.user_attrs):
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, RuntimeError):  # another process was faster
                continue
            study.enqueue_trial(trial.params, user_attrs={"folder": trial.user_attrs["folder"]})


def is_dead(owner):
    """Return whether the process of a trial has ended. On another machine: whether its last report is too old."""
    if owner.get("host") == socket.gethostname():
        try:
            os.kill(owner["pid"], 0)
        except ProcessLookupError:
            return True
        return owner["pid"] == os.getpid()  # this process runs no trial now, so the old process had the same number
    return "time" in owner and time.time() - owner["time"] > STALE


def finished(study):
    """Return the trials that are complete or pruned."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in ("COMPLETE", "PRUNED")]


def save_results(study, path):
    """Write the trials as JSON, and draw them."""
    from matplotlib import ticker
    from matplotlib.figure import Figure

    rows = [
        {
            "trial": i, "state": trial.state.name,
            **{name: float(f"{value:.4g}") for name, value in trial.params.items()},
            "measured": {str(step): round(value, 3) for step, value in trial.intermediate_values.items()},
        }
        for i, trial in enumerate(finished(study))
    ]  # fmt: skip
    interrupted = sum(trial.state.name == "FAIL" for trial in study.get_trials(deepcopy=False))
    about = {"study": study.study_name, "date": f"{datetime.date.today()}", "resumed_trials": interrupted}
    path.with_suffix(".json").write_text(json.dumps({**about, "trials": rows}, indent=1) + "\n")
    figure = Figure((10, 4), layout="constrained")
    panels = figure.subplots(1, 3)
    for row in rows:
        steps, values = [int(step) for step in row["measured"]], list(row["measured"].values())
        pruned = row["state"] == "PRUNED"
        panels[0].plot(steps, values, color="#bbb" if pruned else "C0", marker="x" if pruned else "o", lw=1, ms=4)
    panels[0].set(xlabel="step", ylabel="distance, times the floor", yscale="log", title="trials; pruned ones grey")
    for axes, name in zip(panels[1:], ("lr", "beta1")):
        for state, style in (("PRUNED", "x"), ("COMPLETE", "o")):
            chosen = [row for row in rows if row["state"] == state]
            last = [list(row["measured"].values())[-1] for row in chosen]
            axes.plot([row[name] for row in chosen], last, style, color="#bbb" if style == "x" else "C0", ms=5)
        scale = "log" if name == "lr" else "linear"
        axes.set(xlabel=name, yscale="log", xscale=scale, title=f"last distance by {name}")
    for axis in [*(axes.yaxis for axes in panels), panels[1].xaxis]:
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(ticker.NullFormatter())
    figure.suptitle(f"{study.study_name}: {len(rows)} trials", fontsize=10)
    files.replace(path.with_suffix(".png"), lambda file: figure.savefig(file, format="png", dpi=110))


def main(args):
    backend.use(args.device)
    backend.tune(args.threads)
    study = open_study(args)
    if len(finished(study)) < args.trials:
        dataset = data.load()
        evaluator = Evaluator(None, args.samples)
        floor = evaluator.distance(evaluator.real.images)
    while len(finished(study)) < args.trials:
        requeue_interrupted(study)
        trial = study.ask()
        from optuna import TrialPruned
        from optuna.trial import TrialState

        try:
            distance = run_trial(trial, args, dataset, evaluator, floor)
        except TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
            print(f"trial {trial.number}: pruned", flush=True)
        else:
            study.tell(trial, distance)
            print(f"trial {trial.number}: {distance:.2f} times the floor, {trial.params}", flush=True)
    if finished(study):
        print(f"best of {len(finished(study))}: {study.best_value:.2f} times the floor, {study.best_params}")
    if args.results:
        save_results(study, args.results)


if __name__ == "__main__":
    main(arguments())
