package functest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/event"
)

// Journal returns a function that records in dir what it has handled. The first time that it sees a record with the value
// "fail", "item" or, if die is not nil, "die", it fails in that way. testdata/journal.py of package runtime is the same in
// Python.
func Journal(dir string, die func()) func(e esm.KafkaEvent) (map[string]any, error) {
	var mu sync.Mutex
	return func(e esm.KafkaEvent) (map[string]any, error) {
		mu.Lock()
		defer mu.Unlock()
		failures := []any{}
		for key, records := range e.Records {
			for _, r := range records {
				verb := string(r.Value)
				if verb != "ok" {
					f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s.%d", key, r.Offset)), os.O_CREATE|os.O_EXCL, 0o600)
					if err == nil {
						_ = f.Close()
						switch {
						case verb == "item":
							failures = append(failures, map[string]any{"itemIdentifier": r.ItemID()})
							continue
						case verb == "die" && die != nil:
							die()
						default:
							return nil, errors.New("the first time")
						}
					}
				}
				if err := note(dir, key, r.Offset); err != nil {
					return nil, err
				}
			}
		}
		return map[string]any{"batchItemFailures": failures}, nil
	}
}

func note(dir, key string, offset int64) error {
	f, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %d\n", key, offset)
	return errors.Join(err, f.Close())
}

// handled reads the journal: for each partition, the offsets in the order in which they were handled.
func handled(tb testing.TB, dir string) map[string][]int64 {
	text, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		tb.Error(err)
	}
	all := make(map[string][]int64)
	for line := range strings.Lines(string(text)) {
		var key string
		var offset int64
		if _, err := fmt.Sscan(line, &key, &offset); err != nil {
			tb.Errorf("journal: %q", line)
		}
		all[key] = append(all[key], offset)
	}
	return all
}

// Invariants runs a mapping with a handler whose function records in dir what it handles; some records fail at first.
// It checks the guarantees against the journal, which only the function writes: no commit passes a record that was not
// handled, records are handled in the order of their partition, and in the end all are handled.
func Invariants(t *testing.T, dir string, handler esm.Handler, batch int, verbs ...string) {
	t.Helper()
	const partitions, each = 3, 12
	b := esmtest.NewBroker(t, esmtest.OnCommit(func(c esmtest.CommitInfo) {
		key := event.PartitionKey(c.Topic, c.Partition)
		seen := make(map[int64]bool)
		for _, o := range handled(t, dir)[key] {
			seen[o] = true
		}
		for o := range c.Offset {
			if !seen[o] {
				t.Errorf("%s is committed at %d, past %d, which was not handled", key, c.Offset, o)
			}
		}
	}))
	b.CreateTopic("t", partitions)
	rng := rand.New(rand.NewPCG(1, uint64(batch)))
	for p := range int32(partitions) {
		for range each {
			value := "ok"
			if rng.IntN(3) == 0 {
				value = verbs[rng.IntN(len(verbs))]
			}
			b.Produce("t", esmtest.Record{Partition: p, Value: []byte(value)})
		}
	}
	m := esm.Mapping{FunctionName: "journal", Topics: []string{"t"}, StartingPosition: esm.TrimHorizon, BatchSize: batch,
		SelfManagedEventSource:         esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"broker.test:9092"}}},
		MaximumBatchingWindowInSeconds: new(0), FunctionResponseTypes: []esm.FunctionResponseType{esm.ReportBatchItemFailures}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- esm.Run(ctx, m, handler, esmtest.Option(b), esm.WithRetryBackoff(1, 1), esm.WithLogger(Quiet))
	}()
	Eventually(t, "everything is committed", func() bool {
		for p := range int32(partitions) {
			if b.Committed(m.GroupID(), "t", p).Offset < each {
				return false
			}
		}
		return true
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for p := range int32(partitions) {
		next := int64(0)
		for _, o := range handled(t, dir)[event.PartitionKey("t", p)] {
			if batch == 1 && o > next {
				t.Errorf("partition %d: %d was handled where %d was due", p, o, next)
			}
			next = max(next, o+1)
		}
		if next != each {
			t.Errorf("partition %d was handled up to %d", p, next)
		}
	}
}
