package topic_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/manager/store/storetest"
	"github.com/esm-go/esm/manager/store/topic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var topics atomic.Int64

func newName() string { return fmt.Sprintf("mappings-%d", topics.Add(1)) }

func open(t *testing.T, bootstrap []string, name string, opts ...topic.Option) *topic.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := topic.Open(ctx, name, append(opts, topic.WithClient(kgo.SeedBrokers(bootstrap...)), topic.WithLogger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func suite(t *testing.T, bootstrap []string) {
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		name := newName()
		s := open(t, bootstrap, name)
		return storetest.Opened{
			Store:  s,
			Second: func(t *testing.T) store.Store { return open(t, bootstrap, name) },
			Reopen: func(t *testing.T) store.Store {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				return open(t, bootstrap, name)
			},
		}
	})
}

func TestStore(t *testing.T) { suite(t, kafkatest.Fake(t).Bootstrap()) }

const uuid = "00000000-0000-4000-8000-000000000001"

func definition(batchSize int) store.Definition {
	return store.Definition{Mapping: esm.Mapping{
		UUID: uuid, FunctionName: "f", Topics: []string{"t"}, BatchSize: batchSize,
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:1"}}},
	}}
}

// TestRefusedTopics: a topic that would lose mappings, or reorder their changes, is rejected.
func TestRefusedTopics(t *testing.T) {
	cluster := kafkatest.Fake(t)
	for name, test := range map[string]struct {
		partitions int
		configs    []string
		want       string
	}{
		"two partitions": {2, []string{"cleanup.policy=compact"}, "has 2 partitions"},
		"deletes":        {1, []string{"cleanup.policy=delete"}, "cleanup.policy=delete"},
		"deletes too":    {1, []string{"cleanup.policy=compact,delete"}, "cleanup.policy=compact,delete"},
	} {
		t.Run(name, func(t *testing.T) {
			name := newName()
			cluster.CreateTopic(t, name, test.partitions, test.configs...)
			_, err := topic.Open(t.Context(), name, topic.WithClient(kgo.SeedBrokers(cluster.Bootstrap()...)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// TestNewerRecord: a record that a newer version wrote is reported, kept, and not overwritten.
func TestNewerRecord(t *testing.T) {
	cluster := kafkatest.Fake(t)
	name := newName()
	s := open(t, cluster.Bootstrap(), name)
	cluster.Produce(t, &kgo.Record{Topic: name, Key: []byte(uuid), Value: []byte(`{"FormatVersion":2,"UUID":"` + uuid + `"}`)})
	told := make(chan store.Change, 10)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, func(c store.Change) { told <- c }) }()
	for c := range told {
		if c.Problem != nil {
			if !errors.Is(c.Problem, store.ErrNewerVersion) {
				t.Error(c.Problem)
			}
			break
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), definition(1), 0); !errors.Is(err, store.ErrNewerVersion) {
		t.Errorf("a Put over it: %v", err)
	}
}
