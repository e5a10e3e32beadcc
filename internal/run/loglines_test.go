package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/mapping"
)

// The log can be left on: in each bad situation it has at least one and at most six lines in any minute.
func TestLinesOfTheLogInBadSituations(t *testing.T) {
	failing := func(context.Context, event.KafkaEvent) error { return errors.New("no") }
	for _, c := range []struct {
		name    string
		handler shared.Handler
		mapping func(*mapping.Mapping)
		options []Option
		hurt    func(t *testing.T, b *membroker.Broker)
		every   func(b *membroker.Broker) // each second
	}{
		{name: "the broker is away", hurt: func(_ *testing.T, b *membroker.Broker) { b.Stop() }},
		{name: "the broker comes and goes", every: func(b *membroker.Broker) {
			if time.Now().Second()%2 == 0 {
				b.Stop()
			} else {
				b.Start()
			}
		}},
		{name: "a topic is missing", mapping: func(m *mapping.Mapping) { m.Topics = []string{"t", "u", "v"} }},
		{name: "the topic is deleted", hurt: func(_ *testing.T, b *membroker.Broker) { b.DeleteTopic("t") }},
		{name: "the password is refused, again and again", every: func(b *membroker.Broker) {
			b.Report("", &driver.Error{Kind: driver.KindAuthentication, Offset: -1, Err: fmt.Errorf("refused from port %d", time.Now().UnixNano())})
		}},
		{name: "every partition is unreadable", every: func(b *membroker.Broker) {
			for p := range int32(20) {
				b.Report("", unreadable("t", p))
			}
		}},
		{name: "commits are refused", hurt: func(_ *testing.T, b *membroker.Broker) { b.Fail(membroker.OpCommit, 1e6, errors.New("no")) },
			every: func(b *membroker.Broker) { b.Produce("t", numbered(1)...) }},
		{name: "every other commit is refused", every: func(b *membroker.Broker) {
			b.Fail(membroker.OpCommit, 1, errors.New("no"))
			b.Produce("t", numbered(1)...)
		}},
		{name: "starts cannot be looked up", hurt: func(_ *testing.T, b *membroker.Broker) {
			b.Fail(membroker.OpCommitted, 1e6, errors.New("no"))
			b.Lose()
		}},
		{name: "the handler fails", handler: failing, every: spreadOver20},
		{name: "the handler fails, and records are dropped", handler: failing, mapping: func(m *mapping.Mapping) { m.MaximumRetryAttempts = new(0) }, every: spreadOver20},
		{name: "the circuit opens", handler: failing, options: []Option{WithCircuitBreaker(Breaker{Failures: 3, Cooldown: 5 * time.Second})}, every: spreadOver20},
		{name: "everything has something to say", every: func(b *membroker.Broker) {
			for kind := driver.KindOther; kind <= driver.KindInvalidConfig; kind++ {
				if kind != driver.KindOffsetOutOfRange && kind != driver.KindTopicRecreated {
					b.Report("", &driver.Error{Kind: kind, Offset: -1, Err: fmt.Errorf("at %v", time.Now())})
				}
			}
		}},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 20)
			m := memoryMapping()
			if c.mapping != nil {
				c.mapping(&m)
			}
			var log logLines
			r := newMapped(t, b, m, c.handler, append(c.options, log.option(), WithMetadataMaxAge(5*time.Second))...).start()
			pass(time.Second)
			log.warnings()
			if c.hurt != nil {
				c.hurt(t, b)
			}
			for range 120 {
				if c.every != nil {
					c.every(b)
				}
				pass(time.Second)
			}
			n := log.worstMinute()
			if n == 0 || n > 6 {
				t.Errorf("%d lines in a minute:\n%s", n, strings.Join(log.lines[:min(len(log.lines), 20)], "\n"))
			}
			b.Heal()
			_ = r.stop()
		})
	}
}

func spreadOver20(b *membroker.Broker) {
	for p := range int32(20) {
		b.Produce("t", membroker.Record{Partition: p})
	}
}
