package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

// partition returns the partition of a step, and false if there is none.
func (w *world) partition(s step) (tp esm.TopicPartition, ok bool) {
	unlock := w.lock()
	defer unlock()
	tps := slices.SortedFunc(maps.Keys(w.logs), func(a, b esm.TopicPartition) int {
		if a.Topic != b.Topic {
			return int(a.Topic[1]) - int(b.Topic[1])
		}
		return int(a.Partition - b.Partition)
	})
	if len(tps) == 0 {
		return tp, false
	}
	return tps[s.part%len(tps)], true
}

// roughs are the steps after which two members may have the same partition, or a stop may leave something
// behind.
var roughs = []string{"lose", "loserunning", "crash", "hangcommit", "stopbroker", "slowbroker", "failcommit", "failother", "delete", "remake", "lookuprevoke", "stopnow"}

// do carries out a step.
func (w *world) do(s step) {
	if slices.Contains(roughs, s.op) {
		unlock := w.lock()
		w.harsh = true
		unlock()
	}
	i := s.who % w.s.Processes
	p := w.processes[i]
	tp, there := w.partition(s)
	switch s.op {
	case "wait":
		time.Sleep(s.d)
	case "observe":
		w.observe()
	case "stop":
		w.stop(i, true)
	case "stopnow":
		w.stop(i, false)
	case "crash": // the group drops it, so nothing that it still does counts
		if id, _ := w.member(p); id != "" {
			w.broker.Lose(id)
		}
		w.stop(i, false)
	case "restart":
		if p == nil {
			w.start(i)
		}
	case "rebalance":
		w.moves()
		w.broker.Rebalance(group)
	case "lose", "loserunning":
		if s.op == "loserunning" {
			time.Sleep(s.d % (400 * time.Millisecond))
		}
		if id, _ := w.member(p); id != "" {
			w.moves()
			w.broker.Lose(id)
		}
	case "pause", "resume", "update", "storm", "pollers":
		if p != nil {
			w.control(p, s)
		}
	case "make":
		name := fmt.Sprintf("t%d", s.part%2)
		unlock := w.lock()
		had := w.topics[name]
		unlock()
		if had == 0 {
			w.makeTopic(name, s.n%3+1)
		}
	case "failcommit":
		w.broker.Fail(membroker.OpCommit, s.n%4+1, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("script")})
	case "failother":
		w.broker.Fail([]membroker.Op{membroker.OpCommitted, membroker.OpListOffsets, membroker.OpTopics}[s.n%3], s.n%3+1,
			&driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("script")})
	case "hangcommit":
		release := w.broker.Hang(membroker.OpCommit)
		time.Sleep(s.d)
		w.release(release)
	case "stopbroker":
		unlock := w.lock()
		w.count(brokerAway)
		unlock()
		w.broker.Stop()
		time.Sleep(s.d)
		w.broker.Start()
	case "slowbroker":
		w.broker.Delay([]membroker.Op{membroker.OpCommit, membroker.OpCommitted, membroker.OpListOffsets, membroker.OpTopics}[s.n%4], s.d%(5*time.Second))
	case "heal":
		w.release(w.broker.Heal)
	case "night":
		w.pass(3)
	case "day":
		w.pass(25)
	default:
		if there {
			w.log(tp, s)
		}
	}
}

// release lets late requests arrive.
func (w *world) release(release func()) {
	unlock := w.lock()
	w.releasing = true
	unlock()
	release()
	unlock = w.lock()
	w.releasing = false
	unlock()
}

// moves records the situation when partitions are about to move.
func (w *world) moves() {
	open, starting := w.circuitOpen(), w.starting()
	defer w.lock()()
	if open {
		w.count(circuitMoves)
	}
	if starting {
		w.count(lookupRevoke)
	}
}

// log changes one partition or its topic.
func (w *world) log(tp esm.TopicPartition, s step) {
	end := w.broker.End(tp.Topic, tp.Partition)
	switch s.op {
	case "produce":
		w.produce(tp, s.n, nil)
	case "tx":
		w.transact(tp, s)
	case "gap":
		w.broker.Gap(tp.Topic, tp.Partition, int64(s.n))
	case "compact":
		w.forget(tp, func(r *record) bool { return r.offset%7 == int64(s.n%7) })
		w.broker.Compact(tp.Topic, tp.Partition, func(offset int64, _ []byte) bool { return offset%7 != int64(s.n%7) })
	case "retention":
		before := min((end+int64(s.n))/2, end)
		w.forget(tp, func(r *record) bool { return r.offset < before })
		w.broker.DeleteRecords(tp.Topic, tp.Partition, before)
	case "cut":
		w.endTransactions()
		w.cutLog(tp, max(end-int64(s.n)/3-1, 0))
		if s.n%2 == 0 {
			w.produce(tp, s.n, nil)
		}
	case "moveleader":
		unlock := w.lock()
		w.logs[tp].epoch++
		unlock()
		w.broker.MoveLeader(tp.Topic, tp.Partition)
	case "grow":
		unlock := w.lock()
		n := w.topics[tp.Topic]
		unlock()
		if n < 5 {
			w.makeTopic(tp.Topic, n+1)
		}
	case "delete", "remake":
		w.endTransactions()
		unlock := w.lock()
		n := w.topics[tp.Topic]
		unlock()
		if s.op == "delete" {
			w.endTopic(tp.Topic, func() { w.broker.DeleteTopic(tp.Topic) })
			return
		}
		w.endTopic(tp.Topic, func() { w.remake(tp.Topic, n) })
		w.produce(tp, s.n, nil)
	case "corrupt":
		w.broker.Corrupt(tp.Topic, tp.Partition, end)
		w.produce(tp, s.n, nil)
	case "repair":
		w.broker.Repair(tp.Topic, tp.Partition)
	case "revoke":
		w.moves()
		w.broker.Revoke(tp)
	case "lookuprevoke":
		release := w.broker.Hang([]membroker.Op{membroker.OpCommitted, membroker.OpListOffsets, membroker.OpTopics, membroker.OpCommit}[s.n%4])
		w.broker.Revoke(tp)
		time.Sleep(2 * time.Second)
		w.moves()
		w.broker.Revoke(tp)
		time.Sleep(s.d % (3 * time.Second))
		w.release(release)
	default:
		panic("no such step: " + s.op)
	}
}

// remake recreates a topic, before anything notices.
func (w *world) remake(name string, parts int) {
	unlock := w.lock()
	w.topics[name] = parts
	w.lives++
	for p := range parts {
		tp := esm.TopicPartition{Topic: name, Partition: int32(p)}
		w.logs[tp] = &history{committed: -1, changed: time.Now(), before: w.ended[tp], later: topicAgain, vague: w.s.Latest && w.ended[tp].vague}
	}
	unlock()
	w.broker.RecreateTopic(name)
}

// transact produces in a transaction, or ends the oldest one.
func (w *world) transact(tp esm.TopicPartition, s step) {
	if len(w.txs) > 2 || s.n%3 == 0 && len(w.txs) > 0 {
		w.endTx(s.n%2 == 0)
		return
	}
	tx := &openTx{tx: w.broker.Begin()}
	w.produce(tp, s.n%5+1, tx)
	w.txs = append(w.txs, tx)
}

func (w *world) endTx(commit bool) {
	tx := w.txs[0]
	w.txs = w.txs[1:]
	if commit {
		tx.tx.Commit()
		return
	}
	unlock := w.lock()
	w.count(txAborted)
	for _, r := range tx.records {
		r.gone, r.resolved = true, true
	}
	unlock()
	tx.tx.Abort()
}

func (w *world) endTransactions() {
	for len(w.txs) > 0 {
		w.endTx(true)
	}
}

// control calls methods of a process's Runner, as a user does.
func (w *world) control(p *process, s step) {
	switch s.op {
	case "pause":
		p.runner.Pause()
	case "resume":
		p.runner.Resume()
	case "update":
		w.update(p, s.n)
	case "pollers":
		p.pollers.Store(int64(s.n%3 + 1))
	case "storm":
		unlock := w.lock()
		w.count(stormPassed)
		unlock()
		var storm sync.WaitGroup
		for k := range 3 {
			storm.Go(func() {
				for j := range s.n {
					switch (j + k) % 4 {
					case 0:
						p.runner.Pause()
					case 1:
						w.update(p, j)
					case 2:
						_ = p.runner.Status()
					}
					p.runner.Resume()
					if j%5 == 0 {
						time.Sleep(time.Duration(k) * time.Millisecond)
					}
				}
			})
		}
		storm.Wait()
	}
}

// pass lets hours pass, in which every position must be committed again.
func (w *world) pass(hours int) {
	w.release(w.broker.Heal)
	for _, p := range w.processes {
		if p != nil {
			p.runner.Resume()
		}
	}
	time.Sleep(3 * time.Minute)
	began := time.Now()
	up := slices.ContainsFunc(w.processes, func(p *process) bool { return p != nil })
	for range hours {
		time.Sleep(time.Hour)
		unlock := w.lock()
		for tp, h := range w.logs {
			if age := time.Since(h.when); up && h.committed >= 0 && time.Since(began) > 2*time.Hour && age > 2*time.Hour {
				w.faultf("%s was committed %v ago, and is to be committed each hour", tp, age)
			}
		}
		unlock()
	}
	defer w.lock()()
	if hours >= 24 {
		w.count(dayPassed)
	}
	w.count(nightPassed)
}
