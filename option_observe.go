package esm

import "github.com/esm-go/esm/observe/pollerlog"

// WithHeadKeys has Status show the key of the first unresolved record of each partition, as PartitionStatus.Head.Key. By
// default it has the hash of it alone: keys may be names of people, and a Status is made to be shown.
func WithHeadKeys() Option { return optionFunc(func(o *options) { o.HeadKeys = true }) }

// WithPollerLog has the mapping write the log of Lambda's poller, as LoggingConfig.SystemLogLevel says: WARN for errors
// (ESM_PROCESSING_EVENT), INFO also for each consumer when its partitions change (POLLER_STATUS_EVENT), DEBUG also for the offsets
// of each partition, each minute (KAFKA_STATUS_EVENT). Without a level nothing is written. The log of WithLogger stays as it is.
// Each WithPollerLog adds a log.
//
// The eventSourceArn is the bootstrap servers, as a self-managed cluster has no ARN. The resourceArn is what
// pollerlog.WithResourceARN makes of the mapping's UUID.
func WithPollerLog(l *pollerlog.Log) Option {
	return optionFunc(func(o *options) {
		if l != nil {
			o.WritePollers(l)
		}
	})
}
