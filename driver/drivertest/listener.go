package drivertest

import (
	"strings"

	"github.com/esm-go/esm/driver"
)

// enter begins a Listener call and checks that it is allowed.
func (m *member) enter(call string, partitions []driver.TopicPartition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inCall {
		m.k.Errorf("%s: Listener.%s %v while another Listener call runs", m.name, call, partitions)
	}
	if !m.inPoll && !m.closed {
		m.k.Errorf("%s: Listener.%s %v outside of Poll and Close", m.name, call, partitions)
	}
	if len(partitions) == 0 {
		joins := len(m.calls) == 0 || strings.HasPrefix(m.calls[len(m.calls)-1], "lost")
		if call != "assigned" || !joins {
			m.k.Errorf("%s: Listener.%s of no partition", m.name, call)
		}
		m.calls = append(m.calls, call+" nothing")
	}
	m.inCall = true
	for _, p := range partitions {
		m.calls = append(m.calls, call+" "+p.String())
	}
	m.change()
}

func (m *member) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inCall = false
	m.change()
}

// Assigned implements driver.Listener.
func (m *member) Assigned(partitions []driver.TopicPartition) {
	m.enter("assigned", partitions)
	defer m.leave()
	assignment := m.c.Member().Rebalances
	for _, p := range partitions {
		if before := m.watch.take(p, m); before != nil {
			m.k.Errorf("%s is assigned %v, which %s still owns", m.name, p, before.name)
		}
		m.mu.Lock()
		m.parts[p] = nil
		was := m.part(p)
		was.owned, was.assignment = true, assignment
		m.mu.Unlock()
		if m.start != nil {
			m.begin(m.start(p), 1, p)
		}
	}
}

// Revoked implements driver.Listener.
func (m *member) Revoked(partitions []driver.TopicPartition) {
	m.enter("revoked", partitions)
	defer m.leave()
	if m.onRevoked != nil {
		m.onRevoked(m, partitions)
	}
	m.gone(partitions)
}

// Lost implements driver.Listener.
func (m *member) Lost(partitions []driver.TopicPartition) {
	m.enter("lost", partitions)
	defer m.leave()
	m.gone(partitions)
}

func (m *member) gone(partitions []driver.TopicPartition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range partitions {
		if !m.part(p).owned {
			m.k.Errorf("%s: %v goes, which it does not own", m.name, p)
		}
		m.part(p).owned = false
		m.watch.give(p, m)
	}
}
