// Package esm runs AWS Lambda's event source mapping for self-managed Apache Kafka inside any Go process.
//
// A service describes a Mapping with Lambda's own parameter names, registers a Handler, and gets Lambda's polling,
// batching, ordering, commits, retries, filters, states and error texts, including provisioned mode.
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
// Whatever has a field in the AWS console is a field of Mapping. A Go object with behaviour is an Option.
//
// # Guarantees
//
//  1. At least once: no committed offset passes an unresolved record. A record is resolved when the handler has
//     succeeded with it, a filter has removed it, or a limit has given it up and its on-failure destination has
//     acknowledged it or Hooks.Drop was called. (TestGuarantee1AtLeastOnce, TestModel, TestKafkaChaos)
//  2. In order per partition: a partition has at most one batch in flight, and a record is passed to the handler only
//     when all before it are resolved or in the same batch. (TestGuarantee2Order, TestModel)
//  3. A failing partition holds up no other; a batch of several partitions is split when it fails.
//     (TestGuarantee3FailureStaysInItsPartition, TestMixedBatchIsSplit)
//  4. A stop ends within WithStopTimeout. Afterwards what was handled is committed and nothing runs, or the *StuckError
//     names what is left, which is never committed. (TestGuarantee4Stop, TestAStopIsBoundedByOneNumber)
//  5. A crash repeats at most the batches that were in flight or not yet committed.
//     (TestGuarantee5CrashRepeatsWhatWasInFlight)
//  6. No secret value is printed. (TestConfigurationsPrintNoSecret, TestNothingPrints)
//
// # Handlers
//
// A handler returns nil for success. After an error or a panic the batch is retried as the mapping says, unless
// Permanent, ItemFailures or Throttled made the error. To stop, cancel Run's context: batches in flight are finished
// and committed. Near the end of the stop timeout, handlers' contexts end with the cause ErrStopping.
//
// A lasting problem, such as a refused ACL, is a condition in Status until it ends, and can make Healthy fail. Hooks,
// handlers and other goroutines may call every method of the Runner. With cgo the default driver is driver/confluent
// (librdkafka), without cgo driver/franz (franz-go), which is faster. Package observe has the types of Status and
// hooks, esmtest an in-memory broker.
package esm
