package franz

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// reporter queues reports until Poll takes them. It reports each condition once until the condition changes or ends.
type reporter struct {
	mu     sync.Mutex
	queue  []*driver.Error
	open   map[string]string
	opened atomic.Int32 // len(open), readable without the lock
	wake   func()
}

const (
	clientCondition = "client"
	groupCondition  = "group"
	pollCondition   = "poll"
)

func topicCondition(topic string) string                 { return "topic/" + topic }
func partitionCondition(tp driver.TopicPartition) string { return "partition/" + tp.String() }
func brokerCondition(meta kgo.BrokerMetadata) string     { return "broker/" + brokerAddress(meta) }

func brokerAddress(meta kgo.BrokerMetadata) string {
	return net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
}

func (r *reporter) init(wake func()) {
	r.open = map[string]string{}
	r.wake = wake
}

// raise reports err unless condition is already open with the same content.
func (r *reporter) raise(condition string, err *driver.Error) {
	// Texts of network errors hold the local port, which differs each time.
	says := err.Kind.String()
	if e, ok := errors.AsType[*kerr.Error](err.Err); ok {
		says += e.Message
	} else if err.Kind == driver.KindOther {
		says += err.Err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[condition] == says {
		return
	}
	r.open[condition] = says
	r.opened.Store(int32(len(r.open)))
	r.queue = append(r.queue, err)
	r.wake()
}

// clear ends a condition. If it occurs again, it is reported again.
func (r *reporter) clear(condition string) {
	if !r.standing() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, condition)
	r.opened.Store(int32(len(r.open)))
}

// standing reports whether any condition is open.
func (r *reporter) standing() bool { return r.opened.Load() > 0 }

func (r *reporter) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue) > 0
}

func (r *reporter) drain(into []*driver.Error) []*driver.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	into = append(into, r.queue...)
	clear(r.queue)
	r.queue = r.queue[:0]
	return into
}

// hooks receives what kgo does not report through fetches.
type hooks struct{ c *consumer }

var (
	_ kgo.HookBrokerConnect    = (*hooks)(nil)
	_ kgo.HookBrokerRead       = (*hooks)(nil)
	_ kgo.HookGroupManageError = (*hooks)(nil)
)

// OnBrokerConnect is called for each connection, once it is authenticated or has failed.
func (h *hooks) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
	default:
		e := h.c.classify(err)
		if e.Kind == driver.KindOther {
			e.Kind = driver.KindUnavailable
		}
		e.Broker = brokerAddress(meta)
		h.c.report.raise(brokerCondition(meta), e)
	}
}

// OnBrokerRead is called for each response. A broker that no longer answers is unavailable, and one that hangs up on
// the first request expects TLS or SASL. The end of any other connection is not reported: brokers close idle ones, and
// a broker that is down refuses the next one.
func (h *hooks) OnBrokerRead(meta kgo.BrokerMetadata, key int16, _ int, wait, took time.Duration, err error) {
	if k := kmsg.Key(key); err == nil && (k == kmsg.Heartbeat || k == kmsg.SyncGroup) {
		h.c.membership.answered(time.Now().Add(-wait-took), h.c.sessionTimeout())
	}
	if kmsg.Key(key) == kmsg.SASLAuthenticate {
		if err != nil && hungUp(err) {
			h.c.saslHangUps.Add(1)
		}
		return // OnBrokerConnect reports the connection's end
	}
	if err == nil {
		switch kmsg.Key(key) {
		case kmsg.ApiVersions, kmsg.SASLHandshake: // answered without authentication
		default:
			h.c.served.Store(true)
			if h.c.saslHangUps.Load() > 0 { // read before the write: all connections share it
				h.c.saslHangUps.Store(0)
			}
			h.c.report.clear(brokerCondition(meta))
		}
		return
	}
	refused := errors.Is(err, io.EOF) && !h.c.served.Load()
	e, isNet := errors.AsType[net.Error](err)
	if (refused || isNet && e.Timeout() || isTLS(err)) && h.c.life.Err() == nil {
		// TLS 1.3: a broker refuses a client's certificate after the handshake.
		e := h.c.classify(err)
		e.Broker = brokerAddress(meta)
		h.c.report.raise(brokerCondition(meta), e)
	}
}

// OnGroupManageError is called at the end of a group session, before kgo retries.
func (h *hooks) OnGroupManageError(err error) {
	if !errors.Is(err, kerr.FencedInstanceID) {
		return // reported through the fetches
	}
	// Another member has this one's group.instance.id: a retry would fence that member in turn.
	h.c.fatal.CompareAndSwap(nil, h.c.classify(err))
	h.c.client.LeaveGroupContext(nil) //nolint:errcheck,staticcheck // nil: do not wait, which would wait for ourselves
	h.c.waker.wake()
}
