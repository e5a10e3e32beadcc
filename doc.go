// Package esm runs AWS Lambda's event source mapping for self-managed Apache Kafka inside any Go process.
//
// A service describes a mapping with Lambda's own parameter names, registers a handler, and gets what Lambda gives:
// polling in a consumer group, batches by size, window and 6 MB, order per partition, commit after success, retries,
// starting positions, filters, states and error texts; and with it what Lambda keeps for provisioned mode: retry
// limits, record age, bisecting, partial batch responses.
//
//	err := esm.Run(ctx, esm.Mapping{
//		FunctionName: "orders",
//		SelfManagedEventSource: esm.SelfManagedEventSource{
//			Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"broker:9092"}},
//		},
//		Topics: []string{"orders"},
//	}, func(ctx context.Context, event esm.KafkaEvent) error {
//		for partition, records := range event.Records {
//			for _, r := range records {
//				fmt.Println(partition, r.Offset, string(r.Value))
//			}
//		}
//		return nil
//	})
//
// What could be typed into the AWS console is a field of Mapping; a Go object with behaviour is an Option.
//
// # Guarantees
//
//  1. At least once: no committed offset ever passes an unresolved record. A record is resolved when the handler
//     succeeded with it, a filter took it out, or an explicit limit of the mapping gave it up: the on-failure destination
//     has acknowledged it then, or, where there is none, it was dropped (counted, logged, told to Hooks.Drop).
//  2. In order per partition: a partition has at most one batch in flight, and a record is invoked only when all before
//     it are resolved or in the same batch.
//  3. A partition's failure stops that partition only. A batch that spans partitions is split by partition when it fails.
//  4. After a stop, what was handled is committed and nothing runs any more, or Run returns a *StuckError that names each
//     handler and call that it had to leave behind, a commit included. What those do later is never committed. It returns
//     within WithStopTimeout, whatever blocks.
//  5. A crash repeats at most the batches that were in flight or not yet committed.
//  6. No secret value is ever printed.
//
// # What a handler says
//
// Nil: done. Any error, and a panic: try again as the mapping says. Permanent: do not try again. ItemFailures: these
// records failed, the rest is done. Throttled: back off, and do not count this as an attempt. The handler's context
// outlives the context of Run by the stop timeout; InvocationFromContext gives the batch's facts.
//
// # Stopping
//
// Cancel the context of Run. Polling of new work ends at once, what is in flight is finished, what is resolved is committed,
// the member leaves the group, and Run returns: all within WithStopTimeout, 25 s by default. The contexts of handlers that
// are not done when 7 s of it are left end with the cause ErrStopping. Whatever blocks then, a handler, a hook, the client or
// a secret store, Run returns in time and names it in a *StuckError.
//
// # What is wrong
//
// A missing topic, a refused ACL, a broker that is away, a commit that fails: a Condition stands until it ends. Status lists
// them, worst first; the log has a line when one begins and when it ends, and one a minute between. Healthy turns them into
// the answer that a probe wants. Any hook, handler or goroutine may call any method of the Runner.
//
// # Clients
//
// With cgo the default driver is driver/confluent over librdkafka, without it driver/franz over franz-go, which is also
// the faster one: choose it with WithDriver(franz.Driver()). Both pass the same suite, driver/drivertest. esmtest has
// an in-memory broker whose driver works in a testing/synctest bubble, for tests of one's own.
package esm
