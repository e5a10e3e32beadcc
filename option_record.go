package esm

// WithBufferBytes sets the memory for records that are received and not yet resolved, for all partitions of the mapping
// in this process. Default 64 MiB, at least 1 MiB.
//
// The records held can exceed it by up to two fetches of each partition, decompressed: the fetch that takes a partition
// over its share, and one that was already on its way. (librdkafka may answer several fetches at once.) The pollers of
// a process share the budget. In addition, each poller's Kafka client prefetches up to the same amount again, and each
// running invocation has its own copy of its records without their bytes: 128 bytes a record.
//
// When one of a batch's partitions has used up its share, the batch cannot grow and is sent before BatchSize or
// MaximumBatchingWindowInSeconds is reached. New logs a warning when BatchSize records do not fit even if they are
// empty.
func WithBufferBytes(n int) Option {
	return optionFunc(func(o *options) {
		o.Check(n >= 1<<20, "WithBufferBytes", n, "at least 1 MiB (1048576)")
		o.BufferBytes = max(n, 1<<20)
	})
}

// WithDeliverWrongKind delivers records that FilterCriteria cannot be applied to: text where the pattern asks for JSON,
// JSON where it asks for text, and bytes that are not UTF-8. By default such records do not match and are filtered out.
func WithDeliverWrongKind() Option {
	return optionFunc(func(o *options) { o.DeliverWrongKind = true })
}

// WithReadUncommitted delivers records of open and aborted transactions too (isolation.level read_uncommitted). Default:
// read_committed.
func WithReadUncommitted() Option {
	return optionFunc(func(o *options) { o.Client.ReadUncommitted = true })
}
