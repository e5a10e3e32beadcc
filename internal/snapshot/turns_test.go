package snapshot

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/meter"
	"github.com/esm-go/esm/internal/partition"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// view returns the view of a loop with n running partitions.
func view(now time.Time, n int32) *View {
	v := &View{Now: now, Partitions: make(map[event.TopicPartition]*partition.Partition), Retry: new(batch.Queue[*partition.Partition]), Orphans: new(limit.Orphans), Took: meter.New(1)}
	for i := range n {
		p := &partition.Partition{TopicPartition: event.TopicPartition{Topic: "t", Partition: i}, Alive: true, Phase: partition.Running, Next: 1, Committed: 1, End: 1}
		p.Owner = p
		v.Partitions[p.TopicPartition] = p
	}
	return v
}

// count returns how many partitions a snapshot has.
func count(s *Snapshot) (n int) {
	for _, portion := range s.Portions {
		n += len(portion)
	}
	return n
}

// A loop takes a snapshot only on demand, at most ten a second. A recent one is returned without asking the loop.
func TestDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Publisher
		p.Init()
		if due, again := p.Due(time.Now()); due || !again.IsZero() {
			t.Error("due, and nobody asked")
		}
		first, fresh := p.Want()
		if fresh || !first.At.IsZero() || count(first) != 0 {
			t.Errorf("what there is before the first snapshot: %+v, fresh %t", first, fresh)
		}
		if due, _ := p.Due(time.Now()); !due {
			t.Fatal("not due, and somebody asked")
		}
		if !p.Take(view(time.Now(), 3)) {
			t.Fatal("a snapshot of 3 partitions is not complete")
		}
		taken := time.Now()
		if due, again := p.Due(taken); due || !again.IsZero() {
			t.Error("due, and it was just taken")
		}
		<-time.After(Interval - 1)
		if s, fresh := p.Want(); !fresh || count(s) != 3 || s != p.Published() {
			t.Errorf("a snapshot is not fresh: %+v", s)
		}
		if due, again := p.Due(time.Now()); due || !again.IsZero() {
			t.Error("due, and who asked had a fresh one")
		}
		<-time.After(1)
		if _, fresh := p.Want(); fresh {
			t.Error("a snapshot is fresh after the interval")
		}
		if due, again := p.Due(taken.Add(Interval - 1)); due || !again.Equal(taken.Add(Interval)) {
			t.Errorf("due %t within the interval, and again at %v", due, again)
		}
		if due, _ := p.Due(time.Now()); !due {
			t.Error("not due after the interval")
		}
	})
}

// Partitions are read in portions, one per turn of the loop. The snapshot is published when it has all that are still assigned.
func TestPortions(t *testing.T) {
	for n, turns := range map[int32]int{0: 1, 1: 1, 250: 1, 251: 2, 1000: 4} {
		var p Publisher
		p.Init()
		v := view(time.Now(), n)
		for i := range turns {
			if p.Published().At.Equal(v.Now) {
				t.Fatalf("%d partitions: published after %d turns", n, i)
			}
			if done := p.Take(v); done != (i == turns-1) {
				t.Fatalf("%d partitions: complete is %t after %d turns", n, done, i+1)
			}
			if due, _ := p.Due(v.Now); due != (i < turns-1) {
				t.Fatalf("%d partitions: due is %t after %d turns", n, due, i+1)
			}
		}
		seen := make(map[event.TopicPartition]bool)
		for _, portion := range p.Published().Portions {
			for i := range portion {
				seen[portion[i].TopicPartition] = true
			}
		}
		if len(seen) != int(n) || count(p.Published()) != int(n) {
			t.Errorf("%d of %d partitions are in the snapshot, %d different ones", count(p.Published()), n, len(seen))
		}
	}
}

// A partition that is revoked before it is read is not in the snapshot. A snapshot taken at once has all partitions, whatever was in progress.
func TestPartitionsThatGo(t *testing.T) {
	var p Publisher
	p.Init()
	v := view(time.Now(), 600)
	p.Take(v)
	for _, one := range v.Partitions {
		one.Alive = false
	}
	p.Take(v)
	if !p.Take(v) || count(p.Published()) != 250 {
		t.Errorf("%d partitions are in the snapshot, and 250 were read before all went", count(p.Published()))
	}
	v = view(time.Now(), 600)
	p.Take(v)
	if p.Publish(v); count(p.Published()) != 600 {
		t.Errorf("%d partitions of 600 are in a snapshot that was taken at once", count(p.Published()))
	}
	if due, _ := p.Due(v.Now); due {
		t.Error("due, and a snapshot was published")
	}
}

// A caller waits for the next snapshot, the loop's end, or 100 ms.
func TestAwait(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(p *Publisher, ended chan struct{})
		want time.Duration
		next bool
	}{
		"published":        {func(p *Publisher, _ chan struct{}) { p.Publish(view(time.Now(), 1)) }, 30 * time.Millisecond, true},
		"the loop ends":    {func(_ *Publisher, ended chan struct{}) { close(ended) }, 30 * time.Millisecond, false},
		"the loop is busy": {func(*Publisher, chan struct{}) {}, 100 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p Publisher
				p.Init()
				s, _ := p.Want()
				ended, begun := make(chan struct{}), time.Now()
				time.AfterFunc(30*time.Millisecond, func() { c.end(&p, ended) })
				got := p.Await(s, ended)
				if took := time.Since(begun); took != c.want || (got != s) != c.next || got != p.Published() {
					t.Errorf("after %v another snapshot: %t", took, got != s)
				}
			})
		})
	}
}
