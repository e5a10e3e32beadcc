package drivertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// RunProducer runs every case of the contract of driver.Producer as a subtest. The driver of target must be a
// driver.ProducerDriver.
func RunProducer(t *testing.T, target Target) {
	t.Helper()
	run(t, target, producerCases)
}

var producerCases = []testCase{
	{name: "producer/every part of a record arrives", needs: []string{needHeaders}, run: func(k *kit) {
		topic := k.topic(2)
		p := k.producer(nil)
		records := []driver.OutRecord{
			{Topic: topic, Partition: 1, Key: []byte("k"), Value: []byte("v"), Timestamp: 1_700_000_000_123,
				Headers: []event.Header{{Key: "a", Value: []byte{0, 255}}, {Key: "a", Value: []byte{}}, {Key: "b"}}},
			{Topic: topic, Partition: 1, Key: []byte{}, Value: []byte{}, Timestamp: -1},
			{Topic: topic, Partition: 1, Timestamp: -1},
		}
		before := time.Now().Add(-time.Second)
		for i, r := range records {
			if err := k.produceOne(p, r); err != nil {
				k.Fatalf("record %d: %v", i, err)
			}
		}
		got := k.read(topic, 3)
		first := got[0]
		if string(first.Key) != "k" || string(first.Value) != "v" || first.Partition != 1 || first.Timestamp.UnixMilli() != 1_700_000_000_123 {
			k.Errorf("got %+v", first)
		}
		if h := first.Headers; len(h) != 3 || h[0].Key != "a" || !bytes.Equal(h[0].Value, []byte{0, 255}) || h[1].Value == nil || len(h[1].Value) != 0 || h[2].Key != "b" || h[2].Value != nil {
			k.Errorf("headers %+v", h)
		}
		if got[1].Key == nil || got[1].Value == nil || got[2].Key != nil || got[2].Value != nil {
			k.Errorf("empty and none are one: %+v, %+v", got[1], got[2])
		}
		if got[1].Timestamp.Before(before) || got[1].Timestamp.After(time.Now().Add(time.Second)) {
			k.Errorf("a record of now has %v", got[1].Timestamp)
		}
	}},
	{name: "producer/in order and once", run: func(k *kit) {
		const n = 5000
		topic := k.topic(2)
		p := k.producer(func(c *driver.ProducerConfig) { c.BufferBytes = 64 << 10 })
		var a answers
		for i := range n {
			p.Produce(k.ctx(), driver.OutRecord{Topic: topic, Partition: int32(i % 2), Value: []byte(strconv.Itoa(i)), Timestamp: -1}, a.of(i))
		}
		a.wait(k)
		for i := range n {
			if got := a.errs[i]; len(got) != 1 || got[0] != nil {
				k.Fatalf("answers of record %d: %v", i, got)
			}
		}
		next := []int{0, 1}
		for _, r := range k.read(topic, n) {
			if string(r.Value) != strconv.Itoa(next[r.Partition]) {
				k.Fatalf("partition %d offset %d has %s, want %d", r.Partition, r.Offset, r.Value, next[r.Partition])
			}
			next[r.Partition] += 2
		}
	}},
	{name: "producer/keys go where the Java producer puts them", run: func(k *kit) {
		// The values come from Kafka's own test of its hash.
		hashes := map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
			"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107}
		topic := k.topic(7)
		p := k.producer(nil)
		for key := range hashes {
			if err := k.produceOne(p, driver.OutRecord{Topic: topic, Partition: -1, Key: []byte(key), Timestamp: -1}); err != nil {
				k.Fatal(err)
			}
		}
		for _, r := range k.read(topic, len(hashes)) {
			if want := (hashes[string(r.Key)] & 0x7fffffff) % 7; r.Partition != want {
				k.Errorf("key %q is in partition %d, want %d", r.Key, r.Partition, want)
			}
		}
	}},
	{name: "producer/records without a key go everywhere", run: func(k *kit) {
		const partitions, n = 4, 200
		topic := k.topic(partitions)
		p := k.producer(nil)
		// A client may prefer the partitions whose leaders it has connected to, so it writes to each first.
		for partition := range int32(partitions) {
			if err := k.produceOne(p, driver.OutRecord{Topic: topic, Partition: partition, Value: []byte("first"), Timestamp: -1}); err != nil {
				k.Fatal(err)
			}
		}
		var a answers
		for i := range n {
			p.Produce(k.ctx(), driver.OutRecord{Topic: topic, Partition: -1, Value: []byte("v"), Timestamp: -1}, a.of(i))
		}
		a.wait(k)
		count := make(map[int32]int)
		for _, r := range k.read(topic, n+partitions) {
			count[r.Partition]++
		}
		for partition := range int32(partitions) {
			if count[partition] < n/partitions/3 {
				k.Errorf("the partitions have %v", count)
			}
		}
	}},
	{name: "producer/topics", run: func(k *kit) {
		topic := k.topic(3)
		p := k.producer(nil)
		got, err := p.Topics(k.ctx(), topic+"-missing", topic)
		if err != nil || len(got) != 2 || got[1].Partitions != 3 || got[1].Err != nil {
			k.Fatalf("Topics() = %+v, %v", got, err)
		}
		var e *driver.Error
		if !errors.As(got[0].Err, &e) || e.Kind != driver.KindUnknownTopic {
			k.Errorf("a missing topic: %v", got[0].Err)
		}
	}},
	{name: "producer/missing topic", run: func(k *kit) {
		p := k.producer(nil)
		err := k.produceOne(p, driver.OutRecord{Topic: k.prefix + "-missing", Partition: -1, Value: []byte("v"), Timestamp: -1})
		var e *driver.Error
		if !errors.As(err, &e) || e.Kind != driver.KindUnknownTopic {
			k.Errorf("got %v", err)
		}
	}},
	{name: "producer/too large", run: func(k *kit) {
		topic := k.topic(1, "max.message.bytes=10000")
		p := k.producer(nil)
		large := make([]byte, 20_000)
		_, _ = rand.Read(large) // random, so that it does not compress
		err := k.produceOne(p, driver.OutRecord{Topic: topic, Value: large, Timestamp: -1})
		var e *driver.Error
		if !errors.As(err, &e) || e.Kind != driver.KindTooLarge {
			k.Errorf("got %v", err)
		}
		// Other records still succeed.
		if err := k.produceOne(p, driver.OutRecord{Topic: topic, Value: []byte("v"), Timestamp: -1}); err != nil {
			k.Errorf("the next record: %v", err)
		}
	}},
	{name: "producer/a large record where the topic takes it", run: func(k *kit) {
		topic := k.topic(1, "max.message.bytes=6000000")
		p := k.producer(nil)
		large := make([]byte, 5_000_000)
		_, _ = rand.Read(large)
		for _, value := range [][]byte{large, []byte("v"), large} {
			if err := k.produceOne(p, driver.OutRecord{Topic: topic, Value: value, Timestamp: -1}); err != nil {
				k.Fatal(err)
			}
		}
		if got := k.read(topic, 3); !bytes.Equal(got[0].Value, large) || !bytes.Equal(got[2].Value, large) {
			k.Error("another record came back")
		}
	}},
	{name: "producer/many records are never too large together", run: func(k *kit) {
		topic := k.topic(1) // which accepts a megabyte at a time
		p := k.producer(func(c *driver.ProducerConfig) { c.Linger = 50 * time.Millisecond })
		value := make([]byte, 100_000)
		_, _ = rand.Read(value)
		var a answers
		for i := range 60 {
			p.Produce(k.ctx(), driver.OutRecord{Topic: topic, Value: value, Timestamp: -1}, a.of(i))
		}
		a.wait(k)
		for i := range 60 {
			if a.errs[i][0] != nil {
				k.Fatalf("record %d: %v", i, a.errs[i][0])
			}
		}
	}},
	{name: "producer/waits for a broker that is away", needs: []string{needStop}, run: func(k *kit) {
		topic := k.topic(1)
		p := k.producer(nil)
		if err := k.produceOne(p, driver.OutRecord{Topic: topic, Value: []byte("before"), Timestamp: -1}); err != nil {
			k.Fatal(err)
		}
		k.env.Stop(k)
		var a answers
		for i := range 10 {
			p.Produce(k.ctx(), driver.OutRecord{Topic: topic, Value: fmt.Append(nil, i), Timestamp: -1}, a.of(i))
		}
		k.env.Start(k)
		a.wait(k)
		for i := range 10 {
			if a.errs[i][0] != nil {
				k.Errorf("record %d: %v", i, a.errs[i][0])
			}
		}
		for i, r := range k.read(topic, 11)[1:] {
			if string(r.Value) != strconv.Itoa(i) {
				k.Errorf("record %d is %s", i, r.Value)
			}
		}
	}},
	{name: "producer/heeds contexts", needs: []string{needFreeze}, run: func(k *kit) {
		topic := k.topic(1)
		p := k.producer(func(c *driver.ProducerConfig) { c.BufferBytes = 10_000 })
		if err := k.produceOne(p, driver.OutRecord{Topic: topic, Value: []byte("before"), Timestamp: -1}); err != nil {
			k.Fatal(err)
		}
		k.env.Freeze(k)
		defer k.env.Thaw(k)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var a answers
		began := time.Now()
		for i := range 30 { // some of them wait for room
			p.Produce(ctx, driver.OutRecord{Topic: topic, Value: make([]byte, 1000), Timestamp: -1}, a.of(i))
		}
		a.wait(k)
		if took := time.Since(began); took > k.target.Patience/2 {
			k.Errorf("answered after %v", took)
		}
		for i := range 30 {
			if a.errs[i][0] == nil {
				k.Errorf("record %d is acknowledged by a broker that does not answer", i)
			}
		}
	}},
	{name: "producer/close answers what is left", needs: []string{needStop}, run: func(k *kit) {
		topic := k.topic(1)
		p := k.producer(nil)
		if err := k.produceOne(p, driver.OutRecord{Topic: topic, Value: []byte("before"), Timestamp: -1}); err != nil {
			k.Fatal(err)
		}
		k.env.Stop(k)
		defer k.env.Start(k)
		var a answers
		for i := range 10 {
			p.Produce(k.ctx(), driver.OutRecord{Topic: topic, Value: []byte("v"), Timestamp: -1}, a.of(i))
		}
		if err := p.Close(k.ctx()); err != nil {
			k.Errorf("Close: %v", err)
		}
		a.wait(k)
		p.Produce(k.ctx(), driver.OutRecord{Topic: topic, Value: []byte("v"), Timestamp: -1}, a.of(10))
		a.wait(k)
		for i := range 11 {
			if got := a.errs[i]; len(got) != 1 || got[0] == nil {
				k.Errorf("record %d: %v", i, got)
			}
		}
		if _, err := p.Topics(k.ctx(), topic); err == nil {
			k.Error("Topics after Close gives no error")
		}
	}},
	{name: "producer/refuses a configuration", run: func(k *kit) {
		d, _ := k.target.Driver(k.env).(driver.ProducerDriver)
		var e *driver.Error
		if _, err := d.OpenProducer(driver.ProducerConfig{Logger: slog.New(slog.DiscardHandler)}); !errors.As(err, &e) || e.Kind != driver.KindInvalidConfig {
			k.Errorf("without servers: %v", err)
		}
	}},
}
