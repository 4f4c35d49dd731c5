#!/usr/bin/env bash
# Bring one image to ECS: migrate as a one-off task, then let the services change over. deploy/deploy.sh is for compose.
# Usage: deploy/ecs/deploy.sh IMAGE CODE_VERSION          (an older IMAGE with MIGRATE=no is the way back)
# STACK names the stack (copilot); PARAMETERS is a file of NAME=VALUE lines for the first time: Vpc, SecretArn and so on.
set -euo pipefail
cd "$(dirname "$0")"

STACK=${STACK:-copilot}
PARAMETERS=${PARAMETERS:-parameters.env}
MIGRATE=${MIGRATE:-yes}

fail() {
    printf 'deploy: %s\n' "$@" >&2
    exit 1
}

output() {
    aws cloudformation describe-stacks --stack-name "$STACK" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

change_stack() {
    aws cloudformation deploy --stack-name "$STACK" --template-file copilot.yml --capabilities CAPABILITY_IAM \
        --no-fail-on-empty-changeset --parameter-overrides "$@" "${given[@]}"
}

migrate() {
    local network task code
    network="awsvpcConfiguration={subnets=[$(output Subnets)],securityGroups=[$(output ProcessGroupId)],assignPublicIp=DISABLED}"
    task=$(aws ecs run-task --cluster "$(output ClusterName)" --task-definition "$(output MigrateTaskArn)" \
        --launch-type FARGATE --network-configuration "$network" --query 'tasks[0].taskArn' --output text) ||
        fail "the migration could not be started; the services run the old version."
    aws ecs wait tasks-stopped --cluster "$(output ClusterName)" --tasks "$task" ||
        fail "the migration takes too long; look at its log. The services run the old version."
    code=$(aws ecs describe-tasks --cluster "$(output ClusterName)" --tasks "$task" \
        --query 'tasks[0].containers[0].exitCode' --output text)
    [ "$code" = 0 ] || fail "the migration ended with $code; the services run the old version."
}

main() {
    [ $# -eq 2 ] || fail "usage: deploy/ecs/deploy.sh IMAGE CODE_VERSION"
    local image=$1 version=$2 before
    given=()
    if [ -f "$PARAMETERS" ]; then
        mapfile -t given < <(grep -E '^[A-Za-z]+=' "$PARAMETERS")
    fi
    before=$(output RunningImage 2>/dev/null || true)
    # The first time there is no old version: all begins with the new one, and web is healthy once it is migrated.
    change_stack "MigrateImage=$image" "Image=${before:-$image}" "CodeVersion=$version" ||
        fail "the stack was not changed; its events say why."
    if [ "$MIGRATE" = yes ]; then
        migrate
    fi
    if [ "${before:-$image}" != "$image" ]; then
        change_stack "MigrateImage=$image" "Image=$image" "CodeVersion=$version" ||
            fail "the services did not become healthy; ECS went back to ${before}." \
                "Migrations stay. By hand: MIGRATE=no deploy/ecs/deploy.sh ${before} <its version>"
    fi
    echo "deploy: $image runs behind $(output BalancerName). Before it: ${before:-nothing}."
}

main "$@"
