package commit

import (
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// A position that was refused once is committed soon, even if another partition's is refused again and again.
func TestRefusedPositionsAreCommittedSoon(t *testing.T) {
	c, now := prepared(0), time.Now()
	bad, once := running(0, 5, 3), running(1, 5, 3)
	c.Mark(bad)
	c.Mark(once)
	answer(c, now, mustBegin(t, c, now), refusal(driver.KindAuthorization, bad, once))
	refusals := 0
	for range 12000 { // ten minutes
		now = now.Add(50 * time.Millisecond)
		bad.Next++
		c.Mark(bad) // as the loop does after each batch
		if r := begin(c, now); r != nil {
			refusals++
			answer(c, now, r, refusal(driver.KindAuthorization, bad))
		}
	}
	if refusals > 150 { // at most one every 5 s, after the first ones
		t.Errorf("the broker was asked %d times in ten minutes for a position that it refuses", refusals)
	}
	bad.Next++
	c.Mark(bad)
	if c.Advance(now, true, false); takeRequest(c) == nil {
		t.Error("a revocation does not commit a position that was refused and has moved")
	}
	if once.Committed != 5 {
		t.Errorf("after ten minutes committed is %d, want 5; the other was refused %d times, the list has %d entries", once.Committed, refusals, len(c.refused))
	}
}

// A refusal does not put off positions that were refused before it.
func TestLaterRefusalsJoin(t *testing.T) {
	c, now := prepared(0), time.Now()
	first, second := running(0, 5, 3), running(1, 5, 3)
	c.Mark(first)
	again := answer(c, now, mustBegin(t, c, now), refusal(driver.KindAuthorization, first)).Again
	later := now.Add(again.Sub(now) / 2)
	c.Mark(second)
	answer(c, later, mustBegin(t, c, later), refusal(driver.KindAuthorization, second))
	if r := mustBegin(t, c, again); len(r.Commits) != 2 {
		t.Errorf("committed again: %+v, want both", r.Commits)
	}
}

// A commit that is in flight during an Update is written again with the new fingerprint.
func TestUpdateDuringACommit(t *testing.T) {
	for _, begins := range []bool{false, true} {
		c, now := prepared(0), time.Now()
		p := running(0, 5, 3)
		if begins {
			p = starting(0, 5)
		}
		parts := map[event.TopicPartition]*partition.Partition{p.TopicPartition: p}
		c.Refresh(now, "11111111", parts)
		if begins {
			c.Begin(p)
		} else {
			c.Mark(p)
		}
		r := mustBegin(t, c, now)
		said := start.ParseNote(r.Commits[0].Metadata).Mapping
		c.Refresh(now, "22222222", parts)
		o := answer(c, now, r, nil)
		for _, p := range o.Started { // as Member.launch
			f := p.Found
			p.Phase, p.Found, p.Committed, p.Next = partition.Running, nil, f.Committed, f.Offset
			p.Renote = f.Committed >= 0 && !f.Noted
			c.Mark(p)
		}
		for range 50 { // minutes
			now = now.Add(time.Minute)
			c.Refresh(now, "22222222", parts)
			if r := begin(c, now); r != nil {
				said = start.ParseNote(r.Commits[0].Metadata).Mapping
				answer(c, now, r, nil)
			}
		}
		if said != "22222222" {
			t.Errorf("a start: %t: 50 minutes after the Update the group's commit says mapping=%s", begins, said)
		}
	}
}
