// Package storetest has the test suite that every store of a manager passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/mapping"
)

// Opened is a store under test.
type Opened struct {
	Store store.Store
	// Second, if not nil, opens the same store at the same time, as another process would.
	Second func(t *testing.T) store.Store
	// Reopen, if not nil, closes the store and opens it again, as after a restart.
	Reopen func(t *testing.T) store.Store
}

// patience bounds a wait in the suite.
const patience = 60 * time.Second

// Run runs the suite. open is called for each test and returns an empty store.
func Run(t *testing.T, open func(t *testing.T) Opened) {
	for name, test := range map[string]func(*testing.T, Opened){
		"Empty": testEmpty, "PutListDelete": testPutListDelete, "Conflicts": testConflicts, "RoundTrip": testRoundTrip, "Watch": testWatch,
		"WatchEnds": testWatchEnds, "CancelledContext": testCancelled, "ConcurrentWriters": testConcurrentWriters, "Model": testModel,
		"SecondProcess": testSecond, "TwoWriters": testTwoWriters, "Reopen": testReopen,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// definition returns a small definition; batchSize tells two of them apart.
func definition(n, batchSize int) store.Definition {
	return store.Definition{
		Mapping: esm.Mapping{
			UUID: id(n), FunctionName: "f", Topics: []string{"t"}, BatchSize: batchSize,
			SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:1"}}},
		},
		LastModified: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
	}
}

// state returns the batch size of each mapping according to List.
func state(t testing.TB, s store.Store) (map[string]int, store.Revision) {
	t.Helper()
	list, revision, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int)
	for _, d := range list {
		got[d.Mapping.UUID] = d.Mapping.BatchSize
	}
	if !slices.IsSortedFunc(list, func(a, b store.Definition) int {
		if a.Mapping.UUID < b.Mapping.UUID {
			return -1
		}
		return 1
	}) {
		t.Error("List is not in the order of UUIDs")
	}
	return got, revision
}

func put(t testing.TB, s store.Store, d store.Definition) store.Revision {
	t.Helper()
	_, since, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Put(t.Context(), d, since)
	if err != nil {
		t.Fatal(err)
	}
	if r <= since {
		t.Errorf("a write at revision %d has revision %d", since, r)
	}
	return r
}

func testEmpty(t *testing.T, o Opened) {
	if got, revision := state(t, o.Store); len(got) != 0 || revision != 0 {
		t.Errorf("an empty store has %v at revision %d", got, revision)
	}
}

func testPutListDelete(t *testing.T, o Opened) {
	put(t, o.Store, definition(2, 20))
	put(t, o.Store, definition(1, 10))
	last := put(t, o.Store, definition(1, 11))
	if got, revision := state(t, o.Store); fmt.Sprint(got) != fmt.Sprint(map[string]int{id(1): 11, id(2): 20}) || revision != last {
		t.Errorf("got %v at revision %d, the last write was %d", got, revision, last)
	}
	r, err := o.Store.Delete(t.Context(), id(2), last)
	if err != nil || r <= last {
		t.Fatal(r, err)
	}
	if got, revision := state(t, o.Store); fmt.Sprint(got) != fmt.Sprint(map[string]int{id(1): 11}) || revision != r {
		t.Errorf("after a deletion at %d: %v at %d", r, got, revision)
	}
	put(t, o.Store, definition(2, 21))
	if got, _ := state(t, o.Store); got[id(2)] != 21 {
		t.Errorf("put again after a deletion: %v", got)
	}
}

func testConflicts(t *testing.T, o Opened) {
	first := put(t, o.Store, definition(1, 1))
	second := put(t, o.Store, definition(2, 2))
	for name, write := range map[string]func() (store.Revision, error){
		"Put at an old revision":      func() (store.Revision, error) { return o.Store.Put(t.Context(), definition(1, 9), first) },
		"Put at 0":                    func() (store.Revision, error) { return o.Store.Put(t.Context(), definition(3, 9), 0) },
		"Put at a revision to come":   func() (store.Revision, error) { return o.Store.Put(t.Context(), definition(3, 9), second+100) },
		"Delete at an old revision":   func() (store.Revision, error) { return o.Store.Delete(t.Context(), id(1), first) },
		"Delete of what is not there": func() (store.Revision, error) { return o.Store.Delete(t.Context(), id(7), second) },
	} {
		if _, err := write(); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", name, err)
		}
	}
	if got, revision := state(t, o.Store); fmt.Sprint(got) != fmt.Sprint(map[string]int{id(1): 1, id(2): 2}) || revision != second {
		t.Errorf("refused writes left %v at %d", got, revision)
	}
}

// full returns a mapping with every parameter set.
func full() esm.Mapping {
	m := definition(5, 55).Mapping
	m.Enabled, m.StartingPosition, m.StartingPositionTimestamp = new(false), esm.AtTimestamp, time.Unix(1700000000, 123e6).UTC()
	m.SourceAccessConfigurations = []esm.SourceAccessConfiguration{{Type: auth.BasicAuth, URI: "arn:aws:secretsmanager:us-east-1:123456789012:secret:s"}}
	m.SelfManagedKafkaEventSourceConfig = &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: "Grüße 日本"}
	m.MaximumBatchingWindowInSeconds, m.MaximumRetryAttempts, m.MaximumRecordAgeInSeconds = new(0), new(-1), new(60)
	m.BisectBatchOnFunctionError, m.FunctionResponseTypes = true, []esm.FunctionResponseType{esm.ReportBatchItemFailures}
	m.FilterCriteria = &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":{"a":[{"numeric":[">",1,"<=",2]}]}}`}}}
	m.DestinationConfig = &esm.DestinationConfig{OnFailure: &esm.Destination{Destination: "kafka://failed"}}
	m.ProvisionedPollerConfig = &esm.ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(3), PollerGroupName: "g"}
	m.KMSKeyArn, m.MetricsConfig = "arn:aws:kms:eu-central-1:123456789012:key/k", &mapping.MetricsConfig{Metrics: []string{"EventCount"}}
	m.LoggingConfig, m.Tags = &mapping.LoggingConfig{SystemLogLevel: "INFO"}, map[string]string{"team": "x", "Maß": "µ"}
	return m
}

func testRoundTrip(t *testing.T, o Opened) {
	want := full()
	d := definition(5, 55)
	d.Mapping = full()
	r := put(t, o.Store, d)
	d.Mapping.Tags["team"], d.Mapping.Topics[0] = "changed", "changed"
	for range 2 {
		list, _, err := o.Store.List(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		got := list[0]
		if fmt.Sprint(asJSON(t, got.Mapping)) != fmt.Sprint(asJSON(t, want)) {
			t.Errorf("stored %s\nwant %s", asJSON(t, got.Mapping), asJSON(t, want))
		}
		if !got.LastModified.Equal(d.LastModified) || got.Revision != r {
			t.Errorf("LastModified %v revision %d, want %v %d", got.LastModified, got.Revision, d.LastModified, r)
		}
		got.Mapping.Tags["team"], got.Mapping.Topics[0] = "changed", "changed" // the copy belongs to the caller
	}
}

func asJSON(t testing.TB, m esm.Mapping) string {
	t.Helper()
	b, err := m.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func testCancelled(t *testing.T, o Opened) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := o.Store.Put(ctx, definition(1, 1), 0); err == nil {
		t.Error("Put with an ended context succeeds")
	}
	if got, _ := state(t, o.Store); len(got) != 0 {
		t.Errorf("and has written %v", got)
	}
}

// increment adds one to a mapping's batch size, and retries on conflicts.
func increment(ctx context.Context, s store.Store) error {
	for {
		list, since, err := s.List(ctx)
		if err != nil {
			return err
		}
		n := 0
		for _, d := range list {
			if d.Mapping.UUID == id(1) {
				n = d.Mapping.BatchSize
			}
		}
		_, err = s.Put(ctx, definition(1, n+1), since)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		return err
	}
}

func testConcurrentWriters(t *testing.T, o Opened) { incrementBy(t, o.Store, o.Store) }

func testTwoWriters(t *testing.T, o Opened) {
	if o.Second == nil {
		t.Skip("the store belongs to one process")
	}
	incrementBy(t, o.Store, o.Second(t))
}

// incrementBy checks that no increment of independent writers is lost.
func incrementBy(t *testing.T, stores ...store.Store) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	const each = 5
	var writers sync.WaitGroup
	for _, s := range stores {
		for range 2 {
			writers.Go(func() {
				for range each {
					if err := increment(ctx, s); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	writers.Wait()
	for i, s := range stores {
		follow(t, s).await(t, map[string]int{id(1): 2 * each * len(stores)})
		_ = i
	}
}

// testModel compares a store with a map, through a script of good and stale writes.
func testModel(t *testing.T, o Opened) {
	type step struct{ Delete, Stale, N, Size int }
	script := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{rapid.IntRange(0, 2).Draw(t, "delete"), rapid.IntRange(0, 3).Draw(t, "stale"), rapid.IntRange(1, 4).Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "size")}
	}), 40, 40).Example()
	f := follow(t, o.Store)
	model := make(map[string]int)
	_, revision := state(t, o.Store)
	for i, s := range script {
		since, want := revision, error(nil)
		if s.Stale == 0 && revision > 0 {
			since, want = since-1, store.ErrConflict
		}
		var r store.Revision
		var err error
		if s.Delete == 0 {
			if _, there := model[id(s.N)]; !there {
				want = store.ErrConflict
			}
			r, err = o.Store.Delete(t.Context(), id(s.N), since)
		} else {
			r, err = o.Store.Put(t.Context(), definition(s.N, s.Size), since)
		}
		if !errors.Is(err, want) {
			t.Fatalf("step %d %+v: %v, want %v", i, s, err, want)
		}
		if err != nil {
			continue
		}
		if revision = r; s.Delete == 0 {
			delete(model, id(s.N))
		} else {
			model[id(s.N)] = s.Size
		}
		if got, at := state(t, o.Store); fmt.Sprint(got) != fmt.Sprint(model) || at != revision {
			t.Fatalf("step %d %+v: %v at %d, want %v at %d", i, s, got, at, model, revision)
		}
	}
	f.await(t, model)
}

func testSecond(t *testing.T, o Opened) {
	if o.Second == nil {
		t.Skip("the store belongs to one process")
	}
	put(t, o.Store, definition(1, 1))
	other := o.Second(t)
	f := follow(t, other)
	f.await(t, map[string]int{id(1): 1})
	put(t, o.Store, definition(2, 2))
	f.await(t, map[string]int{id(1): 1, id(2): 2})
	mine := follow(t, o.Store)
	put(t, other, definition(1, 5))
	mine.await(t, map[string]int{id(1): 5, id(2): 2})
	put(t, o.Store, definition(2, 6))
	f.await(t, map[string]int{id(1): 5, id(2): 6})
}

func testReopen(t *testing.T, o Opened) {
	if o.Reopen == nil {
		t.Skip("the store keeps nothing")
	}
	put(t, o.Store, definition(1, 1))
	r := put(t, o.Store, definition(2, 2))
	if _, err := o.Store.Delete(t.Context(), id(1), r); err != nil {
		t.Fatal(err)
	}
	again := o.Reopen(t)
	if got, _ := state(t, again); fmt.Sprint(got) != fmt.Sprint(map[string]int{id(2): 2}) {
		t.Errorf("after a restart: %v", got)
	}
	put(t, again, definition(2, 3))
	if got, _ := state(t, again); got[id(2)] != 3 {
		t.Errorf("and after a write: %v", got)
	}
}
