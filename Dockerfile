# triaged as an image, and the mail server of its example. See docs/containers.md.
#
# Base images are pinned by version. For a build that can be repeated bit by bit add the digest that your
# registry shows: python:3.11.14-slim-bookworm@sha256:…
FROM python:3.11.14-slim-bookworm AS base
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

# What the product needs, then the product: the first layers change with the lock files only.
FROM base AS build
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/triaged && /opt/triaged/bin/pip install --only-binary :all: --no-deps --require-hashes --requirement requirements.lock
RUN python -m venv /opt/build && /opt/build/bin/pip install --only-binary :all: --no-deps --require-hashes --requirement requirements-build.lock
COPY pyproject.toml hatch_build.py README.md ./
COPY daemon daemon/
COPY api api/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheels . && /opt/triaged/bin/pip install --no-deps --no-index /opt/wheels/*.whl

FROM base AS mail
WORKDIR /src
COPY requirements-example.lock ./
RUN python -m venv /opt/mail && /opt/mail/bin/pip install --no-deps --require-hashes --requirement requirements-example.lock
COPY examples/mail_server.py /opt/mail/mail_server.py
USER 10001:10001
EXPOSE 10143
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/opt/mail/bin/python", "-I", "-c", "import imaplib; imaplib.IMAP4('127.0.0.1', 10143, timeout=4).logout()"]
ENTRYPOINT ["/opt/mail/bin/python", "-W", "ignore", "/opt/mail/mail_server.py"]
CMD ["--host", "0.0.0.0"]

# The last stage is what `docker build .` makes.
FROM base AS triaged
LABEL org.opencontainers.image.title="triaged" \
      org.opencontainers.image.description="Runs background processing cycles and triages every failure" \
      org.opencontainers.image.version="0.1.0"
# Volumes take owner and mode of these folders when they are first used. The group reads what is in them.
RUN groupadd --gid 10001 triaged && useradd --uid 10001 --gid triaged --no-create-home --home-dir /var/lib/triaged --shell /usr/sbin/nologin triaged && install -d /etc/triaged && install -d -o triaged -g triaged -m 0750 /var/lib/triaged /keys/prometheus /keys/grafana
COPY --from=build /opt/triaged /opt/triaged
COPY deploy/healthcheck.py /opt/triaged/healthcheck.py
ENV PATH=/opt/triaged/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/triaged
VOLUME ["/var/lib/triaged"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-I", "/opt/triaged/healthcheck.py"]
ENTRYPOINT ["triaged"]
CMD ["serve", "--config", "/etc/triaged/triaged.toml"]
