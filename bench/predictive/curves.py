"""Loads over weeks, in requests per second for each STEP: synthetic ones, and one from recorded hourly counts.

All of them begin on a Monday at midnight. What arrives in a step is drawn around the curve (Poisson).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STEP = 15  # seconds
DAY = 86_400 // STEP
WEEKS = 10
PEAK = 400.0
Curve = NDArray[np.float64]
# Hour of the day, and which part of the day's height there is then.
MORNING = ((0, 0.08), (7.8, 0.1), (8.3, 0.7), (10, 1), (12, 0.9))
OFFICE = (*MORNING, (12.7, 0.7), (14, 1), (17.5, 0.8), (19, 0.2), (24, 0.08))


def office(luck: np.random.Generator) -> Curve:
    """Five working days: a ramp from 8:00, a dip at noon, an end at 18:00; days differ by 10 %, ramps by 10 minutes."""
    days = []
    for day in range(WEEKS * 7):
        height = PEAK * (1.0 if day % 7 < 5 else 0.15) * luck.lognormal(0.0, 0.1)
        late = luck.normal(0.0, 10 / 60)
        hours, parts = zip(*OFFICE, strict=True)
        shifted = [hour + (late if 0 < hour < 24 else 0) for hour in hours]
        days.append(height * np.interp(np.arange(DAY) * STEP / 3600, shifted, parts))
    return np.concatenate(days)


def jobs(luck: np.random.Generator) -> Curve:
    """A quiet service, and a job of half an hour at 2:00, 10:00 and 16:00, at once, within a minute or so."""
    made = np.full(WEEKS * 7 * DAY, 0.1 * PEAK)
    for day in range(WEEKS * 7):
        for hour in (2, 10, 16):
            begin = int((day * 86_400 + hour * 3600 + luck.normal(0, 60)) / STEP)
            made[begin : begin + 1800 // STEP] = PEAK * luck.lognormal(0.0, 0.1)
    return made


def surprises(luck: np.random.Generator) -> Curve:
    """Nothing that repeats itself: three times a day, at any time, four times the load for 20 minutes."""
    made = np.full(WEEKS * 7 * DAY, 0.25 * PEAK)
    for begin in luck.integers(0, len(made), WEEKS * 7 * 3):
        made[begin : begin + 1200 // STEP] = PEAK
    return made


def growing(luck: np.random.Generator) -> Curve:
    """The office's, and a tenth more each week: the past is always too low."""
    made = office(luck)
    return made * 1.1 ** (np.arange(len(made)) / (7 * DAY) - WEEKS)


SYNTHETIC = {"office": office, "jobs": jobs, "surprises": surprises, "growing": growing}


def recorded(path: Path) -> Curve:
    """From a file with one count an hour in each line: straight between the hours, the highest percent at PEAK."""
    counts = np.array([float(line) for line in path.read_text().split()])
    counts *= PEAK / np.quantile(counts, 0.99)
    return np.interp(np.arange(len(counts) * 3600 // STEP) * STEP / 3600, np.arange(len(counts)), counts)
