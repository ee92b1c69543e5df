# One image for web, worker and one-off commands: the command decides.
#   docker build --tag shop .
# Bookworm's Python 3.11 is what requirements.txt was locked for. The tag moves with security updates;
# to pin what you have tested, put its digest behind it:
#   docker buildx imagetools inspect python:3.11-slim-bookworm

FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python -m venv --without-pip /venv
COPY requirements.txt /
# Wheels alone: nothing is compiled, and nothing from a package is run.
RUN python -m pip --python /venv/bin/python install \
    --require-hashes --only-binary :all: --requirement /requirements.txt

# PYTHONDONTWRITEBYTECODE is for the running image; what is compiled here spares every start that.
WORKDIR /shop
COPY . .
RUN rm requirements.txt && python -m compileall -q -j 0 /venv/lib . \
    # Settings ask for these; static files depend on none of them.
    && SECRET_KEY=build STRIPE_SECRET_KEY=build STRIPE_WEBHOOK_SECRET=build \
    SITE_URL=https://build.invalid DATABASE_URL=postgres://build.invalid/build \
    /venv/bin/python manage.py collectstatic --no-input --verbosity 0


FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="shop" \
    org.opencontainers.image.description="A bookshop on Django and dj-stripe: web, worker and commands" \
    org.opencontainers.image.licenses="MIT"
ENV PATH=/venv/bin:$PATH \
    PORT=8000 \
    MEDIA_ROOT=/media \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# A number, so that volumes and `runAsNonRoot` can rely on it. Volumes take over who owns these.
RUN groupadd --gid 10001 shop \
    && useradd --uid 10001 --gid shop --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin shop \
    && install --directory --owner shop --group shop /media /sandbox
COPY --from=build /venv /venv
COPY --from=build /shop /shop
WORKDIR /shop
USER 10001:10001

EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-m", "config.healthcheck"]
CMD ["python", "manage.py", "web"]
