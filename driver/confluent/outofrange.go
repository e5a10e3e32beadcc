//go:build cgo

package confluent

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// searchTimeout bounds one search for the partition that is out of range; the next search begins searchPause later.
const (
	searchTimeout = 10 * time.Second
	searchPause   = 500 * time.Millisecond
)

// probe is a search for the partitions whose position does not exist. librdkafka reports only that there is one: it has
// stopped fetching it and does not say which. So the log bounds of all running partitions are looked up, with one
// request per broker for each bound, and compared with the positions.
type probe struct {
	cause kafka.Error
	// starts are the positions at the start of the search; a partition that has moved since is not judged.
	starts  []driver.Start
	answers chan []bounds
	// quiet is when the next search may begin after this one found nothing.
	quiet time.Time
	// more: another error arrived during this search.
	more bool
}

// bounds is one partition's log.
type bounds struct {
	earliest, end int64
	known         bool
}

// search begins a search, or records that another one is needed.
func (c *consumer) search(cause kafka.Error) {
	c.watch.soon() // a recreated topic is the other reason for a position that does not exist
	if c.probe != nil {
		c.probe.more = true
		return
	}
	if since := time.Since(c.restarted); since < searchPause {
		// The last search found nothing, and restarting did not help: do not search again at once.
		c.probe = &probe{cause: cause, quiet: time.Now().Add(searchPause - since)}
		return
	}
	c.probe = c.newProbe(cause)
}

func (c *consumer) newProbe(cause kafka.Error) *probe {
	p := &probe{cause: cause, answers: make(chan []bounds, 1)}
	for _, tp := range c.assignment() {
		if one := c.partitions[tp]; one.running {
			p.starts = append(p.starts, driver.Start{TopicPartition: tp, Offset: one.next, Epoch: one.epoch})
		}
	}
	if len(p.starts) == 0 || !c.gate.enter() {
		return nil
	}
	go func() {
		defer c.gate.leave()
		ctx, cancel := context.WithTimeout(c.life, searchTimeout)
		defer cancel()
		p.answers <- c.bounds(ctx, p.starts)
	}()
	return p
}

// bounds looks up the logs' bounds, under read_uncommitted: a position between the last stable offset and the end
// exists.
func (c *consumer) bounds(ctx context.Context, starts []driver.Start) []bounds {
	queries := make([]driver.OffsetQuery, 0, 2*len(starts))
	for _, s := range starts {
		queries = append(queries,
			driver.OffsetQuery{TopicPartition: s.TopicPartition, At: driver.AtEarliest},
			driver.OffsetQuery{TopicPartition: s.TopicPartition, At: driver.AtEnd})
	}
	list := make([]bounds, len(starts))
	answers, err := c.lookUp(ctx, queries, kafka.IsolationLevelReadUncommitted)
	if err != nil {
		return list
	}
	for i := range list {
		low, high := answers[2*i], answers[2*i+1]
		list[i] = bounds{earliest: low.Offset, end: high.Offset, known: low.Err == nil && high.Err == nil}
	}
	return list
}

// searched applies the result of a search once it is available.
func (c *consumer) searched() {
	p := c.probe
	if p == nil {
		return
	}
	if !p.quiet.IsZero() {
		if time.Now().Before(p.quiet) {
			return
		}
		c.probe = c.newProbe(p.cause)
		return
	}
	var found []bounds
	select {
	case found = <-p.answers:
	default:
		return
	}
	c.probe = nil
	var out []*partition
	unknown := 0
	for i, s := range p.starts {
		one := c.partitions[s.TopicPartition]
		if one == nil || !one.running || one.epoch != s.Epoch {
			continue
		}
		if !found[i].known {
			unknown++
			continue
		}
		// A partition that has advanced since is being read, so it is not one of those that stopped.
		if one.next == s.Offset && (s.Offset < found[i].earliest || s.Offset > found[i].end) {
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		out = c.truncated(p)
	}
	c.hold(out, p.cause)
	switch {
	case p.more && len(out) > 0:
		c.probe = c.newProbe(p.cause)
	case len(out) == 0 && unknown > 0:
		p.quiet = time.Now().Add(searchPause)
		c.probe = p
	case len(out) == 0:
		// Every position exists now (the log grew past it, or there were transaction markers). librdkafka must be told to
		// continue.
		c.restart()
	}
}

// truncated finds the partition whose log was truncated and has grown again past the position. librdkafka's text then
// names the offset, but not the partition. If several partitions are at that offset, each is reported: reading again
// from where one of them was truncated repeats records but loses none.
func (c *consumer) truncated(p *probe) []*partition {
	var out []*partition
	text := p.cause.String()
	if !strings.Contains(text, "epoch") {
		return nil
	}
	for _, s := range p.starts {
		one := c.partitions[s.TopicPartition]
		if one != nil && one.running && one.epoch == s.Epoch && one.next == s.Offset && names(text, one.next) {
			out = append(out, one)
		}
	}
	return out
}

// names reports whether text contains the number n.
func names(text string, n int64) bool {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if word == strconv.FormatInt(n, 10) {
			return true
		}
	}
	return false
}

// endOfEpoch matches librdkafka's text about the end of the log in the epoch of the last record that was read.
var endOfEpoch = regexp.MustCompile(`broker end offset is ([0-9]+)`)

// cutAt returns the offset at which the log diverges from what was read, if the error says so.
func cutAt(err error) (int64, bool) {
	match := endOfEpoch.FindStringSubmatch(err.Error())
	if match == nil {
		return 0, false
	}
	at, failed := strconv.ParseInt(match[1], 10, 64)
	return at, failed == nil
}

// hold reports partitions as out of range, or truncated, and holds them.
func (c *consumer) hold(out []*partition, cause error) {
	for _, p := range out {
		e := &driver.Error{Kind: driver.KindOffsetOutOfRange, TopicPartition: p.tp, Offset: p.next, Err: cause}
		if to, ok := cutAt(cause); ok && to < p.next {
			e.Kind, e.To = driver.KindTruncated, to
		}
		c.into.Errors = append(c.into.Errors, e)
	}
	c.take(out)
}

// restart gives librdkafka the position of every running partition again.
func (c *consumer) restart() {
	c.restarted = time.Now()
	var all []*partition
	for _, p := range c.partitions {
		if p.running {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *partition) int { return compareTopicPartitions(a.tp, b.tp) })
	if c.eager {
		c.assignEager(all)
		return
	}
	c.take(all)
	c.assignMore(all)
	c.count()
}
