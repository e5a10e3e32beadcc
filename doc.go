// Package esm runs AWS Lambda's event source mapping for self-managed Apache Kafka inside any Go process.
//
// A service describes a Mapping with Lambda's own parameter names, registers a Handler, and gets polling, batches, order,
// commits, retries, filters, states and error texts as Lambda gives them, provisioned mode's among them.
//
//	err := esm.Run(ctx, esm.Mapping{
//		FunctionName:           "orders",
//		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"broker:9092"}}},
//		Topics:                 []string{"orders"},
//	}, func(ctx context.Context, event esm.KafkaEvent) error {
//		fmt.Println(event.Len(), "records")
//		return nil
//	})
//
// What the AWS console has a field for is a field of Mapping. A Go object with behaviour is an Option.
//
// # Guarantees
//
//  1. At least once: no committed offset passes an unresolved record. A record is resolved when the handler succeeded
//     with it, a filter took it out, or a limit gave it up: then its on-failure destination has acknowledged it, or it was
//     dropped and Hooks.Drop called. (TestGuarantee1AtLeastOnce, TestModel, TestKafkaChaos)
//  2. In order per partition: a partition has at most one batch in flight, and a record is invoked only when all before
//     it are resolved or in the same batch. (TestGuarantee2Order, TestModel)
//  3. A failing partition stops alone; a batch of several partitions is split when it fails.
//     (TestGuarantee3FailureStaysInItsPartition, TestMixedBatchIsSplit)
//  4. A stop ends within WithStopTimeout. What was handled is committed and nothing runs any more, or the *StuckError
//     names what is left, which is never committed. (TestGuarantee4Stop, TestAStopIsBoundedByOneNumber)
//  5. A crash repeats at most the batches that were in flight or not yet committed.
//     (TestGuarantee5CrashRepeatsWhatWasInFlight)
//  6. No secret value is printed. (TestConfigurationsPrintNoSecret, TestNothingPrints)
//
// # Handlers
//
// A handler returns nil for success. After any other error, and after a panic, the batch is tried again as the mapping
// says, unless the error is made by Permanent, ItemFailures or Throttled. Cancel Run's context to stop: batches in flight are
// finished and committed. When time gets short, handlers' contexts end with the cause ErrStopping.
//
// What goes on being wrong, such as a refused ACL, is a condition in Status until it ends; Healthy answers probes by them.
// Hooks, handlers and other goroutines may call every method of the Runner.
// With cgo the default driver is driver/confluent (librdkafka), without cgo driver/franz (franz-go), which is faster.
// Package observe has what Status and hooks show, package esmtest an in-memory broker for tests.
package esm
