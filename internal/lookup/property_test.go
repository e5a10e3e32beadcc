package lookup

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// asking is a member that uses Lookups as the loop does. The brokers' answers are random.
type asking struct {
	t     *rapid.T
	l     *Lookups
	now   time.Time
	all   partitions
	put   []*Lookup
	found map[*partition.Partition]int // how often a start was found
}

// advance starts the lookups that may start: at most four, and only for assigned partitions.
func (a *asking) advance() {
	put, _ := advance(a.l, a.now, a.all)
	for _, one := range put {
		if a.now.Before(one.After) {
			a.t.Fatalf("a question is put %v before its time", one.After.Sub(a.now))
		}
		for i, p := range one.Parts {
			if a.all[p.TopicPartition] != p || p.Phase == partition.Draining || one.Names[i] != p.TopicPartition {
				a.t.Fatalf("asked for a partition that went, or goes: %v", p.TopicPartition)
			}
		}
	}
	if a.put = append(a.put, put...); len(a.put) > AtOnce {
		a.t.Fatalf("%d questions are put at a time", len(a.put))
	}
}

// answer applies the answer to one of the running lookups.
func (a *asking) answer(i int, fails func(name string) bool) {
	one := a.put[i]
	a.put = append(a.put[:i], a.put[i+1:]...)
	if fails("whole") {
		one.Err, one.Slow = errBroker, fails("slow")
	}
	for i := range one.Found {
		f := &one.Found[i]
		f.Open = one.Kind == start.Begin && fails("open")
		if fails("one") {
			f.Err = errPartition
		}
	}
	o := a.l.Take(one)
	for _, answer := range o.Found {
		if p := answer.Of; a.all[p.TopicPartition] != p || p.Phase != partition.Starting {
			a.t.Fatalf("an answer for a partition that went, or goes: %v", p.TopicPartition)
		}
		if a.found[answer.Of]++; a.found[answer.Of] > 1 {
			a.t.Fatalf("the start of %v was found twice", answer.Of.TopicPartition)
		}
	}
	if o.Failure != nil {
		a.l.Again(*one, o.Again, a.now.Add(a.l.Pause(one.Tries+1)))
	}
}

// Whatever fails and whichever assignments change, each assignment's start is found once, and soon after the brokers answer again.
func TestLookupsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := &asking{t: t, l: prepared(0), now: time.Now(), all: make(partitions), found: make(map[*partition.Partition]int)}
		fails := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
		next := int32(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch step := rapid.SampledFrom([]string{"assign", "end", "drain", "answer", "answer", "wait"}).Draw(t, "step"); step {
			case "assign":
				parts := make([]*partition.Partition, rapid.IntRange(1, 12).Draw(t, "partitions"))
				for i := range parts {
					parts[i] = living(next, partition.Starting)
					a.all[parts[i].TopicPartition] = parts[i]
					next++
				}
				a.l.Add(question(start.Begin, parts...))
			case "end", "drain":
				which, gone := rapid.Int32Range(0, 4).Draw(t, "which"), step == "end"
				for tp, p := range a.all {
					if tp.Partition%5 != which {
						continue
					}
					if p.Phase = partition.Draining; gone {
						p.Alive = false
						delete(a.all, tp)
					}
				}
			case "answer":
				if len(a.put) > 0 {
					a.answer(rapid.IntRange(0, len(a.put)-1).Draw(t, "question"), fails)
				}
			default:
				a.now = a.now.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "ms")) * time.Millisecond)
			}
			a.advance()
		}
		for range 40 {
			for len(a.put) > 0 {
				a.answer(0, func(string) bool { return false })
				a.advance()
			}
			a.now = a.now.Add(time.Second)
			a.advance()
		}
		if a.l.Failing() || len(a.l.queued) > 0 {
			t.Fatalf("%d questions wait, and all could be answered", len(a.l.queued))
		}
		for tp, p := range a.all {
			if p.Phase == partition.Starting && a.found[p] != 1 {
				t.Fatalf("the start of %v was found %d times", tp, a.found[p])
			}
		}
	})
}
