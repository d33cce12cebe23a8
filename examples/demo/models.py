"""Trains the four model versions of the story on the handwritten digits that ship with scikit-learn.

Real training, the same result on every machine. Nothing here is made to look broken: v3 is what comes out when pixel
levels are taken for categories and learned from a small extract, v4 is an upload that ended half-way.
The pickles hold scikit-learn's own classes only, since the model server knows no others.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder
from sklearn.svm import SVC

NAME = "digits"
EXTRACT = 200
"""Rows in the extract that v3's author worked on: too few to have seen every pixel at every level."""


@dataclass(frozen=True)
class Rows:
    """Rows with their labels."""

    pixels: Any
    labels: Any


def split() -> tuple[Rows, Rows]:
    """Rows to learn from, and rows that no version has seen: those are the traffic."""
    pixels, labels = load_digits(return_X_y=True)
    learn_x, ask_x, learn_y, ask_y = train_test_split(pixels, labels, test_size=0.35, random_state=7, stratify=labels)
    return Rows(learn_x, learn_y), Rows(ask_x, ask_y)


def train_v1(rows: Rows) -> ClassifierMixin:
    """Modest: a linear model, held back by strong regularisation."""
    return make_pipeline(MinMaxScaler(), LogisticRegression(C=0.05, max_iter=500)).fit(rows.pixels, rows.labels)


def train_v2(rows: Rows) -> ClassifierMixin:
    """Better: a support vector machine on the same pixels."""
    return SVC(gamma=0.001, C=10).fit(rows.pixels, rows.labels)


def train_v3(rows: Rows) -> ClassifierMixin:
    """Wrong feature handling: a level not in the extract raises, and levels that were rare in it are misread."""
    encoder = OneHotEncoder(handle_unknown="error")
    pipeline = make_pipeline(encoder, LogisticRegression(max_iter=500))
    return pipeline.fit(rows.pixels[:EXTRACT], rows.labels[:EXTRACT])


def write_models(folder: Path) -> dict[str, dict[str, Path]]:
    """Trains all versions into `folder`; the answer maps version -> path in the model image -> file here."""
    learn, _ = split()
    trained = {"v1": train_v1(learn), "v2": train_v2(learn), "v3": train_v3(learn)}
    made = {version: _write(folder / version, version, model) for version, model in trained.items()}
    made["v4"] = _write(folder / "v4", "v4", trained["v2"])
    _cut_short(made["v4"]["/model.joblib"])
    return made


def write_rows(path: Path) -> None:
    """The unseen rows and their labels as JSON, for the load client, which needs no scikit-learn."""
    _, ask = split()
    path.write_text(json.dumps({"rows": ask.pixels.tolist(), "labels": ask.labels.tolist()}))


def _write(folder: Path, version: str, model: ClassifierMixin) -> dict[str, Path]:
    """The files of one model. The version is in them, so that an answer names what was really loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "implementation": "mlserver_sklearn.SKLearnModel",
        "inputs": [{"name": "pixels", "datatype": "FP64", "shape": [-1, 64]}],
        "parameters": {"uri": "./model.joblib", "version": version},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings, indent=2) + "\n")
    joblib.dump(model, folder / "model.joblib")
    return {f"/{file}": folder / file for file in ("model-settings.json", "model.joblib")}


def _cut_short(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
