package event

// ItemID names one record of an event: Lambda's itemIdentifier in a Kafka partial batch response. Unlike that of SQS
// and Kinesis it is an object. Its JSON is Lambda's: {"partition":"topic-0","offset":100}.
type ItemID struct {
	// Partition is the key of the record's partition in KafkaEvent.Records: "topic-partition".
	Partition string `json:"partition"`
	// Offset is the record's offset.
	Offset int64 `json:"offset"`
}

// ItemID returns the identifier of the record, for a partial batch response.
func (r *KafkaRecord) ItemID() ItemID {
	return ItemID{Partition: PartitionKey(r.Topic, r.Partition), Offset: r.Offset}
}
