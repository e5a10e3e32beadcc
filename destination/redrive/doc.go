// Package redrive brings failures back from where a mapping's on-failure destination keeps them: it reads them, and
// hands their records to a handler again, writes them to a Kafka topic or posts them to a URL.
//
//	source, err := redrive.FromTopic(ctx, redrive.TopicConfig{Connection: cluster, Topic: "orders-failed"})
//	…
//	report, err := redrive.Run(ctx, source, redrive.Handler(handle), redrive.Options{})
//
// # What is kept
//
// A failure leaves its source only when its records were taken: a topic's by the commit of a group, a queue's by
// deleting its message, a bucket's by moving its object. One that fails again goes back with its count, and one that the
// filter passes over stays. Run can be stopped at any time and goes on where it was; what was under way then is brought
// back again. So everything is brought back at least once.
//
// # Where the records come from
//
// The failures of a Kafka topic and of an S3 bucket have their records in them: topic, partition, offset, key, headers
// and timestamp are handed over as they were. Those of an SQS queue name them, and they are read again from the source
// topic, see [Options.Records]: the exact ones, for which the destinations of this module leave their offsets in a message
// attribute. A message without it, as AWS Lambda writes them, is taken only where its range has no gap; otherwise records
// in it may have been handled or filtered out. What retention took meanwhile is counted and told.
package redrive
