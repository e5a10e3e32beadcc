package esm

import "github.com/esm-go/esm/internal/batch"

// WithBufferBytes sets the memory for records that are received and not resolved, over all partitions of the mapping in
// this process. Default 64 MiB, at least 1 MiB.
//
// What is held can exceed it, by up to two fetches of each partition, decompressed: the fetch that takes a partition over
// its share, and one that was already on its way. (librdkafka may answer several fetches at once.) The pollers of a process
// share the budget. On top of it, each poller's Kafka client holds up to as much again of what it fetches ahead, and each
// running invocation has its own copy of its records without their bytes, 128 bytes a record.
//
// A batch that cannot grow, since one of its partitions holds all that it may, is sent before BatchSize or
// MaximumBatchingWindowInSeconds is reached. New logs a warning when BatchSize records do not fit even when they are empty.
func WithBufferBytes(n int) Option {
	return optionFunc(func(o *options) {
		o.check(n >= 1<<20, "WithBufferBytes", n, "at least 1 MiB (1048576)")
		o.bufferBytes = max(n, 1<<20)
	})
}

// warnOf warns of limits that cannot both be met: a batch that has no room in the budget even when its records are empty is
// sent when the budget is full.
func (o *options) warnOf(s *settings) {
	if need := s.BatchSize * batch.RecordWeight; need > o.bufferBytes {
		o.logger.Warn("WithBufferBytes has no room for BatchSize records: batches are sent when the buffer is full",
			"BatchSize", s.BatchSize, "bufferBytes", o.bufferBytes, "need", need)
	}
}

// WithDeliverWrongKind delivers records that FilterCriteria cannot look at: text where the pattern asks for JSON, JSON
// where it asks for text, and bytes that are not UTF-8. By default such records do not match, and are filtered out.
func WithDeliverWrongKind() Option {
	return optionFunc(func(o *options) { o.deliverWrongKind = true })
}

// WithReadUncommitted delivers records of open and aborted transactions too (isolation.level read_uncommitted). Default:
// read_committed.
func WithReadUncommitted() Option {
	return optionFunc(func(o *options) { o.client.ReadUncommitted = true })
}
