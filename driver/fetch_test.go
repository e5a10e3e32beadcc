package driver_test

import (
	"testing"
	"unsafe"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

func fill(records []event.KafkaRecord) []event.KafkaRecord {
	for i := range records {
		records[i] = event.KafkaRecord{Topic: "t", Offset: int64(i), Key: []byte("k"), Headers: []event.Header{{Key: "h"}}}
	}
	return records
}

func same(a, b []event.KafkaRecord) bool { return unsafe.SliceData(a) == unsafe.SliceData(b) }

func empty(t *testing.T, records []event.KafkaRecord) {
	t.Helper()
	for i := range records {
		if r := &records[i]; r.Topic != "" || r.Offset != 0 || r.Key != nil || r.Headers != nil {
			t.Fatalf("record %d is not empty: %+v", i, *r)
		}
	}
}

func TestRecordsThatWereGivenBack(t *testing.T) {
	var f driver.Fetch
	f.Reset()
	first := fill(f.Records(100))
	f.GiveBack(first)
	f.Reset()
	again := f.Records(90)
	if !same(again, first) || len(again) != 90 {
		t.Fatal("records that fit are not used again")
	}
	empty(t, again)
	if other := f.Records(90); same(other, first) {
		t.Error("used twice")
	}
	f.GiveBack(fill(again)) // fewer, in the same memory
	f.Reset()
	for _, n := range []int{101, 49} {
		if got := f.Records(n); same(got, first) || len(got) != n {
			t.Errorf("%d records are put where 100 were", n)
		}
	}
	if got := f.Records(100); !same(got, first) {
		t.Error("a slab that was used in part is not whole again")
	} else {
		empty(t, got)
	}
}

// Only what Records returned for this Poll is reused. Records that a driver allocated itself are not, nor is part of a
// slab whose rest belongs to another run.
func TestRecordsOfOthersAreNotTaken(t *testing.T) {
	var f driver.Fetch
	f.Reset()
	slab := fill(f.Records(20))
	f.GiveBack(slab[:5:5])
	f.GiveBack(slab[10:])
	own := fill(make([]event.KafkaRecord, 20))
	f.GiveBack(own)
	f.GiveBack(nil)
	empty(t, own)
	empty(t, slab[:5])
	empty(t, slab[10:])
	if slab[5].Topic != "t" || slab[9].Topic != "t" {
		t.Error("more is cleared than was given back")
	}
	f.Reset()
	f.GiveBack(slab) // late
	if got := f.Records(10); same(got, slab[10:]) || same(got, own) || same(got, slab) {
		t.Error("they are used again")
	}
}

func TestRecordsThatNobodyTakesAreLetGo(t *testing.T) {
	var f driver.Fetch
	f.Reset()
	first := fill(f.Records(10))
	f.GiveBack(first)
	f.Reset() // the Poll that may take them
	f.Reset() // the next one
	if got := f.Records(10); same(got, first) {
		t.Error("records are kept over a Poll that took none")
	}
}

func TestFewRecordsAreKept(t *testing.T) {
	var f driver.Fetch
	var slabs [][]event.KafkaRecord
	for i := range 17 {
		slabs = append(slabs, fill(f.Records(10+100*i*i)))
	}
	for _, slab := range slabs {
		f.GiveBack(slab)
	}
	f.Reset()
	if got := f.Records(10); same(got, slabs[0]) {
		t.Error("the oldest of 17 is kept")
	}
	if got := f.Records(100); !same(got, slabs[1]) {
		t.Error("the second is not")
	}
}
