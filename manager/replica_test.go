package manager_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/manager/store/memory"
	"github.com/esm-go/esm/manager/store/topic"
)

// replicaVariable makes the test binary a replica on these servers.
const replicaVariable = "ESM_TEST_REPLICA"

// replica runs one replica of a service: it prints what it handles, one line per record, and creates a mapping for each
// topic that it reads from its input.
func replica(servers string) error {
	s, err := topic.Open(context.Background(), "definitions", topic.WithClient(kgo.SeedBrokers(strings.Split(servers, ",")...)), topic.WithReplicationFactor(3))
	if err != nil {
		return err
	}
	m, err := newReplica(s, func(e esm.KafkaEvent) {
		for _, records := range e.Records {
			for _, r := range records {
				fmt.Println("handled", string(r.Value))
			}
		}
	})
	if err != nil {
		return err
	}
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			<-m.Ready()
			if d, err := m.Create(context.Background(), replicaMapping(servers, lines.Text())); err != nil {
				fmt.Fprintln(os.Stderr, err)
			} else {
				fmt.Println("created", d.Mapping.UUID)
			}
		}
	}()
	return m.Run(context.Background()) // until it is killed
}

func newReplica(s *topic.Store, handled func(esm.KafkaEvent)) (*manager.Manager, error) {
	return manager.New(s, manager.Handlers{"orders": func(_ context.Context, e esm.KafkaEvent) error {
		handled(e)
		return nil
	}}, manager.WithLogger(slog.New(slog.DiscardHandler)),
		manager.WithRunnerOptions(esm.WithDriver(franz.Driver()), esm.WithSessionTimeout(6*time.Second), esm.WithStopTimeout(5*time.Second)))
}

func replicaMapping(servers, topic string) esm.Mapping {
	m := mapping(topic)
	m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = strings.Split(servers, ",")
	m.StartingPosition = esm.TrimHorizon
	return m
}

// TestKafkaReplicaKilled runs two replicas on three nodes of Apache Kafka, one of them a process that is killed while
// leaders move: a mapping created through either replica runs on both, and every record is handled.
func TestKafkaReplicaKilled(t *testing.T) {
	cluster := kafkatest.Start(t, kafkatest.Nodes(3), kafkatest.Heap("320m"), kafkatest.Property("group.initial.rebalance.delay.ms", "0"),
		kafkatest.Property("group.min.session.timeout.ms", "1000"))
	servers := strings.Join(cluster.Bootstrap(), ",")
	s, err := topic.Open(t.Context(), "definitions", topic.WithClient(kgo.SeedBrokers(cluster.Bootstrap()...)), topic.WithReplicationFactor(3))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	handled := make(map[string]bool)
	var ours, theirs int
	m, err := newReplica(s, func(e esm.KafkaEvent) {
		mu.Lock()
		defer mu.Unlock()
		for _, records := range e.Records {
			for _, r := range records {
				handled[string(r.Value)] = true
				ours++
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("Run:", err)
		}
		if err := s.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	<-m.Ready()

	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), replicaVariable+"="+servers)
	other.Stderr = os.Stderr
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	created := make(chan string, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, value, _ := strings.Cut(lines.Text(), " ")
			if what == "created" {
				created <- value
				continue
			}
			mu.Lock()
			handled[value] = true
			theirs++
			mu.Unlock()
		}
	})
	kill := sync.OnceFunc(func() {
		_ = other.Process.Kill()
		reading.Wait()
		var exit *exec.ExitError
		if err := other.Wait(); !errors.As(err, &exit) {
			t.Error("the replica ended with", err)
		}
	})
	t.Cleanup(kill)

	first, second := cluster.NewTopic(t, 4), cluster.NewTopic(t, 4)
	if _, err := m.Create(t.Context(), replicaMapping(servers, first)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, second+"\n"); err != nil {
		t.Fatal(err)
	}
	id := <-created
	within(t, "the mapping that the other made", func() bool {
		d, err := m.Get(id)
		return err == nil && d.State == esm.Enabled
	})
	made := 0
	produce := func(n int) {
		t.Helper()
		for _, name := range []string{first, second} {
			cluster.ProduceN(t, name, n, func(i int) *kgo.Record {
				return kafkatest.At(int32(i%4), &kgo.Record{Value: fmt.Appendf(nil, "%s/%d", name, made+i)})
			})
		}
		made += n
	}
	all := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(handled) == 2*made
	}
	within(t, "both at work", func() bool {
		produce(8)
		mu.Lock()
		defer mu.Unlock()
		return ours > 0 && theirs > 0
	})
	produce(100)
	cluster.MoveLeader(t, "definitions", 0)
	cluster.MoveLeader(t, first, 0)
	produce(100)
	kill()
	cluster.MoveLeader(t, second, 1)
	produce(100)
	deadline := time.Now().Add(2 * time.Minute)
	for !all() && time.Now().Before(deadline) {
		produce(4) // and new records
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		<-ctx.Done()
		cancel()
	}
	if !all() {
		mu.Lock()
		t.Errorf("%d of %d records were handled; %d by the replica that lives", len(handled), 2*made, ours)
		mu.Unlock()
	}
	if list, _ := m.List(manager.Filter{}); len(list) != 2 {
		t.Errorf("%d mappings are left", len(list))
	}
}

// TestReplicas: a mapping created through one replica runs on the other; when one dies nothing is lost; the same
// mapping created through both at the same time exists once.
func TestReplicas(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		s := memory.New()
		replicas(t, s, s)
	})
	t.Run("topic", func(t *testing.T) {
		bootstrap := kafkatest.Fake(t).Bootstrap()
		open := func() store.Store {
			s, err := topic.Open(t.Context(), "mappings", topic.WithClient(kgo.SeedBrokers(bootstrap...)), topic.WithLogger(slog.New(slog.DiscardHandler)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		replicas(t, open(), open())
	})
}

func replicas(t *testing.T, storeOne, storeTwo store.Store) {
	h := newHarness(t)
	one, stopOne := h.start(storeOne, h.handlers)
	two, _ := h.start(storeTwo, h.handlers)
	results := make(chan error, 2)
	for _, m := range []*manager.Manager{one, two} {
		go func() {
			_, err := m.Create(context.Background(), mapping("orders"))
			results <- err
		}()
	}
	var conflict *manager.ConflictError
	if a, b := <-results, <-results; (a == nil) == (b == nil) || !errors.As(errors.Join(a, b), &conflict) {
		t.Fatal(a, b)
	}
	id := conflict.UUID
	awaitState(t, one, id, esm.Enabled)
	awaitState(t, two, id, esm.Enabled)
	if n := len(h.broker.Members(id)); n != 2 {
		t.Errorf("%d members", n)
	}
	h.delivered("orders", "a", "b", "c")
	if err := stopOne(); err != nil {
		t.Fatal(err)
	}
	h.delivered("orders", "d", "e")
	if _, err := two.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Create(t.Context(), mapping("orders")); !errors.Is(err, manager.ErrNotRunning) {
		t.Errorf("a Manager that has stopped: %v", err)
	}
}
