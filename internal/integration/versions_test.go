package integration

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/kafkatest"
)

// The smoke tests for brokers other than the default: what every mapping does, on each driver.
// docs/brokers.md has the table of what was tested. Each version's broker takes some seconds to start.
func TestKafkaSmokeVersions(t *testing.T) {
	for _, version := range kafkatest.OtherVersions() {
		t.Run(version, func(t *testing.T) {
			c := kafkatest.Start(t, kafkatest.Version(version))
			for name := range drivers {
				t.Run(name, func(t *testing.T) { smoke(t, newEnv(c, name)) })
			}
		})
	}
}

// smoke reads a backlog, shares the partitions with a second process that joins, continues alone when the
// first has left, and starts a group at a timestamp. Nothing is lost or repeated, and the broker's commits
// are right.
func smoke(t *testing.T, e *env) {
	const partitions = 4
	topic := e.NewTopic(t, partitions)
	all := func(n int64) map[int32]int64 { return map[int32]int64{0: n, 1: n, 2: n, 3: n} }
	e.fillAll(t, topic, partitions, 500)
	a := e.run(t, e.mapping(topic), nil)
	e.committed(t, topic, all(500), a)
	b := e.run(t, e.mapping(topic), nil)
	both(a, b)
	e.fillAll(t, topic, partitions, 500)
	e.committed(t, topic, all(1000), a, b)
	a.endClean()
	b.until("all partitions", func() bool { return len(b.owned) == partitions })
	e.fillAll(t, topic, partitions, 100)
	e.committed(t, topic, all(1100), a, b)
	b.endClean()
	wantOffsets(t, offsets(topic, a, b), every(partitions, 1100))

	topic = e.NewTopic(t, 1)
	start := time.Now().Add(-time.Hour).Truncate(time.Second)
	e.ProduceN(t, topic, 300, func(i int) *kgo.Record {
		return kafkatest.At(0, &kgo.Record{Value: []byte("v"), Timestamp: start.Add(time.Duration(i) * time.Second)})
	})
	e.group += "-at"
	p := e.run(t, from(e.mapping(topic), esm.AtTimestamp, start.Add(100*time.Second)), nil)
	e.committed(t, topic, map[int32]int64{0: 300}, p)
	p.endClean()
	wantOffsets(t, offsets(topic, p), map[int32][]int64{0: span(100, 300)})
}
