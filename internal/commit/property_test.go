package commit

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// group is a consumer group with a member that uses Commits as the loop does. Its answers are random.
type group struct {
	t     *rapid.T
	c     *Commits
	now   time.Time
	has   map[event.TopicPartition]int64 // the group's commits
	lives map[event.TopicPartition]*partition.Partition
	sent  *Request // the request that is with the client
	// refused is what the coordinator refuses. lost is whether its answer is lost, lostAndCommitted what it did in that case.
	refused                map[event.TopicPartition]*driver.Error
	lost, lostAndCommitted bool
}

// Commit is the coordinator. No request may commit for an ended assignment, commit a partition twice, or move a position back.
func (g *group) Commit(_ context.Context, commits []driver.Commit) error {
	refused := make(map[event.TopicPartition]*driver.Error)
	seen := make(map[event.TopicPartition]bool)
	for _, one := range commits {
		tp := one.TopicPartition
		p := g.lives[tp]
		switch was, there := g.has[tp]; {
		case p == nil || p.Assignment != one.Assignment:
			g.t.Fatalf("%+v is of an assignment that has ended", one)
		case seen[tp]:
			g.t.Fatalf("%v is in one request twice", tp)
		case there && one.Offset < was:
			g.t.Fatalf("%v goes back from %d to %d", tp, was, one.Offset)
		case one.Offset > max(p.Next, offsetOf(p.Found)):
			g.t.Fatalf("%+v passes what was received, %d", one, p.Next)
		}
		seen[tp] = true
		if e := g.refused[tp]; e != nil {
			refused[tp] = e
		} else if !g.lost || g.lostAndCommitted {
			g.has[tp] = one.Offset
		}
	}
	switch {
	case g.lost:
		return errBroker
	case len(refused) > 0:
		return &driver.CommitError{Partitions: refused}
	}
	return nil
}

func offsetOf(f *start.Answer) int64 {
	if f == nil {
		return -1
	}
	return f.Offset
}

// begin starts a partition at the group's position, or at 0 once the group has accepted that.
func (g *group) begin(p *partition.Partition) {
	if at, there := g.has[p.TopicPartition]; there {
		g.launch(p, at)
		return
	}
	p.Found = &start.Answer{Offset: 0, Committed: -1}
	g.c.Begin(p)
}

func (g *group) launch(p *partition.Partition, at int64) {
	p.Phase, p.Found, p.Next, p.Committed = partition.Running, nil, at, at
	g.c.Mark(p)
}

// advance starts the next commit if it may start.
func (g *group) advance(urgent bool) {
	g.c.Advance(g.now, urgent, false)
	if r := takeRequest(g.c); r != nil {
		if g.sent != nil {
			g.t.Fatal("two commits are under way")
		}
		g.sent = r
	}
}

// reply sends the request in flight and applies its answer.
func (g *group) reply() {
	if g.sent == nil {
		return
	}
	r := g.sent
	g.sent = nil
	o := answer(g.c, g.now, r, r.Send(context.Background(), g))
	for _, p := range o.Started {
		g.launch(p, p.Found.Offset)
	}
	for _, p := range o.Lost {
		g.begin(p)
	}
}

// draw makes one step.
func (g *group) draw(next int64) {
	tp := event.TopicPartition{Topic: "t", Partition: rapid.Int32Range(0, 3).Draw(g.t, "partition")}
	p := g.lives[tp]
	switch step := rapid.SampledFrom([]string{"wait", "wait", "wait", "move", "move", "reply", "reply", "assign", "assign", "drain", "lose"}).Draw(g.t, "step"); {
	case step == "wait":
		g.now = g.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(g.t, "ms")) * time.Millisecond)
		g.advance(rapid.Bool().Draw(g.t, "urgent"))
	case step == "reply":
		g.refused = make(map[event.TopicPartition]*driver.Error)
		for i := range rapid.Int32Range(0, 2).Draw(g.t, "refused") {
			kind := rapid.SampledFrom([]driver.Kind{driver.KindAuthorization, driver.KindStaleMember, driver.KindOther}).Draw(g.t, "kind")
			one := event.TopicPartition{Topic: "t", Partition: (tp.Partition + i) % 4}
			g.refused[one] = &driver.Error{Kind: kind, TopicPartition: one, Offset: -1, Err: errBroker}
		}
		g.lost, g.lostAndCommitted = rapid.IntRange(0, 3).Draw(g.t, "lost") == 0, rapid.Bool().Draw(g.t, "carried out")
		g.reply()
	case step == "assign" && p == nil:
		p = running(tp.Partition, -1, -1)
		p.Phase, p.Assignment = partition.Starting, next
		g.lives[tp] = p
		g.begin(p)
	case p == nil:
	case step == "move" && p.Phase == partition.Running:
		p.Next += rapid.Int64Range(1, 9).Draw(g.t, "records")
		g.c.Mark(p)
	case step == "drain":
		p.Phase = partition.Draining
		g.c.Mark(p)
	case step == "lose":
		end(p)
		delete(g.lives, tp)
	}
}

// Whatever is refused or unanswered, and whichever assignments change: positions do not go back, nothing is committed for an
// ended assignment, and once commits succeed again the group soon has each partition's position.
func TestCommitsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &group{t: t, c: prepared(0), now: time.Now(), has: make(map[event.TopicPartition]int64), lives: make(map[event.TopicPartition]*partition.Partition)}
		for i := range rapid.Int64Range(1, 60).Draw(t, "steps") {
			g.draw(i + 1)
		}
		g.refused, g.lost = nil, false
		for range 5 {
			g.reply()
			g.now = g.now.Add(5 * time.Second)
			g.advance(false)
		}
		if g.sent != nil {
			t.Fatalf("%+v are still to be committed", g.sent.Commits)
		}
		for tp, p := range g.lives {
			at, there := g.has[tp]
			switch {
			case p.Phase == partition.Starting:
				t.Fatalf("%v has not begun", tp)
			case p.Next >= 0 && (!there || at != p.Position()):
				t.Fatalf("of %v the group has %d, want %d", tp, at, p.Position())
			}
		}
	})
}
