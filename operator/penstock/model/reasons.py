"""The closed list of reasons. Each says, in one line, what it means and what to do; the docs page is made from here.

A reason is part of the API: never renamed, never reused for something else.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition is as it is, or why an Event was written."""

    def __new__(cls, value: str, meaning: str) -> "Reason":
        """A reason that carries its line of documentation."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    meaning: str

    # settled
    SETTLED = "Settled", "The wanted revision serves; nothing to do."
    ASLEEP = "Asleep", "Nobody asks for the model, so it has no pods; the next request is held and wakes it."
    AVAILABLE = "Available", "The stable revision has ready pods and, with a gateway, a programmed route."
    UNAVAILABLE = "Unavailable", "No revision can answer: see the message for the pods' own words."
    FOLLOWING_METRICS = "FollowingMetrics", "The autoscaler has numbers to follow."
    METRICS_MISSING = (
        "MetricsMissing",
        "The autoscaler has no numbers, and the message says why: replicas are held, then scaling.fallback applies.",
    )
    OBJECTIVE_FOLLOWED = "ObjectiveFollowed", "The requests for each replica are those at which few enough are slow."
    OBJECTIVE_UNREACHABLE = (
        "ObjectiveUnreachable",
        "Too many requests are slow, and more replicas do not help or may not be had: the message says which.",
    )
    WITHIN_BUDGET = "WithinBudget", "The replicas cost no more than scaling.budget; the message has both numbers."
    NO_PRICES = "NoPrices", "What a replica costs is not known; the message says which price is missing."
    # a rollout under way
    ROLLOUT_STARTED = "RolloutStarted", "A new revision is being tried."
    WAITING_FOR_PODS = "WaitingForPods", "The candidate's pods are not ready yet; the message names what they say."
    WAITING_FOR_ROUTE = (
        "WaitingForRoute",
        "The gateway has not confirmed the wanted weights yet; look at the route's status.",
    )
    SHARE_MISMATCH = (
        "ShareMismatch",
        "The gateway says that it has the share, and the servers' counters show another; the message names both.",
    )
    HOLDING_STEP = "HoldingStep", "The step's share is routed and its duration runs."
    NOT_ENOUGH_EVIDENCE = (
        "NotEnoughEvidence",
        "Too few requests, or odds that lean against the candidate: waits for more.",
    )
    METRICS_UNAVAILABLE = (
        "MetricsUnavailable",
        "The metric source gave no usable answer: holds, never promotes. Mend the source.",
    )
    INCONCLUSIVE = (
        "Inconclusive",
        "A metric showed nothing for noDataFor, and noData: Inconclusive lets a person decide: promote or abort.",
    )
    SHARE_UNREACHABLE = (
        "ShareUnreachable",
        "There is no gateway, and the pods cannot give a step's exact weight; the message says which they can.",
    )
    STEP_ENTERED = "StepEntered", "The candidate passed a step and enters the next."
    PROMOTED = "Promoted", "The candidate passed every step and is now stable."
    BAKING = "Baking", "The candidate has all traffic; the old revision stays warm until the bake ends."
    SHARE_SEEN = "ShareSeen", "The share of requests that the candidate answers is the one asked for."
    TOO_FEW_REQUESTS = "TooFewRequests", "Too few requests were counted to tell the candidate's share."
    NO_COUNTERS = "NoCounters", "Nothing counts the requests of both revisions; the message says what is missing."
    NOT_A_SHARE = "NotAShare", "A step of copies, a cohort or a preview: it gives no share of all requests."
    PAUSED = "Paused", "A person has paused the rollout; remove the annotation penstock.dev/pause to go on."
    RESUMED = "Resumed", "The pause was taken away."
    FROZEN = "Frozen", "A freeze window holds: no step forward until it ends; a return is always possible."
    WAITING_FOR_APPROVAL = "WaitingForApproval", "All else has passed; the message says who must approve, and how."
    APPROVED = "Approved", "A person has agreed to a step."
    ACTION_TAKEN = "ActionTaken", "An action of a person was taken up."
    ACTION_IGNORED = "ActionIgnored", "An action of a person has no effect; the message says why and what would have."
    RETRIED = "Retried", "A rejected revision may be tried again, as a person asked."
    STEP_SKIPPED = "StepSkipped", "A step is not run, as a person asked."
    BREACH_TOLERATED = (
        "BreachTolerated",
        "A metric fails after 100 %, but a person or the spec wants to be told only; abort takes the version off.",
    )
    ADOPTED = "Adopted", "What served before Penstock came is taken over; the message says what goes, and when."
    RELEASING = (
        "Releasing",
        "deletionPolicy: Orphan is being put into effect; until then everything would go with the ModelDeployment.",
    )
    SUPERSEDED = "Superseded", "The spec changed in mid-rollout; the candidate leaves without a verdict."
    # a candidate taken off
    ROLLED_BACK = "RolledBack", "The wanted revision was rejected; the stable one serves. Change the spec to try again."
    ERROR_RATE_ABOVE_LIMIT = "ErrorRateAboveLimit", "The candidate fails more requests than the objective allows."
    ERROR_RATE_ABOVE_STABLE = "ErrorRateAboveStable", "The candidate fails more requests than the stable revision."
    SLOW_RATE_ABOVE_LIMIT = "SlowRateAboveLimit", "More of the candidate's requests are slow than the objective allows."
    SLOW_RATE_ABOVE_STABLE = (
        "SlowRateAboveStable",
        "More of the candidate's requests are slow than the stable revision's.",
    )
    METRIC_ABOVE_LIMIT = "MetricAboveLimit", "A metric of the candidate's is above its objective; the message names it."
    METRIC_BELOW_LIMIT = "MetricBelowLimit", "A value of the candidate's is below its objective; the message names it."
    METRIC_ABOVE_STABLE = "MetricAboveStable", "A metric of the candidate's is worse than the stable revision's."
    GROUPS_DIFFER = "GroupsDiffer", "One group of the candidate's requests fares worse than the others."
    DISTRIBUTION_SHIFTED = (
        "DistributionShifted",
        "The candidate's values are distributed otherwise than stable's.",
    )
    METRICS_LOST = "MetricsLost", "The metric source gave no usable answer for longer than errorBudget allows."
    NO_DATA = "NoData", "A metric showed nothing for noDataFor, and noData: Fail says that this is no success."
    ABORTED = "Aborted", "A person took the candidate off."
    UNDONE = "Undone", "A person went back to a kept revision; the spec still asks for the one that was undone."
    APPROVAL_TIMED_OUT = "ApprovalTimedOut", "Nobody, or not enough people, approved in time."
    INSUFFICIENT_CAPACITY = (
        "InsufficientCapacity",
        "The cluster has no room for the candidate's pods beside the stable ones; the message counts what is missing.",
    )
    NEVER_READY = "NeverReady", "The candidate's pods were not ready at the deadline; the message names the cause."
    ROUTE_NOT_PROGRAMMED = "RouteNotProgrammed", "The gateway had not confirmed the weights at the deadline."
    EVIDENCE_MISSING = (
        "EvidenceMissing",
        "There was not enough evidence at the deadline: too little traffic, or a dead metric source.",
    )
    # the wish cannot be carried out
    BUDGET_EXCEEDED = (
        "BudgetExceeded",
        "The replicas cost, or would cost, more than scaling.budget; the message has the numbers and what to change.",
    )
    POLICY_NOT_ACCEPTED = (
        "PolicyNotAccepted",
        "The gateway has not taken an object that keeps traffic.policy; the message has its words.",
    )
    POLICY_UNSUPPORTED = (
        "PolicyUnsupported",
        "This cluster, as its operator is set up, cannot keep a part of traffic.policy; what runs goes on.",
    )
    INVALID_SPEC = "InvalidSpec", "The operator cannot read the spec; the message names the field."
    RUNTIME_NOT_FOUND = "RuntimeNotFound", "No such ModelRuntime, or none (or several) list the model's format."
    RUNTIME_LACKS_METRIC = "RuntimeLacksMetric", "The runtime's metric profile cannot answer a metric of the analysis."
    IMAGE_MISSING = (
        "ImageMissing",
        "Neither the runtime nor spec.server gives an image, or the operator has none to warm pods with.",
    )
    PORT_MISSING = "PortMissing", "traffic.protocol: GRPC, and the ModelRuntime names no container.grpcPort."
    CONFIG_NOT_FOUND = (
        "ConfigNotFound",
        "A ConfigMap of spec.server.configMaps is missing or lacks the label penstock.dev/config; what runs goes on.",
    )
    CONFIG_TOO_LARGE = "ConfigTooLarge", "The ConfigMaps of spec.server.configMaps hold more than a revision can keep."
    MOUNT_CONFLICT = "MountConflict", "A ConfigMap's mountPath and the folder of the model overlap."
    SOURCE_NOT_FOUND = "SourceNotFound", "The operator's configuration has no metric source of that name."
    SINK_NOT_FOUND = "SinkNotFound", "The operator's configuration has no payload sink of that name; traffic goes on."
    PAYLOAD_LOG_REFUSED = (
        "PayloadLogRefused",
        "The gateway refuses what traffic.payloadLog needs; the message has its words; traffic goes on.",
    )
    CONFLICT = (
        "Conflict",
        "An object of that name belongs to somebody else, or your route is not handed over; it is left alone.",
    )
    SET_BACK = "SetBack", "Somebody changed the backends that Penstock sets in their route; they are set again."
    REFUSED_BY_API = (
        "RefusedByApi",
        "The API server refused a write (quota, policy, missing API); the message quotes it.",
    )
