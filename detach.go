package esm

import (
	"time"

	"github.com/esm-go/esm/event"
)

const (
	// longWait is how long records may wait before they are copied out of the fetch that brought them.
	longWait = time.Second
	// detachBytes bounds what the loop copies at a time.
	detachBytes = 1 << 20
	// slabBytes is what copied keys and values are carved from: small, so that the last of them keeps little in memory.
	slabBytes = 64 << 10
	// recordWeight is about what a record costs beside its own bytes.
	recordWeight = 136
	// headerWeight is the same of a header.
	headerWeight = 40
)

// weight is the memory of a record that stands alone.
func weight(r *event.KafkaRecord) int {
	n := recordWeight + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += headerWeight + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// detach copies records with all that they point to, so that nothing of the fetch that brought them stays alive. It
// returns what the copies weigh.
func detach(records []event.KafkaRecord) (own []event.KafkaRecord, bytes int) {
	own = make([]event.KafkaRecord, len(records))
	var slab []byte
	carve := func(b []byte) []byte {
		switch n := len(b); {
		case b == nil:
			return nil
		case n == 0:
			return []byte{}
		case n > slabBytes/8:
			return append(make([]byte, 0, n), b...)
		case n > len(slab):
			slab = make([]byte, slabBytes)
		}
		c := slab[:len(b):len(b)]
		slab = slab[len(b):]
		copy(c, b)
		return c
	}
	for i := range records {
		r := records[i]
		bytes += weight(&r)
		r.Key, r.Value = carve(r.Key), carve(r.Value)
		if r.Headers != nil {
			headers := make([]event.Header, len(r.Headers))
			for k, h := range r.Headers {
				headers[k] = event.Header{Key: string([]byte(h.Key)), Value: carve(h.Value)}
			}
			r.Headers = headers
		}
		own[i] = r
	}
	return own, bytes
}

// detach copies the chunks that have waited since before a time, as far as room goes, and returns what it copied and by
// how much more is held then.
func (b *buffer) detach(before time.Time, room int) (copied, more int) {
	for i := b.head; i < len(b.chunks) && copied < room; i++ {
		c := &b.chunks[i]
		if c.arrived.After(before) {
			break // they are in order
		}
		if c.own {
			continue
		}
		var bytes int
		c.records, bytes = detach(c.records)
		copied += bytes
		more += bytes - c.held
		c.held, c.own = bytes, true
	}
	b.held += more
	return copied, more
}

// advanceAge copies what has waited for long. A client's records are pieces of what it fetched: one that waits, because
// its partition fails or is not its turn, keeps all of that in memory, and the budget knows only of its own part.
func (m *member) advanceAge(now time.Time) {
	switch {
	case !m.pins || m.budget.used.Load() == 0:
		m.nextAge = time.Time{}
		return
	case m.nextAge.IsZero():
		m.nextAge = now.Add(longWait)
	case !now.Before(m.nextAge):
		if m.detachAged(now.Add(-longWait)) {
			m.nextAge = now.Add(longWait)
		}
	}
	m.at(m.nextAge)
}

// detachAged copies what waits since before a time; false when there is more than is good at once.
func (m *member) detachAged(before time.Time) bool {
	room := detachBytes
	for _, p := range m.parts {
		if p.phase != running {
			continue
		}
		copied, more := p.buf.detach(before, room)
		room -= copied
		for i := range p.work {
			u := &p.work[i]
			if u.own || u.firstFailure.IsZero() || u.firstFailure.After(before) || i == 0 && p.inflight != nil || room <= 0 {
				continue
			}
			held := u.held
			u.records, u.held = detach(u.records)
			u.own = true
			room -= u.held
			more += u.held - held
		}
		m.release(p, -more)
		if room <= 0 {
			return false
		}
	}
	return true
}
