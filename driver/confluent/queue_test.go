//go:build cgo && linux

package confluent

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Where this fails after an update of confluent-kafka-go, records are read one by one: right, and half as fast.
func TestTheQueueIsRead(t *testing.T) {
	client, err := kafka.NewConsumer(&kafka.ConfigMap{"group.id": "g", "bootstrap.servers": "localhost:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	q := newQueue(client)
	if q == nil {
		t.Fatal("no queue: the client has other fields, or librdkafka's functions are not linked in")
	}
	q.free()
}

func TestHandlesOfAnotherKindAreNotTaken(t *testing.T) {
	type _Ctype_struct_rd_kafka_s struct{}
	for name, c := range map[string]struct {
		value any
		want  bool
	}{
		"another struct": {new(bytes.Buffer), false},
		"no pointer":     {7, false},
		"nil":            {(*_Ctype_struct_rd_kafka_s)(nil), false},
		"it":             {new(_Ctype_struct_rd_kafka_s), true},
	} {
		if got := pointsTo(reflect.ValueOf(c.value), "rd_kafka_s"); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
