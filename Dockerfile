# The operator. BASE is any image with Python 3.11 or newer and its venv module; both stages must use the same.
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
COPY requirements.lock /
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --require-hashes --only-binary=:all: -r /requirements.lock \
 && /opt/venv/bin/pip uninstall --yes pip
COPY operator/penstock /opt/penstock/penstock
# Compiled here, since the root is read-only where it runs.
RUN /opt/venv/bin/python -m compileall -q /opt/penstock

FROM ${BASE}
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/penstock /opt/penstock
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/penstock \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 65532:65532
ENTRYPOINT ["python3", "-m", "penstock.main"]
