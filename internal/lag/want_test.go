package lag

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

// An end is looked up if it was not confirmed since the last evaluation. A client that waits for more records would know of a new
// end, so its value is trusted for the lag interval.
func TestWant(t *testing.T) {
	const interval = time.Minute
	now := time.Now()
	since := now.Add(-10 * time.Second) // the last evaluation
	for name, c := range map[string]struct {
		next, end int64
		seen      time.Duration // ago
		change    func(p *partition.Partition)
		want      bool
	}{
		"behind, confirmed since":             {5, 9, 9 * time.Second, nil, false},
		"behind, confirmed at that moment":    {5, 9, 10 * time.Second, nil, true},
		"behind, confirmed before":            {5, 9, 11 * time.Second, nil, true},
		"idle, confirmed before":              {9, 9, 59 * time.Second, nil, false},
		"idle, confirmed an interval ago":     {9, 9, interval, nil, true},
		"paused, confirmed before":            {9, 9, 59 * time.Second, func(p *partition.Partition) { p.Pauses = partition.ByUser }, true},
		"never confirmed, assigned since":     {5, -1, time.Second, nil, true},
		"has not begun":                       {-1, -1, time.Hour, func(p *partition.Partition) { p.Phase = partition.Starting }, false},
		"goes":                                {5, 9, time.Hour, func(p *partition.Partition) { p.Phase = partition.Draining }, false},
		"without a leader, confirmed since":   {5, 9, 9 * time.Second, func(p *partition.Partition) { p.Leaderless = true }, false},
		"without a leader, confirmed earlier": {5, 9, time.Hour, func(p *partition.Partition) { p.Leaderless = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := running(0, 0, c.next, c.end)
			p.SeenAt = now.Add(-c.seen)
			if c.change != nil {
				c.change(p)
			}
			var e Ends
			e.Want(now, since, interval, nil, held(p))
			if got := len(e.Queries) == 1 && e.Queries[0] == (driver.OffsetQuery{TopicPartition: p.TopicPartition, At: driver.AtEnd}); got != c.want || len(e.Queries) > 1 {
				t.Errorf("asks %+v, want %t", e.Queries, c.want)
			}
		})
	}
}

// listener listens to a client.
type listener struct{}

func (listener) Assigned([]event.TopicPartition) {}
func (listener) Revoked([]event.TopicPartition)  {}
func (listener) Lost([]event.TopicPartition)     {}

// The ends of all members' partitions are looked up at once by the first member's client, and each answer goes to the partition
// that asked, if its member still has it. An error concerns one partition.
func TestEndsOfSeveralMembers(t *testing.T) {
	b := membroker.NewBroker(t)
	b.CreateTopic("t", 6)
	for i := range int32(6) {
		for range i {
			b.Produce("t", membroker.Record{Partition: i})
		}
	}
	client, err := b.Driver().Open(driver.Config{BootstrapServers: []string{"b:9092"}, GroupID: "g", Topics: []string{"t"}}, listener{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	now := time.Now()
	var parts []*partition.Partition
	for i := range int32(7) { // the topic has six
		parts = append(parts, running(i, 0, 0, -1))
	}
	one, other := held(parts[1], parts[2], parts[3]), held(parts[4], parts[5], parts[6])
	var e Ends
	e.Want(now, now, time.Minute, client, one)
	e.Want(now, now, time.Minute, nil, other)
	if e.Consumer != client || len(e.Queries) != 6 {
		t.Fatalf("%d questions, want 6 by the first member's client", len(e.Queries))
	}
	answers, err := e.Consumer.ListOffsets(t.Context(), e.Queries)
	if err != nil {
		t.Fatal(err)
	}
	parts[2].Phase = partition.Draining
	again := running(3, 0, 0, -1) // assigned anew since
	one[again.TopicPartition] = again
	e.Take(now, one, answers)
	if parts[1].End != 1 || parts[2].End != -1 || parts[3].End != -1 || again.End != -1 || parts[4].End != -1 {
		t.Errorf("after the answers for one member the ends are %d, %d, %d, %d and %d", parts[1].End, parts[2].End, parts[3].End, again.End, parts[4].End)
	}
	e.Take(now, other, answers)
	if parts[4].End != 4 || !parts[4].SeenAt.Equal(now) || parts[5].End != 5 {
		t.Errorf("after the answers for the other the ends are %d and %d", parts[4].End, parts[5].End)
	}
	if parts[6].End != -1 || !parts[6].Leaderless || parts[5].Leaderless {
		t.Errorf("of a partition without an answer the end is %d, leaderless %t", parts[6].End, parts[6].Leaderless)
	}
	parts[5].Leaderless = true
	e.Take(now.Add(time.Second), other, answers)
	if parts[5].Leaderless {
		t.Error("leaderless after an answer")
	}
	answers = []driver.OffsetAnswer{{TopicPartition: parts[1].TopicPartition, Err: errors.New("no leader")}}
	(&Ends{parts: parts[1:2]}).Take(now, one, answers)
	if parts[1].End != 1 || !parts[1].Leaderless {
		t.Errorf("an error changed the end to %d", parts[1].End)
	}
}
