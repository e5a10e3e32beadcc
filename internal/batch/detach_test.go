package batch

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/esm-go/esm/event"
)

// pieces returns records that are slices of one fetched buffer.
func pieces(fetch []byte, n int) []event.KafkaRecord {
	records := make([]event.KafkaRecord, n)
	each := len(fetch) / n
	for i := range records {
		part := fetch[i*each : (i+1)*each]
		records[i] = event.KafkaRecord{Topic: "t", Offset: int64(i), Key: part[:1], Value: part[1 : each-1],
			Headers: []event.Header{{Key: "h", Value: part[each-1:]}, {Key: "none"}}}
	}
	return records
}

func TestDetach(t *testing.T) {
	records := pieces(bytes.Repeat([]byte("0123456789"), 100), 10)
	records[3].Key, records[4].Value, records[5].Headers = nil, []byte{}, nil
	records[6].Value = bytes.Repeat([]byte("long"), slabBytes)
	own, bytes := Detach(records)
	if !reflect.DeepEqual(own, records) {
		t.Errorf("the copies differ:\n%v\n%v", own, records)
	}
	want := 0
	for i := range own {
		want += Weight(&own[i])
	}
	if bytes != want {
		t.Errorf("they weigh %d, want %d", bytes, want)
	}
	_ = append(own[0].Value, "over the end"...)
	if string(own[1].Key) != string(records[1].Key) {
		t.Error("an append to one copy writes into the next")
	}
}

func TestDetachLetsTheFetchGo(t *testing.T) {
	freed := make(chan struct{})
	b := Buffer{}
	now := time.Now()
	func() {
		fetch := make([]byte, 1<<20)
		runtime.AddCleanup(&fetch[0], func(struct{}) { close(freed) }, struct{}{})
		b.Add(Chunk{Records: pieces(fetch, 64), Arrived: now, Held: len(fetch), Size: 64, Largest: 1})
	}()
	b.Take(63, 1<<30, false) // the handler is done with these; the last record waits
	if copied, _ := b.Detach(now.Add(-time.Nanosecond), 1<<20); copied != 0 {
		t.Fatal("copied what has not waited long enough")
	}
	copied, more := b.Detach(now, 1<<20)
	if want := Weight(b.First()); copied != want || b.Held != want || more != want-1<<20/64 {
		t.Errorf("copied %d, %d more, %d held; want %d", copied, more, b.Held, want)
	}
	if again, _ := b.Detach(now, 1<<20); again != 0 {
		t.Error("copied twice")
	}
	for range 10 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(time.Second):
		}
	}
	t.Error("the fetch is still in memory")
}
