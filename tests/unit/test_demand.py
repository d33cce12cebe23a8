"""Quantities, and what a pod asks for: the API's, the scheduler's and the quota admission's own sums."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.demand import is_best_effort, requests, uses
from penstock.model.quantity import amount, spelled
from tests.unit.rooms import GPU, Object, container, pod

# quantities


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("0", 0),
        ("2", 2000),
        ("500m", 500),
        ("1.5", 1500),
        (".5", 500),
        ("1.", 1000),
        ("1Ki", 1024_000),
        ("1.5Gi", 1610612736_000),
        ("16265324Ki", 16655691776_000),
        ("1k", 1000_000),
        ("129M", 129_000_000_000),
        ("1e3", 1000_000),
        ("12E2", 1200_000),
        ("1E", 10**21),
        ("1Ei", 2**60 * 1000),
        ("1u", 1),
        ("1n", 1),
        ("1000001n", 2),
        ("0.0005", 1),
        ("-1", -1000),
        ("-1500m", -1500),
        ("2e-3", 2),
    ],
)
def test_a_quantity_is_read_exactly_and_rounded_up_to_thousandths(text: str, thousandths: int) -> None:
    assert amount(text) == thousandths


@pytest.mark.parametrize("text", ["", "1kB", "1,5", "0x10", "1 Gi", "Gi", "1e9999", "one", "1mi", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


@given(st.integers(0, 10**6), st.sampled_from(["", "m", "k", "Ki", "M", "Mi", "G", "Gi", "T", "Ti"]))
def test_sums_of_quantities_are_exact(count: int, unit: str) -> None:
    scale = {"": 1, "m": Fraction(1, 1000), "k": 1000, "Ki": 1024, "M": 1000**2, "Mi": 1024**2}
    scale |= {"G": 1000**3, "Gi": 1024**3, "T": 1000**4, "Ti": 1024**4}
    assert amount(f"{count}{unit}") == count * scale[unit] * 1000
    assert amount(f"{count}{unit}") * 3 == amount(f"{3 * count}{unit}")


@pytest.mark.parametrize(
    ("resource", "text", "words"),
    [
        ("cpu", "2", "2"),
        ("cpu", "1500m", "1500m"),
        ("requests.cpu", "2000m", "2"),
        ("memory", "1Gi", "1Gi"),
        ("limits.memory", "1536Mi", "1536Mi"),
        ("memory", "16265324Ki", "15.5Gi"),
        ("memory", "1023", "1023"),
        ("memory", "0", "0"),
        ("hugepages-2Mi", "4Mi", "4Mi"),
        ("requests.nvidia.com/gpu", "4", "4"),
        ("pods", "10", "10"),
    ],
)
def test_amounts_are_spelled_for_people(resource: str, text: str, words: str) -> None:
    assert spelled(resource, amount(text)) == words


# what a pod asks for


ALWAYS = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "cpu", "memory"),
    [
        ({"containers": [container({"cpu": "1"}), container({"cpu": "500m", "memory": "1"})]}, 1500, 1000),
        ({"containers": [container({}, {"cpu": "2", "memory": "5"})]}, 2000, 5000),
        ({"containers": [container({"cpu": "1"}, {"cpu": "2", "memory": "5"})]}, 1000, 5000),
        ({"containers": [container({"cpu": 1})]}, 1000, 0),
        ({"containers": [{"name": "bare"}, {"resources": None}, {"resources": {"requests": None}}]}, 0, 0),
        ({"containers": [container({"cpu": "1"})], "initContainers": [container({"cpu": "3"})]}, 3000, 0),
        ({"containers": [container({"cpu": "3"})], "initContainers": [container({"cpu": "2"})] * 2}, 3000, 0),
        ({"containers": [container({"cpu": "1"})], "initContainers": [container({"cpu": "2"}, **ALWAYS)]}, 3000, 0),
        (
            {  # the second init container runs beside the first, which restarts
                "containers": [container({"cpu": "1"})],
                "initContainers": [container({"cpu": "2"}, **ALWAYS), container({"cpu": "4"})],
            },
            6000,
            0,
        ),
        (
            {  # the first had ended when the one that restarts began
                "containers": [container({"cpu": "1"})],
                "initContainers": [container({"cpu": "4"}), container({"cpu": "2"}, **ALWAYS)],
            },
            4000,
            0,
        ),
        ({"containers": [container({"cpu": "1"})], "overhead": {"cpu": "250m", "memory": "7"}}, 1250, 7000),
        (
            {
                "containers": [container({"cpu": "1", "memory": "5"})],
                "resources": {"requests": {"cpu": "4", GPU: "9"}, "limits": {"memory": "8"}},
            },
            4000,
            8000,
        ),
    ],
)
def test_a_pod_asks_for_what_the_scheduler_reserves(spec: Object, cpu: int, memory: int) -> None:
    asked = requests(spec)
    assert (asked.get("cpu", 0), asked.get("memory", 0), asked["pods"]) == (cpu, memory, 1000)
    assert GPU not in asked


def test_quotas_know_a_request_under_each_of_its_names() -> None:
    overhead = {"cpu": "1", "ephemeral-storage": "9"}
    taken = uses({"containers": [container({"cpu": "1", GPU: "2"}, {"cpu": "2", "memory": "4"})], "overhead": overhead})
    assert taken == {
        "pods": 1000,
        "count/pods": 1000,
        "cpu": 2000,
        "requests.cpu": 2000,
        "limits.cpu": 3000,
        "memory": 4000,
        "requests.memory": 4000,
        "limits.memory": 4000,
        "ephemeral-storage": 9000,
        "requests.ephemeral-storage": 9000,
        "requests.nvidia.com/gpu": 2000,
    }, "overhead raises only limits that there are"


def test_best_effort_is_about_cpu_and_memory_only() -> None:
    assert is_best_effort(pod(gpu=1)) and is_best_effort({"containers": [{}]})
    assert not is_best_effort({"containers": [container({}, {"memory": "1"})]})
