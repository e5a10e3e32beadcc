// Package redrive brings failures back from a mapping's on-failure destination. It reads them, and passes their records
// to a handler again, writes them to a Kafka topic, or posts them to a URL.
//
//	source, err := redrive.FromTopic(ctx, redrive.TopicConfig{Connection: cluster, Topic: "orders-failed"})
//	…
//	report, err := redrive.Run(ctx, source, redrive.Handler(handle), redrive.Options{})
//
// # What is guaranteed
//
// A failure leaves its source only after its records have been processed: a topic's failure by the commit of a group, a
// queue's by deleting its message, a bucket's by moving its object. A failure that fails again goes back with an
// increased count, and one that the filter does not choose stays. Run can be stopped at any time, and the next run
// continues where it stopped; records in flight at that time are brought back again. Everything is therefore brought
// back at least once.
//
// # Where the records come from
//
// Failures in a Kafka topic or an S3 bucket contain their records: topic, partition, offset, key, headers and timestamp
// are passed on unchanged. Failures in an SQS queue only name their records, which are read again from the source
// topic, see [Options.Records]. The destinations of this module put the exact offsets into a message attribute. A
// message without it, such as one from AWS Lambda, is used only if its range has no gap; otherwise some records in the
// range may have been handled or filtered out. Records that retention has deleted in the meantime are counted and
// reported.
package redrive
