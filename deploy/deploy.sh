#!/usr/bin/env bash
# Build, migrate and start CoPilot on this machine; run it again for every new version.
# COMPOSE names the command when it is not found: COMPOSE="docker-compose" deploy/deploy.sh
set -euo pipefail
cd "$(dirname "$0")/.."

READY_SECONDS=${READY_SECONDS:-180}

fail() {
    printf 'deploy: %s\n' "$@" >&2
    exit 1
}

find_compose() {
    if docker compose version >/dev/null 2>&1; then
        echo "docker compose"
    elif docker-compose version >/dev/null 2>&1; then
        echo "docker-compose"
    else
        fail "found neither 'docker compose' nor 'docker-compose'." "Install Docker Engine with its compose plugin."
    fi
}

check_environment() {
    [ -f .env ] || fail "there is no .env." "Copy .env.example to .env and fill it in; each line says how."
    [ -z "$(find .env -perm /077)" ] || fail "others may read .env." "Run: chmod 600 .env"
    local unfilled
    unfilled=$(grep -E '^[A-Z_]+=.*(<|example\.org|=your-)|^[A-Z_]+=your-' .env | cut -d= -f1 | paste -sd' ' || true)
    [ -z "$unfilled" ] || fail "placeholders are left in .env: $unfilled" ".env.example says what belongs there."
    read_vault
    [ "$(value_of GRAFANA_PASSWORD)" != "$(value_of METRICS_TOKEN)" ] ||
        fail "GRAFANA_PASSWORD is METRICS_TOKEN: whoever reads the dashboards could read /metrics, and the other way round."
    [ "$(value_of DATABASE_URL)" != "$(value_of DATABASE_OWNER_URL)" ] ||
        fail "DATABASE_URL is DATABASE_OWNER_URL: the application would own the ledger. See .env.example."
    [ "$(value_of DATABASE_URL)" != "$(value_of EXECUTOR_DATABASE_URL)" ] ||
        fail "DATABASE_URL is EXECUTOR_DATABASE_URL: every process could read the encrypted API keys. See .env.example."
}

value_of() {
    local written
    written=$(sed -n "s/^$1=//p" .env | tail -n 1)
    echo "${written:-${!1:-}}"
}

# Settings that stand in Vault alone: compose wants the passwords of Postgres, Redis and Grafana, our own processes ask
# Vault again by themselves. Nothing is written to disk.
read_vault() {
    local name assignments
    for name in VAULT_ADDR VAULT_TOKEN VAULT_ROLE_ID VAULT_SECRET_ID VAULT_NAMESPACE VAULT_MOUNT VAULT_PATH \
        VAULT_TIMEOUT_SECONDS; do
        export "$name=$(value_of "$name")"
    done
    [ -n "$VAULT_ADDR" ] || return 0
    command -v python3 >/dev/null || fail "VAULT_ADDR is set, and python3, which asks Vault, is missing."
    assignments=$(python3 deploy/vault_environment.py .env) || fail "Vault gave no settings; what runs, still runs."
    eval "$assignments"
}

main() {
    check_environment
    COMPOSE=${COMPOSE:-$(find_compose)}
    read -ra compose <<<"$COMPOSE"

    "${compose[@]}" config >/dev/null || fail "docker-compose.yml and .env do not fit together; see the message above."
    "${compose[@]}" build || fail "the image was not built; what runs, still runs." \
        "No network to the package index? TORCH_INDEX_URL names another one for torch."
    local service
    for service in migrate web worker training-worker beat sender; do
        "${compose[@]}" run --rm --no-deps "$service" python manage.py check --deploy --fail-level ERROR ||
            fail "the settings of $service are wrong (see above); what runs, still runs. Correct .env and deploy again."
    done
    "${compose[@]}" run --rm migrate || fail "the migration failed; what runs, still runs the old version." \
        "Read the message above; '${COMPOSE} logs postgres' says how the database is."
    "${compose[@]}" up -d --remove-orphans || fail "not every process came up." "Look at: ${COMPOSE} ps; ${COMPOSE} logs --tail 50"
    wait_until_ready
    echo "deploy: ready. Console behind your proxy, Grafana on http://127.0.0.1:3000 (user admin, password GRAFANA_PASSWORD)."
}

wait_until_ready() {
    local deadline=$((SECONDS + READY_SECONDS))
    until "${compose[@]}" exec -T web python -c \
        "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=5)" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "not ready after ${READY_SECONDS} s." \
            "What is missing: ${COMPOSE} exec web python -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/readyz').read())\"" \
            "Why: ${COMPOSE} ps; ${COMPOSE} logs --tail 50 web worker beat sender" \
            "Back to the version before: git checkout <tag> && deploy/deploy.sh (migrations stay; restore a dump if they may not)."
        sleep 3
    done
}

main "$@"
