package esm

import "github.com/esm-go/esm/observe/pollerlog"

// WithHeadKeys makes Status show the key of the first unresolved record of each partition, as PartitionStatus.Head.Key.
// By default it shows only the key's hash, because a key may be personal data and a Status is meant to be shown.
func WithHeadKeys() Option { return optionFunc(func(o *options) { o.HeadKeys = true }) }

// WithPollerLog makes the mapping write the log of Lambda's poller at the level LoggingConfig.SystemLogLevel: WARN
// writes errors (ESM_PROCESSING_EVENT), INFO also each consumer whose partitions change (POLLER_STATUS_EVENT), DEBUG
// also the offsets of each partition every minute (KAFKA_STATUS_EVENT). Without a level nothing is written. The log of
// WithLogger is not affected. Each WithPollerLog adds a log.
//
// The eventSourceArn holds the bootstrap servers, because a self-managed cluster has no ARN. The resourceArn is the
// result of pollerlog.WithResourceARN for the mapping's UUID.
func WithPollerLog(l *pollerlog.Log) Option {
	return optionFunc(func(o *options) {
		if l != nil {
			o.WritePollers(l)
		}
	})
}
