package stop

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/observe"
)

const (
	// pollBusy is how long a loop may be busy with one thing, and a poll of the client may last. awayPatience is how long a
	// member may go without partitions after it lost them all.
	pollBusy     = 30 * time.Second
	awayPatience = time.Minute
)

// Signs are what other goroutines see of a member that works or hangs. Times are Unix nanoseconds.
type Signs struct {
	// Busy is when the loop became busy, 0 while it waits. Lost is when the group took away all partitions, 0 after the
	// next assignment. Polling and Closing are when the current Poll and Close began, 0 while none runs.
	Busy, Lost, Polling, Closing atomic.Int64
}

// Sick reports what has taken too long at the member. revocation is how long the client may be kept waiting in addition
// to its own work.
func (s *Signs) Sick(now time.Time, revocation time.Duration) (since time.Time, what string) {
	for _, check := range []struct {
		bound time.Duration
		at    int64
		what  string
	}{
		{pollBusy, s.Busy.Load(), "the loop has been busy with one thing: does a hook block?"},
		{pollBusy + revocation, s.Polling.Load(), "the Kafka client has not returned from a poll"},
		{awayPatience, s.Lost.Load(), "the group took every partition away and has given none back"},
	} {
		if at := time.Unix(0, check.at); check.at != 0 && now.Sub(at) > check.bound {
			return at, check.what
		}
	}
	return since, ""
}

// Blocked returns what keeps the member's stop from ending. committing is when the current commit began, 0 for none.
func (s *Signs) Blocked(committing int64) (list []observe.StuckCall) {
	for _, x := range []struct {
		op   observe.Op
		what string
		at   int64
	}{
		{observe.OpPoll, "the loop is busy with one thing", s.Busy.Load()},
		{observe.OpPoll, "", s.Polling.Load()},
		{observe.OpCommit, "", committing},
		{observe.OpClose, "", s.Closing.Load()},
	} {
		if x.at == 0 {
			continue
		}
		call := observe.StuckCall{Op: x.op, Since: time.Unix(0, x.at)}
		if x.what != "" {
			call.Err = errors.New(x.what)
		}
		list = append(list, call)
	}
	return list
}

// Client returns the client's call that does not return.
func (s *Signs) Client() observe.StuckCall {
	call := observe.StuckCall{Op: observe.OpClose, Since: time.Now()}
	if at := s.Closing.Load(); at != 0 {
		call.Since = time.Unix(0, at)
	} else if at := s.Polling.Load(); at != 0 {
		call.Op, call.Since = observe.OpPoll, time.Unix(0, at)
	}
	return call
}
