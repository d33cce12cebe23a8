"""A scikit-learn model behind KServe's Python server, whose own scikit-learn server is published as an image only.

It must not swallow an error of the model: what predict raises is answered with 500 by the SDK, and counted.
"""

import argparse
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
from kserve import InferRequest, InferResponse, Model, ModelServer, model_server  # type: ignore[import-not-found]
from kserve.utils.utils import get_predict_input, get_predict_response  # type: ignore[import-not-found]


class SklearnModel(Model):  # type: ignore[misc]
    """One joblib file; V1 and V2 protocols are the SDK's."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self._estimator: Any = joblib.load(folder / "model.joblib")
        self.ready = True

    def predict(
        self, payload: dict[str, Any] | InferRequest, headers: dict[str, str] | None = None
    ) -> dict[str, Any] | InferResponse:
        """Called by the SDK once per request."""
        rows = np.asarray(get_predict_input(payload))
        return get_predict_response(payload, self._estimator.predict(rows), self.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--model_dir", type=Path, default=Path("/mnt/models"))
    options = parser.parse_args()
    ModelServer().start([SklearnModel(options.model_name, options.model_dir)])
