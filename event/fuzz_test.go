package event

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// No input causes a panic; accepted input is JSON, and encoding and decoding it again gives the same event.
func FuzzUnmarshalEvent(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		seed, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte(`{"records":{"a\ud83d-0":[{"partition":"3","headers":[{"h":[-128,255]}],"x":[[{"y":1e9}]]}]}}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		var first KafkaEvent
		if err := first.UnmarshalJSON(input); err != nil {
			return
		}
		if !json.Valid(input) {
			t.Fatal("accepted what is not JSON")
		}
		encoded := first.AppendJSON(nil)
		if len(encoded) != first.Size() {
			t.Fatalf("Size = %d, want %d", first.Size(), len(encoded))
		}
		var second KafkaEvent
		if err := second.UnmarshalJSON(encoded); err != nil {
			t.Fatalf("%v: %s", err, encoded)
		}
		if first.Records == nil {
			second.Records = nil // null becomes {}
		}
		if first = withoutNullHeaders(first); !reflect.DeepEqual(first, second) {
			t.Fatalf("read %+v\nthen %+v", first, second)
		}
	})
}
