// Package esm runs AWS Lambda's event source mapping for self-managed Apache Kafka inside any Go process.
//
// A service describes a Mapping with Lambda's own parameter names, registers a Handler, and gets polling, batches, order,
// commits, retries, filters, states and error texts as Lambda gives them. What Lambda keeps for provisioned mode is there too.
//
//	err := esm.Run(ctx, esm.Mapping{
//		FunctionName: "orders",
//		SelfManagedEventSource: esm.SelfManagedEventSource{
//			Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"broker:9092"}},
//		},
//		Topics: []string{"orders"},
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
//     with it, a filter took it out, or a limit of the mapping gave it up: the on-failure destination has acknowledged it
//     then or, without one, it was dropped and Hooks.Drop called. (TestGuarantee1AtLeastOnce, TestModel, TestKafkaChaos)
//  2. In order per partition: a partition has at most one batch in flight, and a record is invoked only when all before
//     it are resolved or in the same batch. (TestGuarantee2Order, TestModel)
//  3. A failing partition stops alone; a batch of several partitions is split when it fails.
//     (TestGuarantee3FailureStaysInItsPartition, TestMixedBatchIsSplit)
//  4. A stop ends within WithStopTimeout. What was handled is committed and nothing runs any more, or Run returns a
//     *StuckError that names what it left behind, which is never committed. (TestGuarantee4Stop, TestAStopIsBoundedByOneNumber)
//  5. A crash repeats at most the batches that were in flight or not yet committed.
//     (TestGuarantee5CrashRepeatsWhatWasInFlight)
//  6. No secret value is printed. (TestConfigurationsPrintNoSecret, TestNothingPrints)
//
// # Handlers
//
// A handler returns nil for success. After any other error, and after a panic, the batch is tried again as the mapping
// says, unless the error is made by Permanent, ItemFailures or Throttled. Cancel the context of Run to stop: batches in
// flight are finished and committed. Handlers' contexts end, with the cause ErrStopping, when the time gets short.
//
// What goes on being wrong, such as a missing topic or a refused ACL, is a Condition in Status until it ends; Healthy turns
// conditions into the answer for a probe. Hooks, handlers and other goroutines may call every method of the Runner.
//
// With cgo the default driver is driver/confluent (librdkafka, the client that Kafka installations know best), without cgo
// driver/franz (franz-go), which is faster. Package esmtest has an in-memory broker for tests.
package esm
