package partition

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/size"
	"github.com/esm-go/esm/internal/verdict"
)

func newTestPartition(i int32) *Partition {
	tp := event.TopicPartition{Topic: "t", Partition: i}
	p := &Partition{TopicPartition: tp, Lane: batch.Lane[*Partition]{Key: tp.String(), Overhead: size.Partition("t", i)}, Alive: true, Phase: Running,
		Next: 0, Committed: -1, End: -1, LeaderEpoch: -1}
	p.Owner = p
	return p
}

// The position never passes an unresolved record, in whatever state a partition is.
func TestPositionProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newTestPartition(0)
		p.Next = int64(rapid.IntRange(0, 5).Draw(t, "start"))
		var unresolved []int64
		var pool batch.Pool[*Partition]
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch {
			case rapid.Bool().Draw(t, "add"):
				records := make([]event.KafkaRecord, rapid.IntRange(1, 6).Draw(t, "n"))
				for i := range records {
					records[i] = event.KafkaRecord{Topic: "t", Offset: p.Next, Value: []byte("value")}
					p.Next += int64(rapid.SampledFrom([]int{1, 1, 1, 3}).Draw(t, "step"))
				}
				p.Next = records[len(records)-1].Offset + 1
				for _, r := range records {
					unresolved = append(unresolved, r.Offset)
				}
				total, largest := size.Run(records)
				p.Buf.Add(batch.Chunk{Records: records, Size: total, Largest: largest})
			case len(p.Work) == 0 && p.Buf.Count > 0:
				pool.Add(&p.Lane)
				pool.Take(batch.Limits{BatchSize: 4, Payload: 1 << 20})
			case len(p.Work) > 0:
				pol := verdict.Policy{MaximumRetryAttempts: 1, Bisect: true}
				u := p.Work[0]
				next, gone, _ := pol.Apply(u, rapid.SampledFrom([]verdict.Outcome{verdict.Succeeded, verdict.Failed}).Draw(t, "outcome"), false, nil, time.Unix(1, 0))
				p.PopWork(next...)
				if len(next) == 0 || len(gone) > 0 {
					unresolved = unresolved[len(u.Records):]
				}
			}
			want := p.Next
			if len(unresolved) > 0 {
				want = unresolved[0]
			}
			if p.Position() != want || p.Buffered() != len(unresolved) {
				t.Fatalf("position %d, %d buffered; want %d and %d", p.Position(), p.Buffered(), want, len(unresolved))
			}
		}
	})
}

func TestPauseReasons(t *testing.T) {
	for r, want := range map[PauseReason]string{0: "", ByUser: "paused", ByBudget | ByBreaker: "buffer full,circuit open"} {
		if r.String() != want {
			t.Errorf("%d is %q, want %q", r, r, want)
		}
	}
}
