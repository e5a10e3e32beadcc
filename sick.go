package esm

import (
	"errors"
	"time"
)

const (
	// pollBusy is how long the loop may be busy with one thing, and a poll of the client may last; awayPatience how long the
	// group may keep everything away.
	pollBusy     = 30 * time.Second
	awayPatience = time.Minute
)

// sick says what of one member has lasted too long.
func (m *member) Sick(now time.Time) (since time.Time, what string) {
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
func (m *member) Blocked() (list []StuckCall) {
	for _, x := range []struct {
		op   Op
		what string
		at   int64
	}{
		{OpPoll, "the loop is busy with one thing", m.busySince.Load()},
		{OpPoll, "", m.inPoll.Load()},
		{OpCommit, "", m.commitBegan.Load()},
		{OpClose, "", m.closeBegan.Load()},
	} {
		if x.at == 0 {
			continue
		}
		call := StuckCall{Op: x.op, Since: time.Unix(0, x.at)}
		if x.what != "" {
			call.Err = errors.New(x.what)
		}
		list = append(list, call)
	}
	return list
}
