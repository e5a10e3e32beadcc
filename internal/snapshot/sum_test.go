package snapshot

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// status returns the status of partition i of a topic.
func status(topic string, i int32, position, lag int64, age time.Duration) observe.PartitionStatus {
	return observe.PartitionStatus{TopicPartition: event.TopicPartition{Topic: topic, Partition: i}, Position: position, Lag: lag, OldestAge: age}
}

// Sum makes one Status of several members' snapshots: it has the time of the oldest, the partitions by name, and the sums
// of the known lags.
func TestSum(t *testing.T) {
	now := time.Now()
	slow := func(n uint64, ago time.Duration) observe.SlowInvocation {
		return observe.SlowInvocation{Invocation: n, Since: now.Add(-ago)}
	}
	s := Sum([]*Snapshot{
		{At: now, InFlight: 2, Slow: []observe.SlowInvocation{slow(1, time.Second)},
			Portions: [][]observe.PartitionStatus{{status("u", 0, 5, 7, time.Second), status("t", 10, 5, -1, 0)}, {status("t", 2, 5, 3, time.Minute)}}},
		{At: now.Add(-time.Second), InFlight: 1, Slow: []observe.SlowInvocation{slow(2, time.Minute)},
			Portions: [][]observe.PartitionStatus{{status("t", 0, 1, 10, time.Hour)}}},
	})
	var order []string
	for _, p := range s.Partitions {
		order = append(order, p.TopicPartition.String())
	}
	if want := []string{"t-0", "t-2", "t-10", "u-0"}; !slices.Equal(order, want) {
		t.Errorf("the partitions are %v, want %v", order, want)
	}
	if s.Pollers != 2 || s.InFlight != 3 || !s.Time.Equal(now.Add(-time.Second)) || s.OldestAge != time.Hour {
		t.Errorf("%d pollers, %d invocations, of %v, the oldest record %v old", s.Pollers, s.InFlight, s.Time, s.OldestAge)
	}
	if s.OffsetLag["t"] != 13 || s.OffsetLag["u"] != 7 || s.SumOffsetLag != 20 || s.MaxOffsetLag != 10 {
		t.Errorf("the lag is %v, %d in all, %d at most", s.OffsetLag, s.SumOffsetLag, s.MaxOffsetLag)
	}
	if len(s.Slow) != 2 || s.Slow[0].Invocation != 2 {
		t.Errorf("the slow invocations are %+v, want the one first that began first", s.Slow)
	}
	if s := Sum(nil); s.Pollers != 0 || !s.Time.IsZero() || s.Partitions == nil || s.OffsetLag == nil {
		t.Errorf("of no member: %+v", s)
	}
	huge := [][]observe.PartitionStatus{{status("t", 0, 0, math.MaxInt64, 0), status("t", 1, 0, math.MaxInt64, 0)}}
	if s := Sum([]*Snapshot{{Portions: huge}}); s.SumOffsetLag != math.MaxInt64 || s.OffsetLag["t"] != math.MaxInt64 {
		t.Errorf("lags that are too large together sum up to %d", s.SumOffsetLag)
	}
}

// A partition that two members hold for a moment counts once, as the member reports that has come further.
func TestSumOfAPartitionHeldTwice(t *testing.T) {
	a := &Snapshot{Portions: [][]observe.PartitionStatus{{status("t", 0, 50, 9, time.Hour)}}}
	b := &Snapshot{Portions: [][]observe.PartitionStatus{{status("t", 0, 58, 1, time.Second)}}}
	for _, both := range [][]*Snapshot{{a, b}, {b, a}} {
		if s := Sum(both); len(s.Partitions) != 1 || s.Partitions[0].Position != 58 || s.SumOffsetLag != 1 || s.OldestAge != time.Second {
			t.Errorf("it counts as %+v", s.Partitions)
		}
	}
}

// Each partition has the worst of its own and its topic's conditions, and none of another partition's.
func TestMark(t *testing.T) {
	condition := func(kind driver.Kind, topic string, i int32) observe.Condition {
		return observe.Condition{Op: observe.OpPoll, Kind: kind.String(), TopicPartition: event.TopicPartition{Topic: topic, Partition: i}, Err: errors.New("no")}
	}
	for name, c := range map[string]struct {
		conditions []observe.Condition
		want       driver.Kind // of partition 1; KindOther = none
	}{
		"none":                          {nil, driver.KindOther},
		"of the mapping":                {[]observe.Condition{condition(driver.KindUnavailable, "", 0)}, driver.KindOther},
		"of another partition":          {[]observe.Condition{condition(driver.KindUnavailable, "t", 2)}, driver.KindOther},
		"of another topic":              {[]observe.Condition{condition(driver.KindUnavailable, "u", -1)}, driver.KindOther},
		"its own":                       {[]observe.Condition{condition(driver.KindUnavailable, "t", 1)}, driver.KindUnavailable},
		"its topic's":                   {[]observe.Condition{condition(driver.KindUnavailable, "t", -1)}, driver.KindUnavailable},
		"its own is worse":              {[]observe.Condition{condition(driver.KindAuthorization, "t", 1), condition(driver.KindUnavailable, "t", -1)}, driver.KindAuthorization},
		"its topic's is worse":          {[]observe.Condition{condition(driver.KindAuthorization, "t", -1), condition(driver.KindUnavailable, "t", 1)}, driver.KindAuthorization},
		"the worst of several, as told": {[]observe.Condition{condition(driver.KindAuthorization, "t", 1), condition(driver.KindUnavailable, "t", 1)}, driver.KindAuthorization},
	} {
		t.Run(name, func(t *testing.T) {
			before := []observe.PartitionStatus{status("t", 0, 0, 0, 0), status("t", 1, 0, 0, 0)}
			s := observe.Status{Partitions: before, Conditions: c.conditions}
			Mark(&s)
			got := s.Partitions[1].Condition
			if (got == nil) != (c.want == driver.KindOther) || got != nil && got.Kind != c.want.String() {
				t.Errorf("the condition is %v, want %v", got, c.want)
			}
			if before[1].Condition != nil {
				t.Error("what was published is changed")
			}
		})
	}
}
