package start

import (
	"testing"

	"pgregory.net/rapid"
)

func TestNote(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := Note{Ours: true, Partitions: rapid.Int32Min(0).Draw(rt, "partitions"), Mapping: rapid.StringMatching("([0-9a-f]{8})?").Draw(rt, "mapping")}
		if rapid.Bool().Draw(rt, "known") {
			n.Topic = [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "topic"))
		}
		if n.Topic != ([16]byte{}) {
			n.Cluster = Fingerprint("b:9092")
		}
		if got := ParseNote(n.Text(n.Mapping)); got != n {
			rt.Fatalf("%+v came back as %+v", n, got)
		}
	})
	for _, s := range []string{"", "x", "esm/1 partitions=", "esm/1 partitions=-3", "esm/2 partitions=3", "esm/1 partitions=3x"} {
		if got := ParseNote(s); got.Ours {
			t.Errorf("%q is ours: %+v", s, got)
		}
	}
	// What the first version wrote, and what a later one may add.
	for _, s := range []string{"esm/1 partitions=12", "esm/1 partitions=12 topic=short mapping= color=red"} {
		if got := ParseNote(s); got != (Note{Ours: true, Partitions: 12}) {
			t.Errorf("%q is %+v", s, got)
		}
	}
	a, b := [16]byte{1}, [16]byte{2}
	for _, c := range []struct {
		was, now Note
		want     bool
	}{
		{Note{Topic: a, Cluster: "x"}, Note{Topic: b, Cluster: "x"}, true},
		{Note{Topic: a, Cluster: "x"}, Note{Topic: a, Cluster: "x"}, false},
		{Note{Topic: a, Cluster: "x"}, Note{Topic: b, Cluster: "y"}, false}, // copied from another cluster
		{Note{Cluster: "x"}, Note{Topic: b, Cluster: "x"}, false},
		{Note{Topic: a, Cluster: "x"}, Note{Cluster: "x"}, false},
	} {
		if got := c.was.Stale(c.now); got != c.want {
			t.Errorf("%+v at %+v: stale is %v", c.was, c.now, got)
		}
	}
}
