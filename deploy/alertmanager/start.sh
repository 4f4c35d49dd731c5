#!/bin/sh
# Alertmanager reads no environment: its configuration is written here at each start, its secrets into files in memory.
# Only receivers that .env names are in it. Usage: start.sh FOLDER [PROGRAM]; without a program it only writes.
set -eu
umask 077
folder=${1:?usage: start.sh FOLDER [PROGRAM]}
config="$folder/alertmanager.yml"

quoted() { # a YAML string in single quotes
    printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"
}

cat >"$config" <<'HEAD'
route:
  receiver: staff
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  routes:
    - matchers: ['severity="critical"']
      receiver: staff
      group_wait: 10s
      repeat_interval: 1h

# What follows from something else is not told beside it.
inhibit_rules:
  - source_matchers: ['alertname="CoPilotTargetDown"']
    target_matchers: ['alertname=~"CoPilotHeartbeatOld|CoPilotSenderNeverSeen|CoPilotAlarmOpen"']
  - source_matchers: ['alertname=~"CoPilotKillSwitchEngaged|CoPilotSenderHalted"']
    target_matchers: ['alertname="CoPilotDeliveriesLate"']
  - source_matchers: ['alertname="CoPilotOutsideCallsFail"']
    target_matchers: ['alertname="CoPilotCandlesLate"']
  - source_matchers: ['alertname="CoPilotWinRateLow"']
    target_matchers: ['alertname="CoPilotExpectancyNegative"']
    equal: [of]

HEAD

{
    echo "receivers:"
    echo "  - name: staff"
    if [ -n "${ALERT_EMAIL_TO:-}" ]; then
        : "${ALERT_SMTP_HOST:?ALERT_EMAIL_TO is set, ALERT_SMTP_HOST is missing}"
        echo "    email_configs:"
        echo "      - to: $(quoted "$ALERT_EMAIL_TO")"
        echo "        from: $(quoted "${ALERT_EMAIL_FROM:-$ALERT_EMAIL_TO}")"
        echo "        smarthost: $(quoted "$ALERT_SMTP_HOST")"
        echo "        send_resolved: true"
        if [ -n "${ALERT_SMTP_USER:-}" ]; then
            printf %s "${ALERT_SMTP_PASSWORD:-}" >"$folder/smtp_password"
            echo "        auth_username: $(quoted "$ALERT_SMTP_USER")"
            echo "        auth_password_file: $folder/smtp_password"
        fi
    fi
    if [ -n "${ALERT_TELEGRAM_CHAT_ID:-}" ]; then
        printf %s "${TELEGRAM_BOT_TOKEN:?ALERT_TELEGRAM_CHAT_ID is set, TELEGRAM_BOT_TOKEN is missing}" >"$folder/bot_token"
        echo "    telegram_configs:"
        echo "      - chat_id: $ALERT_TELEGRAM_CHAT_ID"
        echo "        bot_token_file: $folder/bot_token"
        echo "        parse_mode: ''"
        echo "        send_resolved: true"
        cat <<'MESSAGE'
        message: |-
          {{ range .Alerts }}{{ .Status }}: {{ .Annotations.summary }}
          {{ .Annotations.action }}
          {{ .Annotations.runbook }}
          {{ end }}
MESSAGE
    fi
    if [ -n "${ALERT_WEBHOOK_URL:-}" ]; then
        printf %s "$ALERT_WEBHOOK_URL" >"$folder/webhook_url"
        echo "    webhook_configs:"
        echo "      - url_file: $folder/webhook_url"
        echo "        send_resolved: true"
    fi
} >>"$config"

[ $# -gt 1 ] || exit 0
shift
exec "$@" --config.file="$config" --storage.path="$folder/data" --cluster.listen-address=
