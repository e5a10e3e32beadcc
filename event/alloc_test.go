package event

import "testing"

func TestAllocations(t *testing.T) {
	event := benchEvent(100, true)
	record := &event.Records["orders.created.v1-0"][0]
	var buffer []byte
	sum := 0
	tests := []struct {
		name string
		most float64
		run  func()
	}{
		{"MarshalJSON", 2, // 1 without the race detector
			func() { buffer, _ = event.MarshalJSON() }},
		{"AppendJSON into room", 0, func() { buffer = event.AppendJSON(buffer[:0]) }},
		{"AppendJSON of a record into room", 0, func() { buffer = record.AppendJSON(buffer[:0]) }},
		{"Size of a record", 0, func() { sum += record.Size() }},
		{"Size of an event", 0, func() { sum += event.Size() }},
	}
	for _, test := range tests {
		if got := testing.AllocsPerRun(100, test.run); got > test.most {
			t.Errorf("%s: %v allocations, want at most %v", test.name, got, test.most)
		}
	}
}
