package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/manager/store"
)

// follower collects what a Watch reports.
type follower struct {
	mu      sync.Mutex
	state   map[string]int
	changes []store.Change
	marked  bool
	moved   chan struct{}
}

func follow(t *testing.T, s store.Store) *follower {
	t.Helper()
	f := &follower{state: make(map[string]int), moved: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, f.told) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Error("Watch:", err)
			}
		case <-time.After(patience):
			t.Error("Watch goes on after the end of its context")
		}
	})
	return f
}

func (f *follower) told(c store.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, c)
	switch {
	case c.UUID == "":
		f.marked = true
	case c.Definition == nil:
		delete(f.state, c.UUID)
	default:
		f.state[c.UUID] = c.Definition.Mapping.BatchSize
	}
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// await waits until the follower has the wanted state.
func (f *follower) await(t testing.TB, want map[string]int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		f.mu.Lock()
		now, marked := fmt.Sprint(f.state), f.marked
		f.mu.Unlock()
		if marked && now == fmt.Sprint(want) {
			return
		}
		select {
		case <-f.moved:
		case <-deadline:
			t.Fatalf("the follower has %s, want %v", now, want)
		}
	}
}

func testWatch(t *testing.T, o Opened) {
	put(t, o.Store, definition(1, 1))
	r := put(t, o.Store, definition(2, 2))
	if _, err := o.Store.Delete(t.Context(), id(1), r); err != nil {
		t.Fatal(err)
	}
	f := follow(t, o.Store)
	f.await(t, map[string]int{id(2): 2})
	r = put(t, o.Store, definition(3, 3))
	f.await(t, map[string]int{id(2): 2, id(3): 3})
	if _, err := o.Store.Delete(t.Context(), id(2), r); err != nil {
		t.Fatal(err)
	}
	f.await(t, map[string]int{id(3): 3})
	f.mu.Lock()
	defer f.mu.Unlock()
	last, marks := store.Revision(0), 0
	for _, c := range f.changes {
		if c.UUID == "" {
			marks++
			continue
		}
		if c.Revision <= last {
			t.Errorf("revision %d is told after %d", c.Revision, last)
		}
		if marks == 0 && (c.UUID == id(1) || c.Definition == nil) {
			t.Errorf("before the mark it tells of what is gone: %v", c)
		}
		last = c.Revision
	}
	if marks == 0 {
		t.Error("no mark")
	}
}

func testWatchEnds(t *testing.T, o Opened) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := o.Store.Watch(ctx, func(store.Change) {}); err != nil {
		t.Errorf("Watch with an ended context: %v", err)
	}
}
