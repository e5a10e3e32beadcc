// Package esmotel exports mappings' traces and metrics to OpenTelemetry.
//
//	telemetry, err := esmotel.New(esmotel.WithTracerProvider(tracers), esmotel.WithMeterProvider(meters))
//	runner, err := esm.New(mapping, handler, telemetry.Options()...)
//	stop, err := telemetry.Observe(runner)
//
// The names are those of OpenTelemetry's semantic conventions 1.43.0 for messaging. The conventions for Kafka are still
// in development.
//
// Each batch has a span "process", of kind consumer, that begins before the handler and ends after it; the handler's
// context carries it. It has a link to the producer's span of each record, if the record's headers name one that the
// propagator can read; for a batch of one record that span is the parent instead. Each commit has a span "commit", with
// links to the spans of the batches that it settles. Each send to an on-failure destination wrapped by
// Telemetry.Destination has a span "send".
//
// A batch that is not sampled costs one call of the tracer: headers are read, and links and attributes created, only
// for recorded spans. So a sampler can decide by the name, the kind, messaging.destination.name, and the parent of a
// batch of one record; it sees no links and no other attributes.
//
// No span contains a record's key, value or headers.
package esmotel
