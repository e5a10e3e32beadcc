package event

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns "topic-partition", as in the records of an event.
func (tp TopicPartition) String() string { return PartitionKey(tp.Topic, tp.Partition) }
