package shared

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/hook"
	"github.com/esm-go/esm/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	one   = event.TopicPartition{Topic: "t", Partition: 1}
	other = event.TopicPartition{Topic: "t", Partition: 2}
)

// A partition is paused from Add to Remove. Version changes with each change, and only then.
func TestPausedPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s PausedPartitions
		version, begun := s.Version.Load(), time.Now()
		step := func(name string, did, want bool) {
			t.Helper()
			now := s.Version.Load()
			if did != want || (now != version) != want {
				t.Errorf("%s: %t, the version goes from %d to %d, want a change: %t", name, did, version, now, want)
			}
			version = now
		}
		step("resumed before a pause", s.Remove(one), false)
		if s.Has(one) || !s.Since(one).IsZero() {
			t.Error("paused, and nobody asked for it")
		}
		step("paused", s.Add(one), true)
		<-time.After(time.Minute)
		step("paused again", s.Add(one), false)
		if !s.Has(one) || !s.Since(one).Equal(begun) || s.Has(other) || !s.Since(other).IsZero() {
			t.Errorf("paused since %v, the other since %v", s.Since(one), s.Since(other))
		}
		step("the other paused", s.Add(other), true)
		step("resumed", s.Remove(one), true)
		step("resumed again", s.Remove(one), false)
		if s.Has(one) || !s.Since(one).IsZero() || !s.Has(other) {
			t.Error("resumed is not the one that it was asked for")
		}
		step("paused anew", s.Add(one), true)
		if s.Since(one).Sub(begun) != time.Minute {
			t.Errorf("paused anew since %v", s.Since(one))
		}
	})
}

// Of several concurrent calls for one change, exactly one reports that it made it.
func TestPausedPartitionsAtOnce(t *testing.T) {
	var s PausedPartitions
	for name, change := range map[string]func(event.TopicPartition) bool{"Add": s.Add, "Remove": s.Remove} {
		if name == "Remove" {
			s.Add(one)
		} else {
			s.Remove(one)
		}
		var made atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if change(one) {
					made.Add(1)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 {
			t.Errorf("%s: %d made the change", name, made.Load())
		}
	}
}

// The end of a partition's pause is reported to hooks, if it was paused.
func TestResumePartition(t *testing.T) {
	var told []observe.OperationInfo
	s := State{Log: slog.New(slog.DiscardHandler), Hooks: hook.NewList([]observe.Hooks{{Operation: func(i observe.OperationInfo) { told = append(told, i) }}})}
	if s.ResumePartition(one) {
		t.Error("there was no wish")
	}
	s.PausedParts.Add(one)
	if !s.ResumePartition(one) || s.ResumePartition(one) || s.PausedParts.Has(one) {
		t.Error("there was a wish, and it ends once")
	}
	s.Hooks.Finish()
	s.Hooks.Run()
	if want := (observe.OperationInfo{TopicPartition: one, Operation: observe.OperationResumePartition, From: -1, To: -1}); len(told) != 1 || told[0] != want {
		t.Errorf("told %+v, want %+v", told, want)
	}
}

// Wish counts the changes, and is odd while the mapping is to be paused.
func TestWish(t *testing.T) {
	var w Wish
	for i := range 4 {
		if w.IsPaused() != (i%2 == 1) {
			t.Errorf("after %d changes paused is %t", i, w.IsPaused())
		}
		w.Add(1)
	}
}
