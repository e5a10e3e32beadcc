package commit

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// One commit is in flight at a time, however urgent the next one is.
func TestOneCommitAtATime(t *testing.T) {
	c, now := prepared(0), time.Now()
	c.Mark(running(0, 5, 3))
	first := mustBegin(t, c, now)
	if c.UnderWay() == nil || !c.UnderWay().Has(first.Parts[0]) {
		t.Errorf("under way is %+v, want the request that has begun", c.UnderWay())
	}
	second := running(1, 5, 3)
	c.Mark(second)
	c.Begin(starting(2, 9))
	if c.UnderWay().Has(second) {
		t.Error("the request under way has a partition that it does not commit")
	}
	for _, urgent := range []bool{false, true} {
		c.Advance(now.Add(time.Minute), urgent, false)
		if r := takeRequest(c); r != nil {
			t.Fatalf("a second commit begins: %+v", r.Commits)
		}
	}
	answer(c, now.Add(time.Minute), first, nil)
	if c.UnderWay() != nil {
		t.Error("an answered request is under way")
	}
	if got := offsets(begin(c, now.Add(time.Minute))); !maps.Equal(got, map[int32]int64{1: 5, 2: 9}) {
		t.Errorf("the next one commits %v", got)
	}
}

// Commits pace themselves. Measured from the last commit's start, the next one waits ten times the last one's duration, but at
// most 1 s, and at least the interval. It never starts before the last one has returned.
func TestWhenTheNextCommitBegins(t *testing.T) {
	for name, c := range map[string]struct{ took, interval, want time.Duration }{
		"fast":                  {5 * time.Millisecond, 0, 50 * time.Millisecond},
		"slow":                  {80 * time.Millisecond, 0, 800 * time.Millisecond},
		"at the bound":          {100 * time.Millisecond, 0, time.Second},
		"bounded":               {400 * time.Millisecond, 0, time.Second},
		"longer than the bound": {3 * time.Second, 0, 3 * time.Second},
		"interval":              {2 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond},
		"short interval":        {40 * time.Millisecond, 300 * time.Millisecond, 400 * time.Millisecond},
		"long interval":         {2 * time.Second, time.Minute, time.Minute},
	} {
		for _, refused := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				commits, now := prepared(c.interval), time.Now()
				p, q := running(0, 5, 3), running(1, 5, 3)
				commits.Mark(p)
				commits.Mark(q)
				r := mustBegin(t, commits, now)
				var err error
				if refused { // a refusal does not hold up the other partitions
					err = refusal(driver.KindAuthorization, q)
				}
				answer(commits, now.Add(c.took), r, err)
				q.Alive = false
				p.Next++
				commits.Mark(p)
				if c.want == c.took {
					mustBegin(t, commits, now.Add(c.took))
				} else {
					beginsAt(t, commits, now.Add(c.want))
				}
			})
		}
	}
}

// The rule for the pause between commits, over its whole range.
func TestPauseProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := time.Duration(rapid.Int64Range(0, int64(Timeout)).Draw(t, "took"))
		least := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "least"))
		r := Request{Began: time.Unix(1000, 0)}
		pause := r.Pause(took, least).Sub(r.Began)
		switch {
		case pause < least:
			t.Fatalf("a pause of %v is shorter than the interval", pause)
		case pause > max(time.Second, least):
			t.Fatalf("a pause of %v is longer than a second and the interval", pause)
		case took <= 100*time.Millisecond && took*10 > pause:
			t.Fatalf("a commit that takes %v every %v takes more than a tenth of the time", took, pause)
		case pause > least && pause > took*10:
			t.Fatalf("a pause of %v is longer than a commit of %v asks for", pause, took)
		}
	})
}

// Starts and urgent commits do not wait for the pause between commits, and take moved positions along.
func TestWhatWaitsForNoPause(t *testing.T) {
	for name, urgent := range map[string]bool{"a start": false, "urgent": true} {
		t.Run(name, func(t *testing.T) {
			c, now := prepared(time.Hour), time.Now()
			p, q := running(0, 5, 3), starting(1, 9)
			c.Mark(p)
			answer(c, now, mustBegin(t, c, now), nil)
			p.Next = 6
			c.Mark(p)
			want := map[int32]int64{0: 6}
			if begin(c, now.Add(time.Second)) != nil {
				t.Fatal("a commit begins within the interval")
			}
			if !urgent {
				c.Begin(q)
				want[1] = 9
			}
			c.Advance(now.Add(time.Second), urgent, false)
			if got := offsets(takeRequest(c)); !maps.Equal(got, want) {
				t.Errorf("commits %v, want %v", got, want)
			}
		})
	}
}

// A commit has the moved positions of assigned partitions, and the starts of partitions that wait for one.
func TestWhatIsCommitted(t *testing.T) {
	for name, c := range map[string]struct {
		begun    *partition.Partition
		dirty    *partition.Partition
		change   func(p *partition.Partition)
		stopping bool
		want     map[int32]int64
	}{
		"a position that moved":             {dirty: running(0, 5, 3), want: map[int32]int64{0: 5}},
		"the first position":                {dirty: running(0, 0, -1), want: map[int32]int64{0: 0}},
		"in a stop":                         {dirty: running(0, 5, 3), stopping: true, want: map[int32]int64{0: 5}},
		"a position that has not moved":     {dirty: running(0, 5, 5)},
		"of a partition that is going":      {dirty: running(0, 5, 3), change: func(p *partition.Partition) { p.Phase = partition.Draining }, want: map[int32]int64{0: 5}},
		"of a partition that is gone":       {dirty: running(0, 5, 3), change: end},
		"of a partition without a start":    {dirty: running(0, 5, 3), change: func(p *partition.Partition) { p.Phase = partition.Starting }},
		"a start":                           {begun: starting(0, 9), want: map[int32]int64{0: 9}},
		"a start in a stop":                 {begun: starting(0, 9), stopping: true},
		"a start of a partition that goes":  {begun: starting(0, 9), change: func(p *partition.Partition) { p.Phase = partition.Draining }},
		"a start of a partition that went":  {begun: starting(0, 9), change: end},
		"a start that is looked for again":  {begun: starting(0, 9), change: func(p *partition.Partition) { p.Found = nil }},
		"the note of one that is going":     {dirty: running(0, 5, 5), change: func(p *partition.Partition) { p.Renote, p.Phase = true, partition.Draining }},
		"the note of a position that stays": {dirty: running(0, 5, 5), change: func(p *partition.Partition) { p.Renote = true }, want: map[int32]int64{0: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			commits := prepared(0)
			p := c.begun
			if p != nil {
				commits.Begin(p)
			} else {
				p = c.dirty
				commits.Mark(p)
				commits.Mark(p) // once is enough
			}
			if c.change != nil {
				c.change(p)
			}
			commits.Advance(time.Now(), false, c.stopping)
			if got := offsets(takeRequest(commits)); !maps.Equal(got, c.want) {
				t.Errorf("commits %v, want %v", got, c.want)
			}
			if (commits.UnderWay() != nil) != (c.want != nil) {
				t.Errorf("under way is %+v", commits.UnderWay())
			}
		})
	}
}

// Beside the offset, a commit has the leader epoch of the record before it, its assignment, and the note with the mapping's
// fingerprint.
func TestWhatACommitSays(t *testing.T) {
	c := prepared(0)
	p, q := running(0, 5, 3), starting(1, 9)
	p.LeaderEpoch, p.Assignment, p.Note = 4, 8, start.Note{Partitions: 12}
	q.LeaderEpoch, q.Assignment, q.Note = 3, 9, start.Note{Partitions: 2, Topic: [16]byte{1}, Cluster: "5d1c09aa"}
	c.Refresh(time.Now(), "0f3a9c51", nil)
	c.Mark(p)
	c.Begin(q)
	r := mustBegin(t, c, time.Now())
	for _, one := range r.Commits {
		note := start.ParseNote(one.Metadata)
		switch one.Partition {
		case 0:
			if one.LeaderEpoch != 4 || one.Assignment != 8 || note != (start.Note{Ours: true, Partitions: 12, Mapping: "0f3a9c51"}) {
				t.Errorf("a position says %+v", one)
			}
		case 1:
			if one.LeaderEpoch != 7 || one.Assignment != 9 || note != (start.Note{Ours: true, Partitions: 2, Topic: [16]byte{1}, Cluster: "5d1c09aa", Mapping: "0f3a9c51"}) {
				t.Errorf("a start says %+v", one)
			}
		}
	}
}

// The positions of all running partitions are committed again once an hour, moved or not, because brokers expire commits.
func TestRefresh(t *testing.T) {
	begun := time.Now()
	c := prepared(0)
	p, q, held := running(0, 5, 5), running(1, 7, 7), starting(2, 9)
	held.Found = nil
	parts := map[event.TopicPartition]*partition.Partition{p.TopicPartition: p, q.TopicPartition: q, held.TopicPartition: held}
	after := time.Now()
	if c.Refresh(begun.Add(time.Hour-time.Nanosecond), "", parts) || begin(c, begun.Add(time.Hour-time.Nanosecond)) != nil {
		t.Fatal("committed again within the hour")
	}
	if again := c.Advance(after, false, false); again.Before(begun.Add(time.Hour)) || again.After(after.Add(time.Hour)) {
		t.Errorf("Advance is to be called again at %v, want an hour after %v", again, begun)
	}
	for range 3 {
		now := after.Add(time.Hour)
		if !c.Refresh(now, "", parts) {
			t.Fatal("the refresh is not due after an hour")
		}
		r := mustBegin(t, c, now)
		if got := offsets(r); !maps.Equal(got, map[int32]int64{0: 5, 1: 7}) {
			t.Errorf("committed again: %v", got)
		}
		answer(c, now, r, nil)
		if c.Refresh(now.Add(time.Minute), "", parts) || begin(c, now.Add(time.Minute)) != nil {
			t.Error("committed again a minute after that")
		}
		after = now
	}
}

// After an Update that changes the fingerprint, all positions are committed again at once with the new one. The hourly refresh
// keeps its time.
func TestRefreshAfterAnUpdate(t *testing.T) {
	c, now := prepared(0), time.Now()
	p := running(0, 5, 5)
	parts := map[event.TopicPartition]*partition.Partition{p.TopicPartition: p}
	for i, fingerprint := range []string{"0f3a9c51", "11111111", ""} {
		now = now.Add(time.Minute)
		if c.Refresh(now, fingerprint, parts) {
			t.Error("an Update is taken for the end of the hour")
		}
		r := mustBegin(t, c, now)
		if got := start.ParseNote(r.Commits[0].Metadata).Mapping; r.Commits[0].Offset != 5 || got != fingerprint {
			t.Errorf("Update %d: commits %+v, want the fingerprint %q", i, r.Commits, fingerprint)
		}
		answer(c, now, r, nil)
		c.Refresh(now, fingerprint, parts)
		if c.Mark(p); begin(c, now.Add(time.Second)) != nil {
			t.Error("committed again without a change")
		}
	}
	if !c.Refresh(now.Add(time.Hour), "", parts) {
		t.Error("the refresh is not due after an hour")
	}
}
