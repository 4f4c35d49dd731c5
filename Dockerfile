# syntax=docker/dockerfile:1
# One image for every process; docker-compose.yml says which command each container runs.

FROM python:3.11.14-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
# torch is most of the image and changes least: a layer of its own, whatever else is required. Its CPU build is a tenth of the default one;
# name the index that has it in TORCH_INDEX_URL. Without it the default index serves the CUDA build, which also works.
ARG TORCH_INDEX_URL
RUN PIP_INDEX_URL="$TORCH_INDEX_URL" pip install --no-deps torch==2.13.0
# Each file by its hash; torch above is another build of the same version where an index has it.
COPY requirements.hashed.txt /
RUN pip install --no-deps --require-hashes -r /requirements.hashed.txt

FROM python:3.11.14-slim-bookworm
# LightGBM's wheel brings no OpenMP. Debian keeps only the newest build of a package, so a pinned one would stop existing.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends git libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin copilot
COPY --from=packages /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    COPILOT_STATE_DIR=/tmp/copilot \
    NUMBA_CACHE_DIR=/tmp/numba
WORKDIR /app
COPY . .
ARG CODE_VERSION=unknown
RUN python deploy/sbom.py copilot "$CODE_VERSION" > /app/sbom.cdx.json
# Production settings refuse to start without secrets; these live for one command and open nothing.
RUN random="$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    && COPILOT_ENV=production PUBLIC_URL=https://build.invalid PASSWORD_LOGIN=true \
    DATABASE_URL="postgresql://build:$random@build.invalid/build" REDIS_URL="redis://:$random@build.invalid/0" \
    CACHE_URL="redis://:$random@build.invalid/1" \
    SECRET_KEY="$random" METRICS_TOKEN="$random" TELEGRAM_BOT_TOKEN="$random" TELEGRAM_WEBHOOK_SECRET="$random" \
    python manage.py collectstatic --noinput
# Compiled once here and copied by the entrypoint: the first candle does not wait for it. Development settings want no
# secrets, and nothing is asked for.
RUN COPILOT_ENV=development COPILOT_STATE_DIR=/tmp/build NUMBA_CACHE_DIR=/opt/numba python manage.py warm_cache \
    && rm -rf /tmp/build
# Where a platform knows no tmpfs (Fargate), a volume made from here belongs to everybody.
VOLUME ["/tmp"]
USER 10001:10001
ENTRYPOINT ["/app/deploy/entrypoint.sh"]
CMD ["granian", "--interface", "asginl", "--host", "0.0.0.0", "--port", "8000", "copilot_project.asgi:application"]
