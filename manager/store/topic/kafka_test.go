package topic_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/manager/store/topic"
)

// TestKafkaStore runs the suite on three nodes of Apache Kafka, then writes through two replicas while the topic's
// leader moves and while a node dies: no acknowledged write is lost, and none replaces a write that its writer had not
// seen.
func TestKafkaStore(t *testing.T) {
	cluster := kafkatest.Start(t, kafkatest.Nodes(3), kafkatest.Heap("320m"), kafkatest.Property("broker.session.timeout.ms", "3000"))
	t.Run("Suite", func(t *testing.T) { suite(t, cluster.Bootstrap()) })
	t.Run("LeaderMoves", func(t *testing.T) {
		name := newName()
		two := []*topic.Store{openReplicated(t, cluster, name), openReplicated(t, cluster, name)}
		count(t, two, func(written func(int)) {
			for range 6 {
				cluster.MoveLeader(t, name, 0)
				written(2)
			}
		})
	})
	t.Run("NodeDies", func(t *testing.T) {
		name := newName()
		two := []*topic.Store{openReplicated(t, cluster, name), openReplicated(t, cluster, name)}
		count(t, two, func(written func(int)) {
			cluster.Kill(t, 1)
			written(5)
			cluster.Restart(t, 1)
			written(5)
		})
	})
}

func openReplicated(t *testing.T, cluster *kafkatest.Cluster, name string) *topic.Store {
	t.Helper()
	return open(t, cluster.Bootstrap(), name, topic.WithReplicationFactor(3))
}

// count lets each store increment a number while something happens to the cluster, and compares the number with the
// acknowledged increments. A write with an unknown outcome may or may not be included. What happens calls written to wait
// until some more writes are acknowledged.
func count(t *testing.T, stores []*topic.Store, happen func(written func(n int))) {
	t.Helper()
	wrote := make(chan struct{}, 1)
	var acknowledged, unknown int
	var mu sync.Mutex
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for _, s := range stores {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := add(s)
				mu.Lock()
				switch {
				case err == nil:
					acknowledged++
					select {
					case wrote <- struct{}{}:
					default: // nobody has received the one before
					}
				case errors.Is(err, store.ErrUnknownOutcome):
					unknown++
				}
				mu.Unlock()
				if err != nil {
					t.Log(err)
				}
			}
		})
	}
	end := sync.OnceFunc(func() {
		close(stop)
		writers.Wait()
	})
	defer end() // after a Fatal too
	happen(func(n int) {
		for range n {
			select {
			case <-wrote:
			case <-time.After(2 * time.Minute):
				t.Fatal("no write succeeds any more")
			}
		}
	})
	within := time.After(2 * time.Minute)
	for _, s := range stores { // and continue afterwards
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := increment(ctx, s)
			cancel()
			if err == nil {
				mu.Lock()
				acknowledged++
				mu.Unlock()
				break
			}
			select {
			case <-within:
				t.Fatal("no write succeeds any more:", err)
			default:
			}
		}
	}
	end()
	for i, s := range stores {
		got := -1
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
			list, _, err := s.List(t.Context())
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			if got = list[0].Mapping.BatchSize; got >= acknowledged {
				break
			}
			// Wait for the next change with a Watch: a stale Put reads nothing.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_ = s.Watch(ctx, func(store.Change) {})
			cancel()
		}
		if got < acknowledged || got > acknowledged+unknown {
			t.Errorf("replica %d has %d; %d were acknowledged, %d unknown", i, got, acknowledged, unknown)
		}
	}
	t.Logf("%d acknowledged, %d unknown", acknowledged, unknown)
	if acknowledged < 10 {
		t.Error("too few writes to say anything")
	}
}

func add(s store.Store) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return increment(ctx, s)
}

// increment adds one, and retries on conflicts.
func increment(ctx context.Context, s store.Store) error {
	for {
		list, since, err := s.List(ctx)
		if err != nil {
			return err
		}
		n := 0
		for _, d := range list {
			n = d.Mapping.BatchSize
		}
		if _, err := s.Put(ctx, definition(n+1), since); !errors.Is(err, store.ErrConflict) {
			if err != nil {
				return fmt.Errorf("at %d: %w", n, err)
			}
			return nil
		}
	}
}
