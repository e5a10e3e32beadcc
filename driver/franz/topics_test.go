package franz

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/esm-go/esm/driver"
)

func TestTopicAppears(t *testing.T) {
	c := cluster(t)
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	m.until(t, "missing topic reported", func() bool { return m.has(driver.KindUnknownTopic) == 1 })
	if err := c.CreateTopic("t", 1, nil); err != nil {
		t.Fatal(err)
	}
	m.until(t, "assigned", func() bool { return len(m.owned) == 1 })
	produce(t, c.ListenAddrs(), values("t", 0, 0, 3)...)
	m.until(t, "read", func() bool { return m.next[tp("t", 0)] == 3 })
	if n := m.has(driver.KindUnknownTopic); n != 1 {
		t.Errorf("reported %d times", n)
	}
}

func TestTopicMadeAgain(t *testing.T) {
	for name, topics := range map[string][]string{"by name": {"t"}, "by pattern": {"^t$"}} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t, kfake.SeedTopics(2, "t"))
			m := join(t, config(c.ListenAddrs(), "g", topics...), startAt(0))
			produce(t, c.ListenAddrs(), append(values("t", 0, 0, 10), values("t", 1, 0, 10)...)...)
			m.until(t, "read", func() bool { return m.next[tp("t", 0)] == 10 && m.next[tp("t", 1)] == 10 })
			if err := c.DeleteTopic("t"); err != nil {
				t.Fatal(err)
			}
			if err := c.CreateTopic("t", 2, nil); err != nil {
				t.Fatal(err)
			}
			produce(t, c.ListenAddrs(), append(values("t", 0, 100, 4), values("t", 1, 100, 4)...)...)
			m.until(t, "reported", func() bool { return m.has(driver.KindTopicRecreated) == 1 })
			m.consumer.Start(starts([]driver.TopicPartition{tp("t", 0), tp("t", 1)}, 0, 5))
			m.until(t, "the new topic read", func() bool { return m.next[tp("t", 0)] == 4 && m.next[tp("t", 1)] == 4 })
			if rs := m.records[tp("t", 0)]; string(rs[len(rs)-4].Value) != "v100" {
				t.Errorf("got %q", rs[len(rs)-4].Value)
			}
			if m.has(driver.KindTopicRecreated) != 1 {
				t.Errorf("errors %v", m.errs)
			}
			t.Log(m.calls)
		})
	}
}

func TestPatternsAndNames(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "a.b", "axb", "orders-1", "orders-2", "other"))
	m := join(t, config(c.ListenAddrs(), "g", "^orders-.*", "a.b", "missing"), startAt(0))
	m.until(t, "assigned", func() bool { return len(m.owned) == 3 })
	for _, topic := range []string{"a.b", "orders-1", "orders-2"} {
		if !m.owned[tp(topic, 0)] {
			t.Errorf("%s is not owned", topic)
		}
	}
	if err := c.CreateTopic("orders-3", 2, nil); err != nil {
		t.Fatal(err)
	}
	m.until(t, "a new match found", func() bool { return m.owned[tp("orders-3", 0)] && m.owned[tp("orders-3", 1)] })
	topics, err := m.consumer.Topics(ctx(t))
	if err != nil || len(topics) != 5 {
		t.Fatalf("%v, %v", topics, err)
	}
	for _, topic := range topics {
		if (topic.Err != nil) != (topic.Name == "missing") || topic.Err == nil && topic.ID == [16]byte{} {
			t.Errorf("%+v", topic)
		}
	}
	m.until(t, "the missing one reported", func() bool { return m.has(driver.KindUnknownTopic) == 1 })
	topics, err = m.consumer.Topics(ctx(t), "orders-3", "nowhere")
	if err != nil || len(topics) != 2 || topics[0].Partitions != 2 || topics[1].Err == nil {
		t.Errorf("%+v, %v", topics, err)
	}
}

func TestTopicGrows(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	m.until(t, "assigned", func() bool { return len(m.owned) == 1 })
	grow(t, c, "t", 3)
	m.until(t, "new partitions assigned", func() bool { return len(m.owned) == 3 })
	produce(t, c.ListenAddrs(), values("t", 2, 0, 3)...)
	m.until(t, "read", func() bool { return m.next[tp("t", 2)] == 3 })
}
