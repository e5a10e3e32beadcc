//go:build cgo

package confluent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

func (m *member) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	m.t.Cleanup(cancel)
	return ctx
}

func twoMembersCooperate(t *testing.T, b *broker) { twoMembers(t, b, true) }

func twoMembersByRange(t *testing.T, b *broker) {
	twoMembers(t, b, false, WithConfig(map[string]any{"partition.assignment.strategy": "range"}))
}

func twoMembers(t *testing.T, b *broker, cooperative bool, opts ...Option) {
	topic := b.NewTopic(t, 4)
	for i := range int32(4) {
		b.produce(topic, i, 100)
	}
	one := join(t, b.config(topic, topic), from(0), opts...)
	one.until("everything", func() bool { return total(one) == 400 })
	one.mu.Lock()
	one.onRevoke = func(tps []driver.TopicPartition) {
		var commits []driver.Commit
		for _, p := range tps {
			commits = append(commits, driver.Commit{TopicPartition: p, Offset: 42, LeaderEpoch: -1})
		}
		if err := one.consumer.Commit(one.ctx(), commits); err != nil {
			t.Errorf("commit while revoked: %v", err)
		}
	}
	one.mu.Unlock()
	two := join(t, b.config(topic, topic), from(90), opts...)
	two.until("two partitions", func() bool { return len(two.owned) == 2 })
	one.until("two partitions", func() bool { return len(one.owned) == 2 })
	two.until("their records", func() bool { return total(two) == 20 })
	one.mu.Lock()
	revoked := strings.Count(strings.Join(one.heard, "\n"), "revoked")
	parts := len(strings.Fields(one.heard[1])) - 1
	one.mu.Unlock()
	if want := map[bool]int{true: 2, false: 4}[cooperative]; revoked != 1 || parts != want {
		t.Errorf("%d revocations, of %d partitions; want 1 of %d: %q", revoked, parts, want, one.heard)
	}
	committed := b.Committed(t, topic, topic)
	two.mu.Lock()
	for p := range two.owned {
		if committed[p.Partition] != 42 {
			t.Errorf("committed %v, of %s nothing", committed, p)
		}
	}
	two.mu.Unlock()
	two.leave()
	one.until("everything again", func() bool { return len(one.owned) == 4 })
	b.produce(topic, 0, 1)
	b.produce(topic, 3, 1)
	one.until("the last record of each", func() bool { return one.next[tp(topic, 0)] == 101 && one.next[tp(topic, 3)] == 101 })
	if m := one.consumer.Member(); m.ID == "" || m.Generation < 1 || m.Rebalances < 2 {
		t.Errorf("member: %+v", m)
	}
}

func total(m *member) int {
	n := 0
	for _, r := range m.records {
		n += len(r)
	}
	return n
}

func anotherProtocol(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 2)
	one := join(t, b.config(topic, topic), from(0), WithConfig(map[string]any{"partition.assignment.strategy": "range"}))
	one.until("assignment", func() bool { return len(one.owned) == 2 })
	two := join(t, b.config(topic, topic), from(0))
	two.until("an error", func() bool { return len(two.errors) > 0 })
	two.mu.Lock()
	e := two.errors[0]
	two.mu.Unlock()
	if e.Kind != driver.KindGroupProtocol || !strings.Contains(e.Error(), "cooperative-sticky") || !strings.Contains(e.Error(), "WithConfig") {
		t.Errorf("error %v", e)
	}
	one.leave()
	two.until("assignment once the other is gone", func() bool { return len(two.owned) == 2 })
	two.mu.Lock()
	defer two.mu.Unlock()
	if len(two.errors) != 1 {
		t.Errorf("errors %v", two.errors)
	}
}

func pauseEndsWithAssignment(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 2)
	b.produce(topic, 0, 5)
	b.produce(topic, 1, 5)
	one := join(t, b.config(topic, topic), from(0))
	one.until("all", func() bool { return total(one) == 10 })
	one.consumer.Pause([]driver.TopicPartition{tp(topic, 0), tp(topic, 1)})
	two := join(t, b.config(topic, topic), from(0))
	two.until("its half", func() bool { return len(two.owned) == 1 && total(two) == 5 })
	two.mu.Lock()
	var moved driver.TopicPartition
	for p := range two.owned {
		moved = p
	}
	two.mu.Unlock()
	two.leave()
	one.until("both again, and what came back unpaused", func() bool { return len(one.owned) == 2 && len(one.records[moved]) == 10 })
}

func commitsWithMetadata(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 3)
	m := join(t, b.config(topic, topic), from(0))
	m.until("assignment", func() bool { return len(m.owned) == 3 })
	err := m.consumer.Commit(m.ctx(), []driver.Commit{
		{TopicPartition: tp(topic, 0), Offset: 7, LeaderEpoch: 3, Metadata: "started"},
		{TopicPartition: tp(topic, 2), Offset: 0, LeaderEpoch: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.consumer.Committed(m.ctx(), []driver.TopicPartition{tp(topic, 2), tp(topic, 1), tp(topic, 0)})
	if err != nil {
		t.Fatal(err)
	}
	want := []driver.Committed{
		{TopicPartition: tp(topic, 2), Offset: 0, LeaderEpoch: -1},
		{TopicPartition: tp(topic, 1), Offset: -1, LeaderEpoch: -1},
		{TopicPartition: tp(topic, 0), Offset: 7, LeaderEpoch: 3, Metadata: "started"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("committed %+v, want %+v", got, want)
	}
	if err := m.consumer.Commit(m.ctx(), []driver.Commit{{TopicPartition: tp(topic, 0), Offset: -1}}); err == nil {
		t.Error("a commit of -1 is accepted")
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.consumer.Commit(ended, []driver.Commit{{TopicPartition: tp(topic, 0), Offset: 1}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a commit with an ended context: %v", err)
	}
}

func looksOffsetsUp(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 2, "retention.ms=-1")
	at := time.UnixMilli(1_700_000_000_000)
	for i := range 10 {
		b.Produce(t, kafkatest.At(0, &kgo.Record{Topic: topic, Value: []byte("v"), Timestamp: at.Add(time.Duration(i) * time.Second)}))
	}
	b.DeleteRecords(t, topic, map[int32]int64{0: 2})
	m := join(t, b.config(topic, topic), from(-1))
	ms := driver.OffsetAt(at.UnixMilli())
	queries := []struct {
		p    driver.TopicPartition
		at   driver.OffsetAt
		want int64
	}{
		{tp(topic, 0), driver.AtEarliest, 2},
		{tp(topic, 0), driver.AtEnd, 10},
		{tp(topic, 1), driver.AtEnd, 0},
		{tp(topic, 0), ms + 4500, 5},
		{tp(topic, 0), ms + 5000, 5},
		{tp(topic, 0), ms + 99_000, 10},
		{tp(topic, 1), ms, 0},
		{tp(topic, 9), driver.AtEnd, -1},
	}
	asked := make([]driver.OffsetQuery, len(queries))
	for i, q := range queries {
		asked[i] = driver.OffsetQuery{TopicPartition: q.p, At: q.at}
	}
	answers, err := m.consumer.ListOffsets(m.ctx(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		q := queries[i]
		if a.TopicPartition != q.p || a.At != q.at || a.Offset != q.want || (a.Err != nil) != (q.want < 0) {
			t.Errorf("query %+v: %+v", q, a)
		}
	}
}

func describesTopics(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 3)
	b.CreateTopic(t, topic+".b", 2)
	m := join(t, b.config(topic, "^"+topic+`\..*`, topic), from(-1))
	list, err := m.consumer.Topics(m.ctx())
	if err != nil || len(list) != 2 || list[0].Name != topic || list[0].Partitions != 3 || list[0].ID == [16]byte{} ||
		list[1].Name != topic+".b" || list[1].Partitions != 2 || list[1].ID == list[0].ID {
		t.Errorf("topics %+v, %v", list, err)
	}
	list, err = m.consumer.Topics(m.ctx(), topic+"-none", topic)
	if err != nil || len(list) != 2 || list[0].Err == nil || list[1].Err != nil {
		t.Fatalf("topics %+v, %v", list, err)
	}
	var e *driver.Error
	if !errors.As(list[0].Err, &e) || e.Kind != driver.KindUnknownTopic || e.TopicPartition.Topic != topic+"-none" {
		t.Errorf("unknown topic: %v", list[0].Err)
	}
}

func unknownTopic(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 1)
	late := topic + "-late"
	m := join(t, b.config(topic, topic, late), from(0))
	m.until("an error", func() bool { return len(m.errors) > 0 })
	m.mu.Lock()
	if e := m.errors[0]; e.Kind != driver.KindUnknownTopic || e.TopicPartition.Topic != late {
		t.Errorf("error %v", e)
	}
	m.mu.Unlock()
	b.CreateTopic(t, late, 1)
	b.produce(late, 0, 3)
	m.untilCount(tp(late, 0), 3)
	m.mu.Lock()
	if len(m.errors) != 1 {
		t.Errorf("errors %v", m.errors)
	}
	m.mu.Unlock()
	b.DeleteTopic(t, late)
	m.until("what is gone is said", func() bool { return len(m.errors) > 1 && !m.owned[tp(late, 0)] })
}

func patternFindsLaterTopic(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 1)
	m := join(t, b.config(topic, "^"+topic), from(0))
	m.until("assignment", func() bool { return m.owned[tp(topic, 0)] })
	b.CreateTopic(t, topic+"-later", 1)
	b.produce(topic+"-later", 0, 2)
	m.untilCount(tp(topic+"-later", 0), 2)
}

func afterClose(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 2)
	m := join(t, b.config(topic, topic), from(0))
	m.until("assignment", func() bool { return len(m.owned) == 2 })
	m.leave()
	m.mu.Lock()
	if !slices.ContainsFunc(m.heard, func(s string) bool { return strings.HasPrefix(s, "revoked ") }) || len(m.owned) > 0 {
		t.Errorf("heard %q", m.heard)
	}
	m.mu.Unlock()
	p := tp(topic, 0)
	m.begin(p, 0, 9)
	m.consumer.Pause([]driver.TopicPartition{p})
	m.consumer.Resume([]driver.TopicPartition{p})
	_ = m.consumer.Member()
	if err := m.consumer.Commit(m.ctx(), []driver.Commit{{TopicPartition: p}}); err == nil {
		t.Error("Commit after Close")
	}
	if _, err := m.consumer.Committed(m.ctx(), []driver.TopicPartition{p}); err == nil {
		t.Error("Committed after Close")
	}
	if _, err := m.consumer.ListOffsets(m.ctx(), []driver.OffsetQuery{{TopicPartition: p}}); err == nil {
		t.Error("ListOffsets after Close")
	}
	if _, err := m.consumer.Topics(m.ctx()); err == nil {
		t.Error("Topics after Close")
	}
	var e *driver.Error
	if err := m.consumer.Poll(m.ctx(), &driver.Fetch{}); !errors.As(err, &e) {
		t.Errorf("Poll after Close: %v", err)
	}
	if err := m.consumer.Close(m.ctx()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
