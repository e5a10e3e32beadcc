package main

import (
	"context"
	"slices"
)

// contestant is one way to consume a topic with a group. run starts at the topic's beginning, reports every
// batch to the meter, and returns when ctx has ended.
type contestant struct {
	name string
	// label describes it in the report.
	label string
	// peer is its category in the chart: esm, bare, hand or peer.
	peer string
	// batches reports that the batch size applies to it.
	batches bool
	// byPartition reports that it fills batches of one partition each.
	byPartition bool
	// kafkaOnly reports that it cannot run against the in-process broker.
	kafkaOnly bool
	run       func(context.Context, job, *meter) error
}

// contestants returns all of them, in the order of the report.
func contestants() []contestant {
	return []contestant{
		{name: "franz-bare", label: "franz-go, bare loop, no commits", peer: "bare", run: franzBare},
		{name: "esm-franz", label: "**esm**, franz driver", peer: "esm", batches: true, run: esmFranz},
		{name: "franz-hand", label: "franz-go: collect, handle, commit", peer: "hand", batches: true, run: franzHand},
		{name: "confluent-bare", label: "confluent-kafka-go, bare loop, no commits", peer: "bare", run: confluentBare},
		{name: "esm-confluent", label: "**esm**, confluent driver", peer: "esm", batches: true, run: esmConfluent},
		{name: "confluent-hand", label: "confluent-kafka-go: collect, handle, commit", peer: "hand", batches: true, run: confluentHand},
		{name: "sarama", label: "sarama group: collect, handle, mark; commits each second", peer: "peer", batches: true, byPartition: true, run: saramaMarked},
		{name: "sarama-hand", label: "sarama group: collect, handle, commit", peer: "hand", batches: true, byPartition: true, run: saramaHand},
		{name: "segmentio", label: "segmentio group reader: collect, handle; commits each second", peer: "peer", batches: true, run: segmentioInterval},
		{name: "segmentio-hand", label: "segmentio group reader: collect, handle, commit", peer: "hand", batches: true, run: segmentioHand},
		{name: "watermill", label: "watermill-kafka: one message, handle, ack", peer: "peer", run: watermillAck},
		{name: javaName, label: "Apache Kafka's ConsumerPerformance (Java)", peer: "peer", kafkaOnly: true},
	}
}

const javaName = "java"

func contestantNamed(name string) (contestant, bool) {
	all := contestants()
	i := slices.IndexFunc(all, func(c contestant) bool { return c.name == name })
	if i < 0 {
		return contestant{}, false
	}
	return all[i], true
}
