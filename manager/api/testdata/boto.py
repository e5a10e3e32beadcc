"""Every operation, every error class, pagination and tags, by boto3. Prints one JSON document of what it saw."""
import json, sys, time
import boto3
from botocore.config import Config

url, secret = sys.argv[1], sys.argv[2]
lam = boto3.client("lambda", endpoint_url=url, config=Config(retries={"max_attempts": 1}))
seen = {}

def create(topic, **more):
    return lam.create_event_source_mapping(
        FunctionName="orders", Topics=[topic],
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:1000"]}},
        SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": secret}], **more)

def refused(name, call):
    try:
        call()
        seen[name] = "succeeded"
    except lam.exceptions.ClientError as e:
        modelled = type(e).__name__
        seen[name] = [modelled, e.response["Error"]["Code"], e.response["Error"]["Message"], e.response["ResponseMetadata"]["HTTPStatusCode"]]

made = [create("topic", Tags={"team": "x y", "Maß": "µ"}, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=1700000000.123), create("topic_2"), create("AWSKafkaTopic", Enabled=False)]
seen["created"] = [m["State"] for m in made]
seen["timestamp"] = made[0]["StartingPositionTimestamp"].timestamp()
first = made[0]
refused("conflict", lambda: create("topic"))
refused("parameter", lambda: create("topic", FilterCriteria={"Filters": [{"Pattern": "{"}]}))
refused("validation", lambda: lam.update_event_source_mapping(UUID=first["UUID"], BatchSize=100000))
refused("missing", lambda: lam.get_event_source_mapping(UUID="11111111-2222-4333-8444-555555555555"))
pages = list(lam.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 2}))
seen["pages"] = [len(p["EventSourceMappings"]) for p in pages]
seen["ordered"] = [m["UUID"] for p in pages for m in p["EventSourceMappings"]] == sorted(m["UUID"] for m in made)
seen["of function"] = len(lam.list_event_source_mappings(FunctionName=first["FunctionArn"])["EventSourceMappings"])
seen["of another"] = len(lam.list_event_source_mappings(FunctionName="billing")["EventSourceMappings"])
arn = first["EventSourceMappingArn"]
lam.tag_resource(Resource=arn, Tags={"team": "z", "new": "1"})
lam.untag_resource(Resource=arn, TagKeys=["new", "Maß", "nothing"])
seen["tags"] = lam.list_tags(Resource=arn)["Tags"]
refused("tags of nothing", lambda: lam.list_tags(Resource=arn[:-1] + ("0" if arn[-1] != "0" else "1")))
deadline = time.time() + 20
while lam.get_event_source_mapping(UUID=first["UUID"])["State"] != "Enabled" and time.time() < deadline:
    time.sleep(0.05)
seen["enabled"] = lam.get_event_source_mapping(UUID=first["UUID"])["State"]
seen["updated"] = lam.update_event_source_mapping(UUID=first["UUID"], BatchSize=3, MaximumRetryAttempts=2)["MaximumRetryAttempts"]
refused("group", lambda: lam.update_event_source_mapping(UUID=first["UUID"], SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "other"}))
refused("queue", lambda: create("topic", SelfManagedKafkaEventSourceConfig={"ConsumptionMode": "Queue", "ConsumerGroupId": "q"}))
for m in made:
    seen.setdefault("deleted", []).append(lam.delete_event_source_mapping(UUID=m["UUID"])["State"])
seen["function"] = lam.get_function(FunctionName="orders")["Configuration"]["FunctionArn"]
bad = boto3.client("lambda", endpoint_url=url, aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="wrong", config=Config(retries={"max_attempts": 1}))
refused("signature", lambda: bad.list_event_source_mappings())
print(json.dumps(seen))
