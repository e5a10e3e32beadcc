package franz

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/esm-go/esm/driver"
)

// watcher watches topics, about which kgo reports nothing: kgo waits silently for a missing topic, and stops fetching a
// recreated one, still under the old ID, until it is purged from the client.
type watcher struct {
	mu sync.Mutex
	// ids are the topics' IDs as the client reads them, or as first seen.
	ids map[string][16]byte
	// asked holds topics whose fetch failed, with the ID that was fetched.
	asked map[string][16]byte
	kick  chan struct{}
}

func (w *watcher) init() {
	w.ids = map[string][16]byte{}
	w.asked = map[string][16]byte{}
	w.kick = make(chan struct{}, 1)
}

// ask makes the watcher check a topic soon.
func (w *watcher) ask(topic string, id [16]byte) {
	w.mu.Lock()
	w.asked[topic] = id
	w.mu.Unlock()
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// saw records the ID under which the client reads a topic.
func (w *watcher) saw(topic string, id [16]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids[topic] == ([16]byte{}) {
		w.ids[topic] = id
	}
}

// id returns a topic's ID. known is false before the first lookup; the ID is zero with a broker that has none.
func (w *watcher) id(topic string) (id [16]byte, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id, known = w.ids[topic]
	return id, known
}

const (
	// watchSoon is the time between two checks while a topic is missing or in doubt.
	watchSoon = time.Second
	// watchLate is the time between two checks if Config.MetadataMaxAge is unset: Kafka's default for it.
	watchLate = 5 * time.Minute
	// watchTimeout bounds one check.
	watchTimeout = 30 * time.Second
)

// watch runs until the consumer's life ends.
func (c *consumer) watch() {
	late := c.cfg.MetadataMaxAge
	if late <= 0 {
		late = watchLate
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.life.Done():
			return
		case <-timer.C:
		case <-c.topics.kick:
		}
		next := late
		if !c.look() {
			next = min(late, watchSoon)
		}
		timer.Reset(next)
	}
}

// look checks the topics once. It returns false if one is missing, or if the brokers did not answer.
func (c *consumer) look() (settled bool) {
	ctx, cancel := context.WithTimeout(c.life, watchTimeout)
	defer cancel()
	names := c.watched()
	if len(names) == 0 {
		return true
	}
	topics, brokers, err := c.describe(ctx, names)
	if err != nil {
		return false // the connection's own condition is reported
	}
	c.brokers.Store(int32(brokers))
	c.resize(c.client)
	settled = true
	for _, t := range topics {
		condition := topicCondition(t.Name)
		if t.Err != nil {
			settled = false
			e, _ := errors.AsType[*driver.Error](t.Err)
			if !kerr.IsRetriable(e.Err) || e.Kind == driver.KindUnknownTopic {
				c.report.raise(condition, e)
			}
			continue
		}
		if was, made := c.topics.settle(t); made {
			c.recreated(t, was)
			continue
		}
		c.report.clear(condition)
	}
	return settled
}

// watched returns the topics to check: those subscribed to by name, and those with partitions here.
func (c *consumer) watched() []string {
	set := map[string]bool{}
	for _, name := range c.subscription.names {
		set[name] = true
	}
	c.assigned.mu.Lock()
	for name := range c.assigned.parts {
		set[name] = true
	}
	c.assigned.mu.Unlock()
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	return names
}

// settle records a topic that exists. It returns true if the topic was recreated since the client first read it.
func (w *watcher) settle(t driver.Topic) (was [16]byte, made bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, known := w.ids[t.Name]
	if asked, ok := w.asked[t.Name]; ok {
		delete(w.asked, t.Name)
		if asked != ([16]byte{}) {
			was, known = asked, true
		}
	}
	if t.ID == ([16]byte{}) {
		return was, false // a broker before 2.8
	}
	w.ids[t.Name] = t.ID
	return was, known && was != ([16]byte{}) && was != t.ID
}

// recreated holds a topic's partitions and makes the client drop the old topic, so that it reads the new one. The group
// sees the topic leave the subscription and come back, so its partitions are usually revoked and assigned again.
func (c *consumer) recreated(t driver.Topic, was [16]byte) {
	c.assigned.mu.Lock()
	for _, p := range c.assigned.parts[t.Name] {
		c.assigned.hold(p)
		p.recreated = true
		p.suspended = time.Time{}
	}
	c.assigned.mu.Unlock()
	c.report.clear(topicCondition(t.Name))
	c.report.raise(topicCondition(t.Name), &driver.Error{
		Kind:           driver.KindTopicRecreated,
		TopicPartition: wholeTopic(t.Name),
		Offset:         -1,
		Err:            &RecreatedError{Topic: t.Name, Was: was, Is: t.ID},
	})
	c.client.PurgeTopicsFromConsuming(t.Name)
	c.client.AddConsumeTopics(t.Name) // with patterns the next metadata brings it back
	c.client.ForceMetadataRefresh()
}
