"""The page of a training: one HTML file that needs no network, no script and no second file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oracle.results.training import Training, training_verdict
from reports.page import render
from reports.training_figures import dtypes_of, figures
from reports.training_plots import accuracy_charts, distance_charts, loss_charts, margin_plots
from reports.training_rows import LISTED, divergence_views, planted_view, row_views
from reports.words import count, duration
from reports.writing import write_whole

FULL = 12
"""This many divergences are shown in full; of the others what failed and where."""
NAMED = 40
"""This many parameters and checkpoints are named."""


def write_training(training: Training, path: Path) -> Path:
    """Write the page of `training` to `path` and return it. The file appears whole or not at all; an older one stays until then."""
    return write_whole(path, render_training(training))


def render_training(training: Training) -> str:
    """The page of `training` as a string."""
    dtypes = dtypes_of(training)
    found = divergence_views(training)
    charts = [
        ("Loss", "loss", loss_charts(training, dtypes)),
        ("Accuracy", "per cent", accuracy_charts(training, dtypes)),
        ("Distance of the parameters", "distance, relative to the parameters", distance_charts(training, dtypes)),
    ]
    return render(
        "training.html.jinja",
        styles=("report.css", "training.css"),
        training=training,
        verdict=training_verdict(training),
        dtypes=dtypes,
        divergences=found,
        full=FULL,
        figures=figures(training, dtypes),
        rows=[(dtype, row_views(training, dtype, found)) for dtype in dtypes],
        listed=LISTED,
        charts=[(title, measure, drawn) for title, measure, drawn in charts if drawn],
        margins=margin_plots(training, dtypes),
        planted=planted_view(training),
        **_about(training),
    )


def _about(training: Training) -> dict[str, Any]:
    """What the page says of the training itself, as pairs of name and value."""
    head, end = training.header, training.footer
    asked, where, net = head.settings, head.environment, head.net
    shapes = [f"{name} {' × '.join(map(str, shape)) or 'scalar'}" for name, shape in list(net.parameters.items())[:NAMED]]
    more = len(net.parameters) - len(shapes)
    return {
        "net": [
            ("net", net.name),
            *([("from", net.target)] if net.target else []),
            *([("what it is", net.summary)] if net.summary else []),
            ("loss of its twin", net.torch),
            ("parameters", ", ".join([*shapes, *([f"and {more:,} more"] if more > 0 else [])]) or "none"),
            *([("digest of its code", net.source)] if net.source else []),
        ],
        "settings": [
            ("data", asked.data),
            ("to train on, to test on", f"{count(asked.n_train, 'sample')}, {asked.n_test:,}"),
            ("steps", f"{asked.steps:,}, each of a batch of {asked.batch:,}"),
            ("steps of an epoch", f"{asked.epoch:,}"),
            ("learning rate", f"{asked.lr:g}"),
            ("dtypes", ", ".join(asked.dtypes)),
            ("seed", str(asked.seed)),
            ("shadows", f"{asked.shadows:,}"),
        ],
        "origin": [
            ("training", f"{head.run_id}{', ' + head.label if head.label else ''}"),
            ("started", head.started),
            ("finished", end.finished if end else "never: cut off"),
            ("duration", duration(end.seconds) if end else "unknown"),
            ("training schema", str(head.schema_version)),
        ],
        "checkpoints": [
            (f"{kept.dtype}, after step {kept.step:,}", f"{kept.file}, SHA-256 {kept.sha256[:16]}…")
            for kept in training.checkpoints[:NAMED]
        ],
        "environment": [
            ("gradconform", where.gradconform),
            ("python", where.python),
            ("numpy", where.numpy),
            ("torch", where.torch or "not installed"),
            ("platform", where.platform),
            ("machine", where.machine),
            ("BLAS", where.blas),
            ("commit", f"{where.commit or 'unknown'}{', with uncommitted changes' if where.dirty else ''}"),
        ],
    }
