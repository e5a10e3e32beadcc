// Package esmotel shows mappings to OpenTelemetry: traces of what a mapping does, and its metrics.
//
//	telemetry, err := esmotel.New(esmotel.WithTracerProvider(tracers), esmotel.WithMeterProvider(meters))
//	runner, err := esm.New(mapping, handler, telemetry.Options()...)
//	stop, err := telemetry.Observe(runner)
//
// The names are those of OpenTelemetry's semantic conventions 1.43.0 for messaging, of which those for Kafka are in
// development.
//
// Each batch has a span "process", of kind consumer, that begins before the handler and ends after it; the handler's context
// carries it. It has a link to the span of the producer of each record, as far as the records' headers name one and
// the propagator reads it; the span of a batch of one record has that as its parent instead. Each commit has a span "commit",
// with links to the spans of the batches that it settles, and each send to an on-failure destination that goes through
// Telemetry.Destination has a span "send".
//
// What is not sampled costs a call of the tracer a batch: headers are read, and links and attributes made, for spans that
// are recorded alone. So a sampler decides by the name, the kind, messaging.destination.name and the parent of a batch of one;
// it sees neither links nor what else the conventions have.
//
// No span has a record's key or value, or a header.
package esmotel
