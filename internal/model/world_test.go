package model

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest/membroker"
)

// The oracle is what was produced, what handlers recorded before they changed anything in their events, and
// what the broker accepted as commits. These rules hold at every moment:
//
//   - no commit passes a record that is not resolved: handled, filtered out, or dropped when a limit was
//     really reached by what the handler itself did; what the engine interrupted does not count;
//   - when a record is invoked, every record before it in its partition is resolved or in the same batch, and
//     the record is as it was produced;
//   - a process has at most one invocation of a partition at a time, and so has the group while partitions
//     move only in orderly rebalances;
//   - no commit goes back, except when a log was truncated or recreated;
//   - an unchanged position is committed again before it is two hours old;
//   - a stop takes no longer than allowed.
//
// When all trouble has ended, everything is delivered, committed and healthy within a bounded time: see
// peace_test.go.

// record is a produced record, and what happened to it.
type record struct {
	id       int
	tp       esm.TopicPartition
	offset   int64
	at       time.Time
	value    []byte
	resolved bool // or gone, or allowed to be either
	gone     bool // it is no longer in the log
	never    bool // it must not be invoked
	later    string
}

// history is one life of a partition.
type history struct {
	records []*record // in the order of offsets
	open    int       // records before it are resolved
	// committed is the last commit that the broker accepted, -1 without one; when is its time, and epoch its
	// leader epoch.
	committed int64
	when      time.Time
	epoch     int32 // the log's
	cuts      []cut
	blind     int64 // below it, what comes after a cut may be skipped: no reader could detect it
	vague     bool  // its start is uncertain until the first commit
	later     string
	changed   time.Time // when this life started
	before    *history  // the life before
}

// world is one run of a script.
type world struct {
	s      script
	broker *membroker.Broker
	wg     sync.WaitGroup // of what the script started concurrently

	mu        sync.Mutex
	rng       *rand.Rand
	all       []*record // by id
	logs      map[esm.TopicPartition]*history
	topics    map[string]int // the existing topics, with their number of partitions
	ended     map[esm.TopicPartition]*history
	ending    map[string]bool // topics whose end is recorded here, but not yet done at the broker
	lives     int
	begun     bool // under LATEST, the group has its starts
	busy      map[string]int
	deaf      map[string]int
	blame     map[string]map[*record]int  // "process partition" → how often the handler itself failed
	condemned map[string]map[*record]bool // the records for which it returned Permanent
	kept      []esm.KafkaEvent
	txs       []*openTx
	faults    []string
	calm      bool
	harsh     bool // partitions have not only moved in orderly rebalances
	releasing bool // late commits arrive now
	hookStuck map[string]time.Time
	counts    map[string]int

	processes []*process
	started   int
	shelf     *shelf // of the destination
}

// openTx is a transaction that has not ended.
type openTx struct {
	tx      *membroker.Tx
	records []*record
}

func newWorld(s script) *world {
	w := &world{s: s, rng: rand.New(rand.NewPCG(s.Seed, 1)), logs: make(map[esm.TopicPartition]*history), topics: make(map[string]int),
		ended: make(map[esm.TopicPartition]*history), ending: make(map[string]bool), busy: make(map[string]int), deaf: make(map[string]int),
		blame: make(map[string]map[*record]int), condemned: make(map[string]map[*record]bool), hookStuck: make(map[string]time.Time),
		counts: make(map[string]int), begun: !s.Latest, harsh: s.Slow > time.Second || s.Scale}
	w.broker = membroker.NewBroker(nil, membroker.FetchRecords(7), membroker.OnCommit(w.onCommit))
	w.processes, w.shelf = make([]*process, s.Processes), newShelf()
	for i := range s.Topics {
		w.makeTopic(fmt.Sprintf("t%d", i), s.Parts)
	}
	for tp := range w.logs {
		w.produce(tp, s.Old, nil)
		for _, r := range w.logs[tp].records {
			r.never, r.resolved = s.Latest, s.Latest || r.resolved
		}
		w.logs[tp].later = ""
	}
	return w
}

func (w *world) lock() func() {
	w.mu.Lock()
	return w.mu.Unlock
}

// faultf records that a rule was broken. The caller holds mu.
func (w *world) faultf(format string, args ...any) {
	if len(w.faults) < 6 {
		w.faults = append(w.faults, fmt.Sprintf(format, args...))
	}
}

// unresolved returns the first record that is not resolved, or nil.
func (h *history) unresolved() *record {
	for h.open < len(h.records) && h.records[h.open].resolved {
		h.open++
	}
	if h.open == len(h.records) {
		return nil
	}
	return h.records[h.open]
}

// parts returns up to where a position of a leader epoch is valid despite cuts.
func (h *history) parts(epoch int32, position int64) int64 {
	for _, c := range h.cuts {
		if c.epoch >= epoch {
			position = min(position, c.at)
		}
	}
	return position
}

// onCommit checks a commit that the broker accepted against what is resolved.
func (w *world) onCommit(c membroker.CommitInfo) {
	defer w.lock()()
	if w.ending[c.Topic] {
		return // it came just before the end of everything that it is about
	}
	h := w.logs[c.TopicPartition]
	if h == nil {
		w.faultf("%s committed %s at %d, which is not there", c.Member, c.TopicPartition, c.Offset)
		return
	}
	if w.releasing {
		w.count(lateCommit)
	}
	position := h.parts(c.LeaderEpoch, c.Offset)
	if old := h.before; old != nil && position > 0 && time.Since(h.changed) < 3*time.Minute {
		// It may not be known yet that the topic was recreated.
		if r := old.unresolved(); r == nil || c.Offset <= r.offset {
			return
		}
	}
	if r := h.unresolved(); r != nil && r.offset < position {
		w.faultf("%s committed %s at %d, past the unresolved %d (id %d, life %d epoch %d of %d)", c.Member, c.TopicPartition, c.Offset, r.offset, r.id, w.lives, c.LeaderEpoch, h.epoch)
	}
	if position < h.committed && len(h.cuts) == 0 && (h.before == nil || time.Since(h.changed) > 3*time.Minute) {
		w.faultf("%s committed %s at %d, and it was committed at %d", c.Member, c.TopicPartition, c.Offset, h.committed)
	}
	h.committed, h.when = position, time.Now()
	h.vague = false
	if c.LeaderEpoch < 0 {
		h.blind = max(h.blind, position)
	}
}

// makeTopic creates a topic, or gives it more partitions.
func (w *world) makeTopic(name string, parts int) {
	unlock := w.lock()
	had := w.topics[name]
	w.topics[name] = parts
	w.lives++
	for p := had; p < parts; p++ {
		tp := esm.TopicPartition{Topic: name, Partition: int32(p)}
		h := &history{committed: -1, changed: time.Now(), before: w.ended[tp], later: topicLater}
		if had > 0 {
			h.later = partitionLater
		}
		if h.before != nil {
			h.later = topicAgain
		}
		h.vague = w.s.Latest && (!w.begun || !w.anybody() || w.anybodyNew())
		w.logs[tp] = h
	}
	unlock()
	w.broker.CreateTopic(name, int32(parts))
}

// anybody reports whether a process is running that has already listed the topics. The caller holds mu.
func (w *world) anybody() bool {
	for _, p := range w.processes {
		if p != nil && time.Since(p.since) > time.Minute {
			return true
		}
	}
	return false
}

// anybodyNew reports whether a process is running that may not have listed the topics yet, and takes a topic
// created now for one that always existed. The caller holds mu.
func (w *world) anybodyNew() bool {
	return slices.ContainsFunc(w.processes, func(p *process) bool { return p != nil && time.Since(p.since) <= time.Minute })
}

// endTopic records the end of a topic's logs; end ends it at the broker.
func (w *world) endTopic(name string, end func()) {
	unlock := w.lock()
	w.ending[name] = true
	for p := range w.topics[name] {
		tp := esm.TopicPartition{Topic: name, Partition: int32(p)}
		h := w.logs[tp]
		h.before = nil
		w.ended[tp] = h
		for _, r := range h.records {
			r.gone, r.resolved = true, true
		}
		h.open = 0
		delete(w.logs, tp)
	}
	delete(w.topics, name)
	unlock()
	end()
	defer w.lock()()
	delete(w.ending, name)
}

// idOf parses a record's id from its bytes.
func idOf(value []byte) (int, bool) {
	var v struct{ ID *int }
	if json.Unmarshal(value, &v) != nil || v.ID == nil {
		return 0, false
	}
	return *v.ID, true
}

// known returns the record that a handler or a hook was given, after checking it against what was produced.
// The caller holds mu.
func (w *world) known(who string, g *esm.KafkaRecord) *record {
	id, ok := idOf(g.Value)
	if !ok || id >= len(w.all) {
		w.faultf("%s was given %s-%d[%d], which nobody produced: %.80q", who, g.Topic, g.Partition, g.Offset, g.Value)
		return nil
	}
	r := w.all[id]
	if g.Topic != r.tp.Topic || g.Partition != r.tp.Partition || g.Offset != r.offset || !bytes.Equal(g.Value, r.value) || string(g.Key) != fmt.Sprint(id) ||
		len(g.Headers) != 1 || g.Headers[0].Key != "id" || string(g.Headers[0].Value) != fmt.Sprint(id) || g.Timestamp != r.at.UnixMilli() {
		w.faultf("%s was given %s[%d] other than it was produced: %s-%d[%d] %q", who, r.tp, r.offset, g.Topic, g.Partition, g.Offset, g.Key)
	}
	return r
}

// endedByEngine reports whether a stop or a rebalance has ended a handler's context.
func endedByEngine(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, esm.ErrStopping) || errors.Is(cause, esm.ErrPartitionsGone)
}
