package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest/membroker"
)

type cut struct {
	epoch int32
	at    int64
}

// produce appends records to a partition, within a transaction or outside one.
func (w *world) produce(tp esm.TopicPartition, n int, tx *openTx) {
	offset := w.broker.End(tp.Topic, tp.Partition)
	unlock := w.lock()
	h := w.logs[tp]
	var made []membroker.Record
	for range n {
		r := &record{id: len(w.all), tp: tp, offset: offset, at: time.Now(), later: h.later}
		if len(h.cuts) > 0 {
			r.later = logCut
		}
		keep := w.rng.IntN(3) > 0 || w.calm // the last records close circuits
		v := map[string]any{"id": r.id, "keep": keep}
		if w.s.Fat {
			v["pad"] = string(bytes.Repeat([]byte{'x'}, 20_000))
		}
		r.value, _ = json.Marshal(v)
		r.never = w.s.Filter && !keep
		r.resolved = r.never || h.vague || !w.begun || offset < h.blind && len(h.cuts) > 0
		w.all, h.records = append(w.all, r), append(h.records, r)
		if tx != nil {
			tx.records = append(tx.records, r)
		}
		made = append(made, membroker.Record{Partition: tp.Partition, Key: fmt.Append(nil, r.id), Value: r.value,
			Headers: []esm.Header{{Key: "id", Value: fmt.Append(nil, r.id)}}})
		offset++
	}
	unlock()
	if tx != nil {
		tx.tx.Produce(tp.Topic, made...)
	} else {
		w.broker.Produce(tp.Topic, made...)
	}
}

// forget removes the records for which gone returns true from a log.
func (w *world) forget(tp esm.TopicPartition, gone func(*record) bool) {
	defer w.lock()()
	for _, r := range w.logs[tp].records {
		if gone(r) {
			r.gone, r.resolved = true, true
		}
	}
}

// cutLog truncates a log.
func (w *world) cutLog(tp esm.TopicPartition, at int64) {
	if at >= w.broker.End(tp.Topic, tp.Partition) {
		return
	}
	unlock := w.lock()
	h := w.logs[tp]
	keep := h.records[:0:0]
	for _, r := range h.records {
		if r.offset >= at {
			r.gone, r.resolved = true, true
		} else {
			keep = append(keep, r)
		}
	}
	h.records, h.open = keep, 0
	if n := len(h.cuts); n > 0 { // a reader that continued from the earlier cut may not know its epoch
		h.blind = max(h.blind, h.cuts[n-1].at)
	}
	h.cuts = append(h.cuts, cut{h.epoch, at})
	h.epoch++
	unlock()
	w.broker.Truncate(tp.Topic, tp.Partition, at)
}
