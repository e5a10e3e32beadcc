package stream

import (
	"errors"
	"time"

	"github.com/esm-go/esm/observe"
)

const (
	// pollBusy is how long the loop may be busy with one thing, and a poll of the client may last; awayPatience how long the
	// group may keep everything away.
	pollBusy     = 30 * time.Second
	awayPatience = time.Minute
)

// Sick says what of one member has lasted too long.
func (m *Member) Sick(now time.Time) (since time.Time, what string) {
	for _, check := range []struct {
		bound time.Duration
		at    int64
		what  string
	}{
		{pollBusy, m.busySince.Load(), "the loop has been busy with one thing: does a hook block?"},
		{pollBusy + m.shared.Config.RevokeTimeout, m.inPoll.Load(), "the Kafka client has not returned from a poll"},
		{awayPatience, m.lostSince.Load(), "the group took every partition away and has given none back"},
	} {
		if at := time.Unix(0, check.at); check.at != 0 && now.Sub(at) > check.bound {
			return at, check.what
		}
	}
	return since, ""
}

// Blocked names what keeps the member's stop from ending.
func (m *Member) Blocked() (list []observe.StuckCall) {
	for _, x := range []struct {
		op   observe.Op
		what string
		at   int64
	}{
		{observe.OpPoll, "the loop is busy with one thing", m.busySince.Load()},
		{observe.OpPoll, "", m.inPoll.Load()},
		{observe.OpCommit, "", m.commits.Began()},
		{observe.OpClose, "", m.closeBegan.Load()},
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
