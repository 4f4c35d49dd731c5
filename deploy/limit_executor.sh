#!/usr/bin/env bash
# Let the executor's network of docker-compose.yml speak HTTPS to the named hosts only, by Docker's own chain of the
# firewall. Run it as root at each start of the machine and now and then: an exchange's addresses change.
# Usage: deploy/limit_executor.sh api.binance.com [HOST...]          (PRINT=yes shows the rules and changes nothing)
set -euo pipefail

BRIDGE=copilot-exch
CHAIN=COPILOT-EXCHANGES

rule() {
    if [ "${PRINT:-no}" = yes ]; then
        echo "iptables $*"
    else
        iptables "$@"
    fi
}

main() {
    [ $# -gt 0 ] || { echo "usage: deploy/limit_executor.sh HOST [HOST...]" >&2; exit 1; }
    local host address addresses=()
    for host in "$@"; do
        mapfile -t -O "${#addresses[@]}" addresses < <(getent ahostsv4 "$host" | awk '$2 == "STREAM" {print $1}' | sort -u)
        [ "${#addresses[@]}" -gt 0 ] || { echo "limit_executor: $host has no address; nothing was changed" >&2; exit 1; }
    done
    rule -N "$CHAIN" 2>/dev/null || true
    rule -F "$CHAIN"
    rule -A "$CHAIN" -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
    for address in "${addresses[@]}"; do
        rule -A "$CHAIN" -p tcp --dport 443 -d "$address" -j RETURN
    done
    rule -A "$CHAIN" -j REJECT
    rule -D DOCKER-USER -i "$BRIDGE" -j "$CHAIN" 2>/dev/null || true
    rule -I DOCKER-USER -i "$BRIDGE" -j "$CHAIN"
}

main "$@"
