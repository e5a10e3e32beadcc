package esm

import (
	"testing"

	"pgregory.net/rapid"
)

func TestNote(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := note{ours: true, partitions: rapid.Int32Min(0).Draw(rt, "partitions"), mapping: rapid.StringMatching("([0-9a-f]{8})?").Draw(rt, "mapping")}
		if rapid.Bool().Draw(rt, "known") {
			n.topic = [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "topic"))
		}
		if n.topic != ([16]byte{}) {
			n.cluster = fingerprint("b:9092")
		}
		if got := parseNote(n.text(n.mapping)); got != n {
			rt.Fatalf("%+v came back as %+v", n, got)
		}
	})
	for _, s := range []string{"", "x", "esm/1 partitions=", "esm/1 partitions=-3", "esm/2 partitions=3", "esm/1 partitions=3x"} {
		if got := parseNote(s); got.ours {
			t.Errorf("%q is ours: %+v", s, got)
		}
	}
	// What the first version wrote, and what a later one may add.
	for _, s := range []string{"esm/1 partitions=12", "esm/1 partitions=12 topic=short mapping= color=red"} {
		if got := parseNote(s); got != (note{ours: true, partitions: 12}) {
			t.Errorf("%q is %+v", s, got)
		}
	}
	a, b := [16]byte{1}, [16]byte{2}
	for _, c := range []struct {
		was, now note
		want     bool
	}{
		{note{topic: a, cluster: "x"}, note{topic: b, cluster: "x"}, true},
		{note{topic: a, cluster: "x"}, note{topic: a, cluster: "x"}, false},
		{note{topic: a, cluster: "x"}, note{topic: b, cluster: "y"}, false}, // carried over from another cluster
		{note{cluster: "x"}, note{topic: b, cluster: "x"}, false},
		{note{topic: a, cluster: "x"}, note{cluster: "x"}, false},
	} {
		if got := c.was.stale(c.now); got != c.want {
			t.Errorf("%+v at %+v: stale is %v", c.was, c.now, got)
		}
	}
}
