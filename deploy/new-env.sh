#!/bin/sh
# Writes .env with new secrets, for the shop by `docker compose up` with the Stripe sandbox.
# Needs nothing but a shell. It never overwrites: a lost password locks you out of your database.
set -eu
cd "$(dirname "$0")/.."

if [ -e .env ]; then
  echo ".env is there already and was left alone." >&2
  exit 1
fi

random() { od -An -N "$1" -t x1 /dev/urandom | tr -d ' \n'; }

umask 077
cat > .env.new <<END
SECRET_KEY=$(random 36)
POSTGRES_PASSWORD=$(random 16)

SITE_URL=http://shop.localhost:8000

# The sandbox. How to use Stripe itself in place of these three lines: docs/deployment.md.
COMPOSE_PROFILES=sandbox
STRIPE_API_HOST=http://stripe.localhost:8001
STRIPE_SECRET_KEY=sk_test_$(random 16)
END
mv .env.new .env
echo "Written: .env. Now run: docker compose up"
echo "The shop will be at http://shop.localhost:8000"
