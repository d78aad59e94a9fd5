# syntax=docker/dockerfile:1
# One image for every role: docker run IMAGE api | worker | relay | migrate | doctor.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/runtime.txt /build/requirements.txt
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --require-hashes -r /build/requirements.txt

FROM node:22-bookworm-slim AS web
WORKDIR /ui
COPY ui/package.json ui/package-lock.json ui/.npmrc ./
RUN npm ci
COPY ui ./
RUN npx vite build --outDir /bundle && echo '{}' > /bundle/stamp.json

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/srv/flowforge PYTHONUNBUFFERED=1 \
    FLOWFORGE_HOST=0.0.0.0 FLOWFORGE_DATA_DIR=/var/lib/flowforge
RUN useradd --system --uid 10001 --home-dir /var/lib/flowforge --create-home flowforge
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/flowforge
COPY app app
COPY --from=web /bundle app/web/bundle
COPY engine engine
COPY cli cli
COPY alembic alembic
COPY worker.py relay.py LICENSE ./
RUN python -m compileall -q app engine cli alembic worker.py relay.py
USER 10001
VOLUME /var/lib/flowforge
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-P", "-m", "cli.main"]
CMD ["api"]
# For the API; compose switches it off for the roles that serve no HTTP. That it lives, and no more: whoever replaces what is
# unhealthy would replace it for want of Redis or PostgreSQL, without which it goes on or answers 503.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('FLOWFORGE_PORT', '8000') + '/health/live', timeout=2)"]
