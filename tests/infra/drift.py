#!/usr/bin/env python3
"""What a second plan would change, beside what the emulator is known to forget. Anything else is drift.

    drift.py PLAN        the file that `terraform show -json` wrote of the second plan
"""

import json
import sys

# Type → attributes that the emulator does not give back as they were set. AWS does.
FORGOTTEN = {
    "aws_apigatewayv2_authorizer": {"authorizer_payload_format_version"},
    "aws_cloudwatch_metric_alarm": {
        "actions_enabled", "alarm_actions", "alarm_description", "dimensions", "ok_actions", "period", "statistic", "treat_missing_data",
    },
    "aws_ecs_service": {"availability_zone_rebalancing"},
    # It adds an `Id`; the statements are compared below.
    "aws_efs_file_system_policy": {"policy"},
    "aws_vpc_endpoint": {"policy", "private_dns_enabled", "security_group_ids"},
}


def changed(change):
    before, after = change["before"] or {}, change["after"] or {}
    unknown = {name for name, is_unknown in (change.get("after_unknown") or {}).items() if is_unknown is True}
    return {name for name in set(before) | set(after) if before.get(name) != after.get(name)} | unknown


def same_statements(change):
    def statements(policy):
        return sorted(json.dumps(statement, sort_keys=True) for statement in json.loads(policy)["Statement"])

    return statements(change["before"]["policy"]) == statements(change["after"]["policy"])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    drift, forgotten = [], 0
    for resource in plan.get("resource_changes", []):
        change = resource["change"]
        if change["actions"] in (["no-op"], ["read"]):
            continue
        attributes = changed(change)
        is_known = change["actions"] == ["update"] and attributes <= FORGOTTEN.get(resource["type"], set())
        if is_known and resource["type"] == "aws_efs_file_system_policy":
            is_known = same_statements(change)
        if is_known:
            forgotten += 1
        else:
            drift.append(f"{resource['address']}: {'/'.join(change['actions'])}: {', '.join(sorted(attributes))}")
    print("\n".join(drift))
    print(f"Drift of {len(drift)} resources; {forgotten} that the emulator forgets a part of")
    sys.exit(1 if drift else 0)


if __name__ == "__main__":
    main()
