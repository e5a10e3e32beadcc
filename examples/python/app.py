"""A Lambda function for self-managed Kafka, as it is deployed to Lambda."""

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.kafka import ConsumerRecords, SchemaConfig, kafka_consumer

processor = BatchProcessor(event_type=EventType.Kafka, raise_on_entire_batch_failure=False)
tried = set()


def ship(record):
    order = record.json_value
    if order["id"] == 300:
        raise ValueError("order 300 has no address")
    if order["id"] % 50 == 0 and order["id"] not in tried:
        tried.add(order["id"])
        raise RuntimeError("the warehouse is busy")


@kafka_consumer(schema_config=SchemaConfig(value_schema_type="JSON"))
def handler(event: ConsumerRecords, context):
    total = sum(record.value["amount"] for record in event.records)
    print(f"a batch worth {total}, {context.get_remaining_time_in_millis() // 1000} s left")
    return process_partial_response(event=event.raw_event, record_handler=ship, processor=processor, context=context)
