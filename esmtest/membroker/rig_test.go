package membroker_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inBubble runs each test in virtual time, as users of the package do.
func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// app is a member of a group that starts what it is assigned and records what happens.
type app struct {
	t     *testing.T
	c     driver.Consumer
	from  func(driver.TopicPartition) int64
	log   []string
	fetch driver.Fetch
	// onRevoked runs inside Listener.Revoked.
	onRevoked func([]driver.TopicPartition)
}

func open(t *testing.T, b *membroker.Broker, change func(*driver.Config)) *app {
	t.Helper()
	a := &app{t: t, from: func(driver.TopicPartition) int64 { return 0 }}
	cfg := driver.Config{
		GroupID: "g", ClientID: "c", Topics: []string{"orders"}, Logger: slog.New(slog.DiscardHandler),
		SessionTimeout: 10 * time.Second, MaxPollInterval: time.Minute,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := b.Driver().Open(cfg, a)
	if err != nil {
		t.Fatal(err)
	}
	a.c = c
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return a
}

func (a *app) notef(format string, args ...any) { a.log = append(a.log, fmt.Sprintf(format, args...)) }

func (a *app) Assigned(tps []driver.TopicPartition) {
	a.notef("assigned %v", tps)
	if a.from == nil {
		return
	}
	starts := make([]driver.Start, 0, len(tps))
	for _, tp := range tps {
		starts = append(starts, driver.Start{TopicPartition: tp, Offset: a.from(tp), LeaderEpoch: -1, Epoch: 1})
	}
	a.c.Start(starts)
}

func (a *app) Revoked(tps []driver.TopicPartition) {
	a.notef("revoked %v", tps)
	if a.onRevoked != nil {
		a.onRevoked(tps)
	}
}

func (a *app) Lost(tps []driver.TopicPartition) { a.notef("lost %v", tps) }

// poll polls once and records runs and errors.
func (a *app) poll() {
	a.t.Helper()
	if err := a.c.Poll(context.Background(), &a.fetch); err != nil {
		a.notef("end: %v", err)
		return
	}
	for _, e := range a.fetch.Errors {
		a.notef("%s: %v at %d", e.TopicPartition.Topic, e.Kind, e.Offset)
	}
	for _, r := range a.fetch.Runs {
		values := make([]string, 0, len(r.Records))
		for _, k := range r.Records {
			values = append(values, fmt.Sprintf("%d=%s", k.Offset, k.Value))
		}
		a.notef("%v@%d [%s] next %d end %d", r.TopicPartition, r.Epoch, strings.Join(values, " "), r.Next, r.End)
	}
}

// want checks what has happened since the last want, line by line.
func (a *app) want(lines ...string) {
	a.t.Helper()
	if !slices.Equal(a.log, lines) {
		a.t.Fatalf("happened:\n  %s\nwant:\n  %s", strings.Join(a.log, "\n  "), strings.Join(lines, "\n  "))
	}
	a.log = nil
}

func tps(topic string, partitions ...int32) []driver.TopicPartition {
	out := make([]driver.TopicPartition, len(partitions))
	for i, p := range partitions {
		out[i] = driver.TopicPartition{Topic: topic, Partition: p}
	}
	return out
}

func values(partition int32, vs ...string) []membroker.Record {
	records := membroker.Values(vs...)
	for i := range records {
		records[i].Partition = partition
	}
	return records
}
