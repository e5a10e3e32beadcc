package commit

import (
	"context"
	"errors"
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

// nobody is a Listener that does nothing.
type nobody struct{}

func (nobody) Assigned([]event.TopicPartition) {}
func (nobody) Revoked([]event.TopicPartition)  {}
func (nobody) Lost([]event.TopicPartition)     {}

// member opens a member of group "g" that reads "t".
func member(t *testing.T, b *membroker.Broker) driver.Consumer {
	t.Helper()
	c, err := b.Driver().Open(driver.Config{BootstrapServers: []string{"b:9092"}, GroupID: "g", Topics: []string{"t"}}, nobody{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// request returns a request that commits offset 5 of n partitions.
func request(n int32) *Request {
	r := new(Request)
	for i := range n {
		p := running(i, 5, 3)
		p.Assignment = 0 // the member is not told of one
		r.Add(p, p.Position(), -1, "")
	}
	return r
}

// committed counts the partitions from first to last whose committed position is 5.
func committed(b *membroker.Broker, first, last int32) (n int) {
	for i := first; i < last; i++ {
		if b.Committed("g", "t", i).Offset == 5 {
			n++
		}
	}
	return n
}

// A commit goes in portions of 1,000 positions, however many there are.
func TestPortions(t *testing.T) {
	for _, c := range []struct {
		positions int32
		calls     int
	}{{0, 0}, {1, 1}, {1000, 1}, {1001, 2}, {2500, 3}} {
		accepted := 0
		b := membroker.NewBroker(t, membroker.OnCommit(func(membroker.CommitInfo) { accepted++ }))
		b.CreateTopic("t", 2600)
		client := member(t, b)
		if err := request(c.positions).Send(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if n, calls := committed(b, 0, 2600), b.Calls(membroker.OpCommit); n != int(c.positions) || accepted != n || calls != c.calls {
			t.Errorf("%d positions: %d committed, %d times in all, in %d requests, want %d", c.positions, n, accepted, calls, c.calls)
		}
	}
}

// The error names the positions refused in any portion, and the other portions are sent.
func TestRefusedInPortions(t *testing.T) {
	b := membroker.NewBroker(t)
	b.CreateTopic("t", 2500)
	client := member(t, b)
	r := request(2502) // two more than there are
	b.Fail(membroker.OpCommit, 1, refusal(driver.KindAuthorization, r.Parts[7]))
	err := r.Send(t.Context(), client)
	var refused *driver.CommitError
	if !errors.As(err, &refused) || len(refused.Partitions) != 3 {
		t.Fatalf("the error is %v, want one that names 3 partitions", err)
	}
	for i, kind := range map[int32]driver.Kind{7: driver.KindAuthorization, 2500: driver.KindUnknownTopic, 2501: driver.KindUnknownTopic} {
		if e := refused.Partitions[event.TopicPartition{Topic: "t", Partition: i}]; e == nil || e.Kind != kind {
			t.Errorf("of partition %d the error says %v, want %v", i, e, kind)
		}
	}
	if n := committed(b, 1000, 2500); n != 1500 {
		t.Errorf("%d of 1500 positions of the other portions are committed", n)
	}
}

// After any other error the remaining portions are not sent. Earlier ones may have been accepted.
func TestFailedPortion(t *testing.T) {
	b := membroker.NewBroker(t)
	b.CreateTopic("t", 2500)
	client := member(t, b)
	b.Fail(membroker.OpCommit, 1, refusal(driver.KindAuthorization)) // of none
	b.Fail(membroker.OpCommit, 1, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errBroker})
	err := request(2500).Send(t.Context(), client)
	var refused *driver.CommitError
	if !errors.Is(err, errBroker) || errors.As(err, &refused) {
		t.Errorf("the error is %v", err)
	}
	if calls := b.Calls(membroker.OpCommit); calls != 2 {
		t.Errorf("%d requests, want 2", calls)
	}
}

// Positions of ended assignments are not sent. They count as refused with KindStaleMember.
func TestGoneBeforeTheyAreSent(t *testing.T) {
	b := membroker.NewBroker(t)
	b.CreateTopic("t", 3)
	client := member(t, b)
	r := request(3)
	r.Parts[1].Gone.Store(true)
	wantGone(t, r.Send(t.Context(), client), r.Parts[1])
	if b.Committed("g", "t", 1).Offset != -1 || committed(b, 0, 3) != 2 {
		t.Error("committed are not the two positions whose assignments live")
	}
	calls := b.Calls(membroker.OpCommit)
	for _, p := range r.Parts {
		p.Gone.Store(true)
	}
	wantGone(t, r.Send(t.Context(), client), r.Parts...)
	if n := b.Calls(membroker.OpCommit) - calls; n != 0 {
		t.Errorf("%d requests for assignments that have all ended", n)
	}
}

// If an assignment ends while the first portion is in flight, its position is not in the second.
func TestGoneBetweenPortions(t *testing.T) {
	r := request(1500)
	b := membroker.NewBroker(t, membroker.OnCommit(func(membroker.CommitInfo) { r.Parts[1200].Gone.Store(true) }))
	b.CreateTopic("t", 1500)
	wantGone(t, r.Send(t.Context(), member(t, b)), r.Parts[1200])
	if b.Committed("g", "t", 1200).Offset != -1 || committed(b, 0, 1500) != 1499 {
		t.Error("committed are not the positions whose assignments live")
	}
}

// wantGone checks that an error names the partitions whose assignment ended before their positions were sent, and no others.
func wantGone(t *testing.T, err error, parts ...*partition.Partition) {
	t.Helper()
	var refused *driver.CommitError
	if !errors.As(err, &refused) || len(refused.Partitions) != len(parts) {
		t.Fatalf("the error is %v, want one that names %d partitions", err, len(parts))
	}
	for _, p := range parts {
		if e := refused.Partitions[p.TopicPartition]; e == nil || e.Kind != driver.KindStaleMember || e.TopicPartition != p.TopicPartition || !errors.Is(e, errGone) {
			t.Errorf("of partition %d the error says %v", p.Partition, e)
		}
	}
}
