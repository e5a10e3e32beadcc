package lag

import (
	"math"
	"testing"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/partition"
)

func never(*partition.Partition) bool { return false }

// The records that arrived are how far the end moved since the last evaluation: none at the first one, and none if the log was
// truncated.
func TestArrived(t *testing.T) {
	now, p := time.Now(), running(0, 0, 0, -1)
	p.SeenAt = now
	var r Reading
	for i, c := range []struct{ end, want int64 }{{-1, 0}, {100, 0}, {130, 30}, {130, 0}, {20, 0}, {25, 5}} {
		p.End = c.end
		r.Reset(now)
		r.Add(now, held(p), false, never)
		if len(r.Partitions) != 1 || r.Partitions[0].Arrived != c.want {
			t.Errorf("evaluation %d, at the end %d: %+v arrived, want %d", i, c.end, r.Partitions, c.want)
		}
	}
}

// The lags have the time of the oldest one. A lag that the client keeps current has the current time, unless the brokers do not
// answer.
func TestLagTime(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		change  func(p *partition.Partition)
		failing bool
		want    time.Time
	}{
		"behind":                   {func(*partition.Partition) {}, false, ago(time.Minute)},
		"idle":                     {func(p *partition.Partition) { p.Next = p.End }, false, now},
		"idle, brokers are silent": {func(p *partition.Partition) { p.Next = p.End }, true, ago(time.Minute)},
		"idle, but paused":         {func(p *partition.Partition) { p.Next, p.Pauses = p.End, partition.Alone }, false, ago(time.Minute)},
		"not known":                {func(p *partition.Partition) { p.End = -1 }, false, ago(time.Minute)},
		"without a leader":         {func(p *partition.Partition) { p.Leaderless = true }, false, now},
		"has not begun":            {func(p *partition.Partition) { p.Phase = partition.Starting }, false, now},
		"goes":                     {func(p *partition.Partition) { p.Phase = partition.Draining }, false, now},
	} {
		t.Run(name, func(t *testing.T) {
			p, younger := running(0, 0, 5, 9), running(1, 0, 5, 9)
			p.SeenAt, younger.SeenAt = ago(time.Minute), now
			c.change(p)
			r := Reading{LagTime: ago(time.Hour)}
			r.Reset(now)
			r.Add(now, held(p), c.failing, never)
			r.Add(now, held(younger), c.failing, never)
			if !r.LagTime.Equal(c.want) {
				t.Errorf("the lags are of %v ago, want %v", now.Sub(r.LagTime), now.Sub(c.want))
			}
		})
	}
}

// The lag of Lambda's metrics is the sum over the partitions whose lag is known, and so are the buffered records. The oldest
// record is taken from partitions that a worker could help.
func TestSums(t *testing.T) {
	now := time.Now()
	behind, far, done, unknown := running(0, 5, 5, 9), running(1, 0, 100, 100), running(2, 7, 7, 7), running(3, 3, 3, -1)
	waiting := func(p *partition.Partition, age time.Duration, bytes int) {
		p.Buf.Add(batch.Chunk{Records: []event.KafkaRecord{{Timestamp: now.Add(-age).UnixMilli()}}, Arrived: now, Held: bytes})
	}
	waiting(behind, time.Hour, 300)
	waiting(far, time.Minute, 50)
	blocked := func(p *partition.Partition) bool { return p == behind }
	var r Reading
	for range 2 { // the same value is reused
		r.Reset(now)
		r.Add(now, held(behind, far, done, unknown), false, blocked)
		if r.SumLag != 104 || r.MaxLag != 100 || r.Buffered != 350 || len(r.Partitions) != 4 {
			t.Errorf("the lag is %d, %d at most, %d bytes are buffered of %d partitions", r.SumLag, r.MaxLag, r.Buffered, len(r.Partitions))
		}
		if age := r.Oldest.Round(time.Second); age != time.Minute {
			t.Errorf("the oldest record that a worker could help is %v old", age)
		}
		for _, p := range r.Partitions {
			if want := [...]int64{5, 1, 0, 0}[p.Partition]; p.Lag != want || p.Blocked != (p.Partition == 0) {
				t.Errorf("%+v, want a lag of %d", p, want)
			}
		}
	}
	r.Reset(now)
	r.Add(now, held(running(0, 0, 0, math.MaxInt64), running(1, 0, 0, math.MaxInt64)), false, never)
	if r.SumLag != math.MaxInt64 || r.MaxLag != math.MaxInt64 {
		t.Errorf("the lag is %d, %d at most", r.SumLag, r.MaxLag)
	}
}

// A partition that two members hold for a moment counts once, as the member reports that can give work to a worker.
func TestHeldTwice(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		first, second bool // blocked
		want          int64
	}{"neither blocked": {false, false, 4}, "the first blocked": {true, false, 2}, "the second blocked": {false, true, 4}} {
		t.Run(name, func(t *testing.T) {
			a, b := running(0, 5, 5, 9), running(0, 5, 7, 9)
			blocked := func(p *partition.Partition) bool { return p == a && c.first || p == b && c.second }
			r := Reading{Index: make(map[event.TopicPartition]int)}
			for range 2 {
				r.Reset(now)
				r.Add(now, held(a), false, blocked)
				r.Add(now, held(b, running(1, 0, 0, 1)), false, blocked)
				if len(r.Partitions) != 2 || r.SumLag != 5 || r.MaxLag != 4 {
					t.Fatalf("%+v, the lag is %d", r.Partitions, r.SumLag)
				}
				if p := r.Partitions[r.Index[a.TopicPartition]]; p.Partition != 0 || p.Lag != c.want || p.Blocked {
					t.Errorf("it counts as %+v, want a lag of %d", p, c.want)
				}
			}
		})
	}
}
