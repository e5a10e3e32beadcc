package manager_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/topic"
)

// TestService and TestKafkaService run a service with two replicas that stores its mappings on the cluster that it
// reads. They take seconds: a member learns of a rebalance at its next heartbeat.
func TestService(t *testing.T) { service(t, kafkatest.Fake(t).Client) }

func TestKafkaService(t *testing.T) { service(t, kafkatest.Start(t).Client) }

func service(t *testing.T, cluster *kafkatest.Client) {
	source := cluster.NewTopic(t, 4)
	h := newHarness(t)
	replica := func() (*manager.Manager, func() error) {
		s, err := topic.Open(t.Context(), "mappings", topic.WithClient(kgo.SeedBrokers(cluster.Bootstrap()...)), topic.WithLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return h.start(s, h.handlers, manager.WithRunnerOptions(esm.WithDriver(franz.Driver()), esm.WithStopTimeout(time.Second), esm.WithSessionTimeout(6*time.Second)))
	}
	one, stopOne := replica()
	two, _ := replica()
	produce := func(n int) {
		cluster.ProduceN(t, source, n, func(i int) *kgo.Record {
			return &kgo.Record{Partition: int32(i % 4), Value: fmt.Append(nil, i)}
		})
		for got := 0; got < n; {
			select {
			case e := <-h.orders:
				got += e.Len()
			case <-time.After(time.Minute):
				t.Fatalf("%d of %d records were handled", got, n)
			}
		}
	}
	m := mapping(source)
	m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = cluster.Bootstrap()
	id := create(t, one, m)
	awaitState(t, one, id, esm.Enabled)
	awaitState(t, two, id, esm.Enabled)
	produce(40)
	if err := stopOne(); err != nil {
		t.Fatal(err)
	}
	produce(40)
	three, _ := replica() // replaces it; the mapping exists already
	<-three.Ready()
	awaitState(t, three, id, esm.Enabled)
	if _, err := three.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.BatchSize = 3; return nil }); err != nil {
		t.Fatal(err)
	}
	within(t, "the update on the other replica", func() bool {
		d, err := two.Get(id)
		return err == nil && d.Mapping.BatchSize == 3
	})
	produce(40)
	if _, err := two.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.Enabled = new(false); return nil }); err != nil {
		t.Fatal(err)
	}
	awaitState(t, two, id, esm.Disabled)
	awaitState(t, three, id, esm.Disabled)
	committed := int64(0)
	for _, offset := range cluster.Committed(t, id, source) {
		committed += offset
	}
	if committed != 120 {
		t.Errorf("the group has committed %d of 120", committed)
	}
}
