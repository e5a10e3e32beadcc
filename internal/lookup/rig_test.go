package lookup

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type partitions = map[event.TopicPartition]*partition.Partition

var errBroker = errors.New("the leader does not answer")

// prepared returns Lookups whose pauses after errors have no jitter.
func prepared(interval time.Duration) *Lookups {
	l := new(Lookups)
	l.Init(interval, nil)
	return l
}

// living returns partition i of an assignment, in a phase of its life.
func living(i int32, phase partition.Phase) *partition.Partition {
	p := &partition.Partition{TopicPartition: event.TopicPartition{Topic: "t", Partition: i}, Alive: true, Phase: phase, Next: -1, Committed: -1}
	p.Owner = p
	return p
}

// list returns n partitions that have not started.
func list(n int32) (all []*partition.Partition) {
	for i := range n {
		all = append(all, living(i, partition.Starting))
	}
	return all
}

// held returns the partitions that a member holds.
func held(parts ...*partition.Partition) partitions {
	all := make(partitions)
	for _, p := range parts {
		all[p.TopicPartition] = p
	}
	return all
}

// question returns a lookup for some partitions.
func question(kind start.Kind, parts ...*partition.Partition) Lookup {
	return Lookup{Question: start.Question{Kind: kind}, Parts: parts}
}

// advance starts the lookups that may start, and returns them in order, as the lookup goroutines receive them.
func advance(l *Lookups, now time.Time, all partitions) (put []*Lookup, again time.Time) {
	again = l.Advance(now, start.Policy{At: 7}, "0f3a9c51", all)
	for {
		select {
		case one := <-l.questions:
			put = append(put, &one)
		default:
			return put, again
		}
	}
}

// putOne is advance for exactly one lookup.
func putOne(t *testing.T, l *Lookups, now time.Time, all partitions) *Lookup {
	t.Helper()
	put, _ := advance(l, now, all)
	if len(put) != 1 {
		t.Fatalf("%d questions are put, want one", len(put))
	}
	return put[0]
}

// numbers returns the numbers of partitions.
func numbers(parts []*partition.Partition) []int32 {
	var all []int32
	for _, p := range parts {
		all = append(all, p.Partition)
	}
	return all
}

// found returns the numbers of the partitions in Found.
func found(o Outcome) []int32 {
	var all []int32
	for _, a := range o.Found {
		all = append(all, a.Of.Partition)
	}
	return all
}
