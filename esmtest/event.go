package esmtest

import (
	"strings"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/event"
)

// bootstrap is the bootstrap server of a mapping that names none.
const bootstrap = "broker.test:9092"

// Event returns the event that a mapping would deliver with these records, with offsets counting from 0 in
// each partition, so that a test can call a handler directly. Without records the event has none, which no
// mapping ever delivers.
func Event(topic string, records ...Record) esm.KafkaEvent {
	e := esm.KafkaEvent{
		EventSource: event.SourceSelfManagedKafka, BootstrapServers: bootstrap,
		Records: make(map[string][]esm.KafkaRecord),
	}
	for _, r := range records {
		key := event.PartitionKey(topic, r.Partition)
		k := r.KafkaRecord(topic)
		k.Offset = int64(len(e.Records[key]))
		e.Records[key] = append(e.Records[key], k)
	}
	return e
}

// complete fills in what a mapping needs to run on a Broker, since a test names only what matters to it. It
// removes the credentials, which a Broker does not ask for.
func complete(tb testing.TB, m esm.Mapping) esm.Mapping {
	if m.FunctionName == "" {
		m.FunctionName = "function"
	}
	if len(m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers) == 0 {
		m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{bootstrap}
	}
	if len(m.Topics) == 0 {
		m.Topics = []string{"topic"}
	}
	if err := m.Validate(); err != nil {
		fatal(tb, err)
	}
	m.SourceAccessConfigurations = nil
	return m
}

// named returns the name of the mapping's first topic, which must not be a pattern.
func named(tb testing.TB, m esm.Mapping) string {
	if strings.HasPrefix(m.Topics[0], "^") {
		fatalf(tb, "Invoke needs a topic by name, Topics begins with the pattern %q", m.Topics[0])
	}
	return m.Topics[0]
}
