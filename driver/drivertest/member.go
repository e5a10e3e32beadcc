package drivertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// member is a consumer that polls, records what it sees and checks the rules that always hold.
type member struct {
	k    *kit
	name string
	cfg  driver.Config
	c    driver.Consumer

	other     bool
	watch     *owners
	start     func(driver.TopicPartition) int64
	onRevoked func(*member, []driver.TopicPartition)

	stopPoll context.CancelFunc
	pollCtx  context.Context
	polled   chan struct{}
	closing  sync.Once
	closeErr error

	mu sync.Mutex
	// changed is closed at the next change.
	changed chan struct{}
	// hold is not nil while the poll goroutine must stay out of Poll; parked is set while it does.
	hold chan struct{}
	// cutShort ends the running Poll.
	cutShort context.CancelFunc
	parked   bool
	inPoll   bool
	inCall   bool
	closed   bool
	seen
}

func newMember(k *kit) *member {
	m := &member{k: k, watch: k.owners, changed: make(chan struct{}), polled: make(chan struct{})}
	m.start = func(driver.TopicPartition) int64 { return 0 }
	m.parts = make(map[driver.TopicPartition]*part)
	m.pollCtx, m.stopPoll = context.WithCancel(context.Background())
	return m
}

func (m *member) change() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// begin starts partitions.
func (m *member) begin(offset int64, epoch uint64, partitions ...driver.TopicPartition) {
	starts := make([]driver.Start, len(partitions))
	m.mu.Lock()
	for i, p := range partitions {
		m.part(p).started[epoch] = true
		starts[i] = driver.Start{TopicPartition: p, Offset: offset, LeaderEpoch: -1, Epoch: epoch}
	}
	m.mu.Unlock()
	m.c.Start(starts)
}

// pollLoop polls until the member is closed or Poll returns an error.
func (m *member) pollLoop() {
	defer close(m.polled)
	var fetch driver.Fetch
	for m.pollCtx.Err() == nil {
		if !m.mayPoll() {
			return
		}
		ctx, cancel := context.WithCancel(m.pollCtx)
		m.mu.Lock()
		m.cutShort = cancel
		if m.hold != nil {
			cancel()
		}
		m.mu.Unlock()
		begin := time.Now()
		err := m.c.Poll(ctx, &fetch)
		if ctx.Err() != nil {
			// The context ended, so do not count this Poll as hasty.
			begin = begin.Add(-time.Second)
		}
		cancel()
		if !m.note(&fetch, err, time.Since(begin)) {
			return
		}
	}
}

// mayPoll waits while the case keeps the member from polling.
func (m *member) mayPoll() bool {
	for {
		m.mu.Lock()
		hold := m.hold
		m.parked = hold != nil
		m.inPoll = hold == nil
		m.change()
		m.mu.Unlock()
		if hold == nil {
			return true
		}
		select {
		case <-hold:
		case <-m.pollCtx.Done():
			return false
		}
	}
}

// note records and checks the result of a Poll.
func (m *member) note(f *driver.Fetch, err error, took time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.change()
	m.inPoll = false
	if err != nil {
		m.seen.end = err
		if _, ok := errors.AsType[*driver.Error](err); !ok {
			m.k.Errorf("%s: Poll's error %v wraps no *driver.Error", m.name, err)
		}
		return false
	}
	if m.inCall && len(f.Runs) > 0 {
		m.k.Errorf("%s: Poll answered while a Listener call runs", m.name)
	}
	if len(f.Runs)+len(f.Errors) == 0 && took < time.Millisecond {
		m.hasty++
	}
	for _, e := range f.Errors {
		if e == nil {
			m.k.Errorf("%s: a nil error in a Fetch", m.name)
			continue
		}
		m.errs = append(m.errs, e)
	}
	for i := range f.Runs {
		m.noteRun(&f.Runs[i])
	}
	return true
}

func (m *member) noteRun(r *driver.Run) {
	p := m.part(r.TopicPartition)
	switch {
	case !p.owned:
		m.k.Errorf("%s: a run of %v, which it does not own", m.name, r.TopicPartition)
	case !p.started[r.Epoch]:
		m.k.Errorf("%s: a run of %v with epoch %d, which was not started", m.name, r.TopicPartition, r.Epoch)
	case r.Epoch < p.epoch:
		m.k.Errorf("%s: a run of %v with epoch %d after one of epoch %d", m.name, r.TopicPartition, r.Epoch, p.epoch)
	}
	if r.Epoch != p.epoch {
		p.epoch, p.next, p.records = r.Epoch, -1, nil
	}
	next := p.next
	for i := range r.Records {
		k := &r.Records[i]
		if k.Offset < next || k.Topic != r.Topic || k.Partition != r.Partition {
			m.k.Errorf("%s: record %s-%d@%d in a run of %v, at least %d was due", m.name, k.Topic, k.Partition, k.Offset, r.TopicPartition, next)
		}
		next = k.Offset + 1
	}
	// A run that moves nothing may still report a new end.
	if r.Next < next || len(r.Records) == 0 && r.Next == p.next && (r.End < 0 || r.End == p.end) {
		m.k.Errorf("%s: a run of %v (%d records, to %d) has Next %d after %d", m.name, r.TopicPartition, len(r.Records), next, r.Next, p.next)
	}
	if len(r.Records) > 0 {
		p.leaderEpoch = r.LeaderEpoch
	}
	if len(r.Records) > 0 && r.Bytes <= 0 {
		m.k.Errorf("%s: a run of %d records of %v has Bytes %d", m.name, len(r.Records), r.TopicPartition, r.Bytes)
	}
	p.next, p.runs = r.Next, p.runs+1
	if r.End >= 0 {
		p.end = r.End
	}
	p.records = append(p.records, r.Records...)
}

// wait waits until ok returns true. The lock is held during ok, so nothing changes.
func (m *member) wait(what string, ok func(*seen) bool) {
	m.k.Helper()
	deadline := time.NewTimer(m.k.target.Patience)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		yes, changed := ok(&m.seen), m.changed
		m.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			m.k.Fatalf("%s waited %v for: %s\n%s", m.name, m.k.target.Patience, what, m.dump())
		}
	}
}

// look calls f with what was seen.
func (m *member) look(f func(*seen)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.seen)
}

// waitRecords waits for n records of a partition and returns them.
func (m *member) waitRecords(p driver.TopicPartition, n int) []event.KafkaRecord {
	m.k.Helper()
	var records []event.KafkaRecord
	m.wait(fmt.Sprintf("%d records of %v", n, p), func(s *seen) bool {
		records = s.part(p).records
		return len(records) >= n
	})
	return records
}

// waitOwns waits until the member owns exactly these partitions.
func (m *member) waitOwns(want ...driver.TopicPartition) {
	m.k.Helper()
	m.wait(fmt.Sprintf("ownership of %v alone", want), func(s *seen) bool { return s.owns(want...) })
}

// assignment returns the value of Member.Rebalances when the partition was assigned.
func (m *member) assignment(p driver.TopicPartition) (n int64) {
	m.look(func(s *seen) { n = s.part(p).assignment })
	return n
}

// park keeps the poll goroutine out of Poll until release is called.
func (m *member) park() (release func()) {
	m.k.Helper()
	hold := make(chan struct{})
	m.mu.Lock()
	m.hold = hold
	if m.cutShort != nil {
		m.cutShort()
	}
	m.mu.Unlock()
	deadline := time.NewTimer(m.k.target.Patience)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		parked, changed := m.parked && !m.inPoll, m.changed
		m.mu.Unlock()
		if parked {
			break
		}
		select {
		case <-changed:
		case <-deadline.C:
			m.k.Fatalf("%s: Poll did not return\n%s", m.name, m.dump())
		}
	}
	return sync.OnceFunc(func() {
		m.mu.Lock()
		m.hold = nil
		m.mu.Unlock()
		close(hold)
	})
}

// close closes the consumer once, after the poll goroutine has ended.
func (m *member) close(ctx context.Context) error {
	m.closing.Do(func() {
		m.mu.Lock()
		m.closed = true
		m.mu.Unlock()
		m.stopPoll()
		<-m.polled
		m.closeErr = m.c.Close(ctx)
	})
	return m.closeErr
}

// end closes what the case left open and checks that the member did not spin.
func (m *member) end() {
	ctx, cancel := context.WithTimeout(context.Background(), m.k.target.Patience)
	defer cancel()
	if err := m.close(ctx); err != nil && !m.k.Failed() {
		m.k.Logf("%s: Close: %v", m.name, err)
	}
	m.look(func(s *seen) {
		if s.hasty > 500 {
			m.k.Errorf("%s: %d Polls returned nothing at once: it spins", m.name, s.hasty)
		}
	})
}

// dump describes what the member has seen.
func (m *member) dump() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %+v\n  calls: %v\n  errors: %v\n  end: %v\n  in poll %t, in a Listener call %t", m.name, m.c.Member(), m.calls, m.errs, m.seen.end, m.inPoll, m.inCall)
	for tp, p := range m.parts {
		fmt.Fprintf(&b, "\n  %v: owned %t, epoch %d, %d records, %d runs, next %d, end %d", tp, p.owned, p.epoch, len(p.records), p.runs, p.next, p.end)
	}
	return b.String()
}
